"""Starts of programs, told by perf events on the tracepoint ``sched_process_exec``, filtered by name: where BPF is forbidden.

One descriptor and one ring for each program and core, so that a program nobody waits for wakes nobody, however often it is started:
its descriptors are out of the ears, and its rings go on counting. What is filtered is the running task's name (``comm``), the same that
the other sources compare; the tracepoint's own ``filename`` is a path as it was typed.

A core that is switched off takes its events with it, so they are opened anew when it comes back: told by a uevent, and
compared with the list of cores at each arming. What started there in between is found by a search.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Callable
from dataclasses import field
from functools import partial

from powernap.core.value import dataclass
from powernap.host import perf, uevents
from powernap.host.availability import UnavailableError
from powernap.host.cpus import CPU, read_cpulist
from powernap.host.ears import Ears
from powernap.host.exec_events import Starts
from powernap.host.host import Host
from powernap.host.perf import Tap

EVENT = "sched/sched_process_exec"
NONE = Starts(None, 0)
SETTLE = 0.2
"""Seconds from the first core that goes or comes to the search for what was missed: they come in a row, one search does for all."""


def open_source(host: Host, ears: Ears, told: Callable[[bytes, int], None]) -> ExecPerf:
    """Open it; ``UnavailableError`` when it does not work here."""
    return ExecPerf(host, ears, told)


@dataclass
class Watched:
    """One program. ``awaited``: while armed, the count of each core's tap when it was; ``past``: starts on taps that are closed."""

    passing: bytes
    taps: dict[int, Tap] = field(default_factory=dict)
    awaited: dict[int, int] | None = None
    past: int = 0
    latest: Starts = NONE


class ExecPerf:
    """Source ``perf`` of host/exec_events.py."""

    events = True

    def __init__(self, host: Host, ears: Ears, told: Callable[[bytes, int], None]) -> None:
        self.host, self.ears, self.told = host, ears, told
        self.names: dict[bytes, Watched] = {}
        self.rescan_due = self.closed = False
        self.tracepoint = perf.tracepoint_id(host.files, EVENT)
        self.hotplug: socket.socket | None = None
        self.cores = self.online()
        try_out(self.tracepoint, min(self.cores))
        try:
            self.hotplug = uevents.listen(uevents.ONLINE)
        except OSError:
            return
        self.ears.listen(self.hotplug.fileno(), self.core_came)
        self.cores = self.online()

    @property
    def text(self) -> str:
        """How, and what it lacks."""
        return "perf tracepoint" + (
            "" if self.hotplug else " (no uevents: a core that was off may stay unheard)"
        )

    def add(self, name: bytes) -> None:
        """Begin to note starts of this name."""
        if name in self.names:
            return
        watched = Watched(perf.equal("comm", name))
        try:
            self.open_taps(watched, self.cores)
        except UnavailableError:
            self.close_taps(watched, self.cores)
            raise
        self.names[name] = watched

    def arm(self, name: bytes) -> None:
        """Tell of the next start of this name."""
        self.follow_cores()
        watched = self.names[name]
        awaited = {core: tap.count for core, tap in watched.taps.items()}
        listening, watched.awaited = watched.awaited is not None, awaited
        for core in () if listening else watched.taps:
            self.listen(name, core)
        if any(tap.count != awaited[core] for core, tap in watched.taps.items()):
            self.ears.later(0, partial(self.rung, name))  # to begin to listen is to forget what rang before

    def listen(self, name: bytes, core: int) -> None:
        """Be woken by a start on this core."""
        tap = self.names[name].taps[core]

        def rang() -> None:
            self.rung(name)
            if not self.closed and tap.dead:
                self.reopen({core})

        self.ears.listen(tap.fd, rang)

    def rung(self, name: bytes) -> None:
        """Some core says that the program was started there: tell of the first of these starts."""
        watched = self.names[name]
        if self.closed or watched.awaited is None:
            return
        news = {tap: tap.count - watched.awaited[core] for core, tap in watched.taps.items()}
        samples = [sample for tap, count in news.items() for sample in tap.newest(count)]
        if samples:
            self.deafen(watched)
            whole = len(samples) == sum(news.values())  # else the first was overwritten: look for yourself
            self.told(name, min(samples, key=lambda sample: sample.at).pid if whole else 0)

    def deafen(self, watched: Watched) -> None:
        """Be woken no more; the rings go on counting."""
        watched.awaited = None
        for tap in watched.taps.values():
            self.ears.ignore(tap.fd)

    def starts(self, name: bytes) -> Starts:
        """All starts, also those nobody was told of."""
        watched = self.names[name]
        watched.latest = self.known(watched)
        return watched.latest

    def known(self, watched: Watched) -> Starts:
        """What the rings say; what they said before stands, so that it does not move when the machine has slept since."""
        count = watched.past + sum(tap.count for tap in watched.taps.values())
        if count == watched.latest.count:
            return watched.latest
        newest = max(sample.at for tap in watched.taps.values() for sample in tap.newest(1))
        return Starts(newest + self.host.clock.boottime() - time.monotonic(), count)

    # --- cores that go and come

    def online(self) -> frozenset[int]:
        """The cores that run."""
        return read_cpulist(self.host.files, f"{CPU}/online") or frozenset({0})

    def core_came(self) -> None:
        """A core came back: whatever was open there is dead."""
        if self.hotplug:
            came, lost = uevents.drain(self.hotplug)
            numbers = [re.search(r"/cpu(\d+)$", event.path) for event in came if event.subsystem == "cpu"]
            self.reopen(set(self.cores) if lost else {int(number[1]) for number in numbers if number})

    def reopen(self, dead: set[int]) -> None:
        """What was open on these cores tells nothing any more."""
        for watched in self.names.values():
            self.close_taps(watched, self.cores & dead)
        self.cores -= dead
        try:
            self.follow_cores()
        except UnavailableError:
            return  # the next look says so

    def follow_cores(self) -> None:
        """Open on cores that are new here, close on those that are gone."""
        online = self.online()
        if online == self.cores:
            return
        for watched in self.names.values():
            self.close_taps(watched, self.cores - online)
        self.cores &= online
        for name, watched in self.names.items():
            self.open_taps(watched, online)
            self.join(name, watched)
        self.cores = online
        self.rescan_soon()

    def join(self, name: bytes, watched: Watched) -> None:
        """The taps that are new belong to the arming that stands."""
        if watched.awaited is not None:
            for core in watched.taps.keys() - watched.awaited.keys():
                watched.awaited[core] = 0
                self.listen(name, core)

    def open_taps(self, watched: Watched, cores: frozenset[int]) -> None:
        """Count on these cores; one that has just gone is left out."""
        for core in cores - watched.taps.keys():
            try:
                watched.taps[core] = Tap(self.tracepoint, core, watched.passing)
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise perf.refusal(error) from error

    def close_taps(self, watched: Watched, cores: frozenset[int]) -> None:
        """Keep what these cores counted, give back the rest."""
        for core in cores & watched.taps.keys():
            tap = watched.taps[core]
            self.ears.ignore(tap.fd)
            watched.latest = self.known(watched)
            del watched.taps[core]
            watched.past += tap.count
            if watched.awaited is not None:
                watched.awaited.pop(core, None)
            tap.close()

    def rescan_soon(self) -> None:
        """On a core that was away nobody listened, and what rang on one that went may be unheard: whoever waits for a name shall look for
        himself (process id 0).
        """
        if not self.rescan_due:
            self.rescan_due = True
            self.ears.later(SETTLE, self.rescan)

    def rescan(self) -> None:
        """The cores have come back."""
        self.rescan_due = False
        for name, watched in list(self.names.items()):
            if not self.closed and watched.awaited is not None:
                self.deafen(watched)
                self.told(name, 0)

    def close(self) -> None:
        """Give back every descriptor and ring."""
        self.closed = True
        for watched in self.names.values():
            self.close_taps(watched, frozenset(watched.taps))
        if self.hotplug:
            self.ears.ignore(self.hotplug.fileno())
            self.hotplug.close()
            self.hotplug = None


def try_out(tracepoint: int, core: int) -> None:
    """Whether the kernel lets us, with a filter that nothing passes."""
    try:
        Tap(tracepoint, core, perf.equal("comm", b"")).close()
    except OSError as error:
        raise perf.refusal(error) from error
