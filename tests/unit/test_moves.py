"""What several events lead to alike."""

from __future__ import annotations

import dataclasses

import pytest

from playbook import DEEP, EASE, SUSPEND, ladder
from powernap.core import moves
from powernap.core.commands import CancelSleep, Look, Restore, Tell, Unwarn
from powernap.core.ladder import Stage
from powernap.core.plan import OFF_STAGE, Off, Plan
from powernap.core.reading import Reading
from powernap.core.state import TABLE, Phase, State, Trigger, Wait
from powernap.core.verdict import Blocker, Evidence, Verdict

LADDER = ladder(EASE, DEEP, SUSPEND)
WITH_OFF = ladder(EASE, DEEP, Stage(OFF_STAGE, float("inf"), warn=20.0, sleep="power-off"))
BARE = State(LADDER, Evidence(0.0))
IDLE = Verdict((), 0.0)


def with_(**changes):
    """The bare state, but for these."""
    return dataclasses.replace(BARE, **changes)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("trigger", Trigger)
def test_only_changes_of_the_table_can_be_made(phase, trigger):
    """Anything else is a defect."""
    if trigger in TABLE[phase]:
        assert moves.go(with_(phase=phase), trigger, serial=7) == with_(phase=TABLE[phase][trigger], serial=7)
    else:
        with pytest.raises(KeyError):
            moves.go(with_(phase=phase), trigger)


@pytest.mark.parametrize(
    ("stage", "asked", "look"),
    [
        (-1, None, Look(5)),
        (1, None, Look(5, sleep="suspend")),
        (1, (9.0, 2), Look(5, sleep="suspend", by_hand=True)),
        (0, (9.0, 2), Look(5)),
        (2, (9.0, 9), Look(5)),
    ],
)
def test_a_look_is_for_a_stage_and_names_the_sleep_that_would_follow(stage, asked, look):
    """Below the last one there is none."""
    state, commands = moves.look(with_(stage=stage, asked=asked, serial=4), 60.0, stage + 1)
    assert (state.phase, state.target, state.looked, state.sampled) == (
        Phase.CHECKING,
        stage + 1,
        60.0,
        60.0,
    )
    assert commands == [look]


def test_a_look_anew_has_a_number_of_its_own():
    """Nothing else of what was under way changes."""
    looking, _ = moves.look(with_(serial=4), 60.0, 0)
    state, commands = moves.look_anew(looking, 61.0)
    assert state == dataclasses.replace(looking, serial=6, looked=61.0, sampled=61.0)
    assert commands == [Look(6)]


@pytest.mark.parametrize(("target", "announced", "unwarned"), [(2, 60.0, []), (1, None, [Unwarn("suspend")])])
def test_a_look_for_something_else_takes_a_warning_back(target, announced, unwarned):
    """What comes sooner comes instead."""
    warned = with_(phase=Phase.WARNING, stage=0, target=2, announced=60.0)
    state, commands = moves.look(warned, 60.0, target)
    assert (state.announced, state.target, commands[:-1]) == (announced, target, unwarned)


def test_leaving_puts_back_first_and_then_says_why():
    """What stands, or else who came last."""
    waits = {2: Wait(99.0, 1, 39.0, "blocked")}
    napping = with_(phase=Phase.NAPPING, stage=1, serial=4, asked=(9.0, 1), waits=waits)
    lock = Blocker("lease", "backup", "runs")
    state, commands = moves.leave(napping, Verdict((lock,), 50.0), 50.0)
    assert commands == [Restore(5), Tell("activity", "deep", blockers=(lock,))]
    assert state == with_(phase=Phase.LEAVING, stage=1, serial=5)


def test_who_came_last_is_named_when_nothing_stands():
    """And nobody who came before."""
    readings = {
        "ssh": Reading("ssh", 60.0, reason="alice", last=59.0, who=("alice",)),
        "input": Reading("input", 60.0, last=3.0),
        "cpu": Reading("cpu", 60.0),
    }
    state = with_(evidence=Evidence(0.0, readings=readings))
    assert moves.causes(state, Verdict((), 59.0), 60.0) == (
        Blocker("monitor", "ssh", "alice", 59.0, who=("alice",)),
    )


LUNCH = Plan(deepest="ease", why="lunch")
LIMIT = Blocker("window", "lunch", 'the schedule "lunch" allows no deeper stage than "ease" now')
NO_MORE = Blocker("window", OFF_STAGE, "no schedule wants it off now")


@pytest.mark.parametrize(
    ("plan", "depth", "asked", "why"),
    [
        (LUNCH, 1, None, (LIMIT,)),
        (LUNCH, 0, None, ()),
        (Plan(), 2, None, (NO_MORE,)),
        (Plan(off=Off("night", 61.0)), 2, None, (NO_MORE,)),
        (Plan(off=Off("night", 10.0, 60.0)), 2, None, (NO_MORE,)),
        (Plan(off=Off("night", 60.0, 61.0)), 2, None, ()),
        (Plan(), 2, (9.0, 2), ()),
        (LUNCH, 2, (9.0, 2), (LIMIT,)),
        (Plan((), "ease", "lunch", Off("night", 60.0)), 2, None, ()),
    ],
)
def test_a_schedule_that_ends_a_stage_is_named(plan, depth, asked, why):
    """When nobody stands there: the limit that is passed, or *off* that nobody wants. Of what an admin asked for it is no cause."""
    state = with_(
        settings=WITH_OFF, evidence=Evidence(0.0, plan=plan), phase=Phase.NAPPING, stage=depth, asked=asked
    )
    assert moves.causes(state, IDLE, 60.0) == why
    lock = Blocker("lease", "backup", "runs")
    assert moves.causes(state, Verdict((lock,), 0.0), 60.0) == (lock,)


@pytest.mark.parametrize(
    ("off", "announced", "commands"),
    [
        (Off("night", 70.0, force=True), 70.0, [Restore(1)]),
        (Off("night", 70.0), None, [Restore(1), Unwarn(OFF_STAGE)]),
        (Off("night", 71.0, force=True), None, [Restore(1), Unwarn(OFF_STAGE)]),
    ],
)
def test_who_was_told_of_an_off_that_comes_all_the_same_stays_told(off, announced, commands):
    """A user who came ends the stage, and not what is insisted on."""
    settings = dataclasses.replace(WITH_OFF, min_awake=0.0)
    warned = with_(settings=settings, phase=Phase.WARNING, stage=0, target=2, announced=70.0)
    warned = dataclasses.replace(warned, evidence=Evidence(0.0, plan=Plan(off=off)))
    user = Blocker("monitor", "ssh", "alice")
    state, done = moves.leave(warned, Verdict((user,), 60.0), 60.0)
    assert (state.phase, state.announced, done[:-1]) == (Phase.LEAVING, announced, commands)


@pytest.mark.parametrize(("asleep", "cancels"), [(4, True), (0, False)])
def test_a_sleep_is_cancelled_unless_it_is_over(asleep, cancels):
    """The cancelling carries the sleep's own number, the restore a new one."""
    state, commands = moves.put_back(with_(phase=Phase.SLEEPING, stage=1, target=2, serial=4, asleep=asleep))
    assert commands == [*([CancelSleep(4)] if cancels else []), Restore(5)]
    assert (state.phase, state.stage, state.serial) == (Phase.LEAVING, 2, 5)


def test_putting_back_begins_anew_while_it_lasts():
    """At once, as if it were the first attempt; and users who were warned are told."""
    leaving = with_(phase=Phase.LEAVING, stage=1, serial=4, restore_tries=3, restore_at=70.0)
    state, commands = moves.put_back(leaving)
    assert (state.restore_tries, state.restore_at, commands) == (0, None, [Restore(5)])
    warned = with_(phase=Phase.WARNING, stage=1, target=2, announced=60.0)
    assert moves.put_back(warned)[1] == [Restore(1), Unwarn("suspend")]


def test_a_sleep_is_tried_later_and_later():
    """Until somebody comes."""
    state, waits = with_(target=2, looked=999.0), []
    for _ in range(6):
        state = moves.sleep_later(state, 1000.0, "blocked")
        waits.append(state.waits[2].until - 1000.0)
    assert waits == [60.0, 120.0, 300.0, 600.0, 600.0, 600.0]
    assert state.waits == {2: Wait(1600.0, 6, 999.0, "blocked")}
    assert moves.sleep_later(dataclasses.replace(state, target=1), 1000.0).waits[1] == Wait(1060.0, 1, 999.0)


@pytest.mark.parametrize(("stage", "phase"), [(-1, Phase.AWAKE), (0, Phase.NAPPING)])
def test_back_is_where_the_look_began(stage, phase):
    """A warning is taken back."""
    warned = with_(phase=Phase.WARNING, stage=stage, target=2, announced=60.0)
    state, commands = moves.back(warned)
    assert (state.phase, state.announced, commands) == (phase, None, [Unwarn("suspend")])
