"""When something is due: the arithmetic of instants."""

from __future__ import annotations

import dataclasses

import pytest

from powernap.core.deadlines import due_at, look_at, next_timer, permitted, sample_at, verdict
from powernap.core.ladder import MonitorRule, Settings, Stage
from powernap.core.reading import Reading
from powernap.core.state import Phase, State
from powernap.core.verdict import Blocker, Evidence, Verdict

LADDER = (Stage("a", 60.0), Stage("b", 300.0, warn=30.0))
SETTINGS = Settings(LADDER, (("cpu", MonitorRule(events=False)),))
IDLE = State(SETTINGS, Evidence(0.0, readings={"cpu": Reading("cpu", 0.0)}), looked=5.0, sampled=6.0)


def state(**changes):
    return dataclasses.replace(IDLE, **changes)


def blocked(*, until=None, told=False):
    return Verdict((Blocker("monitor", "cpu", "", until=until, told=told),), 0.0)


@pytest.mark.parametrize(
    ("asked", "target", "idle", "due"),
    [
        (None, 0, 10.0, 70.0),
        (None, 1, 10.0, 310.0),
        (None, 2, 10.0, None),
        (None, -1, 10.0, None),
        ((20.0, 0), 0, 10.0, 20.0),
        ((20.0, 0), 1, 10.0, 310.0),
        ((20.0, 1), 1, 10.0, 50.0),
        ((20.0, 1), 1, 21.0, 321.0),  # somebody came after it was asked
        ((200.0, 0), 0, 10.0, 70.0),  # it was due before it was asked
    ],
)
def test_a_stage_is_due_by_the_ladder_or_when_it_was_asked_for(asked, target, idle, due):
    """Users get the whole warning also when an admin asks; asking never makes it later."""
    assert due_at(state(asked=asked), target, idle) == due


@pytest.mark.parametrize(
    ("depth", "now", "may"),
    [(-1, 0.0, True), (0, 59.9, False), (0, 60.0, True), (1, 299.0, False), (2, 1e9, False)],
)
def test_a_stage_is_permitted_from_the_instant_it_is_due(depth, now, may):
    """Being awake always is; a stage that does not exist never."""
    assert permitted(IDLE, depth, verdict(IDLE, now), now) is may


def test_nothing_is_permitted_while_somebody_is_there():
    """However long ago the last activity of the others."""
    busy = state(evidence=Evidence(0.0))
    assert not permitted(busy, 0, verdict(busy, 1000.0), 1000.0)


def test_the_next_look_is_just_before_the_warning_of_the_next_stage():
    """Or at the announced time, or a window after the last one where nothing tells."""
    idle = verdict(IDLE, 10.0)
    assert look_at(IDLE, idle) == 60.0
    assert look_at(state(stage=0), idle) == 270.0
    assert look_at(state(stage=1), idle) is None
    assert look_at(state(announced=310.0), idle) == 310.0
    assert look_at(IDLE, blocked()) == 65.0
    assert look_at(IDLE, blocked(told=True)) is None
    assert look_at(IDLE, blocked(until=80.0)) is None
    assert look_at(state(settings=Settings()), blocked()) is None
    assert look_at(state(settings=Settings((Stage("now", 0.1),))), blocked()) == 6.0


@pytest.mark.parametrize(("within", "at"), [(1.0, 7.0), (0.0, 6.1)])
def test_samples_have_a_floor(within, at):
    """However quick the way back is to be."""
    assert sample_at(state(settings=dataclasses.replace(SETTINGS, restore_within=within))) == pytest.approx(
        at
    )


@pytest.mark.parametrize(
    ("changes", "judged", "timer"),
    [
        ({}, None, 60.0),
        ({}, blocked(until=40.0), 40.0),
        ({}, blocked(told=True), None),
        ({"phase": Phase.CHECKING}, None, None),
        ({"phase": Phase.CHECKING, "stage": 0}, None, 7.0),
        ({"phase": Phase.NAPPING, "stage": 0}, None, 7.0),
        ({"phase": Phase.NAPPING, "stage": 1}, None, 7.0),
        ({"phase": Phase.ENTERING, "stage": 0}, None, None),
        ({"phase": Phase.SLEEPING, "stage": 0}, None, None),
        ({"phase": Phase.WARNING, "announced": 60.0}, None, 60.0),
        ({"phase": Phase.LEAVING, "restore_at": 33.0}, None, 33.0),
        ({"phase": Phase.LEAVING}, None, None),
        ({"phase": Phase.HALTED}, None, None),
        ({"settings": Settings((Stage("never", float("inf")),))}, None, None),
    ],
)
def test_there_is_one_timer_for_the_earliest(changes, judged, timer):
    """And none while only an event can change anything."""
    present = state(**changes)
    assert next_timer(present, judged or verdict(present, 10.0)) == timer
