"""A program of the admin's says whether somebody uses this machine: any question, in any language.

Two modes. ``exit-code``: the program is run at each look, and its exit status answers: 0 somebody does, 1 nobody does; anything else is a
failure, which keeps the machine awake. The first line it prints is the reason. ``lines``: the program runs on and prints a line at each
change: ``active REASON``, ``idle``, or ``pulse REASON``, or the same as JSON: ``{"state": "active", "reason": "...", "who": ["..."]}``. It
begins with its state now; until then, and when it has died or said what nobody understands, the monitor fails, and it is started again,
later each time. A line is read whole; which of its words were true while nobody listened is not known, so the last one counts.

Started as an argument list, never through a shell; what takes longer than ``time_limit`` is killed with all its children.
"""

from __future__ import annotations

import json
import os
import stat

from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.value import dataclass
from powernap.host import programs
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.ears import Ears
from powernap.host.host import Host
from powernap.host.inotify import on_disk
from powernap.host.programs import Account, Program, ProgramError
from powernap.monitors import Context

EVENTS = True

BACKSTOP = 3600.0
"""Seconds after which a run is killed even if nobody set a limit; the daemon's ``time_limit`` comes first."""
LONGEST_LINE = 4096
LONGEST_REASON = 200
FIRST_PAUSE, LONGEST_PAUSE, LIVED_WELL = 1.0, 300.0, 60.0
"""Seconds before a program that died is started again, doubled each time; one that lived well begins anew."""
ALLOWANCE = 65536
"""Bytes a second that are read of a program that talks all the time; then it waits in its write(2)."""


def wrong_command(command: tuple[str, ...]) -> str | None:
    """What is wrong with an argument list."""
    if not command or not command[0].startswith("/"):
        return 'write the program with its whole path, then its arguments: ["/usr/local/bin/backup-runs", "--quiet"]'
    return None


@dataclass(frozen=True)
class Options:
    """What to run, how, and as whom."""

    command: tuple[str, ...] = option(
        help="The program's absolute path, then its arguments. No shell reads it.",
        example='["/usr/local/bin/backup-runs", "--quiet"]',
        check=wrong_command,
    )
    mode: str = option(
        "exit-code",
        help="exit-code: run at each look, 0 is active, 1 is idle. lines: runs on and prints a line at each change.",
        choices=("exit-code", "lines"),
    )
    user: str | None = option(None, help="Run it as this user; by default as the daemon.", example='"nobody"')


def probe(host: Host, options: Options) -> Availability:
    """Whether the program is there, may be run, and cannot be changed by just anybody."""
    if not host.live:
        return unavailable("recorded machine: its programs cannot be run")
    path = options.command[0]
    try:
        found = os.stat(on_disk(host.files, path))
    except OSError as error:
        return unavailable(f"{path}: {error.strerror}", "install it, or correct the command")
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & 0o111:
        return unavailable(f"{path} is not a program", f"chmod +x {path}")
    if found.st_mode & 0o002 or found.st_uid not in {0, os.geteuid()}:
        return unavailable(
            f"{path} may be changed by other users than root", f"chown root {path} && chmod o-w {path}"
        )
    return available(f"runs {path}")


def open(context: Context, options: Options) -> ExitCode | Lines:  # noqa: A001 - the name every monitor has
    """Check the program; in mode ``lines`` start it."""
    answer = probe(context.host, options)
    if not answer:
        raise UnavailableError(answer)
    if not context.host.ears:
        raise UnavailableError(unavailable("programs are run by the daemon only"))
    user = whom(options.user)
    if options.mode == "exit-code":
        return ExitCode(context, options.command, context.host.ears, user)
    return Lines(context, options.command, context.host.ears, user)


def whom(name: str | None) -> Account | None:
    """The account to run as; ``UnavailableError`` when there is none or we may not."""
    if name is None:
        return None
    try:
        found = programs.account(name)
    except KeyError:
        raise UnavailableError(unavailable(f'there is no user "{name}"', "correct the option user")) from None
    if os.geteuid() not in {0, found.uid}:
        raise UnavailableError(
            unavailable(f'only root may run programs as "{name}"', "run powernapd as root")
        )
    return found if os.geteuid() == 0 else None


def first_line(output: bytes) -> str:
    """The first line as people may see it: no control characters, not too long."""
    line = output.strip().split(b"\n", 1)[0].decode(errors="replace").strip()
    shown = "".join(char if char.isprintable() else "?" for char in line)
    return shown if len(shown) <= LONGEST_REASON else shown[: LONGEST_REASON - 1] + "…"


def ending(status: int) -> str:
    """How a program ended, for people: a status below zero is the signal's."""
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


# --- mode exit-code


class ExitCode:
    """A program that is run at each look. Nothing tells of a change in between."""

    events = False

    def __init__(self, context: Context, command: tuple[str, ...], ears: Ears, user: Account | None) -> None:
        self.context, self.command, self.ears, self.user = context, command, ears, user

    @property
    def source(self) -> str:
        """How it is asked."""
        return f"runs {self.command[0]} at each look"

    async def check(self, now: float) -> Reading:
        """Run it; ``ProgramError`` or ``OSError`` when it gives no answer."""
        environment = {"POWERNAP_MONITOR": self.context.name}
        result = await programs.run(
            self.ears, self.command, limit=BACKSTOP, user=self.user, environment=environment
        )
        said = first_line(result.output)
        name = os.path.basename(self.command[0])
        if result.status == 0:
            return Reading(self.context.name, now, active=True, reason=said or f"{name} says so", who=(name,))
        if result.status == 1:
            return Reading(self.context.name, now, reason=said or f"{name} says that nobody does")
        complaint = first_line(result.errors) or said or "it said nothing"
        raise ProgramError(f"{name} failed ({ending(result.status)}): {complaint}; staying awake")

    def close(self) -> None:
        """Nothing runs between two looks."""


# --- mode lines


@dataclass(frozen=True, slots=True)
class Word:
    """One line's meaning: ``state`` is ``active``, ``idle`` or ``pulse``."""

    state: str
    reason: str = ""
    who: tuple[str, ...] = ()


def parse(line: bytes) -> Word | None:
    """The meaning of a line; ``None`` when it has none."""
    text = line.decode(errors="replace").strip()
    state, _, reason = text.partition(" ")
    who: tuple[str, ...] = ()
    if text.startswith("{"):
        try:
            values = json.loads(text)
            state, reason = values.get("state"), values.get("reason", "")
            named = values.get("who", ())
            who = (named,) if isinstance(named, str) else tuple(str(item) for item in named)
        except (ValueError, AttributeError, TypeError, RecursionError):
            return None
    if state not in ("active", "idle", "pulse") or not isinstance(reason, str):
        return None
    return Word(
        state,
        first_line(reason.encode(errors="replace")),
        tuple(first_line(name.encode(errors="replace")) for name in who[:100]),
    )


class Lines:
    """A program that runs on. Deaf after a pulse: its pipe keeps the next lines, and when that is full the program waits."""

    events = True

    def __init__(self, context: Context, command: tuple[str, ...], ears: Ears, user: Account | None) -> None:
        self.context, self.command, self.ears, self.user = context, command, ears, user
        self.name = os.path.basename(command[0])
        self.program: Program | None = None
        self.rest = b""
        self.complaint = ""
        self.word: Word | None = None
        self.since = 0.0
        self.last: float | None = None
        self.trouble = f"{self.name} has not yet said its state"
        self.pause = FIRST_PAUSE
        self.started = 0.0
        self.second, self.spent = 0.0, 0
        self.deaf = self.closed = False
        self.looking = True  # what fails at once is told by the first look
        self._start()
        self.looking = False

    @property
    def source(self) -> str:
        """How it is heard."""
        return f"lines of {self.command[0]}"

    def check(self, now: float) -> Reading:
        """Listen again, then take what waits: at most one pipeful, which is all there can be."""
        if self.program:
            self.deaf, self.looking = False, True
            self._listen()
            self.program.read(self.program.output)
            self.looking = False
        return self._reading(now)

    def close(self) -> None:
        """Kill the program."""
        self.closed = True
        if self.program:
            self.program.stop()
            self.program = None

    # --- the program's life

    def _start(self) -> None:
        self.started = self.context.host.clock.boottime()
        self.rest, self.complaint = b"", ""
        environment = {"POWERNAP_MONITOR": self.context.name}
        try:
            self.program = Program(
                self.ears,
                self.command,
                self._said,
                self._complained,
                self._ended,
                user=self.user,
                environment=environment,
            )
        except OSError as error:
            self._fail(f"{self.command[0]}: {error.strerror}")
            self._start_later()

    def _start_later(self) -> None:
        self.ears.later(self.pause, self._start_again)
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def _start_again(self) -> None:
        if not self.closed:
            self._start()

    def _ended(self, status: int) -> None:
        self.program = None
        if self.context.host.clock.boottime() - self.started >= LIVED_WELL:
            self.pause = FIRST_PAUSE
        self._fail(f"{self.name} ended ({ending(status)}) {self.complaint}".strip())
        self._start_later()

    def _stop(self, why: str) -> None:
        if self.program:
            self.program.stop()
            self.program = None
        self._fail(why)
        self._start_later()

    # --- what it says

    def _complained(self, data: bytes) -> None:
        self.complaint = first_line(data[-LONGEST_LINE:]) or self.complaint

    def _said(self, data: bytes) -> None:
        """Take every whole line, then tell once: what changed to and fro within one read is one piece of news."""
        now = self.context.host.clock.boottime()
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        news = False
        for line in filter(bytes.strip, lines):
            word = parse(line)
            if word is None:
                self._stop(
                    f'{self.name} prints "{first_line(line)}", which is neither active, idle nor pulse'
                )
                return
            news |= self._take(word, now)
        if len(self.rest) > LONGEST_LINE:
            self._stop(f"{self.name} prints a line of more than {LONGEST_LINE} bytes")
            return
        if news:
            self._tell(now)
        if not self.looking:
            self._spend(len(data), now)

    def _take(self, word: Word, now: float) -> bool:
        """Make a line the state; answers whether that is news."""
        before = self.word.state if self.word else ""
        if word.state == "pulse" or before == "active":
            self.last = now
        if word.state == "active" and before != "active":
            self.since = now
        if not (word.state == "pulse" and before == "active"):
            self.word = word
        self.trouble = ""
        return word.state == "pulse" or word.state != before

    def _tell(self, now: float) -> None:
        if self.looking or self.deaf:
            return
        reading = self._reading(now)
        self.context.tell(reading)
        if self.word and self.word.state == "pulse" and self.program:
            self.deaf = True
            self.program.ignore(self.program.output)

    def _spend(self, size: int, now: float) -> None:
        """A program that talks without end is heard once a second."""
        if now - self.second >= 1:
            self.second, self.spent = now, 0
        self.spent += size
        if self.spent >= ALLOWANCE and self.program and not self.deaf:
            self.program.ignore(self.program.output)
            self.ears.later(1.0, self._listen)

    def _listen(self) -> None:
        if self.program and not self.deaf and not self.closed:
            self.program.listen(self.program.output)

    # --- what that means

    def _fail(self, why: str) -> None:
        """It is not known any more whether somebody uses the machine."""
        self.word, self.trouble = None, why
        if not self.looking:
            self.context.tell(self._reading(self.context.host.clock.boottime()))

    def _reading(self, now: float) -> Reading:
        if self.trouble or self.word is None:
            remedy = f"let {self.name} print active, idle or pulse at its start and at each change"
            return Reading(
                self.context.name,
                now,
                reason=f"{self.trouble}; staying awake",
                failed=True,
                remedy=remedy,
                last=self.last,
            )
        reason = self.word.reason or f"{self.name} says {self.word.state}"
        who = self.word.who or (self.name,)
        if self.word.state == "active":
            return Reading(
                self.context.name, now, active=True, reason=reason, since=self.since, who=who, told=True
            )
        return Reading(
            self.context.name,
            now,
            reason=reason,
            last=self.last,
            who=who if self.word.state == "pulse" else (),
        )
