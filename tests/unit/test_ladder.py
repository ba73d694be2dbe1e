"""The settings that decisions depend on."""

from __future__ import annotations

import dataclasses

import pytest

from powernap.core.ladder import MonitorRule, Rule, Settings, Stage
from powernap.core.plan import OFF_STAGE

SETTINGS = Settings(
    stages=(Stage("ease", 60.0), Stage("suspend", 1800.0, warn=30.0, sleep="suspend")),
    monitors=(("ssh", MonitorRule()), ("cpu", MonitorRule(events=False))),
    rules=(Rule("both", ("ssh", "cpu"), every=True), Rule("one", ("cpu",), every=False)),
)


@pytest.mark.parametrize(("name", "index"), [("ease", 0), ("suspend", 1), ("abyss", None), ("", None)])
def test_a_stage_is_found_by_its_name(name, index):
    """Or is not there."""
    assert SETTINGS.index(name) == index


def test_off_is_the_last_stage_by_its_name():
    """Or there is none."""
    off = Stage(OFF_STAGE, float("inf"))
    assert (Settings().off, SETTINGS.off) == (None, None)
    assert Settings((off,)).off == 0
    assert dataclasses.replace(SETTINGS, stages=(*SETTINGS.stages, off)).off == 2


def test_monitors_are_sorted_by_how_they_are_taken():
    """What is derived from the settings is derived once."""
    assert SETTINGS.eventless == {"cpu"}
    assert SETTINGS.grouped == {"ssh", "cpu"}
    assert SETTINGS.taken == {"ssh": MonitorRule(), "cpu": MonitorRule(events=False)}
    assert SETTINGS.taken is SETTINGS.taken


def test_what_was_derived_does_not_count_in_comparisons_or_copies():
    """Two configurations are equal when they say the same."""
    fresh = dataclasses.replace(SETTINGS)
    assert SETTINGS.eventless and fresh == SETTINGS
    assert dataclasses.replace(SETTINGS, monitors=()).eventless == frozenset()


def test_the_defaults_are_safe():
    """Nothing is watched, nothing is done, and failures keep the machine awake without end."""
    assert Settings().stages == () == Settings().monitors
    assert (MonitorRule().on_error_active, MonitorRule().error_limit) == (True, 0.0)
    assert Stage("x", 1.0).sleep is None
