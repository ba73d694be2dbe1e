"""The rules of design section 4, attacked with random interleavings of everything that can happen.

The oracle below is slow and obvious: it keeps every reading, lease, plan and answer that was fed in, and works out from all of
them, each time, who uses the machine, how long it has been idle, and what the schedules make of it. It shares no code with
``powernap.core`` but the value types.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from math import inf

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from powernap.core import commands as ask
from powernap.core import events as ev
from powernap.core import record
from powernap.core.deadlines import LOOK_MIN, verdict
from powernap.core.ladder import MonitorRule, Rule, Settings, Stage
from powernap.core.machine import start, step
from powernap.core.plan import OFF_STAGE, Off, Plan, Window
from powernap.core.reading import Reading
from powernap.core.state import Phase
from powernap.core.verdict import Lease

A = Stage("a", 20.0, ("one", "two"))
B = Stage("b", 60.0, ("three",), warn=10.0)
C = Stage("c", 100.0, ("four",), warn=15.0, sleep="suspend")
H = Stage("h", 130.0, warn=5.0, sleep="hybrid-sleep")
E = Stage("b", 160.0, ("three",), warn=5.0)
N = Stage("n", 5.0, ("one", "two"), sleep="hibernate")
OFF = Stage(OFF_STAGE, inf, ("five",), warn=12.0, sleep="power-off")
AT_ONCE = Stage(OFF_STAGE, inf, sleep="power-off")
CALM = 60.0
MONITORS = {
    "ssh": MonitorRule(),
    "input": MonitorRule(hold=7.0),
    "cpu": MonitorRule(events=False),
    "ext": MonitorRule(events=False, error_limit=50.0),
    "ups": MonitorRule(on_error_active=False, hold=3.0),
}


def configuration(stages, monitors, rules=(), **numbers):
    """Settings, with numbers small enough that random walks meet them."""
    taken = tuple((name, MONITORS[name]) for name in monitors)
    numbers = {"min_awake": 30.0, "loop_limit": 2, "loop_window": 400.0, "action_budget": 2, **numbers}
    return Settings(stages=stages, monitors=taken, rules=rules, **numbers)


CONFIGURATIONS = [
    configuration((A, B, C), ("ssh", "input", "cpu")),
    configuration((A, B, C), ("ssh", "ext")),
    configuration((A,), ("ssh", "ups"), min_awake=0.0),
    configuration((C,), ("ssh", "cpu"), min_awake=0.0, loop_window=1e6),
    configuration((B, C), ("ssh", "input", "cpu", "ext", "ups"), (Rule("both", ("ssh", "cpu"), every=True),)),
    configuration((A, C), ("ssh", "input", "cpu"), (Rule("any", ("ssh", "input"), every=False),)),
    configuration((), ("ssh",)),
    configuration((N,), ("ssh", "cpu"), min_awake=5.0, loop_limit=0, action_budget=1),
    configuration((N,), ("input",), min_awake=0.0, loop_limit=1, action_budget=1),
]
WITH_OFF = [
    configuration((A, B, C, OFF), ("ssh", "input", "cpu")),
    configuration((A, C, H, OFF), ("ssh", "ups"), min_awake=40.0),
    configuration((A, H, AT_ONCE), ("ssh", "cpu", "ext"), (Rule("any", ("ssh", "cpu"), every=False),)),
    configuration((OFF,), ("ssh", "cpu")),
    configuration((C, E, AT_ONCE), ("input", "ext"), min_awake=0.0, action_budget=1),
]
BEGINNINGS = st.sampled_from(CONFIGURATIONS) | st.sampled_from(WITH_OFF)


def of_hold(before: Reading, after: Reading, end_of_failure: float, *, overtaken: bool) -> list[float]:
    """Until when it lasted, if ``after`` ends what ``before`` said to stand."""
    if (
        after.active
        or not (before.active or before.failed)
        or (before.failed and (after.failed or end_of_failure < 0))
    ):
        return []
    better = not overtaken and after.last is not None and (after.last > before.at or before.told)
    end = max(before.at, after.last or 0.0) if better else after.at
    return [min(end, end_of_failure) if before.failed else end]


class Oracle:
    """Everything that was fed in, and the obvious conclusions."""

    def __init__(self, configured: Settings, now: float) -> None:
        self.settings, self.began, self.fresh, self.up_until = configured, now, now - 1e9, now - 1e9
        self.readings: dict[str, list[Reading]] = {}
        self.leases: dict[str, float | None] = {}
        self.given_back: list[float] = []
        self.plan = Plan()

    @property
    def windows(self) -> dict[str, float | None]:
        """When each schedule that keeps it up ends to do so."""
        return {each.name: each.until for each in self.plan.up}

    @property
    def off(self) -> int | None:
        """Which stage is *off*."""
        names = [stage.name for stage in self.settings.stages]
        return names.index(OFF_STAGE) if OFF_STAGE in names else None

    def too_deep(self, index: int) -> bool:
        """The schedules allow no more than a stage above this one."""
        names = [stage.name for stage in self.settings.stages]
        return self.plan.deepest in names and index > names.index(self.plan.deepest)

    def wanted_up(self, now: float) -> bool:
        """By somebody or something that says so, not by what is seen."""
        ends = (*self.leases.values(), *self.windows.values())
        return any(end is None or now < end for end in ends) or now < self.up_until

    def off_due(self, idle: float) -> float:
        """From when on a schedule wants it off, as far as the idle time goes."""
        off, warn = self.plan.off, self.settings.stages[-1].warn
        if off is None:
            return inf
        if off.force:
            return max(off.at, self.began + self.settings.min_awake)
        return max(off.at, idle + off.quiet, idle + warn + CALM if warn else 0.0)

    def hear(self, reading: Reading) -> None:
        """Keep it, unless it is from before a sleep or from nobody."""
        if reading.at >= self.fresh and reading.monitor in dict(self.settings.monitors):
            self.readings.setdefault(reading.monitor, []).append(reading)

    def end_lease(self, name: str, now: float) -> None:
        """It is given back, or another takes its place; perhaps its time was over before, and perhaps there is none."""
        if name in self.leases:
            until = self.leases.pop(name)
            self.given_back.append(until if until is not None and until < now else now)

    def monitor(self, name: str, now: float) -> tuple[bool, float | None]:
        """Active now?, and the instant until which its activity counts."""
        taken, told = dict(self.settings.monitors)[name], self.readings.get(name)
        if not told:
            return True, now
        newest, moments, failing = told[0], [], None
        for index, reading in enumerate(told):
            moments += [reading.last] if reading.last is not None else []
            older, newer = (newest, reading) if reading.at >= newest.at else (reading, newest)
            if newer.failed and (index == 0 or not older.failed) and newer is reading:
                failing = reading.at
            if older.failed and newer.failed:
                failing = min(failing if failing is not None else older.at, older.at)
            if index:
                since = failing if failing is not None and older.failed else older.at
                moments += of_hold(
                    older, newer, self.failure_end(taken, since), overtaken=newer is not reading
                )
            newest = newer
            failing = failing if newest.failed else None
        if newest.failed:
            end = self.failure_end(taken, newest.at if failing is None else failing)
            if now < end:
                return True, now
            moments += [end] if end >= 0 else []
        elif newest.active:
            return True, now
        if not moments:
            return False, None
        until = max(moments) + taken.hold
        return (True, now) if now < until else (False, until)

    def failure_end(self, taken: MonitorRule, since: float) -> float:
        """When a failure stops counting; -1 if it never does."""
        if not taken.on_error_active:
            return -1.0
        return since + taken.error_limit if taken.error_limit else float("inf")

    def used(self, now: float) -> tuple[bool, float]:
        """Does anything keep the machine awake, and since when does idle time count?"""
        each = {name: self.monitor(name, now) for name, _ in self.settings.monitors}
        parts = [
            answer for name, answer in each.items() if all(name not in r.members for r in self.settings.rules)
        ]
        for combined in self.settings.rules:
            answers = [each[name] for name in combined.members]
            lasts = [last for _, last in answers]
            if combined.every:
                known = [last for last in lasts if last is not None]
                parts.append((all(a for a, _ in answers), min(known) if len(known) == len(lasts) else None))
            else:
                parts.append(
                    (any(a for a, _ in answers), max((x for x in lasts if x is not None), default=None))
                )
        wanted = [end for end in (*self.leases.values(), *self.windows.values()) if end is None or now < end]
        busy = any(active for active, _ in parts) or bool(wanted) or now < self.up_until
        over = [end for end in self.leases.values() if end is not None and end <= now]
        instants = [self.began, *over, *self.given_back, *(last for _, last in parts if last is not None)]
        return busy, max(instants)


class Conversation(RuleBasedStateMachine):
    """The world, which keeps its promises late, twice or not at all; and what it holds the core to."""

    @initialize(configured=BEGINNINGS)
    def begin(self, configured):
        self.now = 1000.0
        self.oracle = Oracle(configured, self.now)
        self.log: list[str] = []
        self.began = self.now
        self.first = configured
        self.look: ask.Look | None = None
        self.look_began: dict[int, float] = {}
        self.complete = -1e9
        self.applying: ask.Apply | None = None
        self.restoring: ask.Restore | None = None
        self.restored = True
        self.sleeping: ask.Sleep | None = None
        self.outside_sleep: ask.Sleep | None = None
        self.depth = -1
        self.asked: tuple[float, int] | None = None
        self.warned: ask.Warn | None = None
        self.failures: Counter[str] = Counter()
        self.no_sleep_before: dict[int, float] = {}
        self.no_sleeps: Counter[int] = Counter()
        self.refused_at: dict[int, float] = {}
        self.warned_at = -1e9
        self.sleeps: list[float] = []
        self.halted = False
        self.timer: float | None = None
        self.serials = [0]
        self.same_instant = (self.now, 0)
        self.broken = True
        self.state, commands = start(configured, self.now)
        self.judge(commands, None)
        self.broken = False

    # ------------------------------------------------------------ feeding and judging

    def feed(self, event):
        """One event, checked against every rule; the same event from its line in the log gives the same."""
        self.broken = True
        self.log.append(record.line(event))
        again = record.event(self.log[-1])
        assert again == event
        state, commands = step(self.state, event)
        twice = step(self.state, again)
        assert (state, written(commands)) == (twice[0], written(twice[1])), (
            "the same event gave something else"
        )
        self.state = state
        for index, began in list(self.refused_at.items()):
            came = self.oracle.used(self.now)[1] > began and not self.insists(index)
            if came or self.speaks_against(index):
                self.sleep_at_once(index)
        self.count_instant(len(commands))
        self.judge(commands, event)
        self.broken = False

    def count_instant(self, commands):
        instant, count = self.same_instant
        self.same_instant = (self.now, count + commands) if instant == self.now else (self.now, commands)

    def judge(self, commands, event):
        inside = self.depth >= 0
        for command in commands:
            {
                ask.Look: self.on_look, ask.Apply: self.on_apply, ask.Restore: self.on_restore,
                ask.Sleep: self.on_sleep, ask.CancelSleep: self.on_cancel, ask.SetTimer: self.on_timer,
                ask.Warn: self.on_warn, ask.Unwarn: self.on_unwarn, ask.Tell: lambda _: None,
            }[type(command)](command)  # fmt: skip
        if isinstance(event, ev.Due):
            again = [
                c for c in commands if isinstance(c, ask.SetTimer) and c.at is not None and c.at <= self.now
            ]
            assert not again, "a timer in the past, straight after one came"
        if inside and not self.allowed(self.depth):
            assert self.restoring, "the stage is no longer permitted, and nothing is put back"
        self.must_agree_with_the_oracle()
        if self.warned:
            assert self.allowed(self.index(self.warned.stage), self.warned.at), (
                "users still believe that the stage comes then"
            )
        self.must_not_be_stuck()

    def must_agree_with_the_oracle(self):
        judged, (busy, idle) = verdict(self.state, self.now), self.oracle.used(self.now)
        assert bool(judged.blockers) == busy
        assert busy or judged.idle_since == idle
        if self.halted and self.restored:
            assert self.state.phase is Phase.HALTED, "a sleep-wake loop, and it goes on"

    def index(self, name):
        return [s.name for s in self.oracle.settings.stages].index(name)

    def must_not_be_stuck(self):
        assert self.timer == self.state.timer
        if not self.restored:
            assert self.restoring or self.timer is not None, (
                "something is not put back, and nobody tries again"
            )
        looking = self.look and self.state.phase is Phase.CHECKING
        answers = looking or self.applying or self.restoring or self.sleeping or self.halted
        busy, _ = self.oracle.used(self.now)
        if answers or self.state.phase is Phase.HALTED:
            return
        self.must_look_in_time(busy)
        told = self.told_hold()
        if self.state.phase is Phase.AWAKE and told and busy and not self.insists(self.oracle.off):
            assert self.timer is None, "an event will tell, yet there is a timer"
        if not told and self.something_is_to_come(busy):
            assert self.timer is not None, "nothing will tell, and nobody looks again"

    def something_is_to_come(self, busy):
        """If nobody comes, and those who are there go."""
        stages, index = self.oracle.settings.stages, self.depth + 1
        if index < len(stages) and stages[index].after < inf and (busy or not self.oracle.too_deep(index)):
            return True
        return self.depth < len(stages) - 1 and self.off_can_come()

    def off_can_come(self, after=0.0):
        """It is wanted, and its end is so far off that it can still be announced."""
        last, off = self.oracle.off, self.oracle.plan.off
        if last is None or off is None:
            return False
        stage, configured = self.oracle.settings.stages[last], self.oracle.settings
        end = inf if off.until is None else off.until
        due = max(self.oracle.off_due(self.oracle.used(self.now)[1]), self.now + after + stage.warn)
        return due < end and self.failures[stage.sleep or ""] < configured.action_budget

    def must_look_in_time(self, busy):
        configured = self.oracle.settings
        if self.depth >= 0 and any(not taken.events for _, taken in configured.monitors):
            assert self.timer is not None
            assert self.timer <= self.now + configured.restore_within, "the way back is to be quick"
        if (
            self.timer is not None
            and self.state.phase is Phase.AWAKE
            and busy
            and not self.told_hold()
            and not self.certain_end()
        ):
            assert self.timer <= self.now + configured.stages[0].after, (
                "a hold that nothing tells the end of is forgotten"
            )

    def certain_end(self):
        """Something stands that ends by itself: looking can wait until then."""
        ends = (*self.oracle.leases.values(), *self.oracle.windows.values(), self.oracle.up_until)
        return any(end is not None and end > self.now for end in ends) or bool(
            verdict(self.state, self.now).ends
        )

    def told_hold(self):
        """An event will tell the end of something that stands, and rules (whose ends are subtler) are not in play."""
        if self.oracle.settings.rules:
            return any(self.standing()) and (self.timer is None or self.insists(self.oracle.off))
        return any(self.standing())

    def standing(self):
        for name, _ in self.oracle.settings.monitors:
            reading = self.state.readings.get(name)
            if reading and reading.active and reading.told and not reading.failed:
                yield name
        yield from (
            n for n, end in (*self.oracle.leases.items(), *self.oracle.windows.items()) if end is None
        )

    def due(self, index):
        """When the ladder, an admin who asked, or a schedule that wants it off allows this stage."""
        _, idle = self.oracle.used(self.now)
        stage, due = self.oracle.settings.stages[index], inf
        if not self.oracle.too_deep(index):
            due = idle + stage.after
            if self.asked and index <= self.asked[1] and idle <= self.asked[0]:
                due = min(due, self.asked[0] + stage.warn)
        return min(due, self.oracle.off_due(idle)) if index == self.oracle.off else due

    def allowed(self, index, by=None):
        """It may be in this stage, if nothing changes by then."""
        by = self.now if by is None else by
        if index >= len(self.oracle.settings.stages) or self.speaks_against(index):
            return False
        return self.due(index) <= by and (
            index != self.oracle.off or self.asked_for(index) or self.is_to_be_off(by)
        )

    def asked_for(self, index):
        return bool(self.asked and index <= self.asked[1])

    def is_to_be_off(self, by):
        """A schedule says so."""
        off, sleep = self.oracle.plan.off, self.oracle.settings.stages[-1].sleep
        working = self.failures[sleep or ""] < self.oracle.settings.action_budget
        return off is not None and off.at <= by and (off.until is None or by < off.until) and working

    def insists(self, index):
        """What monitors see does not count."""
        off = self.oracle.plan.off
        return bool(off and off.force and index == self.oracle.off and not self.asked_for(index))

    def speaks_against(self, index):
        return self.oracle.wanted_up(self.now) if self.insists(index) else self.oracle.used(self.now)[0]

    def on_look(self, command):
        if not command.eventless:
            assert command.serial not in self.look_began
            self.look, self.look_began[command.serial] = command, self.now
            self.serials.append(command.serial)

    def on_apply(self, command):
        index = next(i for i, s in enumerate(self.oracle.settings.stages) if s.name == command.stage)
        stage = self.oracle.settings.stages[index]
        self.may_be_next(index)
        assert self.allowed(index), f"idle since {self.oracle.used(self.now)}, yet {command} at {self.now}"
        assert self.complete >= self.due(index), "the look before it began before it was due"
        assert self.restored, "something is still to be put back"
        assert not self.halted, "a sleep-wake loop, and it goes on"
        assert self.now >= self.no_sleep_before.get(index, self.now), "refused just now, and tried again"
        assert not [a for a in command.actions if self.failures[a] >= self.oracle.settings.action_budget]
        assert [a for a in stage.actions if a in command.actions] == list(command.actions)
        if stage.warn:
            assert self.warned and self.warned.stage == stage.name, "nobody was warned"
            assert self.now >= self.warned.at, "before the announced time"
            assert self.now >= self.warned_at + stage.warn, "users had less time than they were promised"
        self.warned = None
        self.applying, self.depth = command, index
        self.serials.append(command.serial)

    def may_be_next(self, index):
        """The rung below; or *off*, from wherever it is; or what an admin asked for, behind sleeps. No sleep gets in the way of *off*."""
        stages = self.oracle.settings.stages
        assert index > self.depth, "a stage was entered twice"
        passed = stages[self.depth + 1 : index]
        if passed and index != self.oracle.off:
            assert self.asked_for(index), "a rung was left out"
            assert all(stage.sleep for stage in passed), "a rung was left out that is no sleep"
        if self.asked and index <= self.asked[1]:
            assert index == self.asked[1] or not stages[index].sleep, (
                "a sleep on the way to what was asked for"
            )
        elif stages[index].sleep and index != self.oracle.off and self.oracle.off not in self.no_sleep_before:
            off = self.oracle.plan.off
            near = off is not None and self.now >= off.at - stages[-1].warn
            assert not (near and self.off_can_come()), "it is to go off, and went to sleep"

    def on_restore(self, command):
        assert self.depth >= 0 or not self.restored
        self.applying = self.sleeping = None
        self.restoring, self.restored, self.depth = command, False, -1
        self.asked = None
        self.sleep_at_once()
        self.serials.append(command.serial)

    def on_sleep(self, command):
        assert self.allowed(self.depth)
        assert not self.halted
        assert self.failures[command.state] < self.oracle.settings.action_budget
        assert command.by_hand is bool(self.asked and self.asked[1] >= self.depth)
        self.sleeping = self.outside_sleep = command
        self.serials.append(command.serial)

    def on_cancel(self, command):
        assert self.sleeping
        assert self.sleeping.serial == command.serial

    def on_timer(self, command):
        assert command.at != self.timer, "a timer that is already set"
        self.timer = command.at

    def on_warn(self, command):
        stage = next(s for s in self.oracle.settings.stages if s.name == command.stage)
        assert self.warned is None, "warned twice"
        assert command.at - self.now >= stage.warn, "less time than was promised"
        assert command.at <= max(self.due_of(stage), self.now + stage.warn), "GRACE is inside after"
        self.warned, self.warned_at = command, self.now

    def due_of(self, stage):
        return self.due(self.oracle.settings.stages.index(stage))

    def on_unwarn(self, command):
        assert self.warned
        assert self.warned.stage == command.stage
        self.warned = None

    def forget_stale_ask(self):
        busy, idle = self.oracle.used(self.now)
        if self.asked and (busy or idle > self.asked[0]):
            self.asked = None
        elif self.asked and self.oracle.too_deep(self.asked[1]):
            reached = self.depth >= 0 and not self.oracle.too_deep(self.depth)
            self.asked = (self.asked[0], self.depth) if reached else None

    # ------------------------------------------------------------ time

    @rule(
        longest=st.sampled_from([0.0, 0.5, 3.0, 25.0, 200.0, 2000.0]),
        late=st.sampled_from([0.0, 0.0, 0.0, 0.25, 9.0]),
    )
    def wait(self, longest, late):
        """Time passes until the timer, or for so long."""
        if self.timer is None or self.timer > self.now + longest:
            self.now += longest
            return
        self.now = max(self.now, self.timer) + late
        self.timer_comes()

    def timer_comes(self):
        self.timer = None
        self.feed(ev.Due(self.now))
        assert self.same_instant[1] < 60, "it never comes to rest at one instant"

    @rule(seconds=st.sampled_from([0.5, 12.0, 90.0]))
    def timer_is_missed(self, seconds):
        """Time passes and nobody serves the timer."""
        self.now += seconds

    @rule()
    def timer_comes_uninvited(self):
        """A duplicate."""
        self.timer = None
        self.feed(ev.Due(self.now))

    # ------------------------------------------------------------ people

    @rule(steps=st.integers(1, 12))
    def world_keeps_its_promises(self, steps):
        """For a while: looks find nobody, everything is answered at once, timers are served."""
        for _ in range(steps):
            if not self.promise_is_kept(self.now + 500.0):
                return

    @rule()
    def everybody_leaves(self):
        """The monitors say so, and nothing else wants the machine up."""
        for name in list(self.oracle.leases):
            self.lease_ends(name)
        self.plan(Plan())
        for name, _ in self.oracle.settings.monitors:
            self.tell(name, "idle", self.now)

    @rule(
        name=st.sampled_from([*MONITORS, "gone"]),
        kind=st.sampled_from(["idle", "idle", "pulse", "old pulse", "ended", "hold", "told hold", "failed"]),
        age=st.sampled_from([0.0, 0.0, 0.0, 2.0, 40.0]),
    )
    def hear(self, name, kind, age):
        """A monitor says something, perhaps late."""
        self.tell(name, kind, self.now - age)

    def tell(self, name, kind, at):
        reading = {
            "idle": Reading(name, at),
            "pulse": Reading(name, at, reason="a key", last=at),
            "old pulse": Reading(name, at, reason="a key", last=at - 15.0),
            "ended": Reading(name, at, last=at - 1.0),
            "hold": Reading(name, at, active=True, reason="runs", since=at - 5.0),
            "told hold": Reading(name, at, active=True, reason="runs", told=True),
            "failed": Reading(name, at, failed=True, reason="no answer", remedy="mend it"),
        }[kind]
        self.oracle.hear(reading)
        self.forget_stale_ask()
        self.feed(ev.Heard(self.now, reading))

    @rule(name=st.sampled_from(["x", "y"]), length=st.sampled_from([None, -5.0, 10.0, 70.0]))
    def lease(self, name, length):
        """Somebody wants the machine up; perhaps for no time at all."""
        until = None if length is None else self.now + length
        self.oracle.end_lease(name, self.now)
        self.oracle.leases[name] = until
        self.forget_stale_ask()
        self.feed(ev.LeaseTaken(self.now, Lease(name, "root", "why not", self.now, until)))

    @rule(name=st.sampled_from(["x", "y"]))
    def lease_ends(self, name):
        """... or no longer; perhaps it never did."""
        self.oracle.end_lease(name, self.now)
        self.feed(ev.LeaseEnded(self.now, name))

    @rule(length=st.sampled_from([None, 10.0, 70.0]))
    def window(self, length):
        """The schedule wants the machine up."""
        until = None if length is None else self.now + length
        self.plan(dataclasses.replace(self.oracle.plan, up=(Window("w", until=until),)))

    @rule()
    def window_closes(self):
        """... and no longer."""
        self.plan(dataclasses.replace(self.oracle.plan, up=()))

    @rule(deepest=st.sampled_from(["", "a", "a", "b", "c", OFF_STAGE, "unknown"]))
    def capped(self, deepest):
        """They allow only so much, or all."""
        self.plan(dataclasses.replace(self.oracle.plan, deepest=deepest, why="lunch"))

    @precondition(lambda self: self.oracle.off is not None)
    @rule(
        ahead=st.sampled_from([-100.0, -10.0, 0.0, 8.0, 30.0, 90.0, 300.0]),
        length=st.sampled_from([None, None, 5.0, 40.0, 150.0, 1000.0]),
        quiet=st.sampled_from([0.0, 5.0, 40.0, 100.0]),
        force=st.booleans(),
    )
    def off_is_planned(self, ahead, length, quiet, force):
        """They want it off from some time on; perhaps that is over already."""
        at = self.now + ahead
        off = Off("night", at, None if length is None else at + length, quiet, force)
        self.plan(dataclasses.replace(self.oracle.plan, off=off))

    @rule()
    def off_is_wanted_no_more(self):
        """An admin's exception for tonight."""
        self.plan(dataclasses.replace(self.oracle.plan, off=None))

    def plan(self, plan):
        self.oracle.plan = plan
        self.forget_stale_ask()
        self.feed(ev.Scheduled(self.now, plan))

    @precondition(lambda self: self.oracle.off is not None and not self.outside_sleep and not self.halted)
    @rule(
        ahead=st.sampled_from([0.0, 20.0, 100.0]),
        quiet=st.sampled_from([0.0, 40.0, 100.0]),
        force=st.booleans(),
        user=st.booleans(),
    )
    def off_comes_in_time(self, ahead, quiet, force, user):
        """When nothing speaks against it: not the ladder, and where it is insisted on, no user either."""
        self.everybody_leaves()
        self.wake_asked()
        stages, off = self.oracle.settings.stages, Off("night", self.now + ahead, None, quiet, force)
        self.plan(Plan(off=off))
        if user and force:
            self.tell(self.oracle.settings.monitors[0][0], "told hold", self.now)
        stage, failed = stages[-1], self.failures[stages[-1].sleep or ""]
        idle = max(self.now, self.oracle.used(self.now)[1]) + max(
            taken.hold for _, taken in self.oracle.settings.monitors
        )
        awake = 0.0 if self.restored else 61.0
        # A stage that is being entered, or a look that is under way, comes to its end before.
        late = max(self.now + awake, self.oracle.up_until) + stage.warn
        self.live_until(max(self.oracle.off_due(idle), late))
        asleep = self.sleeping and self.depth != self.oracle.off
        if failed < self.oracle.settings.action_budget and not asleep:
            assert self.depth == self.oracle.off, "it is to be off, nothing speaks against it, and it is not"

    @precondition(lambda self: self.oracle.off is not None and not self.outside_sleep and not self.halted)
    @rule(
        ahead=st.sampled_from([0.0, 40.0, 40.0]),
        length=st.sampled_from([None, 20.0, 90.0, 200.0]),
        force=st.booleans(),
        more=st.integers(0, 3),
        then=st.sampled_from(["user", "user", "lease", "nothing", "end", "hand", "suspend", "time"]),
    )
    def off_is_at_hand(self, ahead, length, force, more, then):
        """Users are warned, or it is entered; and then something happens."""
        self.everybody_leaves()
        at = self.now + ahead
        self.plan(Plan(off=Off("night", at, None if length is None else at + length, 0.0, force)))
        for _ in range(12):
            if self.warned or self.applying or not self.promise_is_kept(self.now + 150.0):
                break
        for _ in range(more):
            self.promise_is_kept(self.now + 150.0)
        if then == "time":
            self.now += 50.0
        else:
            {
                "user": lambda: self.tell(self.oracle.settings.monitors[0][0], "told hold", self.now),
                "lease": lambda: self.lease("x", 10.0),
                "nothing": self.off_is_wanted_no_more,
                "end": lambda: self.off_is_planned(-50.0, 55.0, 0.0, force),
                "hand": lambda: self.nap_asked(OFF_STAGE),
                "suspend": lambda: self.nap_asked("c"),
            }[then]()
        for _ in range(more):
            self.promise_is_kept(self.now + 50.0)

    @rule(stage=st.sampled_from(["", "a", "b", "c", "h", OFF_STAGE, "unknown"]))
    def nap_asked(self, stage):
        """An admin asks for a nap."""
        names = [s.name for s in self.oracle.settings.stages]
        index = names.index(stage) if stage in names else None
        if not stage and names and names[0] != OFF_STAGE:
            index = 0
        busy, _ = self.oracle.used(self.now)
        going = self.restored and not self.halted and not (index is not None and self.oracle.too_deep(index))
        if index is not None and not busy and going and index > self.depth:
            self.asked = (self.asked[0], max(index, self.asked[1])) if self.asked else (self.now, index)
            self.sleep_at_once()
        depth, warned = self.depth, self.warned
        self.feed(ev.NapAsked(self.now, "alice", stage))
        assert (self.depth, self.warned) == (depth, warned), "asking for a nap took something back"

    @rule(stage=st.sampled_from(["a", "b", "c", "h", OFF_STAGE]))
    def nap_asked_of_an_idle_machine(self, stage):
        """It gets there in no more time than the users are to be warned, unless it is refused."""
        self.everybody_leaves()
        self.nap_asked(stage)
        if self.asked:
            index = self.asked[1]
            self.live_until(self.now + sum(s.warn for s in self.oracle.settings.stages))
            asleep = self.sleeping and self.depth < index
            assert asleep or self.depth >= index, "asked for, and not reached"
            if not any(s.sleep for s in self.oracle.settings.stages[: index + 1]) and not asleep:
                assert self.depth == index or self.due(self.depth) <= self.now

    @rule(stage=st.sampled_from(["a", "b", "c", "h", OFF_STAGE]))
    def nap_asked_in_vain(self, stage):
        """A lease that comes before it is obeyed cancels it: it is not obeyed when the lease is over."""
        self.everybody_leaves()
        self.nap_asked(stage)
        self.lease("x", 2.0)
        self.live_until(self.now + 3.0)

    @rule()
    def wake_asked(self):
        """An admin asks to come back."""
        self.oracle.began = max(self.oracle.began, self.now)
        self.asked, self.halted, self.sleeps = None, False, []
        self.sleep_at_once()
        self.feed(ev.WakeAsked(self.now, "alice"))

    # ------------------------------------------------------------ answers

    @precondition(lambda self: self.look)
    @rule(
        kinds=st.lists(
            st.sampled_from(["idle", "idle", "idle", "idle", "pulse", "hold", "failed"]),
            min_size=5,
            max_size=5,
        )
    )
    def look_is_answered(self, kinds):
        """Every monitor answers, then the look is complete; unless something else came of it meanwhile."""
        self.answer_look([kind if sum(k != "idle" for k in kinds) < 3 else "idle" for kind in kinds])

    @precondition(lambda self: self.look)
    @rule()
    def look_is_answered_by_nobody_there(self):
        """The machine is idle."""
        self.answer_look(["idle"] * 5)

    @precondition(lambda self: self.look and self.look.sleep)
    @rule(why=st.sampled_from(["blocked", "not proven"]))
    def sleep_is_refused(self, why):
        """Nobody is there, but the sleep state cannot be entered."""
        look, target, began = self.look, self.state.target, self.look_began
        assert look
        stage = self.oracle.settings.stages[target]
        assert look.sleep == stage.sleep
        depth, busy = self.depth, self.speaks_against(target)
        self.answer_look(["idle"] * 5, why)
        if depth == self.depth and not busy and began[look.serial] >= self.due(target) - stage.warn:
            assert not self.applying, "a refused sleep was entered"

    def is_refused(self, look):
        """It counts where it was asked for in earnest: a look before the stage was due says nothing of it."""
        target = self.state.target
        stage, began = self.oracle.settings.stages[target], self.look_began[look.serial]
        if not self.can_be_entered(target) or began < self.due(target) - stage.warn:
            return
        self.sleep_later(target)
        self.refused_at[target] = began
        if self.asked and self.asked[1] >= target:
            self.asked = (self.asked[0], self.depth) if self.depth >= 0 else None

    def can_be_entered(self, target):
        """Nobody is there, and nothing deeper comes first."""
        if self.speaks_against(target) or self.due(target) == inf:
            return False
        if self.asked and target <= self.asked[1]:
            return bool(target == self.asked[1])
        off = self.oracle.plan.off
        if target == self.oracle.off:
            return self.off_can_come(-self.oracle.settings.stages[-1].warn if self.warned else 0.0)
        near = off is not None and self.now >= off.at - self.oracle.settings.stages[-1].warn
        return not (near and self.oracle.off not in self.no_sleep_before and self.off_can_come())

    def sleep_later(self, index):
        self.no_sleep_before[index] = self.now + (60.0, 120.0, 300.0, 600.0)[min(self.no_sleeps[index], 3)]
        self.no_sleeps[index] += 1
        self.refused_at.pop(index, None)

    def sleep_at_once(self, index=None):
        for kept in (self.no_sleep_before, self.no_sleeps, self.refused_at):
            for each in list(kept) if index is None else [index]:
                kept.pop(each, None)

    @rule()
    def what_refused_is_gone(self):
        """Then nothing is waited for any more but what every stage waits for, and a second since the look; it may also never have been there."""
        for index in self.refused_at:
            self.no_sleep_before[index], self.no_sleeps[index] = max(self.look_began.values()) + LOOK_MIN, 0
        depth, warned = self.depth, self.warned
        self.feed(ev.Unblocked(self.now))
        assert (self.depth, self.warned) == (depth, warned), "that something is gone took something back"

    def answer_look(self, kinds, refusal=""):
        look = self.look
        assert look
        for (name, _), kind in zip(self.oracle.settings.monitors, kinds, strict=False):
            self.tell(name, kind, self.now)
        self.look, self.complete = None, self.look_began[look.serial]
        if refusal and self.state.phase is Phase.CHECKING and self.state.serial == look.serial:
            self.is_refused(look)
        self.feed(ev.Looked(self.now, look.serial, refusal))

    @precondition(lambda self: self.applying)
    @rule(fails=st.booleans())
    def applied(self, fails):
        """The stage is applied."""
        command, self.applying = self.applying, None
        assert command
        failed = command.actions[:1] if fails else ()
        self.failures.update(failed)
        self.feed(ev.Applied(self.now, command.serial, tuple(ev.Failure(a, "EIO") for a in failed)))

    @precondition(lambda self: self.restoring)
    @rule(fails=st.sampled_from([False, False, True]))
    def everything_is_put_back(self, fails):
        """... or not everything."""
        command, self.restoring = self.restoring, None
        assert command
        self.restored = not fails
        failed = (ev.Failure("one", "EIO"),) if fails else ()
        self.feed(ev.Restored(self.now, command.serial, failed))

    @precondition(lambda self: self.outside_sleep)
    @rule(wanted=st.booleans())
    def sleep_fails(self, wanted):
        """Also long after it was cancelled; or because somebody came, which is no fault."""
        command, self.outside_sleep = self.outside_sleep, None
        assert command
        tried = self.sleeping is not None
        if tried:
            self.failures[command.state] += not wanted
            self.sleep_later(self.depth)
            self.sleeping = None
        before = dict(self.no_sleep_before), Counter(self.no_sleeps), dict(self.refused_at)
        self.feed(ev.SleepFailed(self.now, command.serial, "busy", wanted))
        if tried:
            assert self.restoring, "what was put back for the sleep is not applied again"
            self.no_sleep_before, self.no_sleeps, self.refused_at = before

    @precondition(lambda self: self.outside_sleep)
    @rule()
    def sleep_is_pretended(self):
        """The machine only watches; also long after it was cancelled."""
        command, self.outside_sleep, self.sleeping = self.outside_sleep, None, None
        assert command
        self.feed(ev.Pretended(self.now, command.serial))

    @precondition(lambda self: self.outside_sleep)
    @rule(slept=st.sampled_from([0.0, 5.0, 1000.0]))
    def our_sleep_is_over(self, slept):
        """Also one that was cancelled too late."""
        self.resumed(slept)
        if self.restoring:
            self.everything_is_put_back(fails=False)

    @rule(slept=st.sampled_from([0.0, 300.0]))
    def resumed(self, slept):
        """From a sleep of ours, or of somebody else's."""
        self.now += slept
        numbers = self.oracle.settings
        self.oracle.began = self.oracle.fresh = self.now
        self.oracle.up_until = self.now + numbers.min_awake
        self.sleeps = [at for at in self.sleeps if self.now - at <= numbers.loop_window]
        if self.outside_sleep:
            self.sleeps.append(self.now)
            self.halted = self.halted or len(self.sleeps) > numbers.loop_limit
        self.outside_sleep = self.sleeping = self.asked = None
        self.feed(ev.Resumed(self.now, slept))

    @rule(
        kind=st.sampled_from(["looked", "applied", "restored", "slept", "pretended"]), back=st.integers(1, 4)
    )
    def stale_answer(self, kind, back):
        """An answer to what is no longer asked changes nothing."""
        live = {
            c.serial
            for c in (self.look, self.applying, self.restoring, self.sleeping, self.outside_sleep)
            if c
        }
        old = [serial for serial in self.serials if serial not in live]
        if self.state.phase is Phase.CHECKING:
            old = [serial for serial in old if serial != self.state.serial]
        serial = old[-back] if back <= len(old) else 10**6
        failed = (ev.Failure("one", "stale"),)
        event = {
            "looked": ev.Looked(self.now, serial), "applied": ev.Applied(self.now, serial, failed),
            "restored": ev.Restored(self.now, serial), "slept": ev.SleepFailed(self.now, serial, "stale"),
            "pretended": ev.Pretended(self.now, serial),
        }[kind]  # fmt: skip
        before = self.state
        self.feed(event)
        # Time itself may have: an end that nobody served is past.
        timeless = dataclasses.replace(self.state, busy=before.busy, timer=before.timer)
        assert timeless == before, "a stale answer changed something"

    # ------------------------------------------------------------ configuration

    @rule(configured=BEGINNINGS)
    def reconfigured(self, configured):
        """Another ladder, other monitors."""
        oracle, names = self.oracle, [name for name, _ in configured.monitors]
        before = Oracle(configured, oracle.began)
        before.readings = {name: told for name, told in oracle.readings.items() if name in names}
        kept = tuple((name, taken) for name, taken in configured.monitors if name in before.readings)
        rules = tuple(r for r in configured.rules if all(name in before.readings for name in r.members))
        before.settings = dataclasses.replace(configured, monitors=kept, rules=rules)
        oracle.began = before.used(self.now)[1]
        oracle.settings, oracle.fresh, oracle.readings = configured, self.now, {}
        applied, self.asked, self.look = self.depth >= 0, None, None
        self.failures.clear()
        self.sleep_at_once()
        self.feed(ev.Reconfigured(self.now, configured))
        if applied:
            assert self.restoring, "the old ladder's stage was not left"

    # ------------------------------------------------------------ liveness

    def teardown(self):
        """From wherever we are: once everybody is gone and the world keeps its promises, the deepest stage is reached in time."""
        if getattr(self, "broken", True):
            return
        if self.outside_sleep:
            self.resumed(0.0)
        if self.state.phase is Phase.HALTED or self.halted:
            self.wake_asked()
        self.everybody_leaves()
        ladder = [stage for stage in self.oracle.settings.stages if stage.name != OFF_STAGE]
        looks = len(self.look_began)
        _, idle = self.oracle.used(self.now)
        hold = max((taken.hold for _, taken in self.oracle.settings.monitors), default=0.0)
        late = (
            max(self.now, self.oracle.up_until)
            + sum(s.warn for s in self.oracle.settings.stages)
            + (60 if not self.restored else 0)
        )
        last = ladder[-1] if ladder else A
        self.live_until(
            max(
                late,
                max(self.no_sleep_before.values(), default=0.0) + last.warn,
                max(idle, self.now if self.oracle.used(self.now)[0] else 0.0) + hold + last.after,
            )
        )
        assert self.state.phase is not Phase.HALTED
        # From a sleep that nothing ends, no deeper one is reached.
        reached = next((i for i, stage in enumerate(ladder) if stage.sleep), len(ladder) - 1)
        assert self.depth >= reached, f"nobody there, and it stays in stage {self.depth}"
        assert len(self.look_began) - looks <= 2 * len(self.oracle.settings.stages) + 4, (
            "more looks than the ladder has rungs"
        )

    def live_until(self, end):
        """Everything is answered at once, every timer is served on time."""
        for _ in range(5000):
            if not self.promise_is_kept(end):
                self.now = max(self.now, end)
                return
        raise AssertionError("it never comes to rest")

    def promise_is_kept(self, end):
        """The next one, if there is any before this instant."""
        if self.look:
            self.look_is_idle()
        elif self.applying:
            self.applied(fails=False)
        elif self.restoring:
            self.everything_is_put_back(fails=False)
        elif self.timer is not None and self.timer <= end:
            self.now = max(self.now, self.timer)
            self.timer_comes()
        else:
            return False
        return True

    def look_is_idle(self):
        self.answer_look(["idle"] * 5)


def written(commands):
    """Commands byte for byte."""
    return record.ENCODER.encode(commands)


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
