"""Who is logged in, from whichever source this machine has: logind, utmp, or the controlling terminals in /proc.

Owns the choice of the source, one form for all of them, and how each tells of changes. Does not own which people count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from powernap.core.value import dataclass
from powernap.host import logins
from powernap.host.files import Files
from powernap.host.host import Host
from powernap.host.inotify import MODIFY, Inotify, on_disk
from powernap.host.logins import Login, TypingTimes

SEATS = "/run/systemd/seats"
"""There where logind runs, and only there; pam_systemd's ``logind_running()`` asks the same."""
SYSTEM_BUS = "/run/dbus/system_bus_socket"


@dataclass(frozen=True, slots=True)
class Person:
    """One session, whatever source it comes from. Instants are ``CLOCK_BOOTTIME``.

    :param idle: it says of itself that nobody is at it.
    :param used: when it was last used, ``None`` where nobody can tell (a session without terminal: sftp, a desktop in use).
    """

    id: str
    user: str
    terminal: str = ""
    host: str = ""
    kind: str = "user"
    remote: bool = False
    idle: bool = False
    used: float | None = None
    since: float | None = None

    def __str__(self) -> str:
        """As a reason says it: "alice on pts/0 from 10.0.0.7"."""
        return (
            self.user
            + (f" on {self.terminal}" if self.terminal else "")
            + (f" from {self.host}" if self.host else "")
        )


class Source(Protocol):
    """Where sessions are found."""

    name: str
    told: bool
    events: bool

    async def people(self, now: float) -> list[Person]:
        """Who is logged in; an exception when that cannot be told."""
        ...

    def close(self) -> None:
        """Give back every descriptor."""
        ...


class Utmp:
    """Sessions by utmp, heard of by inotify. A crash leaves rows behind without a word, so their end is not told."""

    name = "utmp"
    told = False

    def __init__(self, host: Host, changed: Callable[[], None], path: str) -> None:
        self.host, self.changed, self.path = host, changed, path
        self.times = TypingTimes(host.files, host.clock)
        self.inotify = self._watch()
        self.events = self.inotify is not None

    def _watch(self) -> Inotify | None:
        if not self.host.ears or not self.host.live:
            return None
        inotify = Inotify()
        try:
            inotify.watch(on_disk(self.host.files, self.path), MODIFY)
        except OSError:
            inotify.close()
            return None
        self.host.ears.listen(inotify.fd, self._heard)
        return inotify

    def _heard(self) -> None:
        if self.inotify and self.inotify.drain():
            self.changed()

    async def people(self, now: float) -> list[Person]:
        """Every row whose process lives."""
        return [
            person_of(login, self.host, self.times, now)
            for login in logins.from_utmp(self.host.files, self.path)
        ]

    def close(self) -> None:
        """Give back the watch."""
        if self.inotify:
            if self.host.ears:
                self.host.ears.ignore(self.inotify.fd)
            self.inotify.close()
            self.inotify = None


class Terminals:
    """Sessions by the controlling terminals of their leaders: nothing tells, each look scans /proc."""

    name = "controlling terminals in /proc"
    told = False
    events = False

    def __init__(self, host: Host) -> None:
        self.host = host
        self.times = TypingTimes(host.files, host.clock)
        self.asked = float("-inf")

    async def people(self, now: float) -> list[Person]:
        """Every session leader on a terminal."""
        found = logins.from_terminals(self.host.files, now, self.asked)
        self.asked = now
        return [person_of(login, self.host, self.times, now) for login in found]

    def close(self) -> None:
        """Nothing is held."""


def person_of(login: Login, host: Host, times: TypingTimes, now: float) -> Person:
    """A login of utmp or of /proc. On a pseudo terminal without a known host it may be remote: it is taken for it."""
    remote = (
        not login.host.startswith((":", "tmux(", "tty")) if login.host else login.terminal.startswith("pts/")
    )
    since = now - (host.clock.wall() - login.since) if login.since else None
    used = times.at(login.terminal, now)
    return Person(
        f"{login.terminal}:{login.pid}",
        login.user,
        login.terminal,
        login.host,
        remote=remote,
        used=used,
        since=since,
    )


def has_logind(files: Files) -> bool:
    """Whether there is a login manager that can be asked (sd_login(3) looks for the same directory)."""
    return files.exists(SEATS) and files.exists(SYSTEM_BUS)


def choose(host: Host) -> str:
    """Which source this machine has: ``logind``, ``utmp``, ``proc``, or "" for none that could be believed."""
    if host.live and has_logind(host.files):
        return "logind"
    if logins.utmp_path(host.files):
        return "utmp"
    return "proc" if host.files.exists("/proc/1/stat") else ""


def source(host: Host, changed: Callable[[], None], lost: Callable[[str], None]) -> Source:
    """The source this machine has; ``changed`` is called when sessions came, went or changed, ``lost`` when it can tell no more."""
    kind = choose(host)
    if kind == "logind":
        # The D-Bus client is 0.3 MiB that a machine without logind never pays.
        from powernap.host.logind_people import Logind  # noqa: PLC0415

        return Logind(host, changed, lost)
    path = logins.utmp_path(host.files)
    return Utmp(host, changed, path) if path else Terminals(host)
