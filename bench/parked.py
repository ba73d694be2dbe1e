"""How often each processor is woken while eight programs wake up periodically: before parking, parked, with the rest, and switched off.

``python -m bench.parked``, as root, on a machine with at least two processors; in the lab: ``make lab-shell``, then the same. It applies
the real actions through the ledger and undoes each. Interrupts are counted by /proc/interrupts, the processors' own timers included.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from bench.tables import markdown
from powernap import actions
from powernap.host.clock import SystemClock
from powernap.host.cpus import CPU, parse_cpulist
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile

SLEEPERS = 8
PERIOD = 0.05
"""Seconds between two wake-ups of one sleeper, as of a service that polls."""
SITUATIONS: tuple[tuple[str, dict[str, dict[str, Any]]], ...] = (
    ("as it is", {}),
    ("parked: tasks only", {"cpu-park": {"interrupts": False, "work_queues": False}}),
    ("parked", {"cpu-park": {}}),
    ("parked, and a quiet kernel", {"cpu-park": {}, "kernel-quiet": {"writeback": 15.0}}),
    ("switched off", {"cpu-offline": {}}),
)


def interrupts() -> dict[int, int]:
    """How many each processor has had so far. Processors that are off are not listed (proc_interrupts in Documentation/filesystems/proc.rst)."""
    with open("/proc/interrupts", encoding="utf-8") as file:
        head, *rows = file.read().splitlines()
    cpus = [int(name.removeprefix("CPU")) for name in head.split()]
    counts = dict.fromkeys(cpus, 0)
    for row in rows:
        numbers = row.split()[1 : len(cpus) + 1]
        if len(numbers) == len(cpus) and all(number.isdigit() for number in numbers):
            for cpu, number in zip(cpus, numbers, strict=True):
                counts[cpu] += int(number)
    return counts


def rates(seconds: float) -> dict[int, float]:
    """Interrupts a second of each processor that is on."""
    first, began = interrupts(), time.monotonic()
    time.sleep(seconds)
    last, took = interrupts(), time.monotonic() - began
    return {cpu: (last[cpu] - first.get(cpu, 0)) / took for cpu in last}


@contextlib.contextmanager
def sleepers() -> Iterator[None]:
    """Programs that do nothing but wake up; forks, so that none takes time to start."""
    children = []
    for _ in range(SLEEPERS):
        pid = os.fork()
        if not pid:
            while os.getppid() != 1:
                time.sleep(PERIOD)
            os._exit(0)
        children.append(pid)
    try:
        yield
    finally:
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


@contextlib.contextmanager
def applied(wanted: dict[str, dict[str, Any]]) -> Iterator[str]:
    """With some actions applied; what one of them says where it cannot be."""
    files, host = TreeFiles(), Host()
    with tempfile.TemporaryDirectory() as directory:
        ledger = Ledger(LedgerFile(f"{directory}/ledger"), MachineKnobs(files), SystemClock(), boot_id(files))
        try:
            for name, options in wanted.items():
                module = actions.find(name)
                chosen = module.Options(**options)
                if not (answer := module.probe(host, chosen)):
                    yield answer.detail
                    return
                ledger.perform(name, "bench", module.plan(host, chosen))
            yield ""
        finally:
            ledger.restore()


def measure(seconds: float) -> Iterator[tuple[str, dict[int, float], str]]:
    """Each situation with its rates, or with why there are none."""
    with sleepers():
        for name, wanted in SITUATIONS:
            with applied(wanted) as why:
                time.sleep(min(2.0, seconds))
                yield name, {} if why else rates(seconds), why


def main() -> int:
    """The program: prints a table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.parked", description="Interrupts a second, parked and not."
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each situation (default %(default)s)")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("parking takes root", file=sys.stderr)
        return 3
    subprocess.run(["sync"], check=False)
    with open(f"{CPU}/online", encoding="ascii") as file:
        cpus = sorted(parse_cpulist(file.read()))
    rows = []
    for name, found, why in measure(args.seconds):
        print(f"  {name} ...", file=sys.stderr, flush=True)
        cells = [f"{found[cpu]:.1f}" if cpu in found else why or "off" for cpu in cpus]
        rows.append([name, *cells])
    print(markdown(["interrupts/s", *(f"cpu{cpu}" for cpu in cpus)], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
