"""Kills a process at every write of an action, for test_killed_at_every_write.py. Run as a program; prints what it found as JSON.

A process of its own with one thread, so that it may fork: each attempt is a child that applies and restores an action through the
ledger on a fake kernel and ends itself with SIGKILL at its n-th point. A point is the moment before and after each write, mkdir or
rmdir of a knob, before, in the middle of and after each write of the ledger, and before and after it is cut. Then a fresh child
undoes. The tree on disk, hidden state included, must be what it was, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fakebuses
import fakeplatform
import fakestorage
import fakesystemd
from fakekernel import MACHINES, FakeKernel
from mortal import HOOK
from powernap.actions import find
from powernap.host.clock import SystemClock
from powernap.host.host import Host
from powernap.host.knobs import Change, Knobs, MachineKnobs, same
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_entry import Entry
from powernap.host.ledger_file import Disk, LedgerFile
from powernap.host.systemctl import Systemctl
from powernap.host.undo import undo

UNITS = {"packagekit.service": "active", "fwupd.service": "inactive", "jenkins.service": "active"}
OPTIONS: dict[str, dict[str, Any]] = {
    "units": {"stop": ("packagekit.service", "fwupd.service"), "freeze": ("jenkins.service",)},
    "hooks": {"directory": "/etc/powernap/hooks.d"},
    "cpu-park": {"keep": 1},
}
DEVICES = (fakestorage, fakebuses, fakeplatform)
"""Each may bring, by action, what the machine has to have for it (``EQUIP``), the options to use (``OPTIONS``), and what happens to the
machine anyway before it is compared (``SETTLE``)."""
for _module in DEVICES:
    OPTIONS.update(getattr(_module, "OPTIONS", {}))


THEIRS: dict[str, tuple[str, ...]] = {
    "file": (
        "2", "7", "77", "1000", "high", "900000", "1200000", "performance", "conservative", "balance_power", "0-1", "root", "medium_power",
        "balanced", "3", "5",
    ),
    "device": ("7000", "150000"),
    "interrupt": ("2", "3", "5", "7"),
    "console-blank": ("180",),
    "link-modes": ("autoneg 0x2c", "autoneg 0x4f", "autoneg 0x102f"),
    "eee": ("on lpi=on timer=99 0x28",),
}  # fmt: skip
"""What another tool tries to set, by the kind of knob, until the kernel takes one that is neither the old value nor ours."""


ALONE: dict[str, dict[str, Any]] = {"pcie-aspm": {"policy": "powersupersave"}}
"""The options where another tool meddles: under a policy of its own, a link's switch does not tell what it was set to."""


@dataclass(frozen=True)
class Met:
    """A value of ours that another tool has set to something else."""

    entry: Entry
    value: str


@dataclass(frozen=True)
class Pointed:
    """Knobs with a point before and after each write of some kinds."""

    knobs: Knobs
    kinds: set[str]
    point: Callable[[], None]

    def read(self, change: Change) -> str:
        """As it is."""
        return self.knobs.read(change)

    def write(self, change: Change, value: str) -> None:
        """Between two points."""
        if change.kind in self.kinds:
            self.point()
        self.knobs.write(change, value)
        if change.kind in self.kinds:
            self.point()


@dataclass
class Bench:
    """A machine, its action, and where the two keep their state."""

    directory: Path
    machine: str
    action: str
    kernel: FakeKernel = field(init=False)
    systemctl: Systemctl = field(init=False)

    def __post_init__(self) -> None:
        """The machine, with units and hooks, and boosts that an admin has tuned."""
        self.kernel = MACHINES[self.machine](self.directory / "machine")
        self.kernel.add("/run/systemd/system/.there", "")
        for module in DEVICES:
            getattr(module, "EQUIP", {}).get(self.action, lambda _kernel: None)(self.kernel)
        self.systemctl = fakesystemd.install(self.directory, UNITS)
        for unit in UNITS:
            self.kernel.add(f"/usr/lib/systemd/system/{unit}", "[Service]\nExecStart=/bin/true\n")
        for name in ("10-lamp", "20-fan"):
            self.kernel.add(f"/etc/powernap/hooks.d/{name}", HOOK.rstrip("\n"))
            self.kernel.add(f"/etc/powernap/hooks.d/{name}.state", "false", writable=False)
            os.chmod(f"{self.kernel.root}/etc/powernap/hooks.d/{name}", 0o755)

    @property
    def ledger(self) -> str:
        """Its path."""
        return str(self.directory / "run" / "ledger.jsonl")

    def knobs(self, kernel: FakeKernel) -> Knobs:
        """The machine's, with the stand-in for systemctl. The kernel's points are its own; programs have one before and after."""
        return Pointed(
            MachineKnobs(kernel, self.systemctl, root=kernel.root),
            {"hook", "unit", "freeze"},
            lambda: kernel.around("call", ""),
        )

    def available(self) -> Any:
        """What the action says of this machine."""
        module = find(self.action)
        return module.probe(
            Host(files=self.kernel, live=False), module.Options(**OPTIONS.get(self.action, {}))
        )

    def work(
        self, point: Callable[[], None] = lambda: None, disk: Disk | None = None, *, back: bool = True
    ) -> None:
        """What the daemon does: apply, then restore."""
        kernel = FakeKernel(self.kernel.root)
        kernel.around = lambda _moment, _path: point()
        file = LedgerFile(self.ledger, disk)
        ledger = Ledger(file, self.knobs(kernel), SystemClock(), boot_id(kernel))
        module = find(self.action)
        options = module.Options(**OPTIONS.get(self.action, {}))
        ledger.perform(self.action, "nap", module.plan(Host(files=kernel, live=False), options))
        if back:
            ledger.restore()
        file.close()

    def undo(
        self, point: Callable[[], None] = lambda: None, disk: Disk | None = None
    ) -> list[dict[str, Any]]:
        """Everything, as ``powernap undo`` does it."""
        kernel = FakeKernel(self.kernel.root)
        kernel.around = lambda _moment, _path: point()
        report = undo(self.ledger, kernel, self.knobs(kernel), disk)
        return [
            {"target": each.target, "outcome": each.outcome, "detail": each.detail} for each in report.results
        ]

    def live(self) -> list[Entry]:
        """What the ledger holds, newest first."""
        kernel = FakeKernel(self.kernel.root)
        file = LedgerFile(self.ledger)
        entries = Ledger(file, self.knobs(kernel), SystemClock(), boot_id(kernel)).live()
        file.close()
        return entries

    def tree(self) -> dict[str, bytes]:
        """Every file, directory and link on disk: the machine with its hidden state, the units and the ledger's bytes."""
        for module in DEVICES:
            getattr(module, "SETTLE", {}).get(self.action, lambda _kernel: None)(self.kernel)
        found: dict[str, bytes] = {}
        for directory, below, files in os.walk(self.directory):
            found.update({f"{directory}/{name}/": b"" for name in below})
            for name in files:
                with open(f"{directory}/{name}", "rb") as file:
                    found[f"{directory}/{name}"] = file.read()
        return found


Point = Callable[[], None]


def deadly(work: Callable[[Point, Disk], Any], nth: int) -> Any:
    """Work, and die at the ``nth`` point."""
    seen = 0

    def point(fd: int = -1, half: bytes = b"") -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            if half:
                os.write(fd, half)
            os.kill(os.getpid(), signal.SIGKILL)

    def write(fd: int, data: bytes) -> int:
        point()
        point(fd, data[: len(data) // 2])
        written = os.write(fd, data)
        point()
        return written

    def truncate(fd: int, size: int) -> None:
        point()
        os.ftruncate(fd, size)
        point()

    # the page cache outlives a killed process, so forcing it to disk is left out here
    return work(point, Disk(write=write, truncate=truncate, sync=lambda fd: None))


def child(do: Callable[[], Any]) -> tuple[int, Any]:
    """Do it in a fresh process; its wait status and what it answered."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        status = 70
        try:
            os.close(reader)
            os.write(writer, json.dumps(do()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read()
    _, status = os.waitpid(pid, 0)
    return status, json.loads(answer) if answer else None


def changed(before: dict[str, bytes], bench: Bench) -> list[str]:
    """What is not as it was."""
    now = bench.tree()
    return sorted(
        f"{path}: {before.get(path)!r} became {now.get(path)!r}"
        for path in before.keys() | now.keys()
        if before.get(path) != now.get(path)
    )


def meddle(
    bench: Bench, among: Callable[[Entry], bool] = lambda entry: entry.change.new is not None
) -> Met | None:
    """Another tool sets one value that is ours to something else; which, and to what. ``None`` where nothing of ours is set, or nothing of
    it has a third value.
    """
    kernel = FakeKernel(bench.kernel.root)
    for entry in filter(among, bench.live()):
        for value in THEIRS.get(entry.change.kind, ()):
            if now := _set(kernel, bench.knobs(kernel), entry, value):
                return Met(entry, now)
    return None


def _write(kernel: FakeKernel, knobs: Knobs, change: Change, value: str) -> None:
    """As another tool does it, who does not wait until the value is taken over."""
    if change.kind == "file":
        kernel.write(change.target, value)
    else:
        knobs.write(change, value)


def _set(kernel: FakeKernel, knobs: Knobs, entry: Entry, value: str) -> str:
    """What is there once another tool has set it; empty where it is not ours now, or the kernel does not take the value."""
    change = entry.change
    ours = entry.applied if change.new is None else change.new
    try:
        if change.form == "controller" or not same(change.form, knobs.read(change), ours or ""):
            return ""
        _write(kernel, knobs, change, value)
        now = knobs.read(change).strip()
        if not any(same(change.form, now, known) for known in (entry.old, ours or "")):
            return now
        _write(kernel, knobs, change, ours or "")
    except OSError:
        pass
    return ""


def run_met(bench: Bench) -> dict[str, Any]:
    """Nobody is killed: the action is applied, and one after the other each of its values, also those that it only remembers, is set by
    another tool before everything is undone.
    """
    status, _ = child(bench.work)
    if status:
        return {"kept": [], "wrong": [f"the work does not even complete: {status}"]}
    before, kept = bench.tree(), list[str]()
    wrong: list[str] = []
    child(lambda: bench.work(back=False))
    for seq in [entry.seq for entry in bench.live()]:
        met = meddle(bench, lambda entry, seq=seq: entry.seq == seq)  # type: ignore[misc]
        status, results = child(bench.undo)
        if met:
            kept.append(met.entry.change.target)
            wrong += judge(bench, met, results or [], before)
        wrong += [f"{met or seq}: {each}" for each in changed(before, bench)]
        child(lambda: bench.work(back=False))
    child(bench.undo)
    wrong += changed(before, bench)
    return {"kept": kept, "wrong": wrong[:20]}


def run(bench: Bench, *, foreign: bool) -> dict[str, Any]:
    """Every point of applying and restoring, until the work completes."""
    status, _ = child(bench.work)
    if status:
        return {"points": 0, "killed": 0, "wrong": [f"the work does not even complete: {status}"]}
    before, nth, killed, kept = bench.tree(), 0, 0, 0
    wrong: list[str] = []
    while not wrong:
        nth += 1
        status, _ = child(lambda nth=nth: deadly(bench.work, nth))  # type: ignore[misc]
        if status == 0:
            break
        wrong += not_killed(nth, status)
        killed += 1
        met = meddle(bench) if foreign else None
        status, results = child(bench.undo)
        if status or results is None:
            wrong.append(f"point {nth}: undo ended with {status}")
        elif met:
            kept += 1
            wrong += [f"point {nth}: {each}" for each in judge(bench, met, results, before)]
        wrong += [f"point {nth}: {each}" for each in changed(before, bench)]
    wrong += [f"completed at point {nth}: {each}" for each in changed(before, bench)]
    return {"points": nth - 1, "killed": killed, "kept": kept, "wrong": wrong[:20]}


def run_undo(bench: Bench) -> dict[str, Any]:
    """Every point of the undo: the action is applied, the undo killed there and run again, until it completes the first time."""
    status, _ = child(bench.work)
    if status:
        return {"points": 0, "killed": 0, "wrong": [f"the work does not even complete: {status}"]}
    before, nth, killed = bench.tree(), 0, 0
    wrong: list[str] = []
    while not wrong:
        nth += 1
        status, _ = child(lambda: bench.work(disk=Disk(sync=lambda fd: None), back=False))
        if status:
            wrong.append(f"point {nth}: applying ended with {status}")
        status, _ = child(lambda nth=nth: deadly(bench.undo, nth))  # type: ignore[misc]
        if status == 0:
            break
        wrong += not_killed(nth, status)
        killed += 1
        status, results = child(bench.undo)
        if status or results is None:
            wrong.append(f"point {nth}: the second undo ended with {status}")
        bad = {"foreign", "failed", "gone"}
        wrong += [f"point {nth}: {each}" for each in results or [] if each["outcome"] in bad]
        wrong += [f"point {nth}: {each}" for each in changed(before, bench)]
    wrong += [f"completed at point {nth}: {each}" for each in changed(before, bench)]
    return {"points": nth - 1, "killed": killed, "wrong": wrong[:20]}


def not_killed(nth: int, status: int) -> list[str]:
    """The child must have been ended by its own SIGKILL, or have completed."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return []
    return [f"point {nth}: ended with {status}"]


def judge(bench: Bench, met: Met, results: list[dict[str, Any]], before: dict[str, bytes]) -> list[str]:
    """The other tool's value stands and is reported. Then it is set back by hand, so that the rest can be compared."""
    kernel, change = FakeKernel(bench.kernel.root), met.entry.change
    knobs, wrong = bench.knobs(kernel), list[str]()
    told = [each for each in results if each["outcome"] == "foreign"]
    if change.target not in [each["target"] for each in told]:
        wrong.append(f"{change.target} is {met.value} by another tool and not reported: {results}")
    try:
        if not same(change.form, now := knobs.read(change).strip(), met.value):
            wrong.append(f"{change.target} was {met.value} by another tool, and is {now}")
        # through the kernel first, because it takes along what it is coupled with: the threads of a core share a register
        _write(kernel, knobs, change, met.entry.old)
    except FileNotFoundError:
        pass  # it went with a directory that the action had made
    for path in {kernel.real(each["target"]) for each in told}:
        if kernel.exists(path) and kernel.root + path in before:
            kernel.put(path, before[kernel.root + path].decode().rstrip("\n"))
    return wrong


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("machine")
    parser.add_argument("action")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--foreign", action="store_true")
    parser.add_argument("--undo", action="store_true", help="kill the undo, not the work")
    parser.add_argument(
        "--met", action="store_true", help="kill nothing: another tool meddles in the middle of a nap"
    )
    args = parser.parse_args()
    if args.foreign or args.met:
        OPTIONS.update(ALONE)
    bench = Bench(args.directory, args.machine, args.action)
    available = bench.available()
    if not available:
        answer = {"unavailable": available.detail}
    else:
        answer = (
            run_undo(bench) if args.undo else run_met(bench) if args.met else run(bench, foreign=args.foreign)
        )
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
