"""A small language for conversations with the core: what happens, and what it asks of the world.

Owns the rendering of events and commands as lines, and a world that keeps its promises; judges nothing itself. Use::

    play(settings).at(100).hears("ssh", last="now").expects().waits_until(160)
    play(settings).quiet(until=60).does("60 look", "60 apply ease: clock")

``expects`` compares what the core asked for since the last comparison, but for the timer (``waits_until``); ``does`` leaves out what
is merely told, and names instants.
A failure shows the whole conversation, and what was expected as a diff.
"""

from __future__ import annotations

import dataclasses
import difflib
from math import inf
from typing import Any, Self

from powernap.core import commands as ask
from powernap.core import events as ev
from powernap.core.ladder import MonitorRule, Rule, Settings, Stage
from powernap.core.machine import start, step
from powernap.core.plan import NOTHING, OFF_STAGE, Off, Plan, Window
from powernap.core.reading import Reading
from powernap.core.state import Phase, State
from powernap.core.verdict import Lease

EASE = Stage("ease", 60.0, ("clock", "park"))
DEEP = Stage("deep", 300.0, ("disk",))
SUSPEND = Stage("suspend", 1800.0, warn=30.0, sleep="suspend")
OFF = Stage(OFF_STAGE, inf, warn=60.0, sleep="power-off")


def ladder(
    *stages: Stage, monitors: Any = ("ssh",), rules: tuple[Rule, ...] = (), **numbers: Any
) -> Settings:
    """Settings whose monitors are names, or names with their rules."""
    taken = monitors if isinstance(monitors, dict) else {name: MonitorRule() for name in monitors}
    return Settings(stages=stages, monitors=tuple(taken.items()), rules=rules, **numbers)


def rendered(command: ask.Command) -> str:
    """One command as a line, without its serial number."""
    match command:
        case ask.Look(eventless=eventless, by_hand=by_hand):
            return "sample" if eventless else f"look{' by hand' * by_hand}"
        case ask.Apply(stage=stage, actions=actions):
            return f"apply {stage}: {' '.join(actions)}".rstrip()
        case ask.Restore():
            return "restore"
        case ask.Sleep(state=state, by_hand=by_hand):
            return f"sleep {state}{' by hand' * by_hand}"
        case ask.CancelSleep():
            return "cancel sleep"
        case ask.SetTimer(at=at):
            return "timer never" if at is None else f"timer {at:g}"
        case ask.Warn(stage=stage, at=at):
            return f"warn {stage} at {at:g}"
        case ask.Unwarn(stage=stage):
            return f"unwarn {stage}"
        case ask.Tell():
            because = f" because {', '.join(b.name for b in command.blockers)}" if command.blockers else ""
            return " ".join(word for word in ("tell", command.what, command.stage) if word) + because


def told(event: ev.Event) -> str:
    """One event as a line, without what has its default."""
    if isinstance(event, ev.Heard):
        words = {
            f.name: getattr(event.reading, f.name)
            for f in dataclasses.fields(Reading)
            if f.name not in ("monitor", "at")
        }
        said = ", ".join(
            f"{name}={value!r}" for name, value in words.items() if value not in (False, "", None, ())
        )
        return f"Heard {event.reading.monitor} {said or 'idle'}"
    words = {
        f.name: getattr(event, f.name) for f in dataclasses.fields(event) if f.name not in ("at", "settings")
    }
    said = ", ".join(f"{name}={value!r}" for name, value in words.items() if value not in ((), "", None))
    return f"{type(event).__name__} {said}".rstrip()


class Play:
    """One conversation. Every method but the asserting ones is something that happens."""

    def __init__(self, settings: Settings, began: float = 0.0) -> None:
        self.now = began
        self.lines: list[str] = []
        self.heard: list[tuple[float, ask.Command]] = []
        self.look = self.hand = 0
        self.answers: dict[str, dict[str, Any]] = {}
        self.refusal = ""
        self.events: list[ev.Event] = []
        self.state: State
        self.todo: list[ask.Command] = []
        self._take(start(settings, began))

    def _take(self, answer: tuple[State, list[ask.Command]]) -> None:
        self.state, commands = answer
        for command in commands:
            self.lines.append(f"{self.now:g} < {rendered(command)}")
            self.heard.append((self.now, command))
            self.todo.append(command)
            if isinstance(command, ask.Look) and not command.eventless:
                self.look = command.serial
            if isinstance(command, ask.Apply | ask.Restore | ask.Sleep):
                self.hand = command.serial

    def sends(self, event: ev.Event) -> Self:
        """This event happens."""
        self.lines.append(f"{self.now:g} > {told(event)}")
        self.events.append(event)
        self._take(step(self.state, event))
        return self

    # ------------------------------------------------------------ given, when

    def at(self, now: float) -> Self:
        """Time passes, and nothing else happens."""
        self.now = float(now)
        return self

    def hears(self, name: str, *, at: float | None = None, **reading: Any) -> Self:
        """A monitor answers; ``last="now"`` is activity at this instant."""
        at = self.now if at is None else at
        if reading.get("last") == "now":
            reading["last"] = at
        return self.sends(ev.Heard(self.now, Reading(name, at, **reading)))

    def looked(self, serial: int | None = None, refusal: str = "") -> Self:
        """The complete look is over."""
        return self.sends(ev.Looked(self.now, self.look if serial is None else serial, refusal))

    def all_answer(self, **readings: Any) -> Self:
        """Every monitor answers the look (idle, or as given for all), which is then complete."""
        for name, _ in self.state.settings.monitors:
            self.hears(name, **(readings or self.answers.get(name, {})))
        return self.looked()

    def due(self) -> Self:
        """The timer comes."""
        return self.sends(ev.Due(self.now))

    def applied(self, *failed: str, serial: int | None = None) -> Self:
        """The stage is applied, but for these actions."""
        return self.sends(
            ev.Applied(self.now, serial or self.hand, tuple(ev.Failure(f, "EIO") for f in failed))
        )

    def restored(self, *failed: str, serial: int | None = None) -> Self:
        """Everything is put back, but for these actions."""
        return self.sends(
            ev.Restored(self.now, serial or self.hand, tuple(ev.Failure(f, "EIO") for f in failed))
        )

    def sleep_fails(self, serial: int | None = None, *, wanted: bool = False) -> Self:
        """The sleep did not happen."""
        return self.sends(ev.SleepFailed(self.now, serial or self.hand, "busy", wanted))

    def unblocked(self) -> Self:
        """What a sleep was refused for is gone."""
        return self.sends(ev.Unblocked(self.now))

    def refusing(self, why: str) -> Self:
        """What every sleep is refused with from now on."""
        self.refusal = why
        return self

    def pretends(self, serial: int | None = None) -> Self:
        """The machine only watches."""
        return self.sends(ev.Pretended(self.now, serial or self.hand))

    def resumes(self, slept: float = 0.0, by: str = "") -> Self:
        """The machine slept for so long, and is back."""
        self.now += slept
        return self.sends(ev.Resumed(self.now, slept, by))

    def leased(self, name: str = "backup", until: float | None = None) -> Self:
        """Somebody wants the machine up."""
        return self.sends(ev.LeaseTaken(self.now, Lease(name, "root", "backup runs", self.now, until)))

    def lease_ends(self, name: str = "backup") -> Self:
        """... and no longer does."""
        return self.sends(ev.LeaseEnded(self.now, name))

    def window_opens(self, until: float | None = None, name: str = "office") -> Self:
        """The schedule wants the machine up."""
        return self.planned(Plan((Window(name, until=until),)))

    def window_closes(self) -> Self:
        """... and no longer does."""
        return self.planned(NOTHING)

    def allows(self, deepest: str, why: str = "lunch") -> Self:
        """The schedule allows no deeper stage; an empty name: all of them."""
        return self.planned(Plan(deepest=deepest, why=why))

    def wants_off(
        self, at: float, until: float | None = None, *, quiet: float = 0.0, force: bool = False
    ) -> Self:
        """The schedule wants the machine off from then on."""
        return self.planned(Plan(off=Off("night", at, until, quiet, force)))

    def planned(self, plan: Plan) -> Self:
        """What the schedules ask from now on."""
        return self.sends(ev.Scheduled(self.now, plan))

    def nap(self, stage: str = "") -> Self:
        """An admin asks to nap."""
        return self.sends(ev.NapAsked(self.now, "alice", stage))

    def wake(self) -> Self:
        """An admin asks to come back."""
        return self.sends(ev.WakeAsked(self.now, "alice"))

    def reconfigured(self, settings: Settings) -> Self:
        """Another configuration holds."""
        return self.sends(ev.Reconfigured(self.now, settings))

    def answering(self, name: str, **reading: Any) -> Self:
        """What this monitor answers to looks from now on; nothing tells the core."""
        self.answers[name] = reading
        return self

    def quiet(self, until: float) -> Self:
        """A world that keeps its promises at once: looks are answered, stages applied and put back, timers served."""
        for _ in range(10_000):
            if self.todo:
                self._perform(self.todo.pop(0))
            elif self.state.timer is not None and self.state.timer <= until:
                self.at(max(self.now, self.state.timer)).due()
            else:
                return self.at(until)
        raise AssertionError("the core never comes to rest:\n" + "\n".join(self.lines[-60:]))

    def _perform(self, command: ask.Command) -> None:
        match command:
            case ask.Look(serial=serial, eventless=eventless, sleep=sleep):
                for name, rule in self.state.settings.monitors:
                    if not (eventless and rule.events):
                        self.hears(name, **self.answers.get(name, {}))
                if not eventless:
                    self.looked(serial, self.refusal if sleep else "")
            case ask.Apply(serial=serial):
                self.applied(serial=serial)
            case ask.Restore(serial=serial):
                self.restored(serial=serial)

    def asleep(self) -> Self:
        """Whatever the core waits for stays unanswered from here."""
        self.todo.clear()
        return self

    # ------------------------------------------------------------ then

    def expects(self, *expected: str) -> Self:
        """Everything but the timer that was asked for since the last comparison."""
        return self._compare(
            expected, [rendered(c) for _, c in self._rest() if not isinstance(c, ask.SetTimer)]
        )

    def does(self, *expected: str) -> Self:
        """What was asked for since then, with its instants, but for timers and what is merely told."""
        done = [(at, c) for at, c in self._rest() if not isinstance(c, ask.SetTimer | ask.Tell)]
        return self._compare(expected, [f"{at:g} {rendered(command)}" for at, command in done])

    def tells(self, *expected: str) -> Self:
        """What was told since then."""
        told = [c for _, c in self._rest() if isinstance(c, ask.Tell)]
        return self._compare(expected, [rendered(command).removeprefix("tell ") for command in told])

    def words_told(self) -> list[str]:
        """The details and reasons of what was told since the last comparison."""
        told = [c for _, c in self.heard if isinstance(c, ask.Tell)]
        return [words for c in told for words in (c.detail, *(b.reason for b in c.blockers)) if words]

    def forget(self) -> Self:
        """Compare from here."""
        self.heard.clear()
        return self

    def is_in(self, phase: Phase, stage: int | None = None) -> Self:
        """The phase, and the deepest stage that is applied."""
        found = (self.state.phase, self.state.stage)
        assert found == (phase, self.state.stage if stage is None else stage), self._told(
            f"is in {found}, not {phase}"
        )
        return self

    def waits_until(self, at: float | None) -> Self:
        """What the timer is set to."""
        assert self.state.timer == at, self._told(f"waits until {self.state.timer}, not {at}")
        return self

    def _rest(self) -> list[tuple[float, ask.Command]]:
        rest, self.heard = self.heard, []
        return rest

    def _compare(self, expected: tuple[str, ...], found: list[str]) -> Self:
        __tracebackhide__ = True
        if list(expected) != found:
            diff = difflib.unified_diff(expected, found, "expected", "asked for", lineterm="", n=20)
            raise AssertionError(self._told("\n".join(diff)))
        return self

    def _told(self, what: str) -> str:
        return "\n".join(["the conversation so far:", *self.lines[-40:], "", what])


def play(settings: Settings, began: float = 0.0) -> Play:
    """A conversation that begins; the first look is not yet answered."""
    return Play(settings, began)


def napping(settings: Settings, stage: int = 0) -> Play:
    """Nobody came since the start: the machine is in this stage, and everything before is forgotten."""
    begun = play(settings).quiet(until=settings.stages[stage].after)
    return begun.is_in(Phase.NAPPING, stage).forget()
