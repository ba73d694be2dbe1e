"""The machine's one function, ``step(state, event) -> state, commands``.

The phases and every change between them are in ``state.py``. What is known of the machine's
use is in ``evidence.py``, what follows from it in ``verdict.py``, when something is due in ``deadlines.py``, and what several events
lead to alike in ``moves.py``. Four rules hold it together:

1. Awake when unsure: a monitor that has not answered, or failed, counts as activity.
2. A stage is entered only after a complete look that began when it was due (events give speed, the look gives certainty).
3. Activity in any stage leads to LEAVING at once, whatever is still in flight; an answer with an old serial number is ignored. (Only of
   *off*, where a schedule insists on it, monitors say nothing.)
4. Only the arguments decide: the same events give the same commands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from powernap.core import evidence as known
from powernap.core import moves
from powernap.core.commands import Apply, Command, Look, Restore, SetTimer, Sleep, Tell, Warn
from powernap.core.deadlines import (
    LOOK_MIN,
    against,
    enterable_at,
    forbidden,
    insists,
    next_look,
    next_timer,
    permitted,
    sample_at,
    verdict,
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
    Pretended,
    Reconfigured,
    Restored,
    Resumed,
    Scheduled,
    SleepFailed,
    Unblocked,
    WakeAsked,
)
from powernap.core.ladder import Settings, Stage
from powernap.core.moves import Step
from powernap.core.state import Phase, State, Trigger, Wait
from powernap.core.verdict import Evidence, Verdict

RESTORE_RETRIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Seconds after which a failing restore is tried again; the last one for as long as it fails."""


def start(settings: Settings, now: float) -> Step:
    """The first state: nothing is known, so everything is looked at. The machine never naps before that look is complete."""
    return moves.look(State(settings, Evidence(began=now)), now, 0)


def step(state: State, event: Event) -> Step:
    """What follows from an event."""
    now = event.at
    state, commands = HANDLERS[type(event)](state, event)
    judged = verdict(state, now)
    state, more = _settle(state, judged, now)
    state, refused = _drop_ask(state, judged, now)
    state, baseline = _baseline(state, judged)
    commands += [*more, *refused, *baseline]
    timer = next_timer(state, judged, now)
    if timer == state.timer:
        return state, commands
    return replace(state, timer=timer), [*commands, SetTimer(timer)]


def _drop_ask(state: State, judged: Verdict, now: float) -> Step:
    """An admin asked for a nap now; whoever uses the machine, or wants it up, comes first."""
    if state.asked is None or (not judged.blockers and judged.idle_since <= state.asked[0]):
        return state, []
    name, causes = moves.stage_of(state, state.asked[1]).name, moves.causes(state, judged, now)
    return replace(state, asked=None), [Tell("refused", name, "it is in use", causes)]


def _reached(state: State, at: float) -> tuple[float, int] | None:
    """What remains of what was asked at that instant, if it goes no deeper."""
    return (at, state.depth) if state.depth >= 0 else None


def _baseline(state: State, judged: Verdict) -> Step:
    """When idle time begins, counters are read once, so that the next look judges the idle window and not the busy time before.

    Not when it was they who kept the machine awake: that would be a look after each of their holds, for as long as they count.
    """
    busy = any(b.kind != "monitor" or b.name not in state.settings.eventless for b in judged.blockers)
    begins = state.phase is Phase.AWAKE and state.busy and not judged.blockers and state.settings.eventless
    commands: list[Command] = [Look(state.serial, eventless=True)] if begins else []
    return (state if busy == state.busy else replace(state, busy=busy)), commands


def _settle(state: State, judged: Verdict, now: float) -> Step:
    """Leave a stage that is no longer permitted; take back a warning that no longer holds, also during the look after it."""
    inside = state.phase in (Phase.CHECKING, Phase.WARNING, Phase.ENTERING, Phase.NAPPING, Phase.SLEEPING)
    if inside and not permitted(state, state.depth, judged, now):
        return moves.leave(state, judged, now)
    if state.announced is not None and not permitted(state, state.target, judged, state.announced):
        return moves.back(state) if inside else moves.unwarn(state)
    return (_forget_refusals(state, judged) if state.waits else state), []


def _forget_refusals(state: State, judged: Verdict) -> State:
    """Whoever came since a sleep was refused may have been what refused it."""

    def came(target: int, wait: Wait) -> bool:
        news = judged.idle_since > wait.looked and not insists(state, target)
        return bool(wait.refusal) and (news or bool(against(state, target, judged).blockers))

    kept = {target: wait for target, wait in state.waits.items() if not came(target, wait)}
    return state if len(kept) == len(state.waits) else replace(state, waits=kept)


# ---------------------------------------------------------------- one function per event


def _heard(state: State, event: Heard) -> Step:
    evidence = known.hear(state.evidence, state.settings, event.reading)
    return (state if evidence is state.evidence else replace(state, evidence=evidence)), []


def _looked(state: State, event: Looked) -> Step:
    if state.phase is not Phase.CHECKING or event.serial != state.serial:
        return state, []
    judged = verdict(state, event.at)
    due = enterable_at(state, state.target, judged, event.at)
    if due is None:
        return moves.back(state)
    stage = moves.stage_of(state, state.target)
    if event.refusal and stage.sleep and state.looked >= due - stage.warn:
        return _refuse_sleep(state, event, stage)
    if state.announced is not None:
        # It still holds, else it would have been taken back; and this look began at the announced time.
        return _enter(state)
    if stage.warn and state.looked >= due - stage.warn:
        return _warn(state, event.at, due, stage)
    return _enter(state) if not stage.warn and state.looked >= due else moves.back(state)


def _refuse_sleep(state: State, event: Looked, stage: Stage) -> Step:
    """Stay in the stage above, and try again later; an admin who asked for it is told, and not obeyed by surprise then."""
    asked = state.asked
    if asked is not None and state.by_hand:
        asked = _reached(state, asked[0])
    before = state.waits.get(state.target)
    # Said again only when it changes: it may stand for a night.
    news = before is None or event.refusal != before.refusal or asked != state.asked
    tells: list[Command] = [Tell("sleep-refused", stage.name, event.refusal)] if news else []
    state, commands = moves.back(moves.sleep_later(replace(state, asked=asked), event.at, event.refusal))
    return state, [*commands, *tells]


def _warn(state: State, now: float, due: float, stage: Stage) -> Step:
    """Users get the whole of the announced time, also when the look came late."""
    announced = max(due, now + stage.warn)
    return moves.go(state, Trigger.WARN, announced=announced), [Warn(stage.name, announced)]


def _enter(state: State) -> Step:
    stage, budget = moves.stage_of(state, state.target), state.settings.action_budget
    actions = tuple(name for name in stage.actions if state.failures.get(name, 0) < budget)
    state = moves.go(state, Trigger.ENTER, serial=state.serial + 1, announced=None)
    return state, [Apply(state.serial, stage.name, actions)]


def _applied(state: State, event: Applied) -> Step:
    if state.phase is not Phase.ENTERING or event.serial != state.serial:
        return state, []
    stage = moves.stage_of(state, state.target)
    state, tells = _count_failures(state, "apply-failed", event.failed)
    entered = Tell("entered", stage.name)
    spent = state.failures.get(stage.sleep or "", 0) >= state.settings.action_budget
    # A schedule that wanted it off may have ended meanwhile.
    over = not permitted(state, state.target, verdict(state, event.at), event.at)
    if stage.sleep is None or spent or over:
        return moves.go(state, Trigger.APPLIED, stage=state.target), [*tells, entered]
    state = moves.go(state, Trigger.SLEEP, serial=state.serial + 1, asleep=state.serial + 1)
    sleep = Sleep(state.serial, stage.sleep, stage.actions, state.by_hand)
    return state, [*tells, entered, Tell("sleep", stage.name, stage.sleep), sleep]


def _count_failures(state: State, what: str, failed: tuple[Failure, ...]) -> Step:
    name, failures, commands = moves.stage_of(state, state.target).name, dict(state.failures), list[Command]()
    for failure in failed:
        failures[failure.action] = failures.get(failure.action, 0) + 1
        commands.append(Tell(what, name, f"{failure.action}: {failure.reason}"))
        if failures[failure.action] == state.settings.action_budget:
            commands.append(Tell("action-spent", name, failure.action))
    return replace(state, failures=failures), commands


def _sleep_failed(state: State, event: SleepFailed) -> Step:
    if event.serial == state.asleep:
        state = replace(state, asleep=0)
    if state.phase is not Phase.SLEEPING or event.serial != state.serial:
        return state, []
    stage = moves.stage_of(state, state.target)
    failure = Failure(stage.sleep or "", event.reason)
    if event.wanted:
        tells: list[Command] = [Tell("sleep-failed", stage.name, f"{failure.action}: {failure.reason}")]
    else:
        state, tells = _count_failures(state, "sleep-failed", (failure,))
    # The ladder is climbed from its foot: what was put back for the sleep is applied again.
    state = replace(moves.sleep_later(state, event.at), asked=None)
    state, commands = moves.restore(state, Trigger.NO_SLEEP)
    return state, [*commands, *tells]


def _unblocked(state: State, event: Unblocked) -> Step:
    """The wait for the next attempt ends. A look that may have been told of what is gone now begins anew.

    A lock that is taken and given back all the time is told of once, and looked at no more often than a hold whose end nothing tells.
    """
    if state.refusal:
        again = state.looked + LOOK_MIN
        waits = {
            i: replace(wait, until=again, tries=0) if wait.refusal else wait
            for i, wait in state.waits.items()
        }
        state = replace(state, waits=waits)
    if state.phase is not Phase.CHECKING:
        return state, []
    return moves.look_anew(state, event.at)


def _pretended(state: State, event: Pretended) -> Step:
    if event.serial == state.asleep:
        state = replace(state, asleep=0)
    if state.phase is not Phase.SLEEPING or event.serial != state.serial:
        return state, []
    return moves.go(state, Trigger.PRETEND, stage=state.target), []


def _restored(state: State, event: Restored) -> Step:
    if state.phase is not Phase.LEAVING or event.serial != state.serial or state.restore_at is not None:
        return state, []
    if event.failed:
        wait = RESTORE_RETRIES[min(state.restore_tries, len(RESTORE_RETRIES) - 1)]
        tells: list[Command] = [
            Tell("restore-failed", detail=f"{f.action}: {f.reason}") for f in event.failed
        ]
        return replace(state, restore_tries=state.restore_tries + 1, restore_at=event.at + wait), tells
    announced = Trigger.RESTORED if state.announced is None else Trigger.STILL
    trigger = Trigger.LOOP if state.looping else announced
    name = moves.stage_of(state, state.stage).name if state.stage >= 0 else ""
    # Putting back was work too: the counters' window begins after it.
    return moves.go(state, trigger, stage=-1, busy=True), [Tell("left", name)]


def _due(state: State, event: Due) -> Step:
    now = event.at
    state = replace(state, timer=None, evidence=known.forget_ended(state.evidence, now))
    if state.restore_at is not None and now >= state.restore_at:
        state = moves.go(state, Trigger.AGAIN, serial=state.serial + 1, restore_at=None)
        return state, [Restore(state.serial)]
    wanted = next_look(state, verdict(state, now), now) if state.resting else None
    if wanted is not None and now >= wanted[0]:
        return moves.look(state, now, wanted[1])
    if state.sampling and now >= sample_at(state):
        return replace(state, sampled=now), [Look(state.serial, eventless=True)]
    return state, []


def _lease_taken(state: State, event: LeaseTaken) -> Step:
    return replace(state, evidence=known.take_lease(state.evidence, event.lease, event.at)), []


def _lease_ended(state: State, event: LeaseEnded) -> Step:
    return replace(state, evidence=known.end_lease(state.evidence, event.id, event.at)), []


def _scheduled(state: State, event: Scheduled) -> Step:
    """What an admin asked for may be forbidden by now; then it is not obeyed by surprise, once it is allowed again."""
    state, asked = replace(state, evidence=replace(state.evidence, plan=event.plan)), state.asked
    if asked is None or not forbidden(state, asked[1]):
        return state, []
    refused = Tell("refused", moves.stage_of(state, asked[1]).name, moves.limit(state))
    return replace(state, asked=_reached(state, asked[0])), [refused]


def _nap_asked(state: State, event: NapAsked) -> Step:
    settings = state.settings
    # Whoever names no stage does not mean *off*, not even where it is the only one.
    index = settings.index(event.stage) if event.stage else 0
    if index is None or not settings.stages or (index == settings.off and not event.stage):
        return state, [Tell("refused", event.stage, "the ladder has no such stage")]
    judged = verdict(state, event.at)
    if judged.blockers:
        return state, [Tell("refused", event.stage, "it is in use", judged.blockers)]
    if state.phase in (Phase.LEAVING, Phase.HALTED):
        return state, [Tell("refused", event.stage, f"it is {state.phase.value}")]
    if forbidden(state, index):
        return state, [Tell("refused", event.stage, moves.limit(state))]
    if index <= state.depth:
        return state, []
    # Whoever asks again, for more or for less, does not take back what is under way.
    began, deepest = state.asked or (event.at, index)
    state = replace(state, asked=(began, max(index, deepest)), waits={})
    return state, [Tell("asked", moves.stage_of(state, index).name, event.who)]


def _wake_asked(state: State, event: WakeAsked) -> Step:
    evidence = replace(state.evidence, began=event.at)
    # Idle time begins anew: the counters' window too.
    state = replace(state, evidence=evidence, asked=None, looping=False, resumes=(), busy=True, waits={})
    tell = Tell("woken", detail=event.who)
    return (moves.go(state, Trigger.WAKE) if state.phase is Phase.HALTED else state), [tell]


def _resumed(state: State, event: Resumed) -> Step:
    settings, ours = state.settings, state.asleep != 0
    recent = tuple(at for at in state.resumes if event.at - at <= settings.loop_window)
    resumes = (*recent, event.at) if ours else recent
    new = ours and len(resumes) > settings.loop_limit and not state.looping
    evidence = known.resume(state.evidence, event.at, settings.min_awake)
    state = replace(
        state, evidence=evidence, asleep=0, asked=None, resumes=resumes, looping=state.looping or new
    )
    woken = f", woken by {event.by}" if event.by else ""
    tells: list[Command] = [Tell("resumed", detail=f"slept {event.slept:.0f}s{woken}")]
    if new:
        tells.append(Tell("loop", detail=f"{len(resumes)} sleeps within {settings.loop_window:.0f}s"))
    state, commands = _after_sleep(state)
    return state, [*commands, *tells]


def _after_sleep(state: State) -> Step:
    if state.depth >= 0 or state.phase is Phase.LEAVING:
        return moves.put_back(state)
    if state.looping and state.phase is not Phase.HALTED:
        state, unwarned = moves.unwarn(state)
        return moves.go(state, Trigger.LOOP), unwarned
    return state, []


def _reconfigured(state: State, event: Reconfigured) -> Step:
    """The stages that are applied belong to the old ladder: leave them; a new one is climbed from its foot."""
    commands: list[Command] = []
    if state.depth >= 0 or state.phase is Phase.LEAVING:
        state, commands = moves.put_back(state)
    elif state.phase in (Phase.CHECKING, Phase.WARNING):
        state, commands = moves.back(state)
    evidence = known.reconfigure(state.evidence, event.settings, event.at)
    state = replace(state, settings=event.settings, evidence=evidence, asked=None, stage=-1, target=0)
    state = replace(state, failures={}, waits={})
    if state.phase is Phase.AWAKE:
        state, more = moves.look(state, event.at, 0)
        commands += more
    return state, commands


HANDLERS: dict[type, Callable[[State, Any], Step]] = {
    Heard: _heard, Looked: _looked, Due: _due, LeaseTaken: _lease_taken, LeaseEnded: _lease_ended,
    Scheduled: _scheduled, NapAsked: _nap_asked, WakeAsked: _wake_asked,
    Applied: _applied, Restored: _restored, SleepFailed: _sleep_failed, Unblocked: _unblocked,
    Pretended: _pretended, Resumed: _resumed, Reconfigured: _reconfigured,
}  # fmt: skip
