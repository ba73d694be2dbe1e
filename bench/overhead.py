"""What watching costs: powernapd beside autosuspend, quiet and under load. ``python -m bench.overhead [--quick] [--only SITUATION]``.

All subjects of one situation are measured at the same time: CPU is charged to each one's control group, and what they do is
counted for each, so that they do not see each other but as a few processes more. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import scheduled
from bench.arena import Arena, apart, arena, cgroup, cpu_used, memory, threads
from bench.counters import Counters, clock_watch, counting, tracepoint_ids
from bench.programs import Programs, programs, storm_result
from bench.report import begin, machine, provenance, said, say, write, write_json
from bench.subjects import DEAF, Daemon, autosuspend, autosuspend_version, config, powernapd
from bench.tables import markdown, number, times

FLOOR = 0.02
"""CPU seconds an hour: one measured microsecond in 60 s is 0.00006; a ratio is given against the target where ours is nothing."""
SETTLE = 3.0
"""Seconds between the start of the last subject and the window."""
ATTEMPTS = 3
"""Windows in which somebody set the machine's clock, which wakes whoever must notice a sleep, are measured again, this often."""
STAY = "1h"
"""The stage's ``after``: no deadline lies in a window."""


@dataclass(frozen=True)
class Situation:
    """What the machine does meanwhile: processes, connections, and programs started each second."""

    processes: int = 150
    connections: int = 0
    storm: float = 0
    text: str = ""


SITUATIONS = {
    "quiet": Situation(text="150 processes"),
    "many": Situation(processes=2000, text="2,000 idle processes"),
    "conns": Situation(connections=10_000, text="10,000 established connections"),
    "storm": Situation(storm=500, text="500 unrelated programs started each second"),
}
OURS, CONNECTOR_BPF, PERF, CONNECTOR, SCAN = "", "connector-bpf", "perf", "connector", "scan"
SOURCES = {
    OURS: "powernapd",
    CONNECTOR_BPF: "powernapd, proc connector + eBPF",
    PERF: "powernapd, perf tracepoint with filter",
    CONNECTOR: "powernapd, proc connector, no BPF",
    SCAN: "powernapd, container without BPF: scan",
}
TRACEFS = "mount -t devpts none /dev/pts && mount -t tracefs none /sys/kernel/tracing"
"""perf's filters need tracefs, which is mounted for this daemon alone."""
POLLERS = {30: "autosuspend, 30 s (its default)", 1: "autosuspend, 1 s"}


@dataclass
class Result:
    """One subject in one situation.

    :param cpu: seconds an hour; the counts are a minute's; ``rss`` and ``pss`` are MiB.
    :param look: CPU milliseconds of one complete look, which is what a deadline costs (powernapd only).
    """

    subject: str
    situation: str
    cpu: float
    wakeups: float
    forks: float
    execs: float
    syscalls: float
    rss: float
    pss: float
    look: float | None = None


@dataclass
class Subject:
    """Somebody who is measured."""

    name: str
    cgroup: Path
    daemon: Daemon | None = None


@contextlib.contextmanager
def subjects(place: Arena, directory: Path, *, poll_slowly: bool) -> Iterator[list[Subject]]:
    """All of them, running."""
    with contextlib.ExitStack() as opened:
        found = []
        for source, name in SOURCES.items():
            # The kernel tells of process starts in the first pid namespace only, and by connector in the first network
            # namespace: there, our daemon sees the arena's processes and all others of the machine besides.
            before = {OURS: place.enter(processes=False), SCAN: place.enter(), PERF: apart(TRACEFS)}.get(
                source, apart()
            )
            group = opened.enter_context(cgroup(source or "own"))
            say(f"starting {name}")
            daemon = powernapd(
                directory / (source or "own"), group, config(STAY), source=source, before=before
            )
            running = opened.enter_context(daemon)
            if works(running):
                found.append(Subject(name, group, running))
        for interval, name in POLLERS.items():
            if not autosuspend_version() or (interval > 1 and not poll_slowly):
                continue
            group = opened.enter_context(cgroup(f"autosuspend-{interval}"))
            opened.enter_context(
                autosuspend(directory / f"autosuspend-{interval}", group, interval, place.enter())
            )
            found.append(Subject(name, group))
        yield found


def works(daemon: Daemon) -> bool:
    """Whether its process monitor has the source that it was told to use."""
    return not any(one["failed"] for one in daemon.ask("status")["monitors"] if one["name"] == "work")


def wait(seconds: float, what: str) -> None:
    """Let time pass."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        say(f"{what}: {left:.0f} s")
        time.sleep(min(5.0, left))


def measure(
    compiled: Programs, ids: dict[str, int], name: str, window: float, directory: Path
) -> list[Result]:
    """One situation, everybody."""
    what = SITUATIONS[name]
    with contextlib.ExitStack() as opened:
        place = opened.enter_context(arena(compiled, what.processes, what.connections))
        found = opened.enter_context(subjects(place, directory / name, poll_slowly=window >= 60))
        opened.enter_context(compiled.storming(what.storm, 1, *place.enter()))
        wait(SETTLE, f"{name}, settling")
        results = [start_result(subject, name) for subject in found]
        seconds = max(window / 2, 30.0 if window >= 60 else 10.0)
        for _ in range(ATTEMPTS):
            with clock_watch() as clock_set:
                count_activity(ids, found, results, window)
                # System calls apart: while they are traced every one costs more.
                count_syscalls(ids, found, results, seconds)
                if not clock_set():
                    break
        for result, subject in zip(results, found, strict=True):
            result.rss, result.pss = memory(subject.cgroup)
            result.look = look_cost(subject.daemon) if subject.daemon else None
    return results


def count_activity(ids: dict[str, int], found: list[Subject], results: list[Result], seconds: float) -> None:
    """CPU, wake-ups, forks and programs started, in one window."""
    with contextlib.ExitStack() as counted:
        counters = [_count(counted, ids, subject, "wakeups", "forks", "execs") for subject in found]
        cpu = [cpu_used(subject.cgroup) for subject in found]
        begin = time.monotonic()
        wait(seconds, f"{results[0].situation}, CPU and wake-ups")
        for result, subject, counter, before in zip(results, found, counters, cpu, strict=True):
            passed = time.monotonic() - begin
            result.cpu = (cpu_used(subject.cgroup) - before) * 3600 / passed
            for key, count in counter.read().items():
                setattr(result, key, count * 60 / passed)


def count_syscalls(ids: dict[str, int], found: list[Subject], results: list[Result], seconds: float) -> None:
    """System calls, in a window of their own."""
    with contextlib.ExitStack() as counted:
        counters = [_count(counted, ids, subject, "syscalls") for subject in found]
        wait(seconds, f"{results[0].situation}, system calls")
        for result, counter in zip(results, counters, strict=True):
            result.syscalls = counter.read()["syscalls"] * 60 / seconds


def start_result(subject: Subject, situation: str) -> Result:
    """Nothing measured yet."""
    return Result(subject.name, situation, 0, 0, 0, 0, 0, 0, 0)


def _count(opened: contextlib.ExitStack, ids: dict[str, int], subject: Subject, *names: str) -> Counters:
    return opened.enter_context(counting(ids, threads(subject.cgroup), *names))


def look_cost(daemon: Daemon, times: int = 5) -> float:
    """CPU milliseconds of one complete look: ``why`` with one, less ``why`` without."""
    spent = {}
    for refresh in (False, True):
        before = cpu_used(daemon.cgroup)
        for _ in range(times):
            daemon.ask("why", refresh=refresh)
            # Not asked for more often than once a second, see daemon/requests.py.
            time.sleep(1.05 if refresh else 0.05)
        spent[refresh] = cpu_used(daemon.cgroup) - before
    return max(0.0, spent[True] - spent[False]) * 1000 / times


def napping(ids: dict[str, int], window: float, directory: Path) -> Result:
    """powernapd in a stage that it applied: monitors without an event are looked at each ``restore_within``."""
    with (
        cgroup("napping") as group,
        powernapd(directory / "napping", group, config("2s", monitors=DEAF), before=apart()) as daemon,
    ):
        daemon.until(lambda: daemon.ask("why", refresh=False)["phase"] == "napping", 60)
        time.sleep(SETTLE)
        with counting(ids, threads(group)) as counters:
            before, begin = cpu_used(group), time.monotonic()
            wait(window, "napping")
            passed = time.monotonic() - begin
            counts = {key: count * 60 / passed for key, count in counters.read().items()}
            cpu = (cpu_used(group) - before) * 3600 / passed
        if daemon.ask("why", refresh=False)["phase"] != "napping":
            raise RuntimeError("somebody used the machine while the nap was measured; run it again")
        return Result(SOURCES[OURS], "napping", cpu, **counts, rss=memory(group)[0], pss=memory(group)[1])


def added(compiled: Programs, directory: Path, rounds: int) -> list[float]:
    """Microseconds of CPU that each unrelated program costs more while a powernapd watches: a pair of storms each round (T15)."""

    def cost() -> float:
        told = storm_result(compiled.storm(500, 3))
        return told["cpu"] / told["started"] * 1e6

    found = []
    for at in range(rounds):
        say(f"the cost to others, round {at + 1} of {rounds}")
        without = cost()
        with cgroup("others") as group, powernapd(directory / f"others-{at}", group, config(STAY)):
            found.append(cost() - without)
    return found


# ------------------------------------------------------------ tables


def by(results: list[Result]) -> dict[tuple[str, str], Result]:
    """By subject and situation."""
    return {(result.subject, result.situation): result for result in results}


def cost_table(results: list[Result]) -> str:
    """CPU seconds an hour, wake-ups a minute in brackets."""
    known, names = by(results), list(dict.fromkeys(result.subject for result in results))
    situations = [name for name in SITUATIONS if any(result.situation == name for result in results)]

    def cell(subject: str, situation: str) -> str:
        result = known.get((subject, situation))
        return "-" if result is None else f"{number(result.cpu)} ({number(result.wakeups)})"

    rows = [[name, *(cell(name, situation) for situation in situations)] for name in names]
    return markdown(["CPU s/h (wake-ups/min)", *situations], rows)


def ratio_table(results: list[Result]) -> str:
    """How many times less than autosuspend."""
    known = by(results)
    situations = [name for name in SITUATIONS if (SOURCES[OURS], name) in known]
    rows = [
        [f"than {name}", *(_ratio(known, name, situation) for situation in situations)]
        for name in POLLERS.values()
        if any((name, situation) in known for situation in situations)
    ]
    return markdown(["powernapd takes times less CPU", *situations], rows)


def _ratio(known: dict[tuple[str, str], Result], peer: str, situation: str) -> str:
    other = known.get((peer, situation))
    return times(other.cpu if other else None, known[SOURCES[OURS], situation].cpu, FLOOR)


def rest_table(results: list[Result]) -> str:
    """System calls, forks, memory, and what one look costs."""
    head = ["", "situation", "syscalls/min", "forks+execs/min", "RSS MiB", "PSS MiB", "one look, CPU ms"]
    rows = [
        [
            result.subject,
            result.situation,
            number(result.syscalls),
            number(result.forks + result.execs),
            f"{result.rss:.1f}",
            f"{result.pss:.1f}",
            number(result.look),
        ]
        for result in results
    ]
    return markdown(head, rows)


def text(results: list[Result], facts: dict[str, str], command: str, window: float) -> str:
    """The whole section."""
    legend = "".join(f"* **{name}**: {what.text}.\n" for name, what in SITUATIONS.items())
    naps = [result for result in results if result.situation == "napping"]
    awake = [result for result in results if result.situation != "napping"]
    nap = "".join(
        f"While it naps, acting or watching, monitors without an event are looked at each second: {number(result.cpu)} CPU s/h, "
        f"{number(result.wakeups)} wake-ups/min, {number(result.syscalls)} system calls/min.\n\n"
        for result in naps
    )
    return (
        provenance(facts, command)
        + f"Windows of {window:.0f} s, everybody of a situation at the same time, between deadlines.\n\n{legend}\n"
        + f"{cost_table(awake)}\n{ratio_table(awake)}\n{nap}{rest_table(awake)}"
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="windows of 20 s; autosuspend at 1 s only; nothing is written to docs",
    )
    parser.add_argument(
        "--only",
        choices=[*SITUATIONS, "napping", "schedules"],
        help="one situation; nothing is written to docs",
    )
    parser.add_argument("--json", metavar="FILE", help="also write every figure here")
    args = parser.parse_args()
    begin()
    window, results = (20.0 if args.quick else 60.0), list[Result]()
    with programs() as compiled, tempfile.TemporaryDirectory(prefix="powernap-bench-") as directory:
        ids = tracepoint_ids()
        for name in SITUATIONS:
            if args.only in (None, name):
                results += measure(compiled, ids, name, window, Path(directory))
        if args.only in (None, "napping"):
            results.append(napping(ids, window, Path(directory)))
        weights = scheduled.measure(Path(directory) / "weights") if args.only in (None, "schedules") else []
        others = added(compiled, Path(directory), 3 if args.quick else 9) if args.only is None else []
    said()
    facts = machine()
    command = "python -m bench.overhead" + (" --quick" if args.quick else "")
    section = text(results, facts, command, window) if results else provenance(facts, command)
    if weights:
        section += f"\nWhat schedules weigh, {scheduled.TEXT}.\n\n{scheduled.table(weights)}"
    if others:
        section += (
            f"\nWhat each program that others start costs more, while powernapd watches ({len(others)} pairs of storms, us of CPU; "
            f"median, and from least to most): {statistics.median(others):.0f} ({min(others):.0f} to {max(others):.0f}).\n"
        )
    print(section)
    if args.json:
        document: dict[str, Any] = {
            "version": 1,
            "machine": facts,
            "results": [asdict(result) for result in results],
            "schedules": [asdict(weight) for weight in weights],
            "added_us": others,
        }
        write_json(args.json, document)
    if not args.quick and not args.only:
        write("overhead", section)


if __name__ == "__main__":
    main()
