"""Other tools that own the knobs are recognised without starting a program."""

from __future__ import annotations

import pytest

from fakekernel import FakeKernel
from powernap.actions import kinds
from powernap.host.conflicts import TOOLS, conflicts, owners, processes

MOUNTS = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    kernel = FakeKernel(tmp_path)
    kernel.add("/proc/mounts", MOUNTS)
    kernel.add("/proc/1/comm", "systemd")
    return kernel


def found(machine):
    """The conflicts in words."""
    return [str(conflict) for conflict in conflicts(machine)]


def test_quiet_machine_has_none(machine):
    """Nothing is claimed of a machine where none of the tools is in effect."""
    assert found(machine) == []


def test_running_process_is_named_with_its_pid(machine):
    """A name as the kernel cuts it at 15 characters is known."""
    machine.add("/proc/812/comm", "power-profiles-")
    machine.add("/proc/90/comm", "irqbalance")
    assert found(machine) == ["power-profiles-daemon (pid 812)", "irqbalance (pid 90)"]


def test_lowest_pid_counts(machine):
    """Of many processes with one name the oldest is shown."""
    for pid in (9, 80, 700):
        machine.add(f"/proc/{pid}/comm", "tuned")
    assert processes(machine)["tuned"] == 9


def test_stale_pid_file_proves_nothing(machine):
    """A pid file counts only while its process lives."""
    machine.add("/run/tuned/tuned.pid", "4711\n")
    assert found(machine) == []
    machine.add("/proc/4711/comm", "python3")
    assert found(machine) == ["TuneD (pid 4711)"]


def test_unit_that_runs_is_seen_by_its_cgroup(machine):
    """A Python service whose process has another name is found by systemd's cgroup."""
    machine.add("/sys/fs/cgroup/system.slice/auto-cpufreq.service/cgroup.procs", "7")
    assert found(machine) == ["auto-cpufreq (auto-cpufreq.service runs)"]


def test_one_shot_tool_is_in_effect_while_enabled(machine):
    """TLP leaves no process: its enabled unit or its run file says that it acts."""
    machine.add("/etc/systemd/system/multi-user.target.wants/tlp.service", "")
    assert found(machine) == ["TLP (tlp.service is enabled)"]
    machine.add("/run/tlp/last_pwr", "0")
    assert found(machine) == ["TLP (/run/tlp/last_pwr)"]


def test_enabled_daemon_that_does_not_run_is_no_conflict(machine):
    """An irqbalance that was stopped moves nothing, enabled or not."""
    machine.add("/etc/systemd/system/multi-user.target.wants/irqbalance.service", "")
    assert found(machine) == []


def test_owners_are_those_of_the_action(machine):
    """An action hears only of tools that set its knobs."""
    machine.add("/proc/90/comm", "irqbalance")
    machine.add("/proc/91/comm", "thermald")
    assert [conflict.tool.name for conflict in owners(machine, "cpu-clock")] == ["thermald"]
    assert [conflict.tool.name for conflict in owners(machine, "interrupts")] == ["irqbalance"]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_says_what_to_do(tool):
    """Each names what it owns and an advice, and can be found by some trace of it."""
    later = {
        "interrupts",
        "ksm",
        "disk-spindown",
        "sata-link",
        "usb-autosuspend",
        "pci-runtime",
        "wake-on-lan",
    }
    assert set(tool.owns) <= {*kinds(), *later}
    assert tool.advice
    assert tool.unit.endswith(".service")
    assert all(len(name) <= 15 for name in tool.processes)
