"""Starts of programs, told by the proc connector without their names, which are looked up in /proc: where BPF is forbidden.

Every exec of the machine wakes us, so there is a budget (host/exec_budget.py); in a storm short-lived processes are missed and
``text`` says so. Since all events are heard anyway, starts are remembered also for names that are not armed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from powernap.host.ears import Ears
from powernap.host.exec_budget import BATCH, BATCH_TIME, EACH, PAUSE_TIME, PAUSED, TRIAL_TIME, Budget
from powernap.host.exec_events import Starts
from powernap.host.files import Files
from powernap.host.host import Host
from powernap.host.proc_connector import EXEC, open_connector, parse_event, pass_execs, pass_nothing
from powernap.host.roll import NAME, read_head

RESCAN_TIME = 0.5
"""Seconds between two rescans after an overrun at least: a scan of 2,000 processes takes 17 ms."""
MOST = 1500
"""Events read at one go (20 ms), so that the rest of the loop gets its turn."""
TEXTS = {
    EACH: "proc connector, names looked up",
    BATCH: "proc connector, names looked up in batches: more than 100 programs start each second",
    PAUSED: "scan each second: more than 1,000 programs start each second, short-lived ones are missed",
}


def open_source(host: Host, ears: Ears, told: Callable[[bytes, int], None]) -> ExecConnector:
    """Open it; ``UnavailableError`` when it does not work here."""
    return ExecConnector(host, ears, told)


class ExecConnector:
    """Source ``connector`` of host/exec_events.py."""

    events = True

    def __init__(self, host: Host, ears: Ears, told: Callable[[bytes, int], None]) -> None:
        self.files, self.clock, self.ears, self.told = host.files, host.clock, ears, told
        self.known: dict[bytes, Starts] = {}
        self.armed: set[bytes] = set()
        self.buffer = bytearray(256)
        self.budget = Budget(self.clock.boottime())
        self.rescanned = float("-inf")
        self.rescan_due = self.closed = False
        self.link = open_connector()
        pass_execs(self.link)
        self.listen()

    @property
    def text(self) -> str:
        """What it does just now."""
        return TEXTS[self.budget.mode]

    def listen(self) -> None:
        """Be woken by each event."""
        self.ears.listen(self.link.fileno(), self.rung)

    def rung(self) -> None:
        """Something was started."""
        self.go_on(self.budget.spend(self.drain(self.look_up), self.clock.boottime()), EACH)

    def batch(self) -> None:
        """Some time has passed: read what came meanwhile."""
        if not self.closed:
            self.go_on(self.budget.spend(self.drain(self.look_up), self.clock.boottime()), BATCH)

    def go_on(self, mode: str, before: str) -> None:
        """Listen on in this mode."""
        if mode != before:
            self.ears.ignore(self.link.fileno())
        if mode == PAUSED:
            self.pause()
        elif mode == BATCH:
            self.ears.later(BATCH_TIME, self.batch)
        elif before != EACH:
            self.listen()

    def pause(self) -> None:
        """Hear nothing for a while; the pause ends with a look at all processes."""
        pass_nothing(self.link)
        self.drain(forget)
        self.ears.later(PAUSE_TIME, self.try_again)

    def try_again(self) -> None:
        """Look, then listen for a moment: is the storm over?"""
        if not self.closed:
            pass_execs(self.link)
            self.rescan()
            self.ears.later(TRIAL_TIME, self.tried)

    def tried(self) -> None:
        """What was heard in that time decides."""
        if not self.closed:
            mode = self.budget.listened(self.drain(self.look_up), TRIAL_TIME, self.clock.boottime())
            self.go_on(mode, PAUSED)

    def drain(self, each: Callable[[int], None]) -> int:
        """Read what is queued; answers how many events there were."""
        count, receive = 0, self.link.recv_into
        try:
            while count < MOST:
                receive(self.buffer)
                event = parse_event(self.buffer)
                if event and event[0] == EXEC:
                    count += 1
                    each(event[1])
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.overran()
        return count

    def look_up(self, pid: int) -> None:
        """One program was started: is it one of ours?"""
        name = read_name(self.files, pid)
        if name not in self.known:
            return
        self.known[name] = Starts(self.clock.boottime(), self.known[name].count + 1)
        if name in self.armed:
            self.armed.discard(name)
            self.told(name, pid)

    def overran(self) -> None:
        """The kernel had to drop events: look at all processes, at most each half second."""
        if not self.rescan_due:
            self.rescan_due = True
            self.ears.later(max(0.0, self.rescanned + RESCAN_TIME - self.clock.boottime()), self.rescan)

    def rescan(self) -> None:
        """Whoever waits for a name shall look for himself (process id 0)."""
        if self.closed:
            return
        self.rescan_due, self.rescanned = False, self.clock.boottime()
        for name in list(self.armed):
            self.armed.discard(name)
            self.told(name, 0)

    def add(self, name: bytes) -> None:
        """Begin to note starts of this name."""
        self.known.setdefault(name, Starts(None, 0))

    def arm(self, name: bytes) -> None:
        """Tell of the next start of this name."""
        self.armed.add(name)

    def starts(self, name: bytes) -> Starts:
        """All starts that were heard, also those nobody was told of."""
        return self.known[name]

    def close(self) -> None:
        """Give back the socket."""
        self.closed = True
        self.ears.ignore(self.link.fileno())
        self.link.close()


def forget(_pid: int) -> None:
    """An event that nobody looks at."""


def read_name(files: Files, pid: int) -> bytes:
    """The name of a process, empty when it is gone (proc(5), /proc/PID/comm)."""
    try:
        return read_head(files, f"/proc/{pid}/comm", NAME)[:-1]
    except OSError:
        return b""
