"""The machine's state and its one function, ``step(state, event) -> state, commands``.

Everything about transitions lives in ``TABLE`` below; the diagram in the docs is drawn from it. Four rules hold it together:

1. Awake when unsure: a monitor that has not answered, or failed, counts as activity.
2. A stage is entered only after a complete look that began when it was due (events give speed, the look gives certainty).
3. Activity in any stage leads to LEAVING at once, whatever is still in flight; an answer with an old serial number is ignored.
4. Only the arguments decide: the same events give the same commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from powernap.core.commands import (
    Apply,
    CancelSleep,
    Command,
    Look,
    Restore,
    SetTimer,
    Sleep,
    Tell,
    Unwarn,
    Warn,
)
from powernap.core.events import (
    Applied,
    Due,
    Event,
    Failure,
    Heard,
    LeaseEnded,
    LeaseTaken,
    Looked,
    NapAsked,
    Reconfigured,
    Restored,
    Resumed,
    SleepFailed,
    WakeAsked,
    WindowClosed,
    WindowOpened,
)
from powernap.core.ladder import Settings, Stage
from powernap.core.reading import Reading
from powernap.core.verdict import Blocker, Lease, Verdict, judge

RESTORE_RETRY_MAX = 60.0
"""Seconds: a failing restore is tried again after 1, 2, 4 ... up to this, for as long as it fails."""

LOOK_MIN = 1.0
"""Seconds: however short the ladder, a hold whose end nothing tells is looked at no more often."""


class Phase(Enum):
    """What the machine is doing."""

    AWAKE = "awake"
    CHECKING = "checking"
    WARNING = "warning"
    ENTERING = "entering"
    NAPPING = "napping"
    SLEEPING = "sleeping"
    LEAVING = "leaving"
    HALTED = "halted"


class Trigger(Enum):
    """Why it changes."""

    DUE = "a stage is due"
    BUSY = "in use, nothing applied"
    NOT_YET = "not yet due, stay in the stage"
    WARN = "nobody there, users are told"
    ENTER = "nobody there"
    APPLIED = "applied"
    SLEEP = "applied, sleep"
    NO_SLEEP = "sleep failed"
    UNDO = "activity"
    RESTORED = "put back"
    LOOP = "sleep-wake loop"
    WAKE = "an admin says go on"


TABLE: dict[Phase, dict[Trigger, Phase]] = {
    Phase.AWAKE: {Trigger.DUE: Phase.CHECKING, Trigger.LOOP: Phase.HALTED},
    Phase.CHECKING: {
        Trigger.BUSY: Phase.AWAKE,
        Trigger.NOT_YET: Phase.NAPPING,
        Trigger.WARN: Phase.WARNING,
        Trigger.ENTER: Phase.ENTERING,
        Trigger.UNDO: Phase.LEAVING,
        Trigger.LOOP: Phase.HALTED,
    },
    Phase.WARNING: {
        Trigger.BUSY: Phase.AWAKE,
        Trigger.NOT_YET: Phase.NAPPING,
        Trigger.DUE: Phase.CHECKING,
        Trigger.UNDO: Phase.LEAVING,
        Trigger.LOOP: Phase.HALTED,
    },
    Phase.ENTERING: {
        Trigger.APPLIED: Phase.NAPPING,
        Trigger.SLEEP: Phase.SLEEPING,
        Trigger.UNDO: Phase.LEAVING,
    },
    Phase.NAPPING: {Trigger.DUE: Phase.CHECKING, Trigger.UNDO: Phase.LEAVING},
    Phase.SLEEPING: {Trigger.NO_SLEEP: Phase.NAPPING, Trigger.UNDO: Phase.LEAVING},
    Phase.LEAVING: {Trigger.RESTORED: Phase.AWAKE, Trigger.UNDO: Phase.LEAVING, Trigger.LOOP: Phase.HALTED},
    Phase.HALTED: {Trigger.WAKE: Phase.AWAKE},
}
"""Every change there is: from a phase, for a reason, to a phase. Anything else is a defect and raises ``KeyError``."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything the next decision depends on. Instants are seconds of ``CLOCK_BOOTTIME``.

    :param stage: index of the deepest stage whose actions are applied, -1 for none.
    :param target: index of the stage that is being looked at, warned of, or entered.
    :param began: idle time counts from here at the earliest.
    :param fresh: readings from before this are dropped (they were queued before a sleep).
    :param awake_until: end of the hold-off after a resume.
    :param asked: an admin asked to nap at this instant, down to this stage.
    :param announced: when users have been told that the target is entered.
    :param looked: when the latest complete look began; ``sampled``: the latest look of any kind.
    :param failures: failed attempts per action.
    :param resumes: when the machine came back from sleeps of ours, within the loop window.
    :param looping: a sleep-wake loop was seen; halt when everything is put back.
    :param busy: something kept the machine awake at the latest step.
    """

    settings: Settings
    began: float
    phase: Phase = Phase.CHECKING
    stage: int = -1
    target: int = 0
    serial: int = 0
    readings: Mapping[str, Reading] = field(default_factory=dict)
    leases: Mapping[str, Lease] = field(default_factory=dict)
    windows: Mapping[str, float | None] = field(default_factory=dict)
    fresh: float = float("-inf")
    awake_until: float = float("-inf")
    asked: tuple[float, int] | None = None
    announced: float | None = None
    looked: float = float("-inf")
    sampled: float = float("-inf")
    restore_tries: int = 0
    restore_at: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    resumes: tuple[float, ...] = ()
    looping: bool = False
    busy: bool = True
    timer: float | None = None

    @property
    def depth(self) -> int:
        """The deepest stage that has begun to be applied, -1 for none."""
        return self.target if self.phase in (Phase.ENTERING, Phase.SLEEPING) else self.stage


Step = tuple[State, list[Command]]


def start(settings: Settings, now: float) -> Step:
    """The first state: nothing is known, so everything is looked at. The machine never naps before that look is complete."""
    return _look(State(settings, began=now, phase=Phase.AWAKE), now)


def step(state: State, event: Event) -> Step:
    """What follows from an event."""
    state, commands = HANDLERS[type(event)](state, event)
    state, more = _settle(state, event.at)
    commands += more
    busy = bool(verdict(state, event.at).blockers)
    if state.phase is Phase.AWAKE and state.busy and not busy and state.settings.eventless:
        # Idle time begins: counters are read once, so that the next look judges the idle window and not the busy time before.
        commands.append(Look(state.serial, eventless=True))
    return _set_timer(replace(state, busy=busy), commands, event.at)


def verdict(state: State, now: float) -> Verdict:
    """What keeps the machine awake at ``now``, and since when it is idle."""
    return judge(
        state.settings, state.readings, state.leases, state.windows, state.began, state.awake_until, now
    )


def due_at(state: State, target: int, idle_since: float) -> float | None:
    """When this stage may be entered if nobody comes; ``None`` when there is no such stage."""
    stages = state.settings.stages
    if not 0 <= target < len(stages):
        return None
    due = idle_since + stages[target].after
    if state.asked and target <= state.asked[1] and idle_since <= state.asked[0]:
        return min(due, state.asked[0] + stages[target].warn)
    return due


def permitted(state: State, depth: int, now: float) -> bool:
    """Nobody uses the machine, and has not for long enough for this stage."""
    if depth < 0:
        return True
    judged = verdict(state, now)
    due = due_at(state, depth, judged.idle_since)
    return not judged.blockers and due is not None and due <= now


# ---------------------------------------------------------------- transitions


def _go(state: State, trigger: Trigger, **changes: Any) -> State:
    return replace(state, phase=TABLE[state.phase][trigger], **changes)


def _look(state: State, now: float) -> Step:
    state = _go(state, Trigger.DUE, serial=state.serial + 1, target=state.stage + 1, looked=now, sampled=now)
    return state, [Look(state.serial)]


def _leave(state: State, now: float) -> Step:
    """Put everything back, now; what caused it goes into the history."""
    commands: list[Command] = [CancelSleep(state.serial)] if state.phase is Phase.SLEEPING else []
    state, unwarned = _unwarn(state)
    depth = state.depth
    name = _stage(state, depth).name if depth >= 0 else ""
    tell = Tell("activity", name, blockers=causes(state, now))
    state = _go(
        state,
        Trigger.UNDO,
        serial=state.serial + 1,
        stage=depth,
        restore_tries=0,
        restore_at=None,
        asked=None,
    )
    return state, [*commands, *unwarned, Restore(state.serial), tell]


def causes(state: State, now: float) -> tuple[Blocker, ...]:
    """What keeps the machine awake, or else the latest activity there was."""
    judged = verdict(state, now)
    if judged.blockers:
        return judged.blockers
    latest = [r for r in state.readings.values() if r.last is not None and r.last >= judged.idle_since]
    return tuple(Blocker("monitor", r.monitor, r.reason, r.last, who=r.who) for r in latest)


def _settle(state: State, now: float) -> Step:
    """Leave a stage that is no longer permitted; take back a warning that no longer holds."""
    inside = state.phase in (Phase.CHECKING, Phase.WARNING, Phase.ENTERING, Phase.NAPPING, Phase.SLEEPING)
    if inside and not permitted(state, state.depth, now):
        return _leave(state, now)
    if state.phase is Phase.WARNING and not _still_announced(state, now):
        return _back(state)
    return state, []


def _still_announced(state: State, now: float) -> bool:
    judged = verdict(state, now)
    due = due_at(state, state.target, judged.idle_since)
    return not judged.blockers and due is not None and state.announced is not None and due <= state.announced


def _unwarn(state: State) -> Step:
    """Users were told of a stage that does not come."""
    if state.announced is None:
        return state, []
    return replace(state, announced=None), [Unwarn(_stage(state, state.target).name)]


def _back(state: State) -> Step:
    """From a look or a warning, to where it began."""
    state, commands = _unwarn(state)
    return _go(state, Trigger.BUSY if state.stage < 0 else Trigger.NOT_YET), commands


def _stage(state: State, index: int) -> Stage:
    return state.settings.stages[index]


# ---------------------------------------------------------------- one function per event


def _heard(state: State, event: Heard) -> Step:
    reading = event.reading
    known = {name for name, _ in state.settings.monitors}
    if reading.at < state.fresh or reading.monitor not in known:
        return state, []
    before = state.readings.get(reading.monitor)
    return replace(state, readings={**state.readings, reading.monitor: _follow(before, reading)}), []


def _follow(before: Reading | None, reading: Reading) -> Reading:
    """Activity that is known stays known, and a failure keeps the instant at which it began."""
    if before is None:
        return reading
    lasts = [reading.last, before.last, before.at if before.active or before.failed else None]
    last = max((instant for instant in lasts if instant is not None), default=None)
    since = reading.since
    if reading.failed:
        since = before.since if before.failed else reading.at
    return replace(reading, last=last, since=since)


def _looked(state: State, event: Looked) -> Step:
    if state.phase is not Phase.CHECKING or event.serial != state.serial:
        return state, []
    judged = verdict(state, event.at)
    due = due_at(state, state.target, judged.idle_since)
    if judged.blockers or due is None:
        return _back(state)
    stage = _stage(state, state.target)
    if state.announced is not None:
        return _enter(state) if due <= state.announced <= state.looked else _back(state)
    if stage.warn and state.looked >= due - stage.warn:
        return _warn(state, event.at, due, stage)
    return _enter(state) if not stage.warn and state.looked >= due else _back(state)


def _warn(state: State, now: float, due: float, stage: Stage) -> Step:
    """Users get the whole of the announced time, also when the look came late."""
    announced = max(due, now + stage.warn)
    return _go(state, Trigger.WARN, announced=announced), [Warn(stage.name, announced)]


def _enter(state: State) -> Step:
    stage, budget = _stage(state, state.target), state.settings.action_budget
    actions = tuple(name for name in stage.actions if state.failures.get(name, 0) < budget)
    state = _go(state, Trigger.ENTER, serial=state.serial + 1, announced=None)
    return state, [Apply(state.serial, stage.name, actions)]


def _applied(state: State, event: Applied) -> Step:
    if state.phase is not Phase.ENTERING or event.serial != state.serial:
        return state, []
    stage = _stage(state, state.target)
    state, tells = _count_failures(state, event.failed, stage.name)
    entered = Tell("entered", stage.name)
    if stage.sleep is None or state.failures.get(stage.sleep, 0) >= state.settings.action_budget:
        return _go(state, Trigger.APPLIED, stage=state.target), [*tells, entered]
    state = _go(state, Trigger.SLEEP, serial=state.serial + 1)
    return state, [*tells, entered, Sleep(state.serial, stage.sleep)]


def _count_failures(state: State, failed: tuple[Failure, ...], stage: str) -> Step:
    failures, commands = dict(state.failures), list[Command]()
    for failure in failed:
        failures[failure.action] = failures.get(failure.action, 0) + 1
        commands.append(Tell("apply-failed", stage, f"{failure.action}: {failure.reason}"))
        if failures[failure.action] == state.settings.action_budget:
            commands.append(Tell("action-spent", stage, failure.action))
    return replace(state, failures=failures), commands


def _sleep_failed(state: State, event: SleepFailed) -> Step:
    if state.phase is not Phase.SLEEPING or event.serial != state.serial:
        return state, []
    stage = _stage(state, state.target)
    state, tells = _count_failures(state, (Failure(stage.sleep or "", event.reason),), stage.name)
    return _go(state, Trigger.NO_SLEEP, stage=state.target), [
        *tells,
        Tell("sleep-failed", stage.name, event.reason),
    ]


def _restored(state: State, event: Restored) -> Step:
    if state.phase is not Phase.LEAVING or event.serial != state.serial:
        return state, []
    if event.failed:
        wait = min(RESTORE_RETRY_MAX, 2.0**state.restore_tries)
        tells: list[Command] = [
            Tell("restore-failed", detail=f"{f.action}: {f.reason}") for f in event.failed
        ]
        return replace(state, restore_tries=state.restore_tries + 1, restore_at=event.at + wait), tells
    trigger = Trigger.LOOP if state.looping else Trigger.RESTORED
    name = _stage(state, state.stage).name if 0 <= state.stage < len(state.settings.stages) else ""
    return _go(state, trigger, stage=-1, restore_tries=0, restore_at=None), [Tell("left", name)]


def _due(state: State, event: Due) -> Step:
    now = event.at
    state = replace(state, timer=None)
    if state.phase is Phase.LEAVING and state.restore_at is not None and now >= state.restore_at:
        state = _go(state, Trigger.UNDO, serial=state.serial + 1, restore_at=None)
        return state, [Restore(state.serial)]
    if state.phase not in (Phase.AWAKE, Phase.WARNING, Phase.NAPPING):
        return state, []
    wanted = _look_at(state, now)
    if wanted is not None and now >= wanted:
        return _look(state, now)
    if state.phase is Phase.NAPPING and _sample_at(state) <= now:
        return replace(state, sampled=now), [Look(state.serial, eventless=True)]
    return state, []


def _lease_taken(state: State, event: LeaseTaken) -> Step:
    return replace(state, leases={**state.leases, event.lease.id: event.lease}), []


def _lease_ended(state: State, event: LeaseEnded) -> Step:
    if event.id not in state.leases:
        return state, []
    leases = {id_: lease for id_, lease in state.leases.items() if id_ != event.id}
    return replace(state, leases=leases), []


def _window_opened(state: State, event: WindowOpened) -> Step:
    return replace(state, windows={**state.windows, event.name: event.until}), []


def _window_closed(state: State, event: WindowClosed) -> Step:
    if event.name not in state.windows:
        return state, []
    windows = {name: until for name, until in state.windows.items() if name != event.name}
    return replace(state, windows=windows), []


def _nap_asked(state: State, event: NapAsked) -> Step:
    index = (
        state.settings.index(event.stage)
        if event.stage
        else max(0, min(state.stage + 1, len(state.settings.stages) - 1))
    )
    if index is None or not state.settings.stages:
        return state, [Tell("refused", event.stage, "the ladder has no such stage")]
    judged = verdict(state, event.at)
    if judged.blockers:
        return state, [Tell("refused", event.stage, "it is in use", judged.blockers)]
    if state.phase in (Phase.LEAVING, Phase.HALTED):
        return state, [Tell("refused", event.stage, f"it is {state.phase.value}")]
    return replace(state, asked=(event.at, index)), []


def _wake_asked(state: State, event: WakeAsked) -> Step:
    state = replace(state, began=event.at, asked=None)
    tell = Tell("woken", detail=event.who)
    if state.phase is Phase.HALTED:
        return _go(state, Trigger.WAKE, looping=False, resumes=()), [tell]
    return state, [tell]


def _resumed(state: State, event: Resumed) -> Step:
    settings, ours = state.settings, state.phase is Phase.SLEEPING
    recent = [at for at in state.resumes if event.at - at <= settings.loop_window]
    resumes = (*recent, event.at) if ours else tuple(recent)
    looping = state.looping or len(resumes) > settings.loop_limit
    state = replace(
        state, began=event.at, fresh=event.at, awake_until=event.at + settings.min_awake, asked=None,
        resumes=resumes, looping=looping,
    )  # fmt: skip
    tells: list[Command] = [Tell("resumed", detail=f"{event.slept:.0f}s")]
    if looping:
        tells.append(Tell("loop", detail=f"{len(resumes)} sleeps within {settings.loop_window:.0f}s"))
    if state.depth >= 0 or state.phase is Phase.LEAVING:
        state, commands = _leave(state, event.at)
        # Asleep is over: there is nothing left to cancel.
        return state, [*tells, *(c for c in commands if not isinstance(c, CancelSleep))]
    if looping and state.phase is not Phase.HALTED:
        state, unwarned = _unwarn(state)
        return _go(state, Trigger.LOOP), [*unwarned, *tells]
    return state, tells


def _reconfigured(state: State, event: Reconfigured) -> Step:
    """The stages that are applied belong to the old ladder: leave them; a new one is climbed from its foot."""
    commands: list[Command] = []
    if state.depth >= 0 or state.phase is Phase.LEAVING:
        state, commands = _leave(state, event.at)
    elif state.phase in (Phase.CHECKING, Phase.WARNING):
        state, commands = _back(state)
    known = {name for name, _ in event.settings.monitors}
    readings = {name: reading for name, reading in state.readings.items() if name in known}
    state = replace(
        state, settings=event.settings, readings=readings, asked=None, failures={}, stage=-1, target=0
    )
    if state.phase is Phase.AWAKE:
        state, more = _look(state, event.at)
        commands += more
    return state, commands


HANDLERS: dict[type, Callable[[State, Any], Step]] = {
    Heard: _heard, Looked: _looked, Due: _due, LeaseTaken: _lease_taken, LeaseEnded: _lease_ended,
    WindowOpened: _window_opened, WindowClosed: _window_closed, NapAsked: _nap_asked, WakeAsked: _wake_asked,
    Applied: _applied, Restored: _restored, SleepFailed: _sleep_failed, Resumed: _resumed, Reconfigured: _reconfigured,
}  # fmt: skip


# ---------------------------------------------------------------- the one timer


def _look_at(state: State, now: float) -> float | None:
    """When the next complete look is due: just before a stage is entered or warned of, or when nothing will tell of idleness."""
    judged = verdict(state, now)
    target = state.stage + 1
    if judged.blockers:
        return _look_again_at(state, judged)
    if state.phase is Phase.WARNING and state.announced is not None:
        return state.announced
    due = due_at(state, target, judged.idle_since)
    return None if due is None else due - _stage(state, target).warn


def _look_again_at(state: State, judged: Verdict) -> float | None:
    """The window that a hold's true end may be behind is the first stage's: a stage is never late by more than the look itself."""
    if not state.settings.stages or not judged.look_again:
        return None
    return state.looked + max(LOOK_MIN, _stage(state, 0).after)


def _sample_at(state: State) -> float:
    settings = state.settings
    return state.sampled + settings.restore_within if settings.acting and settings.eventless else float("inf")


def _next_timer(state: State, now: float) -> float | None:
    if state.phase is Phase.LEAVING:
        return state.restore_at
    if state.phase not in (Phase.AWAKE, Phase.WARNING, Phase.NAPPING):
        return None
    times = [_look_at(state, now), verdict(state, now).ends]
    if state.phase is Phase.NAPPING:
        times.append(_sample_at(state))
    wanted = [time for time in times if time is not None and time != float("inf")]
    return min(wanted, default=None)


def _set_timer(state: State, commands: list[Command], now: float) -> Step:
    wanted = _next_timer(state, now)
    if wanted == state.timer:
        return state, commands
    return replace(state, timer=wanted), [*commands, SetTimer(wanted)]
