"""A program of a given name was started: one source of such events for all monitors of a host.

Owns the choice of the source, and who waits for which name. The sources themselves are modules of their own, loaded when chosen:
what they need (ctypes, sockets) is memory that other configurations do without.

A name is what the kernel keeps of a program's file name: its first 15 bytes (``TASK_COMM_LEN``); a script's is its own file name when it
is run by its ``#!`` line. Renaming itself (prctl, setproctitle) is no start.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, Protocol

from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, unavailable
from powernap.host.host import Host

NAME_BYTES = 15
SOURCES = ("tracepoint", "connector-bpf", "perf", "connector", "scan")
"""In order of preference."""
FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""Inode of the machine's first one (include/linux/proc_ns.h): elsewhere the process ids that the kernel's events carry are not ours."""


@dataclass(frozen=True, slots=True)
class Starts:
    """What is known of a name: ``last`` in seconds of ``CLOCK_BOOTTIME`` (``None``: never), ``count`` since it is watched."""

    last: float | None
    count: int


class ExecSource(Protocol):
    """Where starts are told; ``text`` says how, for people; without ``events`` nothing is ever told."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def events(self) -> bool: ...  # noqa: D102

    def add(self, name: bytes) -> None:
        """Begin to note starts of a name; the name of one that is noted already is no error."""
        ...

    def arm(self, name: bytes) -> None:
        """Tell of the next start of this name, once."""
        ...

    def starts(self, name: bytes) -> Starts:
        """All starts since ``add``, also those nobody was told of."""
        ...

    def close(self) -> None:
        """Give back every descriptor."""
        ...


class Scan:
    """No events: nothing is told, whoever wants to know looks at /proc."""

    events = False

    def __init__(self, refused: list[Availability]) -> None:
        why = "; ".join(answer.detail for answer in refused)
        self.text = f"scan of /proc at each look ({why})" if why else "scan of /proc at each look"

    def add(self, name: bytes) -> None:
        """Nothing is noted."""

    def arm(self, name: bytes) -> None:
        """Nothing is told."""

    def starts(self, name: bytes) -> Starts:  # noqa: ARG002
        """Nothing is known."""
        return Starts(None, 0)

    def close(self) -> None:
        """Nothing is held."""


class Watch:
    """One monitor's interest in one name. It is deaf until armed, and again once it heard."""

    def __init__(self, events: ExecEvents, name: bytes, heard: Callable[[int], None]) -> None:
        self.events, self.name, self.heard = events, name, heard
        self.armed = False

    def arm(self) -> None:
        """Hear of the next start: ``heard(process id)``, or ``heard(0)`` when events were lost and the monitor must look itself."""
        self.armed = True
        self.events.opened.arm(self.name)

    def latest(self) -> Starts:
        """What the kernel remembers of this name, also of the time spent deaf."""
        return self.events.opened.starts(self.name)

    def close(self) -> None:
        """Hear no more; the last one to leave closes the source."""
        self.armed = False
        self.events.leave(self)


class ExecEvents:
    """The watches of a host, and the source that serves them; it is open as long as there is a watch."""

    def __init__(self, host: Host, sources: tuple[str, ...]) -> None:
        self.host, self.sources = host, sources
        self.watches: list[Watch] = []
        self.refused: list[Availability] = []
        self.opened: ExecSource = Scan([])

    @property
    def source(self) -> str:
        """How starts are noticed, for people."""
        return self.opened.text

    @property
    def events(self) -> bool:
        """Whether anything will be heard at all."""
        return self.opened.events

    def watch(self, name: bytes, heard: Callable[[int], None]) -> Watch:
        """Take an interest in programs of this name (its first 15 bytes count). Arm it to hear something."""
        if not self.watches:
            self.opened = self.choose()
            shared[id(self.host)] = self
        watch = Watch(self, name[:NAME_BYTES], heard)
        self.watches.append(watch)
        try:
            self.opened.add(watch.name)
        except UnavailableError:
            self.leave(watch)
            raise
        return watch

    def choose(self) -> ExecSource:
        """The first source that works here."""
        self.refused = []
        for source in self.sources:
            try:
                return open_source(source, self.host, self.told, self.refused)
            except UnavailableError as error:
                self.refused.append(error.availability)
        raise UnavailableError(self.refused[-1])

    def told(self, name: bytes, pid: int) -> None:
        """The source noticed a start: pass it to whoever waits for it."""
        waiting = [watch for watch in self.watches if watch.name == name and watch.armed]
        for watch in waiting:
            if watch.armed:  # it may have been closed by an other one's call-back
                watch.armed = False
                watch.heard(pid)

    def leave(self, watch: Watch) -> None:
        """A watch ends."""
        if watch not in self.watches:
            return
        self.watches.remove(watch)
        if not self.watches:
            del shared[id(self.host)]
            self.opened.close()
            self.opened = Scan([])


shared: dict[int, ExecEvents] = {}
"""By the identity of the host, which an entry keeps alive as long as it has a watch."""


def exec_events(host: Host, sources: tuple[str, ...] = SOURCES) -> ExecEvents:
    """The one instance of this host; it opens with its first watch and closes with the last.

    :param sources: which to try, in this order; of no effect while the instance is open.
    """
    return shared.get(id(host)) or ExecEvents(host, sources)


def open_source(
    source: str, host: Host, told: Callable[[bytes, int], None], refused: list[Availability]
) -> ExecSource:
    """One source by name; ``UnavailableError`` when it does not work here."""
    if source == "scan" or not host.live or host.ears is None:
        return Scan(refused)
    if not in_first_pid_namespace():
        raise UnavailableError(unavailable("this is a container", "run powernapd on the machine itself"))
    module: Any = importlib.import_module(f"powernap.host.exec_{source.replace('-', '_')}")
    opened: ExecSource = module.open_source(host, host.ears, told)
    return opened


def in_first_pid_namespace() -> bool:
    """Whether our process ids are the machine's."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == FIRST_PID_NAMESPACE
    except OSError:
        return False
