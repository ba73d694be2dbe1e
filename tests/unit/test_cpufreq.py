"""Which frequency policies lose all their processors, and what of them is remembered."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, laptop_like, plain_vm
from powernap.host.cpufreq import forgotten_by_hotplug

CPU = "/sys/devices/system/cpu"
POLICY = f"{CPU}/cpufreq/policy2"


@pytest.fixture
def machine(tmp_path):
    """Two policies of two processors, both with ondemand; of the second one the highest frequency is lowered."""
    kernel = acpi_server(tmp_path / "machine")
    kernel.write(f"{POLICY}/scaling_max_freq", "1800000")
    return kernel


def forgotten(kernel, *going):
    """The targets, below the directory of frequency policies; all of them are only remembered."""
    changes = list(forgotten_by_hotplug(kernel, frozenset(going)))
    assert {change.new for change in changes} <= {None}
    return [change.target.removeprefix(f"{CPU}/cpufreq/") for change in changes]


TUNABLES = [
    f"ondemand/{name}" for name in ("ignore_nice_load", "powersave_bias", "sampling_rate", "up_threshold")
]


@pytest.mark.parametrize(
    ("going", "found"),
    [
        ((), []),
        ((3,), []),
        ((1, 3), []),
        ((2, 3), [*TUNABLES, "policy2/scaling_max_freq"]),
        ((0, 1), TUNABLES),
        ((1, 2, 3), [*TUNABLES, "policy2/scaling_max_freq"]),
    ],
)
def test_only_policies_that_are_emptied(machine, going, found):
    """Tunables before limits: backwards they come last. A maximum that nobody lowered is left to the kernel."""
    assert forgotten(machine, *going) == found


def test_one_that_has_no_processor_now(machine):
    """Of what an admin switched off nothing can be read, and nothing is lost; the last of what he left counts."""
    machine.write(f"{CPU}/cpu3/online", "0")
    assert forgotten(machine, 2) == [*TUNABLES, "policy2/scaling_max_freq"]
    machine.write(f"{CPU}/cpu2/online", "0")
    assert forgotten(machine, 2, 3) == []


def test_the_limit_of_the_firmware(machine):
    """It is not written down: written back, it would outlive what the firmware limits now."""
    machine.add(f"{POLICY}/bios_limit", "1800000")
    assert forgotten(machine, 2, 3) == TUNABLES
    machine.add(f"{POLICY}/bios_limit", "3600000")
    assert forgotten(machine, 2, 3) == [*TUNABLES, "policy2/scaling_max_freq"]


def test_boost_and_the_fixed_speed(machine):
    """The policy's own switch comes last, so that it is put back before the maximum that it moves."""
    machine.write(f"{POLICY}/scaling_governor", "userspace")
    machine.add(f"{POLICY}/scaling_setspeed", "1200000")
    machine.add(f"{POLICY}/boost", "1")
    assert forgotten(machine, 2, 3) == [
        "policy2/scaling_setspeed",
        "policy2/scaling_max_freq",
        "policy2/boost",
    ]


def test_governors_of_the_processor_itself(tmp_path):
    """intel_pstate's have no tunables; a guest has no policies."""
    assert forgotten(laptop_like(tmp_path / "laptop"), 1, 2, 3) == []
    assert forgotten(plain_vm(tmp_path / "vm"), 1) == []
