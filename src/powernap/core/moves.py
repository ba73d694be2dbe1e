"""What several events lead to alike: a look, leaving a stage, putting everything back, waiting with a sleep.

Pure, as all of the core. Which event leads to what is machine.py's; which change of phase there is, ``TABLE``'s in state.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from powernap.core.commands import CancelSleep, Command, Look, Restore, Tell, Unwarn
from powernap.core.ladder import Stage
from powernap.core.state import TABLE, Phase, State, Trigger
from powernap.core.verdict import Blocker, Verdict

SLEEP_RETRIES = (60.0, 120.0, 300.0, 600.0)
"""Seconds after which a sleep that was refused or failed is tried again; the last one for as long as nobody comes."""

Step = tuple[State, list[Command]]


def stage_of(state: State, index: int) -> Stage:
    """A stage of the ladder."""
    return state.settings.stages[index]


def go(state: State, trigger: Trigger, **changes: Any) -> State:
    """The next phase by the table; ``KeyError`` for a change that it does not have."""
    return replace(state, phase=TABLE[state.phase][trigger], **changes)


def look(state: State, now: float) -> Step:
    """Ask everybody, for the sake of the next stage."""
    return look_anew(go(state, Trigger.DUE, target=state.stage + 1), now)


def look_anew(state: State, now: float) -> Step:
    """Ask everybody once more, and wait no longer for those who were asked before."""
    state = replace(state, serial=state.serial + 1, looked=now, sampled=now)
    sleep = stage_of(state, state.target).sleep if state.target < len(state.settings.stages) else None
    return state, [Look(state.serial, sleep=sleep or "", by_hand=bool(sleep) and state.by_hand)]


def leave(state: State, judged: Verdict) -> Step:
    """Put everything back, now; what caused it goes into the history."""
    tell = Tell("activity", stage_of(state, state.depth).name, blockers=causes(state, judged))
    state, commands = put_back(state)
    return state, [*commands, tell]


def put_back(state: State) -> Step:
    """Put everything back; the restoring itself waits for nothing."""
    # Once the machine is back from the sleep, there is nothing left to cancel.
    to_cancel = state.phase is Phase.SLEEPING and state.asleep != 0
    cancel: list[Command] = [CancelSleep(state.serial)] if to_cancel else []
    state, unwarned = unwarn(state)
    state, commands = restore(state, Trigger.AGAIN if state.phase is Phase.LEAVING else Trigger.UNDO)
    return forget_refusals(replace(state, asked=None)), [*cancel, *commands, *unwarned]


def restore(state: State, trigger: Trigger) -> Step:
    """Leave the deepest stage that was begun, for this reason."""
    depth, serial = state.depth, state.serial + 1
    state = go(state, trigger, serial=serial, stage=depth, restore_tries=0, restore_at=None)
    return state, [Restore(serial)]


def forget_refusals(state: State) -> State:
    """Somebody came, or asks: what refused the sleep then need not do so the next time."""
    return replace(state, sleep_at=float("-inf"), sleep_tries=0, refusal="")


def sleep_later(state: State, now: float) -> State:
    """No sleep for a while, and for longer each time."""
    wait = SLEEP_RETRIES[min(state.sleep_tries, len(SLEEP_RETRIES) - 1)]
    return replace(state, sleep_at=now + wait, sleep_tries=state.sleep_tries + 1)


def causes(state: State, judged: Verdict) -> tuple[Blocker, ...]:
    """What keeps the machine awake, or else the latest activity there was."""
    if judged.blockers:
        return judged.blockers
    latest = [r for r in state.readings.values() if r.last is not None and r.last >= judged.idle_since]
    return tuple(Blocker("monitor", r.monitor, r.reason, r.last, who=r.who) for r in latest)


def unwarn(state: State) -> Step:
    """Users were told of a stage that does not come."""
    if state.announced is None:
        return state, []
    return replace(state, announced=None), [Unwarn(stage_of(state, state.target).name)]


def back(state: State) -> Step:
    """From a look or a warning, to where it began."""
    state, commands = unwarn(state)
    return go(state, Trigger.BUSY if state.stage < 0 else Trigger.NOT_YET), commands
