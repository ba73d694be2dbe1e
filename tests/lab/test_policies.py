"""What an admin set for a frequency policy outlives the processors of the policy being switched off, on a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from lab.guest import Guest

pytestmark = [pytest.mark.root]

CPU = "/sys/devices/system/cpu"
POLICY = f"{CPU}/cpufreq/policy2"
SETTINGS = {
    f"{POLICY}/scaling_governor": "conservative",
    f"{CPU}/cpufreq/conservative/freq_step": "9",
    f"{POLICY}/scaling_max_freq": "2400000",
    f"{POLICY}/scaling_min_freq": "1800000",
}
SLOW = 400.0
"""Seconds: on a busy machine the guest has a twentieth of a processor."""


def settle(lab: Guest) -> None:
    """As an admin has set them. A limit is taken over some time after the write."""
    for path, value in SETTINGS.items():
        lab.write(path, value)
        lab.shell(f"until [ $(cat {path}) = {value} ]; do :; done").text()


@pytest.mark.parametrize(
    ("action", "options", "off"),
    [
        ("cpu-offline", {}, ()),
        pytest.param("smt-off", {"despite": ["lost-core"]}, (2,), marks=pytest.mark.long),
    ],
    ids=["cpu-offline", "smt-off"],
)
def test_tunables_of_a_policy_that_is_switched_off(
    lab: Guest, action: str, options: dict[str, Any], off: tuple[int, ...]
) -> None:
    """Without cpu-clock in the same nap: the governor's tunables are gone with its last processor, and back after it."""
    settle(lab)
    for cpu in off:
        lab.write(f"{CPU}/cpu{cpu}/online", "0")
    watched = list(SETTINGS)
    found = lab.call("guest_platform:nap", action, options, watched, limit=SLOW)
    assert (found["results"], found["left"], found["differs"]) == ([], 0, {})
    assert set(found["seen"].values()) <= {None, ""}
    assert {path: lab.read(path) for path in SETTINGS} == SETTINGS
