"""The state's own answers: how deep it is, whether it rests, and whether counters must be read."""

from __future__ import annotations

import dataclasses

import pytest

from powernap.core.ladder import MonitorRule, Settings
from powernap.core.reading import Reading
from powernap.core.state import TABLE, Phase, State, Trigger, Wait
from powernap.core.verdict import Evidence, Lease

COUNTED = Settings(monitors=(("cpu", MonitorRule(events=False)),))
TOLD = Settings(monitors=(("ssh", MonitorRule()),))
BARE = State(TOLD, Evidence(0.0))


@pytest.mark.parametrize("phase", Phase)
def test_the_depth_is_what_has_begun_to_be_applied(phase):
    """While a stage is entered or slept in it is the target, else what is applied."""
    state = dataclasses.replace(BARE, phase=phase, stage=0, target=1)
    assert state.depth == (1 if phase in (Phase.ENTERING, Phase.SLEEPING) else 0)


@pytest.mark.parametrize(
    ("asked", "by_hand"), [(None, False), ((9.0, 0), False), ((9.0, 1), True), ((9.0, 2), True)]
)
def test_a_target_on_the_way_to_what_an_admin_asked_for_is_entered_by_hand(asked, by_hand):
    """What lies deeper is the ladder's own doing."""
    assert dataclasses.replace(BARE, target=1, asked=asked).by_hand is by_hand


@pytest.mark.parametrize("phase", Phase)
def test_at_rest_only_news_or_the_timer_change_anything(phase):
    """Elsewhere an answer is awaited, or nothing at all is done."""
    resting = dataclasses.replace(BARE, phase=phase).resting
    assert resting is (phase in (Phase.AWAKE, Phase.WARNING, Phase.NAPPING))


@pytest.mark.parametrize(
    ("settings", "phase", "stage", "sampling"),
    [
        (COUNTED, Phase.NAPPING, 0, True),
        (COUNTED, Phase.CHECKING, 0, True),
        (COUNTED, Phase.WARNING, 1, True),
        (COUNTED, Phase.CHECKING, -1, False),
        (COUNTED, Phase.SLEEPING, 0, False),
        (TOLD, Phase.NAPPING, 0, False),
    ],
)
def test_counters_are_read_only_in_a_stage_that_must_be_left_quickly(settings, phase, stage, sampling):
    """And only where some activity is told by no event."""
    assert State(settings, Evidence(0.0), phase=phase, stage=stage).sampling is sampling


def test_readings_and_leases_are_the_evidence_s():
    """Nothing is kept twice."""
    reading, lease = Reading("ssh", 1.0), Lease("x", "root", "why", 0.0)
    state = State(TOLD, Evidence(0.0, readings={"ssh": reading}, leases={"x": lease}))
    assert (state.readings["ssh"], state.leases["x"]) == (reading, lease)


@pytest.mark.parametrize(
    ("waits", "refusal"),
    [
        ({}, ""),
        ({1: Wait(9.0, 1, 0.0)}, ""),
        ({1: Wait(9.0, 1, 0.0), 2: Wait(9.0, 1, 0.0, "blocked")}, "blocked"),
    ],
)
def test_a_refusal_is_of_any_stage(waits, refusal):
    """A failure is none."""
    assert dataclasses.replace(BARE, waits=waits).refusal == refusal


def test_every_phase_can_be_left_and_leads_back():
    """No trigger leads to a phase without a row."""
    assert set(TABLE) == set(Phase)
    assert all(rows and set(rows) <= set(Trigger) for rows in TABLE.values())
    assert {phase for rows in TABLE.values() for phase in rows.values()} == set(Phase)
