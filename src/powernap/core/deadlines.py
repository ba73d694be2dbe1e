"""When something is due: a stage, a look, a sample, and so the one timer. Owns the arithmetic of instants, and what the schedules make of
it; decides nothing.

Instants are seconds of ``CLOCK_BOOTTIME``.
"""

from __future__ import annotations

from math import inf

from powernap.core.plan import Off
from powernap.core.state import State
from powernap.core.verdict import Verdict, judge

LOOK_MIN = 1.0
"""Seconds: however short the ladder, a hold whose end nothing tells is looked at no more often."""

OFF_LOOK = 60.0
"""Seconds: so often where there is no ladder, and only a schedule waits for the end of such a hold."""

CALM = 60.0
"""Seconds of idle time before users are warned of *off*, at least: who types and pauses is not told of it at each key."""

INSISTING = frozenset({"lease", "window", "resume"})
"""Kinds of blockers that also stand where what monitors see does not count."""

SAMPLE_MIN = 0.1
"""Seconds: however quick the way back is to be, counters are read no more often."""

LookAt = tuple[float, int]
"""An instant, and the stage for the sake of which everybody is asked then."""


def verdict(state: State, now: float) -> Verdict:
    """What keeps the machine awake at ``now``, and since when it is idle."""
    return judge(state.settings, state.evidence, now)


# ---------------------------------------------------------------- what may be entered, and when


def due_at(state: State, target: int, idle_since: float, by: float) -> float | None:
    """When this stage may be entered if nobody comes; ``None`` when there is no such stage, or the schedules do not allow it.

    :param by: no earlier than this; a schedule that wants the machine off may have ended then.
    """
    settings, asked = state.settings, state.asked
    if not 0 <= target < len(settings.stages):
        return None
    stage, due = settings.stages[target], inf
    if not forbidden(state, target):
        due = idle_since + stage.after
        if asked and target <= asked[1] and idle_since <= asked[0]:
            due = min(due, asked[0] + stage.warn)
    if target == settings.off and state.evidence.plan.off:
        due = min(due, _off_at(state, state.evidence.plan.off, idle_since, by))
    return None if due == inf else due


def forbidden(state: State, target: int) -> bool:
    """The schedules allow only shallower stages now. A stage that the ladder does not have forbids nothing."""
    deepest = state.evidence.plan.deepest
    index = state.settings.index(deepest) if deepest else None
    return index is not None and target > index


def _off_at(state: State, off: Off, idle_since: float, by: float) -> float:
    """When the schedule's wish is carried out; never after its end, nor when what carries it out has failed too often."""
    settings = state.settings
    due = max(
        off.at, state.evidence.began + settings.min_awake if off.force else idle_since + _quiet(state, off)
    )
    over = off.until is not None and max(due, by) >= off.until
    spent = state.failures.get(settings.stages[-1].sleep or "", 0) >= settings.action_budget
    return inf if over or spent else due


def _quiet(state: State, off: Off) -> float:
    """The idle time it waits for; the warning lies inside it, so that whoever comes meanwhile postpones it."""
    warn = state.settings.stages[-1].warn
    return max(off.quiet, warn + CALM) if warn else off.quiet


def insists(state: State, target: int) -> bool:
    """It is *off*, wanted by a schedule against which what monitors see does not count; it does for an admin who asks."""
    off, asked = state.evidence.plan.off, state.asked
    return (
        off is not None and off.force and target == state.settings.off and not (asked and target <= asked[1])
    )


def against(state: State, target: int, judged: Verdict) -> Verdict:
    """As far as it speaks against this stage."""
    if not judged.blockers or not insists(state, target):
        return judged
    return Verdict(tuple(each for each in judged.blockers if each.kind in INSISTING), judged.idle_since)


def permitted(state: State, depth: int, judged: Verdict, by: float) -> bool:
    """Nobody uses the machine, and by this instant has not for long enough for this stage."""
    if depth < 0:
        return True
    due = due_at(state, depth, judged.idle_since, by)
    return due is not None and due <= by and not against(state, depth, judged).blockers


def enterable_at(state: State, target: int, judged: Verdict, now: float) -> float | None:
    """When this stage can be entered by a look that is made now, if nobody comes; ``None`` when it cannot be."""
    stages = state.settings.stages
    if target >= len(stages) or against(state, target, judged).blockers:
        return None
    if stages[target].sleep and _gives_way(state, target, judged, now):
        return None
    warned = state.announced is not None and state.target == target
    return due_at(state, target, judged.idle_since, now if warned else now + stages[target].warn)


def _gives_way(state: State, target: int, judged: Verdict, now: float) -> bool:
    """From this sleep the machine would not come to the deeper one that is wanted: by an admin who asked, or by a schedule."""
    last, off, asked = state.settings.off, state.evidence.plan.off, state.asked
    if asked and target <= asked[1]:
        return target < asked[1]
    if off is None or last is None or target == last or last in state.waits:
        return False
    warn = state.settings.stages[last].warn
    return now >= off.at - warn and due_at(state, last, judged.idle_since, now + warn) is not None


# ---------------------------------------------------------------- looks and the timer


def next_look(state: State, judged: Verdict, now: float) -> LookAt | None:
    """When the next complete look is due, and for the sake of which stage.

    That is just before a stage is entered or warned of, or when nothing will tell of idleness.
    """
    look = _look_to_enter(state, judged, now)
    if not judged.blockers or state.announced is not None or (look and look[0] <= now):
        return look
    again = _look_again(state, judged, now)
    return min(look, again) if look and again else look or again


def coming(state: State, judged: Verdict, now: float) -> LookAt | None:
    """The next stage and when it is entered, if nobody comes and every look says so."""
    look = _look_to_enter(state, judged, now)
    if look is None or look == (state.announced, state.target):
        return look
    return look[0] + state.settings.stages[look[1]].warn, look[1]


def _look_to_enter(state: State, judged: Verdict, now: float) -> LookAt | None:
    """*Off* comes before the ladder, and takes back a warning of something else (but not each time, where it was refused)."""
    last = state.settings.off
    off = _look_for(state, last, judged, now) if last is not None and state.stage < last else None
    if state.announced is not None:
        announced = state.announced, state.target
        first = off is not None and state.target != last and last not in state.waits
        return min(announced, off) if first and off else announced
    if judged.blockers or (off is not None and off[0] <= now):
        return off
    ladder = _look_for(state, _next(state), judged, now)
    return min(off, ladder) if off and ladder else off or ladder


def _next(state: State) -> int:
    """The stage below this one. On the way to what an admin asked for, sleeps are passed over."""
    target = state.stage + 1
    while state.asked and target < state.asked[1] and state.settings.stages[target].sleep:
        target += 1
    return target


def _look_for(state: State, target: int, judged: Verdict, now: float) -> LookAt | None:
    due = enterable_at(state, target, judged, now)
    if due is None:
        return None
    wait, at = state.waits.get(target), due - state.settings.stages[target].warn
    return (max(at, wait.until) if wait else at), target


def _look_again(state: State, judged: Verdict, now: float) -> LookAt | None:
    """The window that a hold's true end may be behind is the first stage's: a stage is never late by more than that and the look.

    Without a ladder, it is of interest only to a schedule that waits for idle time.
    """
    stages, off, target = state.settings.stages, state.evidence.plan.off, state.stage + 1
    if target >= len(stages) or not judged.look_again:
        return None
    if stages[0].after < inf:
        return state.looked + max(LOOK_MIN, stages[0].after), target
    if off is None or off.force or due_at(state, target, judged.idle_since, now) is None:
        return None
    return max(state.looked + OFF_LOOK, off.at - _quiet(state, off)), target


def sample_at(state: State) -> float:
    """When the monitors without events are looked at next, in a stage that is to be left quickly."""
    return state.sampled + max(SAMPLE_MIN, state.settings.restore_within)


def next_timer(state: State, judged: Verdict, now: float) -> float | None:
    """The earliest instant at which time alone changes something; ``None`` while only an event can."""
    if state.restore_at is not None:
        return state.restore_at
    times: list[float | None] = []
    if state.resting:
        look = next_look(state, judged, now)
        times = [look and look[0], judged.ends]
    if state.sampling:
        times.append(sample_at(state))
    if state.evidence.plan.off is not None:
        times += _off_ends(state, state.evidence.plan.off, judged, now)
    return min((time for time in times if time is not None and time != inf), default=None)


def _off_ends(state: State, off: Off, judged: Verdict, now: float) -> list[float | None]:
    """When what speaks against *off* has ended, or the wish itself, if it is being carried out."""
    target = state.settings.off
    if target is not None and state.depth == target:
        return [off.until] if off.until is not None and off.until > now else []
    return [against(state, target, judged).ends] if target is not None and state.resting else []
