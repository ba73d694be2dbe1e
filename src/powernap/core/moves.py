"""What several events lead to alike: a look, leaving a stage, putting everything back, waiting with a sleep.

Pure, as all of the core. Which event leads to what is machine.py's; which change of phase there is, ``TABLE``'s in state.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from powernap.core.commands import CancelSleep, Command, Look, Restore, Tell, Unwarn
from powernap.core.deadlines import forbidden, insists, permitted
from powernap.core.ladder import Stage
from powernap.core.plan import OFF_STAGE
from powernap.core.state import TABLE, Phase, State, Trigger, Wait
from powernap.core.verdict import Blocker, Verdict, standing

SLEEP_RETRIES = (60.0, 120.0, 300.0, 600.0)
"""Seconds after which a sleep that was refused or failed is tried again; the last one for as long as nobody comes."""

Step = tuple[State, list[Command]]


def stage_of(state: State, index: int) -> Stage:
    """A stage of the ladder."""
    return state.settings.stages[index]


def go(state: State, trigger: Trigger, **changes: Any) -> State:
    """The next phase by the table; ``KeyError`` for a change that it does not have."""
    return replace(state, phase=TABLE[state.phase][trigger], **changes)


def look(state: State, now: float, target: int) -> Step:
    """Ask everybody, for the sake of a stage; what was announced of another one does not come."""
    state, unwarned = unwarn(state) if target != state.target else (state, [])
    state, commands = look_anew(go(state, Trigger.DUE, target=target), now)
    return state, [*unwarned, *commands]


def look_anew(state: State, now: float) -> Step:
    """Ask everybody once more, and wait no longer for those who were asked before."""
    state = replace(state, serial=state.serial + 1, looked=now, sampled=now)
    sleep = stage_of(state, state.target).sleep if state.target < len(state.settings.stages) else None
    return state, [Look(state.serial, sleep=sleep or "", by_hand=bool(sleep) and state.by_hand)]


def leave(state: State, judged: Verdict, now: float) -> Step:
    """Put everything back, now; what caused it goes into the history. Users who were told of *off* stay told if it comes all the same."""
    tell = Tell("activity", stage_of(state, state.depth).name, blockers=causes(state, judged, now))
    at = state.announced
    stays = at is not None and insists(state, state.target) and permitted(state, state.target, judged, at)
    state, commands = put_back(replace(state, announced=None) if stays else state)
    return replace(state, announced=at if stays else None), [*commands, tell]


def put_back(state: State) -> Step:
    """Put everything back; the restoring itself waits for nothing."""
    # Once the machine is back from the sleep, there is nothing left to cancel.
    to_cancel = state.phase is Phase.SLEEPING and state.asleep != 0
    cancel: list[Command] = [CancelSleep(state.serial)] if to_cancel else []
    state, unwarned = unwarn(state)
    state, commands = restore(state, Trigger.AGAIN if state.phase is Phase.LEAVING else Trigger.UNDO)
    return replace(state, asked=None, waits={}), [*cancel, *commands, *unwarned]


def restore(state: State, trigger: Trigger) -> Step:
    """Leave the deepest stage that was begun, for this reason."""
    depth, serial = state.depth, state.serial + 1
    state = go(state, trigger, serial=serial, stage=depth, restore_tries=0, restore_at=None)
    return state, [Restore(serial)]


def sleep_later(state: State, now: float, refusal: str = "") -> State:
    """The target is not tried for a while, and for longer each time."""
    before = state.waits.get(state.target)
    tries = before.tries if before else 0
    until = now + SLEEP_RETRIES[min(tries, len(SLEEP_RETRIES) - 1)]
    return replace(state, waits={**state.waits, state.target: Wait(until, tries + 1, state.looked, refusal)})


def causes(state: State, judged: Verdict, now: float) -> tuple[Blocker, ...]:
    """What keeps the machine awake, or else what the schedules no longer want, or else the latest activity there was."""
    if judged.blockers:
        return judged.blockers
    plan, depth = state.evidence.plan, state.depth
    if depth == state.settings.off and state.asked is None:
        if plan.off is None or plan.off.at > now or not standing(plan.off.until, now):
            return (Blocker("window", OFF_STAGE, "no schedule wants it off now"),)
    elif forbidden(state, depth):
        return (Blocker("window", plan.why, limit(state)),)
    latest = [r for r in state.readings.values() if r.last is not None and r.last >= judged.idle_since]
    return tuple(Blocker("monitor", r.monitor, r.reason, r.last, who=r.who) for r in latest)


def limit(state: State) -> str:
    """What the schedules allow, in words."""
    plan = state.evidence.plan
    return f'the schedule "{plan.why}" allows no deeper stage than "{plan.deepest}" now'


def unwarn(state: State) -> Step:
    """Users were told of a stage that does not come."""
    if state.announced is None:
        return state, []
    return replace(state, announced=None), [Unwarn(stage_of(state, state.target).name)]


def back(state: State) -> Step:
    """From a look or a warning, to where it began."""
    state, commands = unwarn(state)
    return go(state, Trigger.BUSY if state.stage < 0 else Trigger.NOT_YET), commands
