"""Wake-ups: which processes and which interrupts rouse the processors, and how often each second."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.checks import AS_ROOT, AWAKE_CORE, Finding, Unseen, processors, some
from powernap.core.value import dataclass
from powernap.host.unit_files import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look

NAME = "wake-ups"
CHATTY = 20.0
"""Wake-ups a second of one process or device that are worth a word: with 50 ms between them a package still sleeps for most of the time,
but a quiet processor has 3 to 8 in all (measured in a guest with parked processors)."""
BOUND = re.compile(r"(?!irq/)[^/]+/\d+(?![^:H])")
"""Kernel threads of one processor each, such as kworker/3:1H, ksoftirqd/0, migration/1: nothing may move them. irq/36-nvme0q1 follows its
interrupt, kworker/u8:2 the work queues' mask."""
STORM = 5.0
"""Tasks started a second."""
FEW = 3
"""Processes and devices that get a finding of their own; the tables show more."""


@dataclass(frozen=True)
class Waker:
    """A process: its threads together, ``thread`` being the busiest."""

    pid: int
    name: str
    thread: str
    rate: float
    kernel: bool


@dataclass(frozen=True)
class Source:
    """An interrupt: ``rate`` a second in all, and by processor."""

    label: str
    name: str
    rate: float
    by_cpu: dict[int, float]
    device: bool


def judge(before: Look, after: Look) -> Iterator[Finding | Unseen]:
    """Chatty processes, starts, devices."""
    for waker in wakers(before, after)[:FEW]:
        if waker.rate >= CHATTY:
            yield of_process(waker, after.services.get(waker.pid, ""), after.parks)
    yield from starts(before, after)
    for source in [each for each in sources(before, after) if each.device][:FEW]:
        if source.rate >= CHATTY:
            yield of_device(source, after.parks)
    yield from detector(before, after)
    if not after.tasks:
        yield Unseen("wake-ups by process", "no counters could be read in /proc", AS_ROOT)
    if not after.interrupts:
        yield Unseen("wake-ups by interrupt", "/proc/interrupts could not be read", AS_ROOT)


def wakers(before: Look, after: Look) -> list[Waker]:
    """Processes, the most awake first."""
    length = max(after.at - before.at, 1e-3)
    threads: dict[int, list[tuple[float, str, bool]]] = {}
    for tid, task in after.tasks.items():
        then = before.tasks.get(tid)
        # an id that was given again: all of its count is new
        count = task.count - (then.count if then and then.count <= task.count else 0)
        if count:
            threads.setdefault(task.pid, []).append((count / length, task.name, task.kernel))
    found = [of_threads(after, pid, each) for pid, each in threads.items()]
    return sorted(found, key=lambda waker: (-waker.rate, waker.pid))


def of_threads(after: Look, pid: int, threads: list[tuple[float, str, bool]]) -> Waker:
    """One process."""
    busiest = max(threads)
    leader = after.tasks.get(pid)
    return Waker(
        pid, leader.name if leader else busiest[1], busiest[1], sum(each[0] for each in threads), busiest[2]
    )


def sources(before: Look, after: Look) -> list[Source]:
    """Interrupts that came, the most frequent first."""
    length = max(after.at - before.at, 1e-3)
    found = []
    for label, row in after.interrupts.items():
        then = before.interrupts.get(label)
        counts = {cpu: count - (then.counts.get(cpu, 0) if then else 0) for cpu, count in row.counts.items()}
        rates = {cpu: count / length for cpu, count in counts.items() if count > 0}
        if rates:
            found.append(Source(label, row.name, sum(rates.values()), rates, row.device))
    return sorted(found, key=lambda source: (-source.rate, source.label))


def of_process(waker: Waker, service: str, parks: tuple[str, ...]) -> Finding:
    """One that does not let the machine rest."""
    thread = f", most of them its thread {waker.thread}" if waker.thread != waker.name else ""
    within = f", of {service}" if service else ""
    remedy, action = relief(waker, service, parks)
    return Finding(
        NAME,
        AWAKE_CORE,
        f"{waker.name} (pid {waker.pid}{within}) wakes {waker.rate:.0f} times a second{thread}",
        "the processors that it runs on leave their deep states each time",
        remedy,
        action,
    )


def relief(waker: Waker, service: str, parks: tuple[str, ...]) -> tuple[str, str]:
    """What to do about it, and the action that does it; cpu-park only where it could move such work."""
    parked = "cpu-park" if carrier(waker) in parks else ""
    gathers = "; cpu-park gathers such work on the processors that stay awake" if parked else ""
    if waker.kernel:
        return f"it works for somebody: see who uses disks and devices{gathers}", parked
    if not service:
        return f"find out what it waits for (`strace -p {waker.pid}`){gathers}", parked
    if why := refusal(service):
        return f"it cannot be stopped ({why}): make it ask less often, if it can be told so{gathers}", parked
    return (
        f'list "{service}" in `stop` of an action units, if nobody needs it while the machine naps{gathers}',
        "units",
    )


def carrier(waker: Waker) -> str:
    """With what cpu-park would have to move it, as ``Look.parks`` says it; empty for what belongs to one processor."""
    if not waker.kernel:
        return "tasks"
    if BOUND.match(waker.name):
        return ""
    return {"irq": "interrupts", "kworker": "work queues"}.get(waker.name.partition("/")[0], "tasks")


def starts(before: Look, after: Look) -> Iterator[Finding]:
    """Short-lived tasks, which no counter of theirs survives."""
    rate = (after.forks - before.forks) / max(after.at - before.at, 1e-3)
    if after.forks >= 0 and before.forks >= 0 and rate >= STORM:
        yield Finding(
            NAME,
            AWAKE_CORE,
            f"{rate:.0f} processes and threads are started each second",
            "each wakes a processor several times, and is gone before a look could name it",
            "find who starts them: `execsnoop` of bpftrace, `systemctl list-timers`, cron tables, monitoring agents",
        )


def of_device(source: Source, parks: tuple[str, ...]) -> Finding:
    """An interrupt that comes often."""
    parked = "interrupts" in parks
    gathers = "; cpu-park gathers interrupts that may be moved on the processors that stay awake"
    return Finding(
        NAME,
        AWAKE_CORE,
        f"interrupt {source.label} ({source.name}) comes {source.rate:.0f} times a second, on {processors(source.by_cpu)}",
        "each wakes its processor",
        "find out what the device is busy with" + (gathers if parked else ""),
        "cpu-park" if parked else "",
    )


def detector(before: Look, after: Look) -> Iterator[Finding]:
    """The hard lockup detector: NMIs on processors that do nothing."""
    busy = [each for each in sources(before, after) if each.label in {"NMI", "PMI"} and each.rate >= 1]
    if busy:
        yield Finding(
            NAME,
            AWAKE_CORE,
            some([f"{each.name} ({each.label}) {each.rate:.0f} a second" for each in busy]),
            "a counter of each processor is held and interrupts it: the NMI watchdog, or perf",
            "`kernel-quiet` stops the watchdog while the machine naps",
            "kernel-quiet",
        )
