"""One machine kept: its timetable, when it is woken next, and what came of the last time.

A need is taken up once: a machine that was up for it and went down again has been switched off by somebody, who is not fought. One that was up in
time is looked at once more when it is needed, since it may have napped meanwhile; one that did not come is tried again while it is needed. After a
start, and after the clock was set, every need that stands is looked at anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from powernap.core.timetable import OFF, Period
from powernap.core.units import show_duration
from powernap.daemon.asides import Asides
from powernap.daemon.asking import DAY, RIGHT, Asking, Watch
from powernap.daemon.leads import BOOT, Leads
from powernap.wakeproxy import waking, wanted
from powernap.wakeproxy.wanted import Want

if TYPE_CHECKING:
    from powernap.config.inventory import HostConfig
    from powernap.wakeproxy.waking import Means, Outcome

AGAIN = 600.0
"""Seconds after which a machine that did not come is tried again."""
TOLD = 60.0
"""Seconds: a machine that was up no later is nothing to tell."""
WINDING_DOWN = 1800.0
"""Seconds of *off* after which a machine that is still up is worth a word: it goes off by itself once nobody has used it for a while."""


class Say(Protocol):
    """Puts a line into the journal."""

    def __call__(self, what: str, host: str = "", detail: str = "", remedy: str = "") -> None:
        """``what`` is a kind of words.py."""
        ...


class Keeper:
    """Made in a running loop.

    :param leads: what was learned of how long it takes. :param changed: called when something else may be next.
    :param watch: has its schedules' files watched. :param asides: where its schedules are asked, of all machines.
    :ivar taken: needs that were taken up; ``early``: one for which it was up before it began; ``owed``: one that is there, and was not or failed;
        ``held``: those that stand; ``coming``: the next one. :ivar ask_at: when its schedules are to be asked again.
    :ivar begun: the need that was tried for last, and since when. :ivar outcome: of the last time, and ``since`` when that is so.
    """

    def __init__(
        self,
        config: HostConfig,
        leads: Leads,
        means: Means,
        say: Say,
        changed: Callable[[], None],
        watch: Watch,
        asides: Asides,
    ) -> None:
        self.config, self.leads, self.means, self.say, self.changed = config, leads, means, say, changed
        self.clock, self.watch = means.machine.clock, watch
        self.asking = Asking(
            means.machine,
            config.schedules.values(),
            self._schedule_says,
            self._late,
            watch=lambda schedule, paths: watch(f"{config.name}/{schedule}", paths),
            asides=asides,
            else_="nobody is woken for it",
        )
        self.periods: list[Period] = []
        self.owed: Want | None = None
        self.coming: Want | None = None
        self.held: list[Want] = []
        self.taken: set[tuple[str, float]] = set()
        self.early: tuple[str, float] | None = None
        self.begun: tuple[tuple[str, float], float] = (("", 0.0), 0.0)
        self.again = -inf
        self.ask_at = inf
        self.unasked = self.being_asked = False
        self.seen_off = -inf
        self.outcome: Outcome | None = None
        self.since = 0.0
        self.complained: tuple[tuple[str, float], str] | None = None
        self.waking: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """In the inventory."""
        return self.config.name

    def lead(self) -> float:
        """Seconds: so much earlier than it is needed it is woken."""
        return wanted.lead(self.config.target, self.leads)

    # ------------------------------------------------------------ what is wanted

    async def ask(self) -> None:
        """All its schedules, as far ahead as its next need. Once more where somebody wants that meanwhile."""
        self.unasked = True
        if self.being_asked:
            return
        self.being_asked = True
        try:
            while self.unasked:
                self.unasked = False
                await self.asking.ask(lambda: self._next(self.clock.wall()) is not None)
        finally:
            self.being_asked = False
            self.ask_at = self.asking.again_at(self.clock.wall()) if self.config.schedules else inf
        self.conclude()

    def conclude(self) -> None:
        """What follows now from what they said last."""
        now = self.clock.wall()
        before, self.coming = self.coming, self._next(now)
        if before is not None and before.at <= now and before.key not in self.taken:
            self._passed(before, now)
        held = wanted.standing(self.periods, now, self._wakes)
        gone_on = [
            each for each in held if any(old.key in self.taken and old.goes_on_as(each) for old in self.held)
        ]
        self.taken |= {each.key for each in gone_on}
        self.held = held
        fresh = [each for each in held if each.key not in self.taken]
        if fresh:
            if self.owed is None or self.owed.key != fresh[-1].key:
                self.again = -inf
            self.owed = fresh[-1]
        elif self.owed is not None:
            self.owed = self._still(self.owed, now)
        if self.waking is None:  # what is over comes no more
            self.taken &= {each.key for each in (*held, self.coming, self.owed) if each}

    def _still(self, owed: Want, now: float) -> Want | None:
        """What it is needed for, if it still is: the schedules may say something else by now."""
        if owed.at > now:
            return self.coming if self.coming is not None and self.coming.key == owed.key else None
        if owed.after_off:
            off = any(each.says == OFF for each in self.periods if each.start <= now < each.end)
            return owed if now < owed.until and not off else None
        return next((each for each in self.held if each.schedule == owed.schedule), None)

    def _next(self, now: float) -> Want | None:
        schedules = self.config.schedules.values()
        told = {name: (each.spans, each.end) for name, each in self.asking.told.items()}
        if now < RIGHT or not told:
            self.periods = []
            return None
        self.periods = wanted.timetable(schedules, told, now, max(self.asking.end, now + DAY))
        return wanted.coming(self.periods, now, self._wakes)

    def _wakes(self, schedule: str) -> bool:
        return self.config.schedules[schedule].wake

    def _passed(self, want: Want, now: float) -> None:
        """It came while this machine slept, or its clock was wrong."""
        if now < want.until:
            self.owed, self.again = want, -inf
        elif self.owed is None:
            self.say("missed", self.name, f"it was needed for {want}, and that is over")

    def _off(self, now: float) -> Want | None:
        """The time of *off* that holds."""
        found = wanted.off(self.periods, now)
        return found if found is not None and found.at <= now else None

    def forget(self) -> None:
        """The clock is another one: what was taken up by the old one says nothing, and what was owed may lie ahead again."""
        self.taken.clear()
        self.early, self.again = None, -inf
        if self.owed is not None and self.owed.at > self.clock.wall():
            self.owed = None

    # ------------------------------------------------------------ when

    def begin_at(self, now: float) -> float | None:
        """When to begin at the latest, for what is owed or what comes next: with a look, which takes its time where nobody is there."""
        if self.waking is not None:
            return None
        if self.owed is not None:
            return max(now, self.again)
        if self.coming is not None and self.coming.key not in self.taken:
            again = self.coming.key == self.early
            return self.coming.at - (0.0 if again else self.lead() + waking.LOOK_MAX)
        return None

    def look_at(self, now: float) -> float:
        """When, apart from that, time changes something."""
        times = [self.ask_at, self._off_at(now)]
        if self.coming is not None:
            times.append(self.coming.at)
        if self.owed is not None:
            times.append(self.owed.until)
        return min(times)

    def _off_at(self, now: float) -> float:
        found = wanted.off(self.periods, now)
        return inf if found is None or found.at == self.seen_off else max(now, found.at + WINDING_DOWN)

    # ------------------------------------------------------------ waking

    def begin(self) -> None:
        """Wake it now for what is owed, or comes next."""
        want = self.owed or self.coming
        if want is None or self.waking is not None:
            return
        held = wanted.standing(self.periods, self.clock.wall(), self._wakes)
        self.owed = None
        self.taken |= {want.key, *(each.key for each in held)}
        self.waking = asyncio.get_running_loop().create_task(self._wake(want))

    async def _wake(self, want: Want) -> None:
        def told(how: str) -> None:
            self.say("waking", self.name, f"for {want}: {how}")

        if self.begun[0] != want.key:
            self.begun = want.key, self.clock.wall()
        try:
            limit = max(self.config.target.boot, self.lead())
            outcome = await waking.wake(self.config, self.means, limit, told)
            self._learn(outcome, want)
            if not outcome.up:
                self.owed, self.again = want, self.clock.wall() + AGAIN
            elif self.clock.wall() < want.at:
                self.early = want.key
                self.taken.discard(want.key)
            self._tell(outcome, want)
        except Exception as error:
            self.owed, self.again = want, self.clock.wall() + AGAIN
            self.say("defect", self.name, f"{type(error).__name__}: {error}")
        finally:
            self.waking = None
        self.conclude()
        self.changed()

    def _learn(self, outcome: Outcome, want: Want) -> None:
        if not (outcome.up and outcome.used):
            return
        try:
            self.leads.learn(BOOT, outcome.seconds)
        except OSError as error:
            self.say("defect", self.name, f"{self.leads.path} cannot be written ({error.strerror})")
        late = self.clock.wall() - want.at
        if late > TOLD and self.begun[1] < want.at + TOLD:  # else it was powerwaked that came late
            self.say("late", self.name, f"{show_duration(round(late))} after {want}")

    def _tell(self, outcome: Outcome, want: Want) -> None:
        known = self.outcome is not None and self.outcome.up
        if self.outcome is None or self.outcome.up != outcome.up:
            self.since = self.clock.wall()
        self.outcome = outcome
        before, self.complained = self.complained, None if outcome.up else (want.key, outcome.remedy)
        if outcome.up and outcome.used:
            after = show_duration(outcome.seconds)
            self.say("woke", self.name, f"after {after}: {outcome.detail}")
        elif outcome.up and not known:
            self.say("is-up", self.name, f"for {want}: {outcome.detail}")
        elif not outcome.up and before != self.complained:
            again = f"it is tried again each {show_duration(AGAIN)} while it is needed"
            self.say("not-up", self.name, f"for {want}: {outcome.detail}; {again}", outcome.remedy)

    async def look_off(self) -> None:
        """In a time of *off*: say so if it is up. Nobody is switched off from here."""
        now = self.clock.wall()
        found = self._off(now)
        if found is None or self._off_at(now) > now:
            return
        self.seen_off = found.at
        answer = await self.means.look(self.config, waking.LOOK_MAX)
        if answer.up:
            self.say("not-off", self.name, f"by {found} it should be off: {answer.detail}")

    # ------------------------------------------------------------ told

    def _schedule_says(self, what: str, stage: str = "", detail: str = "") -> None:  # noqa: ARG002 - daemon.night.Say
        self.say(what, self.name, detail)

    def _late(self) -> None:
        self.conclude()
        self.changed()

    def facts(self) -> dict[str, Any]:
        """For the status document."""
        now, need = self.clock.wall(), self.owed or self.coming
        state = "waking" if self.waking else "" if self.outcome is None else ("not-up", "up")[self.outcome.up]
        return {
            "state": state,
            "since": self.since or None,
            "detail": self.outcome.detail if self.outcome else "",
            "remedy": self.outcome.remedy if self.outcome else "",
            "lead_s": self.lead(),
            "need": need and {"at": need.at, "schedule": need.schedule, "detail": need.detail},
            "off": self._off(now) is not None,
            "troubles": self.asking.facts(),
        }

    def close(self) -> None:
        """The end. What is being woken comes up all the same."""
        self.asking.close()
        for schedule in self.config.schedules:
            self.watch(f"{self.name}/{schedule}", ())
        if self.waking is not None:
            self.waking.cancel()
