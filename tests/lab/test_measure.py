"""``powernap measure`` in the guest, by its ACPI meter, which follows the clocks and a base that the test sets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.guest import Guest

pytestmark = [pytest.mark.root]

POLICIES = "/sys/devices/system/cpu/cpufreq"
KEPT = "/var/lib/powernap/measured.json"


def at_full_clock(lab: Guest) -> None:
    """Both cores at their fastest, whatever they do: 80 W of them, and 60 W of the rest."""
    lab.watts(60)
    lab.shell(f"for each in {POLICIES}/policy*; do echo performance > $each/scaling_governor; done").text()


def measure(lab: Guest, *words: str) -> dict[str, Any]:
    """What it prints. Short windows: this meter does not flicker."""
    done = lab.run(
        "powernap",
        "measure",
        "--window",
        "3s",
        "--settle",
        "1s",
        "--rounds",
        "2",
        "--any-load",
        "--json",
        *words,
        limit=240,
    )
    found: dict[str, Any] = json.loads(done.out or "{}")
    assert "actions" in found, done
    return found


def test_it_keeps_the_action_that_saves_and_drops_the_one_that_does_not(lab: Guest) -> None:
    """cpu-clock saves the difference between the fastest and the slowest clock, kernel-quiet nothing; afterwards all is as it was."""
    at_full_clock(lab)
    before = lab.shell(
        f"cat {POLICIES}/policy*/scaling_*_freq {POLICIES}/policy*/scaling_governor /proc/sys/vm/stat_interval"
    ).text()
    lab.write(
        "/tmp/measure.toml",
        '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock", "kernel-quiet"]\n[monitor.load]\n',
    )
    found = measure(lab, "--config", "/tmp/measure.toml", "--write", "/tmp/50-measured.toml")
    actions = {each["name"]: each for each in found["actions"]}
    assert ("acpi", "platform", "") == (found["meter"], found["scope"], found["ended"])
    assert ("saves", "does not") == (actions["cpu-clock"]["verdict"], actions["kernel-quiet"]["verdict"])
    assert actions["cpu-clock"]["saved_w"] == pytest.approx(58, abs=2)
    assert actions["kernel-quiet"]["saved_w"] == pytest.approx(0, abs=0.05)
    assert 'actions = ["cpu-clock"]' in lab.read("/tmp/50-measured.toml")
    assert "cpu-clock" in json.loads(lab.read(KEPT))["results"][0]["actions"]
    after = lab.shell(
        f"cat {POLICIES}/policy*/scaling_*_freq {POLICIES}/policy*/scaling_governor /proc/sys/vm/stat_interval"
    ).text()
    assert before == after


@pytest.mark.long
def test_the_verdict_follows_the_meter_not_the_action(lab: Guest) -> None:
    """Where the clocks are at their lowest already there is nothing to change, and nothing is said to save."""
    lab.shell(
        f"for each in {POLICIES}/policy*; do echo powersave > $each/scaling_governor; echo 1200000 > $each/scaling_max_freq; done"
    ).text()
    found = measure(lab, "cpu-clock", "kernel-quiet")
    verdicts = {each["name"]: each["verdict"] for each in found["actions"]}
    assert "saves" not in verdicts.values()
    assert verdicts["kernel-quiet"] == "does not"
