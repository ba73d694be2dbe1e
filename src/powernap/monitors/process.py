"""A process of a given program, or whose command line matches a regex, is running.

Owns the reading; starts are told by host/exec_events.py, ends by a pidfd, and what is there already by a search of /proc
(host/processes.py). Knows nothing of what the process does: that is ``process-io``.

Name the ``program`` where you can: the kernel then filters by it, and other processes cost nothing. A bare ``regex`` is found only when
the daemon looks, which reads the command line of every process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum, auto

from powernap.core.reading import Reading
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available
from powernap.host.exec_events import SOURCES, ExecEvents, Watch, exec_events
from powernap.host.host import Host
from powernap.host.pidfd import ended, open_pidfd
from powernap.host.process_choice import (
    arguments_option,
    program_option,
    refuse_both,
    regex_option,
    user_option,
    wanted,
)
from powernap.host.processes import Process, Search
from powernap.monitors import Context

EVENTS = True
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds between two searches for a successor of a process that ended. Doubled as long as there is one, since a compile job of ten
thousand short processes is one hold; the end is told late then, with the right instant."""
GUARD_TIME = 30.0
"""Seconds for which an unchanged last process id may spare the search for a bare regex."""


@dataclass(frozen=True)
class Options:
    """What to watch."""

    program: str = program_option("a script's own name if run by its #! line")
    arguments: str = arguments_option()
    regex: str = regex_option("; read at each look")
    user: str = user_option()

    def __post_init__(self) -> None:
        refuse_both(self)


def probe(host: Host, options: Options) -> Availability:
    """Works wherever there is /proc; how well, the opened monitor's ``source`` says."""
    try:
        search = Search(host, wanted(host, options))
        found = len(search.all())
    except UnavailableError as error:
        return error.availability
    return available(f"{found} of {search.count} processes match now")


def open(context: Context, options: Options, sources: tuple[str, ...] = SOURCES) -> ProcessMonitor:  # noqa: A001 - the contract's word
    """Begin to watch."""
    host = context.host
    search = Search(host, wanted(host, options))
    return ProcessMonitor(context, search, exec_events(host, sources))


class Found(Enum):
    """What became of the attempt to hold a process."""

    HELD = auto()
    GONE = auto()
    OTHER = auto()


HELD, GONE, OTHER = Found


class ProcessMonitor:
    """Holds one of the processes found, until it ends; then looks for another."""

    def __init__(self, context: Context, search: Search, starts: ExecEvents) -> None:
        self.context, self.search, self.starts = context, search, starts
        self.host, self.ears, self.clock = context.host, context.host.ears, context.host.clock
        self.held: Process | None = None
        self.pidfd: int | None = None
        self.others = 0
        self.last: float | None = None
        self.reason = "no such process"
        self.pause, self.searched = FIRST_PAUSE, float("-inf")
        self.searching = self.closed = self.end_untold = False
        name = search.wanted.program
        self.named = name.decode(errors="replace") or "a process"
        self.watch: Watch | None = starts.watch(name, self.heard) if name else None
        self.seen = self.watch.latest().count if self.watch else 0

    @property
    def events(self) -> bool:
        """Whether a start will be told."""
        return self.watch is not None and self.starts.events

    @property
    def source(self) -> str:
        """How processes are noticed and what it costs."""
        if self.watch:
            return self.starts.source
        cost = f"{self.search.count} processes, about {self.search.cost * 1e3:.1f} ms at each look"
        return f"scan of /proc: {cost}; what comes and goes between two looks is missed"

    def check(self, now: float) -> Reading:
        """Arm, then look; while a process is held only whether it is still there."""
        if self.held and not self.gone():
            return self.holding(now)
        self.arm()
        self.find(now)
        return self.verdict(now)

    def arm(self) -> None:
        """Hear the next start."""
        if self.watch:
            self.watch.arm()

    def find(self, now: float) -> None:
        """Search, and hold the first that is still there; what came and went meanwhile is in the kernel's memory."""
        self.searched = now
        if self.watch and self.events:
            # Another monitor's search of this look will do, unless the kernel knows of a start since: then it may have come too early.
            found = self.search.all(now, self.watch.latest().last or 0.0)
        else:
            found = self.search.all_if_forked(now, GUARD_TIME)
        for at, process in enumerate(found):
            if self.hold(process.pid) is HELD:
                self.others = len(found) - at - 1
                break
        self.remember()

    def remember(self) -> None:
        """Take over the starts nobody told us of; not where the name alone does not decide, as those were told one by one."""
        if not self.watch:
            return
        starts = self.watch.latest()
        if (
            starts.count > self.seen
            and starts.last
            and not self.search.wanted.picky
            and starts.last > (self.last or 0.0)
        ):
            self.last, self.reason = starts.last, f"{self.named} came and went"
        self.seen = starts.count

    def hold(self, pid: int) -> Found:
        """Wait for the end of this process, if it is there and matches."""
        try:
            pidfd = open_pidfd(pid) if self.host.live else None
        except OSError:  # no pidfd on this kernel: the daemon looks again
            pidfd = None
        else:
            if self.host.live and pidfd is None:
                return GONE
        # Looked at only now: with the descriptor in hand its number cannot pass to another process.
        process = self.search.one(pid)
        if process is None:
            return OTHER if pidfd is None or not ended_and_closed(pidfd) else GONE
        self.held, self.pidfd, self.others = process, pidfd, 0
        if pidfd is not None and self.ears:
            self.ears.listen(pidfd, self.ended)
        return HELD

    def drop(self) -> None:
        """Hold nothing any more."""
        self.held = None
        if self.pidfd is not None:
            if self.ears:
                self.ears.ignore(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = None

    def gone(self) -> bool:
        """Whether the held process has ended; it is dropped then."""
        if self.held and (
            ended(self.pidfd) if self.pidfd is not None else self.search.one(self.held.pid) != self.held
        ):
            self.note_end()
        return self.held is None

    def note_end(self) -> None:
        """The held process has just ended."""
        self.last, self.reason, self.end_untold = self.clock.boottime(), f"{self.described()} ended", True
        self.drop()

    def described(self) -> str:
        """The held process, for people."""
        return self.search.describe(self.held) if self.held else self.named

    def heard(self, pid: int) -> None:
        """A program of our name was started (0: some may have been, look)."""
        if not self.held:
            self.attempt(lambda now: self.started(pid, now) if pid else self.overrun(now))

    def attempt(self, look: Callable[[float], None]) -> None:
        """Look at processes out of an event; a failure is told, which keeps the machine awake."""
        now = self.clock.boottime()
        try:
            look(now)
        except UnavailableError as error:
            answer = error.availability
            self.context.tell(
                Reading(self.context.name, now, reason=answer.detail, remedy=answer.remedy, failed=True)
            )

    def overrun(self, now: float) -> None:
        """Events were lost: what they would have told is found by a search."""
        before = self.last
        self.arm()
        self.find(now)
        if self.held or self.last != before:
            self.context.tell(self.verdict(now))

    def started(self, pid: int, now: float) -> None:
        """A process was started: hold it, count it as a pulse if it is gone, or hear the next if it is not ours."""
        self.seen += 1
        found = self.hold(pid)
        if found is HELD:
            self.context.tell(self.holding(now))
        elif found is GONE:
            self.pulse(pid, now)
        else:
            self.not_ours(now)

    def pulse(self, pid: int, now: float) -> None:
        """It ended before it could be looked at. Where its arguments had to be compared this is unsure, so it counts."""
        starts = self.watch.latest() if self.watch else None
        unsure = " before its arguments could be read" if self.search.wanted.picky else ""
        self.last, self.reason = (starts and starts.last) or now, f"{self.named}[{pid}] came and went{unsure}"
        if self.search.wanted.picky:
            self.arm()  # deaf, it could not tell later which of its namesakes came
        self.context.tell(self.quiet(now))

    def not_ours(self, now: float) -> None:
        """Of our name, but with other arguments, another user's, or started by ourselves."""
        self.arm()
        if self.watch and self.watch.latest().count > self.seen:  # more were started before we listened again
            self.search_soon(now)

    def ended(self) -> None:
        """The held process has ended: is there another?"""
        self.note_end()
        self.search_soon(self.clock.boottime())

    def search_soon(self, now: float) -> None:
        """Search, but not more often than each half second."""
        wait = self.searched + self.pause - now
        if wait <= 0 or not self.ears:
            self.search_now()
        elif not self.searching:
            self.searching = True
            self.ears.later(wait, self.search_now)

    def search_now(self) -> None:
        """Go on holding if there is a process to hold, else tell the end."""
        self.searching = False
        if not self.closed and not self.held:
            self.attempt(self.succeed)

    def succeed(self, now: float) -> None:
        """Find a successor."""
        if self.search.wanted.picky:
            self.arm()
        before = self.last
        self.find(now)
        self.pause = min(self.pause * 2, LONGEST_PAUSE) if self.held else FIRST_PAUSE
        if self.held or self.end_untold or self.last != before:
            self.context.tell(self.verdict(now))

    def verdict(self, now: float) -> Reading:
        """What is true now."""
        self.end_untold = False
        return self.holding(now) if self.held else self.quiet(now)

    def holding(self, now: float) -> Reading:
        """What keeps the machine awake."""
        assert self.held
        more = f" and {self.others} more" if self.others else ""
        who = self.described()
        return Reading(
            self.context.name,
            now,
            active=True,
            reason=f"{who}{more} running",
            last=now,
            since=self.held.started,
            who=(who,),
            told=self.pidfd is not None and self.ears is not None,
        )

    def quiet(self, now: float) -> Reading:
        """Nothing runs; what was last."""
        return Reading(self.context.name, now, reason=self.reason, last=self.last)

    def close(self) -> None:
        """Give back every descriptor."""
        self.closed = True
        self.drop()
        if self.watch:
            self.watch.close()


def ended_and_closed(pidfd: int) -> bool:
    """Whether the process has ended; the descriptor is given back."""
    try:
        return ended(pidfd)
    finally:
        os.close(pidfd)
