"""When something is due: the arithmetic of instants."""

from __future__ import annotations

import dataclasses
from math import inf

import pytest

from powernap.core.deadlines import (
    coming,
    due_at,
    enterable_at,
    insists,
    next_look,
    next_timer,
    permitted,
    sample_at,
    verdict,
)
from powernap.core.ladder import MonitorRule, Settings, Stage
from powernap.core.plan import OFF_STAGE, Off, Plan
from powernap.core.reading import Reading
from powernap.core.state import Phase, State, Wait
from powernap.core.verdict import Blocker, Evidence, Verdict

LADDER = (Stage("a", 60.0), Stage("b", 300.0, warn=30.0))
SETTINGS = Settings(LADDER, (("cpu", MonitorRule(events=False)),))
IDLE = State(SETTINGS, Evidence(0.0, readings={"cpu": Reading("cpu", 0.0)}), looked=5.0, sampled=6.0)


OFF = Stage(OFF_STAGE, inf, warn=20.0, sleep="power-off")
SLEEPY = Settings((Stage("a", 60.0), Stage("s", 100.0, sleep="suspend"), Stage("b", 300.0), OFF))
"""Stage 1 sleeps, stage 3 is *off*."""


def state(**changes):
    return dataclasses.replace(IDLE, **changes)


def planned(off=None, deepest="", settings=SLEEPY, **changes):
    """Idle since 0, with this plan."""
    evidence = Evidence(0.0, plan=Plan(deepest=deepest, off=off))
    return State(settings, evidence, looked=5.0, sampled=6.0, **changes)


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
    assert due_at(state(asked=asked), target, idle, idle) == due


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
    assert next_look(IDLE, idle, 10.0) == (60.0, 0)
    assert next_look(state(stage=0), idle, 10.0) == (270.0, 1)
    assert next_look(state(stage=1), idle, 10.0) is None
    assert next_look(state(announced=310.0, target=1), idle, 10.0) == (310.0, 1)
    assert next_look(IDLE, blocked(), 10.0) == (65.0, 0)
    assert next_look(IDLE, blocked(told=True), 10.0) is None
    assert next_look(IDLE, blocked(until=80.0), 10.0) is None
    assert next_look(state(settings=Settings()), blocked(), 10.0) is None
    assert next_look(state(settings=Settings((Stage("now", 0.1),))), blocked(), 10.0) == (6.0, 0)


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("deepest", "asked", "due"),
    [
        ("", None, (60.0, 100.0, 300.0, None)),
        ("a", None, (60.0, None, None, None)),
        ("s", None, (60.0, 100.0, None, None)),
        ("gone", None, (60.0, 100.0, 300.0, None)),
        ("", (10.0, 3), (10.0, 10.0, 10.0, 30.0)),
        ("a", (10.0, 3), (10.0, None, None, None)),
    ],
)
def test_the_schedules_allow_only_so_much(deepest, asked, due):
    """Of the ladder and of what an admin asks for; a stage that the ladder does not have forbids nothing."""
    limited = planned(deepest=deepest, asked=asked)
    assert tuple(due_at(limited, target, 0.0, 0.0) for target in range(4)) == due


@pytest.mark.parametrize(
    ("off", "changes", "by", "due"),
    [
        (None, {}, 0.0, None),
        (Off("n", 500.0), {}, 0.0, 500.0),
        (Off("n", 500.0), {"deepest": "a"}, 0.0, 500.0),  # what it may at most does not count then
        (Off("n", -9.0), {}, 0.0, 80.0),  # a minute more than the warning
        (Off("n", -9.0, quiet=85.0), {}, 0.0, 85.0),
        (Off("n", -9.0, quiet=7.0), {"settings": Settings((dataclasses.replace(OFF, warn=0.0),))}, 0.0, 7.0),
        (Off("n", -9.0, quiet=500.0, force=True), {}, 0.0, 120.0),  # min_awake after a start
        (Off("n", 500.0, 600.0), {}, 599.9, 500.0),
        (Off("n", 500.0, 600.0), {}, 600.0, None),
        (Off("n", -9.0, 80.0), {}, 0.0, None),
        (Off("n", 500.0), {"failures": {"power-off": 2}}, 0.0, 500.0),
        (Off("n", 500.0), {"failures": {"power-off": 3}}, 0.0, None),
        (Off("n", 500.0), {"asked": (10.0, 3)}, 0.0, 30.0),
    ],
)
def test_off_is_due_when_a_schedule_wants_it(off, changes, by, due):
    """After its idle time, not before, not after its end, and not when what carries it out has failed too often."""
    wanted = planned(off, **changes)
    assert due_at(wanted, wanted.settings.off, 0.0, by) == due


@pytest.mark.parametrize(
    ("kind", "polite", "forced"),
    [
        ("monitor", True, False),
        ("rule", True, False),
        ("lease", True, True),
        ("window", True, True),
        ("resume", True, True),
    ],
)
def test_what_speaks_against_off(kind, polite, forced):
    """What monitors see only where it is not insisted on; or of what an admin asked for."""
    judged = Verdict((Blocker(kind, "x", ""),), 0.0)
    for off, blocks in ((Off("n", 500.0), polite), (Off("n", 500.0, force=True), forced)):
        wanted = planned(off)
        assert permitted(wanted, 3, judged, 500.0) is not blocks
        assert (enterable_at(wanted, 3, judged, 500.0) is None) is blocks
        assert not permitted(wanted, 0, judged, 500.0)
    assert not insists(planned(Off("n", 500.0, force=True), asked=(9.0, 3)), 3)
    assert insists(planned(Off("n", 500.0, force=True), asked=(9.0, 2)), 3)


@pytest.mark.parametrize(
    ("off", "changes", "now", "at"),
    [
        (None, {}, 10.0, 100.0),
        (Off("n", 500.0), {}, 10.0, 100.0),
        (Off("n", 500.0), {}, 480.0, None),
        (Off("n", 9.0, quiet=500.0), {}, 10.0, None),
        (Off("n", 9.0, quiet=500.0), {"waits": {3: Wait(60.0, 1, 5.0, "blocked")}}, 10.0, 100.0),
        (Off("n", 9.0, 400.0, quiet=500.0), {}, 10.0, 100.0),
        (Off("n", 9.0), {"settings": Settings(SLEEPY.stages[:3])}, 10.0, 100.0),
        (Off("n", 9.0, quiet=500.0), {"asked": (10.0, 1)}, 10.0, 10.0),
        (None, {"asked": (10.0, 2)}, 10.0, None),
    ],
)
def test_a_sleep_gives_way_to_what_lies_deeper(off, changes, now, at):
    """To an off that is at hand and not refused, and to what an admin asked for; not to one that cannot come any more."""
    wanted = planned(off, stage=0, **changes)
    assert enterable_at(wanted, 1, Verdict((), 0.0), now) == at
    assert enterable_at(planned(off, stage=0), 0, Verdict((), 0.0), now) == 60.0


@pytest.mark.parametrize(
    ("off", "changes", "now", "look"),
    [
        (Off("n", 500.0), {}, 10.0, (60.0, 0)),
        (Off("n", 500.0), {"stage": 1}, 10.0, (300.0, 2)),
        (Off("n", 500.0), {"stage": 2}, 10.0, (480.0, 3)),
        (Off("n", 50.0), {}, 59.0, (60.0, 0)),
        (Off("n", 50.0), {}, 61.0, (60.0, 3)),  # before the ladder
        (Off("n", 200.0), {"stage": 0, "target": 1, "announced": 190.0}, 100.0, (180.0, 3)),
        (Off("n", 200.0), {"stage": 0, "target": 1, "announced": 170.0}, 100.0, (170.0, 1)),
        (Off("n", 200.0), {"stage": 0, "target": 3, "announced": 250.0}, 100.0, (250.0, 3)),
        (
            Off("n", 200.0),
            {"stage": 0, "target": 1, "announced": 190.0, "waits": {3: Wait(180.0, 1, 5.0, "blocked")}},
            100.0,
            (190.0, 1),
        ),
        (Off("n", 200.0), {"stage": 2, "waits": {3: Wait(400.0, 1, 5.0, "blocked")}}, 100.0, (400.0, 3)),
        (Off("n", 200.0), {"stage": 3}, 100.0, None),
        (Off("n", 200.0, 230.0), {"stage": 2}, 209.0, (180.0, 3)),
        (Off("n", 200.0, 230.0), {"stage": 2}, 210.0, None),  # no warning would end before it does
        (Off("n", 200.0, 230.0), {"stage": 2, "target": 3, "announced": 229.0}, 229.0, (229.0, 3)),
        (None, {"asked": (10.0, 3)}, 10.0, (10.0, 3)),  # straight there
        (None, {"asked": (10.0, 2)}, 10.0, (10.0, 0)),
        (None, {"asked": (10.0, 2), "stage": 0}, 10.0, (10.0, 2)),  # past the sleep
    ],
)
def test_off_has_looks_of_its_own(off, changes, now, look):
    """From whatever stage; once one is due it comes first."""
    assert next_look(planned(off, **changes), Verdict((), 0.0), now) == look


ALONE = Settings((OFF,), (("cpu", MonitorRule(events=False)),))


@pytest.mark.parametrize(
    ("off", "stage", "now", "look"),
    [
        (None, -1, 10.0, None),
        (Off("n", 50.0), -1, 10.0, (65.0, 0)),
        (Off("n", 500.0), -1, 10.0, (420.0, 0)),
        (Off("n", 500.0, quiet=300.0), -1, 10.0, (200.0, 0)),
        (Off("n", 500.0, force=True), -1, 10.0, (480.0, 0)),
        (Off("n", 5.0, 9.0), -1, 10.0, None),
        (Off("n", 5.0), 0, 10.0, None),
    ],
)
def test_without_a_ladder_only_off_is_waited_for(off, stage, now, look):
    """Not before its idle time could begin; and never where nothing depends on it."""
    busy = dataclasses.replace(planned(off, settings=ALONE), stage=stage)
    assert next_look(busy, blocked(), now) == look


def test_the_sooner_look_is_made_while_it_is_in_use():
    """For an off that does not wait, or for the end of what nothing tells of."""
    wanted = planned(Off("n", 500.0, force=True))
    assert next_look(wanted, blocked(), 10.0) == (65.0, 0)
    assert next_look(dataclasses.replace(wanted, looked=450.0), blocked(), 460.0) == (480.0, 3)
    assert next_look(dataclasses.replace(wanted, looked=430.0), blocked(), 485.0) == (480.0, 3)
    announced = dataclasses.replace(wanted, announced=500.0, target=3)
    assert next_look(announced, blocked(), 10.0) == (500.0, 3)


@pytest.mark.parametrize(
    ("off", "changes", "judged", "next_"),
    [
        (None, {}, None, (60.0, 0)),
        (None, {"stage": 3}, None, None),
        (Off("n", 500.0), {"stage": 2}, None, (500.0, 3)),
        (Off("n", 500.0), {"stage": 2, "waits": {3: Wait(600.0, 1, 5.0, "blocked")}}, None, (620.0, 3)),
        (Off("n", 500.0), {"stage": 2, "announced": 510.0, "target": 3}, None, (510.0, 3)),
        (Off("n", 500.0), {}, blocked(), None),
        (Off("n", 500.0, force=True), {}, blocked(), (500.0, 3)),
    ],
)
def test_what_comes_next_is_known(off, changes, judged, next_):
    """For `powernap why`: the stage, and when it is entered if nobody comes."""
    assert coming(planned(off, **changes), judged or Verdict((), 0.0), 10.0) == next_


@pytest.mark.parametrize(
    ("off", "changes", "judged", "timer"),
    [
        (Off("n", 500.0, 600.0), {"stage": 3, "phase": Phase.NAPPING}, None, 600.0),
        (Off("n", 500.0), {"stage": 3, "phase": Phase.NAPPING}, None, None),
        (Off("n", 1.0, 9.0), {"stage": 3, "phase": Phase.NAPPING}, None, None),
        (Off("n", 500.0, 600.0), {"target": 3, "phase": Phase.ENTERING}, None, 600.0),
        (Off("n", 500.0, 600.0), {"target": 0, "phase": Phase.ENTERING}, None, None),
        (Off("n", 500.0, 600.0), {"settings": Settings()}, None, None),
        # A user and a lease: that the lease ends matters only where users do not.
        (Off("n", 500.0), {}, "lease and user", None),
        (Off("n", 500.0, force=True), {}, "lease and user", 80.0),
    ],
)
def test_the_timer_minds_the_end_of_off_and_of_what_speaks_against_it(off, changes, judged, timer):
    """Nothing else tells of them."""
    both = (Blocker("monitor", "ssh", "", told=True), Blocker("lease", "x", "", until=80.0, told=True))
    assert next_timer(planned(off, **changes), Verdict(both if judged else (), 0.0), 10.0) == timer


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
    assert next_timer(present, judged or verdict(present, 10.0), 10.0) == timer
