"""Somebody types on a terminal: ssh, tmux, console, serial line. Input counts, output never does.

Owns which terminals count and how input on them is heard: one one-shot inotify watch each, for the read by which a program takes
what was typed. Who types ten thousand keys wakes us once. Terminals of processes that nobody types on (a `top` in tmux, a job that
writes) stay silent. A new terminal is no activity by itself: sudo and cron jobs open some.

When: heard at the instant, or while deaf from the terminal's access time, which the kernel keeps in steps of 8 s (tty_io.c). An input
is never placed before it was, and at most 8 s after.
"""

from __future__ import annotations

import os
import re

from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.ears import Ear
from powernap.host.files import text
from powernap.host.host import Host
from powernap.host.inotify import ACCESS, CREATE, ONESHOT, Inotify, on_disk
from powernap.host.logins import TypingTimes, user_names
from powernap.monitors import Context

EVENTS = True

BURST = 50
"""New terminals that are heard of before the next look or pause: a script that calls sudo in a loop opens hundreds a second."""
PAUSE = 10.0
STARTING = 30.0
"""Seconds after the machine was started within which an access time is that of the device's making (devtmpfs), and not of somebody's typing."""


@dataclass(frozen=True)
class Options:
    """Whose typing counts."""

    exclude_users: tuple[str, ...] = option(
        (),
        help="Users whose terminals do not count.",
        example='["backup", "nagios"]',
    )


@dataclass
class Terminal:
    """``watch`` is its inotify watch, ``None`` where we may not watch it; ``last`` the instant of its newest input known."""

    user: str
    watch: int | None
    last: float | None


def names(host: Host) -> list[str]:
    """Terminals people type on, below /dev: pseudo terminals, virtual consoles in use, the kernel's serial consoles.

    Not other serial lines: what a UPS or a GPS says on them is nobody's typing.
    """
    pseudo = [f"pts/{name}" for name in host.files.names("/dev/pts") if name.isdecimal()]
    virtual = [f"tty{name[3:]}" for name in host.files.names("/dev") if re.fullmatch(r"vcs\d+", name)]
    consoles = [name for name in text(host.files, "/sys/class/tty/console/active").split() if name != "tty0"]
    return list(dict.fromkeys([*pseudo, *virtual, *consoles]))


def probe(host: Host, options: Options) -> Availability:  # noqa: ARG001 - every probe is given them
    """Which terminals there are."""
    if not host.live:
        return unavailable("recorded machine: nobody types on it")
    found = names(host)
    return available(
        f"{many(len(found), 'terminal')}: {', '.join(found[:8])}"
        if found
        else "no terminals now; new ones are watched"
    )


def open(context: Context, options: Options) -> TerminalsMonitor:  # noqa: A001 - the name every monitor has
    """Watch every terminal, and /dev/pts for new ones."""
    if not context.host.live:
        raise UnavailableError(probe(context.host, options))
    try:
        inotify = Inotify()
    except OSError as error:
        remedy = "raise fs.inotify.max_user_instances"
        raise UnavailableError(unavailable(f"no inotify: {error.strerror}", remedy)) from error
    monitor = TerminalsMonitor(context, options, inotify)
    try:
        monitor.check(context.host.clock.boottime())
    except BaseException:
        monitor.close()
        raise
    return monitor


class TerminalsMonitor:
    """Deaf after hearing: then not even new terminals are heard of, until the next look."""

    def __init__(self, context: Context, options: Options, inotify: Inotify) -> None:
        self.context = context
        self.options = options
        self.inotify = inotify
        self.terminals: dict[str, Terminal] = {}
        self.times = TypingTimes(context.host.files, context.host.clock)
        self.users: dict[int, str] = {}
        self.directory: int | None = None
        self.created = 0
        self.ear = Ear(context.host.ears, inotify.fd, self._heard)

    @property
    def events(self) -> bool:
        """Whether input on every terminal is heard (watching one needs the right to read it)."""
        return all(terminal.watch is not None for terminal in self.terminals.values())

    @property
    def source(self) -> str:
        """How input is noticed."""
        blind = sum(terminal.watch is None for terminal in self.terminals.values())
        return f"inotify on {many(len(self.terminals) - blind, 'terminal')}" + (
            f", access times of {blind} that we may not watch" if blind else ""
        )

    def check(self, now: float) -> Reading:
        """Watch again what was heard, then take the newest input from hearing and from access times."""
        self.ear.arm()
        self._watch_directory()
        self.users = user_names(self.context.host.files)
        self._take_heard()
        there = names(self.context.host)
        for name in [name for name in self.terminals if name not in there]:
            self._forget(name)
        for name in there:
            self._look(name, now)
        return self._reading(now)

    def close(self) -> None:
        """Give back the descriptor."""
        self._deafen()
        self.ear.close()
        self.inotify.close()

    # --- looking

    def _look(self, name: str, now: float) -> None:
        """Watch one terminal (again), *then* read its access time. A watch that still stands heard nothing: nobody typed."""
        path = on_disk(self.context.host.files, f"/dev/{name}")
        user = self._user(path)
        if user is None:
            self._forget(name)
            return
        try:
            watch = self._watch(path)
        except FileNotFoundError:
            self._forget(name)
            return
        known = self.terminals.get(name)
        if not known or watch is None or known.watch != watch:
            instants = (known.last if known else None, self.times.at(name, now))
            newest = max((at for at in instants if at is not None and at > STARTING), default=None)
            self.terminals[name] = Terminal(user, watch, newest)

    def _user(self, path: str) -> str | None:
        """Whose terminal it is; ``None`` where it does not count, or is gone."""
        try:
            number = os.stat(path).st_uid
        except OSError:
            return None
        user = self.users.get(number, f"uid {number}")
        return None if user in self.options.exclude_users else user

    def _watch(self, path: str) -> int | None:
        """``None`` where we may not: another user's terminal. ``OSError`` when the user's watches are used up."""
        try:
            return self.inotify.watch(path, ACCESS | ONESHOT)
        except PermissionError:
            return None

    def _forget(self, name: str) -> None:
        terminal = self.terminals.pop(name, None)
        if terminal and terminal.watch is not None:
            self.inotify.unwatch(terminal.watch)

    def _reading(self, now: float) -> Reading:
        typed = [
            (item.last, f"{item.user} on {name}")
            for name, item in self.terminals.items()
            if item.last is not None
        ]
        if not typed:
            return Reading(
                self.context.name, now, reason=f"nobody typed on {many(len(self.terminals), 'terminal')}"
            )
        last, who = max(typed)
        return Reading(self.context.name, now, last=min(last, now), reason=f"{who} typed", who=(who,))

    # --- hearing

    def _watch_directory(self) -> None:
        """Hear of new terminals (again)."""
        self.created = 0
        if self.ear.listening and self.directory is None:
            try:
                self.directory = self.inotify.watch(on_disk(self.context.host.files, "/dev/pts"), CREATE)
            except OSError:
                self.directory = None  # no pseudo terminals on this machine

    def _unwatch_directory(self) -> None:
        if self.directory is not None:
            self.inotify.unwatch(self.directory)
            self.directory = None

    def _deafen(self) -> None:
        self.ear.deafen()
        self._unwatch_directory()

    def _heard(self) -> None:
        now = self.context.host.clock.boottime()
        typed = self._take_heard()
        for terminal in typed:
            terminal.last = now
        if typed and self.ear.listening:
            self._deafen()
            self.context.tell(self._reading(now))

    def _take_heard(self) -> list[Terminal]:
        """Watch who is new; answers with the terminals on which somebody typed."""
        by_watch = {terminal.watch: terminal for terminal in self.terminals.values()}
        typed = []
        for event in self.inotify.drain():
            if event.mask & CREATE and event.name.isdecimal():
                self._greet(f"pts/{event.name}")
            elif event.mask & ACCESS and event.watch in by_watch:
                typed.append(by_watch[event.watch])
        return typed

    def _greet(self, name: str) -> None:
        """A new terminal: nobody typed on it yet."""
        self.created += 1
        if self.created > BURST and self.context.host.ears:
            self._unwatch_directory()
            self.context.host.ears.later(PAUSE, self._hear_new_again)
            return
        path = on_disk(self.context.host.files, f"/dev/{name}")
        user = self._user(path)
        if user is None:
            return
        try:
            self.terminals[name] = Terminal(user, self._watch(path), None)
        except FileNotFoundError:
            return

    def _hear_new_again(self) -> None:
        if self.ear.listening:
            self._watch_directory()
            now = self.context.host.clock.boottime()
            for name in names(self.context.host):
                if name not in self.terminals:
                    self._look(name, now)
