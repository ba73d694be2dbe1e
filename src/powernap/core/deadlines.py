"""When something is due: a stage, a look, a sample, and so the one timer. Owns the arithmetic of instants; decides nothing.

Instants are seconds of ``CLOCK_BOOTTIME``.
"""

from __future__ import annotations

from powernap.core.state import State
from powernap.core.verdict import Verdict, judge

LOOK_MIN = 1.0
"""Seconds: however short the ladder, a hold whose end nothing tells is looked at no more often."""

SAMPLE_MIN = 0.1
"""Seconds: however quick the way back is to be, counters are read no more often."""


def verdict(state: State, now: float) -> Verdict:
    """What keeps the machine awake at ``now``, and since when it is idle."""
    return judge(state.settings, state.evidence, now)


def due_at(state: State, target: int, idle_since: float) -> float | None:
    """When this stage may be entered if nobody comes; ``None`` when there is no such stage."""
    stages = state.settings.stages
    if not 0 <= target < len(stages):
        return None
    due = idle_since + stages[target].after
    if state.asked and target <= state.asked[1] and idle_since <= state.asked[0]:
        return min(due, state.asked[0] + stages[target].warn)
    return due


def permitted(state: State, depth: int, judged: Verdict, by: float) -> bool:
    """Nobody uses the machine, and by this instant has not for long enough for this stage."""
    if depth < 0:
        return True
    due = due_at(state, depth, judged.idle_since)
    return not judged.blockers and due is not None and due <= by


def look_at(state: State, judged: Verdict) -> float | None:
    """When the next complete look is due: just before a stage is entered or warned of, or when nothing will tell of idleness."""
    if judged.blockers:
        return _look_again_at(state, judged)
    if state.announced is not None:
        return state.announced
    target = state.stage + 1
    due = due_at(state, target, judged.idle_since)
    if due is None:
        return None
    stage = state.settings.stages[target]
    return max(due - stage.warn, state.sleep_at) if stage.sleep else due - stage.warn


def _look_again_at(state: State, judged: Verdict) -> float | None:
    """The window that a hold's true end may be behind is the first stage's: a stage is never late by more than that and the look."""
    if not state.settings.stages or not judged.look_again:
        return None
    return state.looked + max(LOOK_MIN, state.settings.stages[0].after)


def sample_at(state: State) -> float:
    """When the monitors without events are looked at next, in a stage that is to be left quickly."""
    return state.sampled + max(SAMPLE_MIN, state.settings.restore_within)


def next_timer(state: State, judged: Verdict) -> float | None:
    """The earliest instant at which time alone changes something; ``None`` while only an event can."""
    if state.restore_at is not None:
        return state.restore_at
    times = [look_at(state, judged), judged.ends] if state.resting else []
    if state.sampling:
        times.append(sample_at(state))
    return min((time for time in times if time is not None and time != float("inf")), default=None)
