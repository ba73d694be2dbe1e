"""Carries an action's plan out on a fake machine through the real ledger, looks at what it changed, and puts it back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fakekernel import FakeKernel
from powernap.actions import find
from powernap.host.clock import SystemClock
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_entry import Entry
from powernap.host.ledger_file import Disk, LedgerFile

MOUNTS = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime 0 0\n"


def host_of(kernel: FakeKernel) -> Host:
    """A machine that is the fake kernel; a unified cgroup hierarchy is mounted unless the test has said otherwise."""
    if not kernel.exists("/proc/mounts"):
        kernel.add("/proc/mounts", MOUNTS)
    return Host(files=kernel, live=False)


def probe(kernel: FakeKernel, action: str, **options: Any) -> Any:
    """What the action says of this machine."""
    module = find(action)
    return module.probe(host_of(kernel), module.Options(**options))


@contextlib.contextmanager
def ledger_of(kernel: FakeKernel) -> Iterator[Ledger]:
    """A ledger beside the machine's tree."""
    # forcing each record to disk is the ledger's own tests'; here it would be most of the time
    disk = Disk(sync=lambda _: None)
    paper = LedgerFile(
        str(Path(kernel.root).parent / f"{Path(kernel.root).name}-ledger" / "ledger.jsonl"), disk
    )
    try:
        yield Ledger(paper, MachineKnobs(kernel), SystemClock(), boot_id(kernel))
    finally:
        paper.close()


@contextlib.contextmanager
def napping(kernel: FakeKernel, action: str, **options: Any) -> Iterator[list[Entry]]:
    """Apply the action, give what the ledger holds (oldest first), and restore at the end; nothing may be left in it."""
    module, host = find(action), host_of(kernel)
    with ledger_of(kernel) as ledger:
        ledger.perform(action, "nap", module.plan(host, module.Options(**options)))
        yield ledger.live()[::-1]
        results = ledger.restore()
        assert [each for each in results if each.outcome not in {"restored", "already"}] == []
        assert ledger.live() == []


def written(entries: list[Entry]) -> dict[str, str | None]:
    """What was written where, without collateral."""
    return {entry.change.target: entry.applied for entry in entries if entry.change.new is not None}


def remembered(entries: list[Entry]) -> list[str]:
    """The targets of collateral."""
    return [entry.change.target for entry in entries if entry.change.new is None]
