"""``powernap actions --try`` in the guest: every action that it has there goes there and back, and the guest is as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab import tree
from lab.guest import Guest

pytestmark = [pytest.mark.root]

CONFIG = "/root/patient.toml"
SLOW = 600.0
"""Seconds: on a busy machine the guest has a twentieth of a processor."""


def tried(lab: Guest, *names: str) -> dict[str, Any]:
    """What it tells, by action."""
    lab.write(CONFIG, 'action_time_limit = "5min"\n')
    done = lab.run("powernap", "actions", "--try", "--json", "--config", CONFIG, *names, limit=SLOW)
    found: dict[str, Any] = json.loads(done.text())
    assert (found["ended"], found["left_changed"]) == ("", 0)
    return {each["name"]: each for each in found["actions"]}


@pytest.mark.long
def test_there_and_back_nothing_is_left(lab: Guest) -> None:
    """Safe ones unasked, then careful ones by name: each that is available changes something and restores it, and nobody else is met."""
    before = tree.take(lab)
    unasked = tried(lab)
    safe = {name for name, each in unasked.items() if each["usable"] and each["risk"] == "safe"}
    assert {name for name, each in unasked.items() if each["tried"]} == safe
    assert {"cpu-clock", "kernel-quiet", "cpu-park"} <= safe
    assert tree.differences(before, tree.take(lab)) == []
    able = {name for name, each in unasked.items() if each["usable"] and each["risk"] != "dangerous"}
    assert {"cpu-offline", "disk-spindown", "smt-off"} <= able
    found = tried(lab, *sorted(able))
    outcomes = {name: each["tried"] for name, each in found.items()}
    assert {name for name, each in outcomes.items() if not each["changed"] or each["failure"]} == set()
    assert {name: each for name, each in outcomes.items() if each["left"] or each["kept"]} == {}
    assert tree.differences(before, tree.take(lab)) == []
