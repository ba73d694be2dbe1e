"""cpu-idle opens only what an admin allowed, tells of the rest, and puts everything back."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, container, laptop_like, plain_vm
from fakeplatform import add_c1_demotion
from plans import napping, probe, written
from powernap.actions import cpu_idle

CPU = "/sys/devices/system/cpu"
GOVERNOR = f"{CPU}/cpuidle/current_governor"
LIMIT = f"{CPU}/cpu1/power/pm_qos_resume_latency_us"


@pytest.fixture
def machine(tmp_path):
    """An admin switched C6 off on 0-2, and limited processor 1."""
    kernel = laptop_like(tmp_path / "machine")
    for cpu in range(3):
        kernel.write(f"{CPU}/cpu{cpu}/cpuidle/state2/disable", "1")
    kernel.write(LIMIT, "20")
    return kernel


@pytest.mark.parametrize(
    ("build", "detail"),
    [
        (laptop_like, "nothing is closed (intel_idle)"),
        (acpi_server, "nothing is closed (acpi_idle)"),
        (plain_vm, "no idle driver: the hypervisor or the firmware puts the processors to sleep"),
        (container, "no idle driver: the hypervisor or the firmware puts the processors to sleep"),
    ],
)
def test_nothing_to_open(tmp_path, build, detail):
    """Where nothing is closed, and where nothing could be, the answer says which."""
    answer = probe(build(tmp_path / "machine"), "cpu-idle", enable=("all",), limits=True)
    assert (answer.usable, answer.detail) == (False, detail)


def test_without_leave_it_only_tells(machine):
    """What is closed was closed on purpose: it is named with the option that would allow it, and nothing is written."""
    answer = probe(machine, "cpu-idle")
    assert not answer
    assert answer.detail == "C6 is switched off on 0-2 and stays; must wake within 20 us on 1 and stays"
    assert answer.remedy == 'find out who did it and why; then set enable = ["C6"] and limits = true'


@pytest.mark.parametrize("enable", [("C6",), ("all",)])
def test_what_is_allowed_is_opened_and_closed_again(machine, enable):
    """The states that are named and the limits, and exactly those come back."""
    before = machine.snapshot()
    with napping(machine, "cpu-idle", enable=enable, limits=True) as entries:
        states = [f"{CPU}/cpu{cpu}/cpuidle/state2/disable" for cpu in range(3)]
        assert written(entries) == dict.fromkeys([*states, LIMIT], "0")
    assert machine.changes(before) == {}


def test_no_idling_at_all_comes_back(machine):
    """The limit "n/a" is not a number, and is put back as it was."""
    machine.write(LIMIT, "n/a")
    assert "may not idle at all on 1" in probe(machine, "cpu-idle").detail
    with napping(machine, "cpu-idle", limits=True):
        assert machine.read(LIMIT) == "0\n"
    assert machine.read(LIMIT) == "n/a\n"


def test_what_the_driver_switched_off_needs_its_name(machine):
    """A state with a fault: the word "all" is not enough for it."""
    machine.add(f"{CPU}/cpu3/cpuidle/state2/default_status", "disabled")
    machine.write(f"{CPU}/cpu3/cpuidle/state2/disable", "1")
    with napping(machine, "cpu-idle", enable=("all",)) as entries:
        assert f"{CPU}/cpu3/cpuidle/state2/disable" not in written(entries)
    assert (
        "C6 is switched off by its driver on 3 and stays"
        in probe(machine, "cpu-idle", enable=("all",)).detail
    )
    with napping(machine, "cpu-idle", enable=("C6",)) as entries:
        assert f"{CPU}/cpu3/cpuidle/state2/disable" in written(entries)


@pytest.mark.parametrize(
    ("now", "offered", "better"),
    [
        ("ladder", "ladder menu teo", "teo"),
        ("haltpoll", "menu haltpoll", "menu"),
        ("menu", "menu teo", ""),
        ("ladder", "ladder", ""),
    ],
)
def test_governor(tmp_path, now, offered, better):
    """Only one that stays shallow is replaced, by the best that is there."""
    kernel = acpi_server(tmp_path / "machine")
    kernel.put(f"{CPU}/cpuidle/available_governors", offered)
    kernel.put(GOVERNOR, now)
    answer = probe(kernel, "cpu-idle")
    assert bool(answer) is bool(better)
    with napping(kernel, "cpu-idle") as entries:
        assert written(entries) == ({GOVERNOR: better} if better else {})
    assert kernel.read(GOVERNOR) == now + "\n"
    assert not probe(kernel, "cpu-idle", governor=False)


def test_demotion(tmp_path):
    """The processor's own way to C1 is closed, and opened again."""
    kernel = laptop_like(tmp_path / "machine")
    add_c1_demotion(kernel)
    assert probe(kernel, "cpu-idle").detail == "intel_c1_demotion becomes 0"
    with napping(kernel, "cpu-idle"):
        assert kernel.read(f"{CPU}/cpuidle/intel_c1_demotion") == "0\n"
    assert kernel.read(f"{CPU}/cpuidle/intel_c1_demotion") == "1\n"
    assert not probe(kernel, "cpu-idle", c1_demotion=False)


def test_read_only(machine):
    """In a container on a host with idle states: closed files, and the reason."""
    machine.read_only_mount()
    answer = probe(machine, "cpu-idle", enable=("C6",))
    assert (answer.usable, answer.remedy) == (False, "run as root, outside a container")


def test_offline_processors_are_left(machine):
    """What is off has no states to be in."""
    machine.write(f"{CPU}/cpu2/online", "0")
    with napping(machine, "cpu-idle", enable=("all",)) as entries:
        assert not [target for target in written(entries) if "/cpu2/" in target]


def test_it_must_be_looked_at():
    """Careful, for it changes what somebody set on purpose; fast, for it is a few writes."""
    assert (cpu_idle.RISK, cpu_idle.LANE) == ("careful", "fast")
