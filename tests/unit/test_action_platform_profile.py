"""platform-profile takes the firmware's own saving profile, where nobody else keeps it."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, container, laptop_like, plain_vm
from fakeplatform import PROFILE, add_profile
from plans import host_of, ledger_of, napping, probe
from powernap.actions import find


@pytest.mark.parametrize("build", [laptop_like, acpi_server, plain_vm, container])
def test_firmware_without_profiles(tmp_path, build):
    """Most servers have none."""
    assert probe(build(tmp_path / "machine"), "platform-profile").detail == "the firmware offers no profiles"


@pytest.mark.parametrize(
    ("choices", "wanted"),
    [
        ("low-power balanced performance", "low-power"),
        ("cool quiet balanced", "quiet"),
        ("cool balanced", "cool"),
    ],
)
def test_saving_and_back(tmp_path, choices, wanted):
    """The most saving one that is offered."""
    kernel = laptop_like(tmp_path / "machine")
    add_profile(kernel, choices=choices)
    before = kernel.snapshot()
    assert probe(kernel, "platform-profile").detail == f'"{wanted}" instead of "balanced"'
    with napping(kernel, "platform-profile"):
        assert kernel.read(PROFILE) == wanted + "\n"
    assert kernel.changes(before) == {}


@pytest.mark.parametrize(
    ("now", "choices", "options", "detail"),
    [
        ("low-power", "low-power balanced", {}, 'the profile is "low-power" already'),
        (
            "balanced",
            "balanced performance",
            {},
            "the firmware offers no such profile, only balanced, performance",
        ),
        ("custom", "low-power balanced", {}, "could not be written back"),
        ("custom", "low-power balanced custom", {}, "could not be written back"),
        ("balanced", "low-power balanced", {"profile": "silent"}, "the firmware offers no such profile"),
    ],
)
def test_refusals(tmp_path, now, choices, options, detail):
    """Nothing to gain, or nothing that could be put back."""
    kernel = laptop_like(tmp_path / "machine")
    add_profile(kernel, now, choices)
    answer = probe(kernel, "platform-profile", **options)
    assert not answer
    assert detail in answer.detail
    with napping(kernel, "platform-profile", **options) as entries:
        assert entries == []


@pytest.mark.parametrize("daemon", ["power-profiles-", "tuned-ppd"])
def test_a_daemon_that_keeps_the_profile(tmp_path, daemon):
    """It is theirs, unless an admin says otherwise."""
    kernel = laptop_like(tmp_path / "machine")
    add_profile(kernel)
    kernel.add_task(812, daemon)
    assert "(pid 812) keeps the profile" in probe(kernel, "platform-profile").detail
    assert probe(kernel, "platform-profile", override=True)


def test_a_hot_key_wins(tmp_path):
    """Somebody pressed it in the middle of the nap: the profile stays."""
    kernel = laptop_like(tmp_path / "machine")
    add_profile(kernel)
    module = find("platform-profile")
    with ledger_of(kernel) as ledger:
        ledger.perform("platform-profile", "nap", module.plan(host_of(kernel), module.Options()))
        kernel.write(PROFILE, "performance")
        assert [each.outcome for each in ledger.restore()] == ["foreign"]
    assert kernel.read(PROFILE) == "performance\n"


def test_read_only(tmp_path):
    """A container sees it and cannot."""
    kernel = laptop_like(tmp_path / "machine")
    add_profile(kernel)
    kernel.read_only_mount()
    assert probe(kernel, "platform-profile").remedy == "run as root, outside a container"
