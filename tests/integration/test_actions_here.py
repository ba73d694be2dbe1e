"""The real files of this machine: what the actions can do here is done through the ledger, and nothing differs afterwards.

Processors are never taken offline here, and no partition is made: the files that are written are /proc/sys, /proc/irq,
/sys/kernel/mm and the work queues' masks.
"""

from __future__ import annotations

import contextlib
import os
import stat

import pytest

from powernap.actions import cpu_park, find, hooks, kernel_quiet, kinds
from powernap.host.clock import SystemClock
from powernap.host.cpus import topology
from powernap.host.files import TreeFiles, matching, text
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile

WATCHED = (
    "/proc/irq/*/smp_affinity",
    "/proc/irq/default_smp_affinity",
    "/sys/devices/virtual/workqueue/*/cpumask",
    "/sys/devices/virtual/workqueue/cpumask*",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/mm/transparent_hugepage/khugepaged/*_millisecs",
    "/sys/devices/system/cpu/online",
    "/proc/sys/kernel/*watchdog*",
    "/proc/sys/kernel/timer_migration",
    "/proc/sys/kernel/numa_balancing",
    "/proc/sys/vm/stat_interval",
    "/proc/sys/vm/dirty_*",
    "/proc/sys/vm/laptop_mode",
)


def snapshot() -> dict[str, str]:
    """Every value that an action here may touch, and those beside it."""
    files = TreeFiles()
    return {path: text(files, path) for pattern in WATCHED for path in matching(files, pattern)}


@pytest.fixture
def ledger(tmp_path):
    """A ledger of this machine, which restores whatever happens."""
    paper = LedgerFile(str(tmp_path / "ledger.jsonl"))
    files = TreeFiles()
    opened = Ledger(paper, MachineKnobs(files), SystemClock(), boot_id(files))
    with contextlib.closing(paper):
        try:
            yield opened
        finally:
            opened.restore()


@pytest.mark.parametrize("kind", kinds())
def test_every_probe_answers_in_words(kind):
    """Whatever this machine is and whoever asks, each action says what is there or what is missing."""
    module = find(kind)
    assert module.probe(Host(), module.Options()).detail


@pytest.mark.parametrize("kind", kinds())
def test_every_action_declares_itself(kind):
    """Its first line is its help, and its risk and lane are of the known words."""
    module = find(kind)
    assert (module.__doc__ or "").splitlines()[0].endswith(".")
    assert module.RISK in {"safe", "careful", "dangerous"}
    assert module.LANE in {"fast", "slow"}


@pytest.mark.root
@pytest.mark.alone
def test_kernel_quiet_here(ledger):
    """The kernel's periodic work is quietened and comes back as it was."""
    before, options = snapshot(), kernel_quiet.Options(writeback=600.0)
    performed = ledger.perform("kernel-quiet", "nap", kernel_quiet.plan(Host(), options))
    assert performed.changed
    assert snapshot() != before
    assert {each.outcome for each in ledger.restore()} <= {"restored", "already"}
    assert snapshot() == before


@pytest.mark.root
@pytest.mark.alone
@pytest.mark.skipif(len(topology(TreeFiles()).online) < 2, reason="one processor: nothing to pack")
def test_packing_here(ledger):
    """Interrupts and work queues leave all processors but the first, and go back to where they were."""
    before, files = snapshot(), TreeFiles()
    plan = (
        change
        for change in cpu_park.plan(Host(), cpu_park.Options())
        if not change.target.startswith("/sys/fs/cgroup")
    )
    ledger.perform("cpu-park", "nap", plan)
    assert text(files, "/proc/irq/default_smp_affinity").lstrip("0,") == "1"
    assert text(files, "/sys/devices/virtual/workqueue/cpumask").lstrip("0,") == "1"
    assert {each.outcome for each in ledger.restore()} <= {"restored", "already"}
    assert snapshot() == before


@pytest.mark.root
def test_hooks_here(ledger, tmp_path):
    """Scripts get true in the order of their names, and false in reverse; one that others can write is not called."""
    directory, heard = tmp_path / "hooks.d", tmp_path / "heard"
    directory.mkdir(mode=0o755)
    for name, mode in {"10a": 0o755, "20b": 0o700, "30bad": 0o777}.items():
        (directory / name).write_text(f'#!/bin/sh\necho {name} "$1" >> {heard}\n')
        os.chmod(directory / name, mode)
    assert stat.S_IMODE(os.stat(directory).st_mode) & 0o022 == 0
    options = hooks.Options(directory=str(directory))
    assert "30bad is not called: others than root can write it" in hooks.probe(Host(), options).detail
    ledger.perform("hooks", "nap", hooks.plan(Host(), options))
    ledger.restore()
    assert heard.read_text().splitlines() == ["10a true", "20b true", "20b false", "10a false"]
