"""What the schedules say, kept current: told to the core, and what the machine is needed for next.

It may have changed at each edge of the timetable, when somebody sets the clock or the time zone, after a sleep, when a file that a schedule
reads changes, and when an admin makes an exception. Between those nothing is asked and nothing wakes up, but where a schedule is in trouble,
or the machine is kept up for a unit that may have run. A schedule that cannot tell holds as it was told last, and says since when; one
of which nothing is known keeps the machine awake, also in the moment in which it is asked for the first time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from powernap.core import events as ev
from powernap.core.plan import Plan
from powernap.core.timetable import UP, Exempt, Period
from powernap.core.units import show_duration
from powernap.daemon import exceptions, needs, timetables
from powernap.daemon.asking import Asking
from powernap.daemon.exceptions import Exceptions, Extended
from powernap.daemon.leads import BOOT, DEFAULT, SLEEP, SOONEST, Leads
from powernap.daemon.settling import Settling
from powernap.daemon.upkeep import Upkeep
from powernap.daemon.watched_files import WatchedFiles
from powernap.host.wall_timer import WallTimer
from powernap.sleep.states import HYBRID, OFF, SUSPEND

if TYPE_CHECKING:
    from powernap.config.model import Config
    from powernap.daemon.night import Say
    from powernap.host.host import Host

UNIT = 60.0
"""Seconds after which is asked again, whether the unit has run for which alone the machine is up."""
UNWATCHED = 3600.0
"""Seconds after which is asked again where changes of files are not noticed."""
JUMP = 0.5
"""Seconds: the wall clock against ``CLOCK_BOOTTIME``; what is less is the clock being slewed."""
TOLD = 60.0
"""Seconds: a clock that was set by less, and a machine that was up no later, are nothing to tell."""


class Agenda:
    """Made where a schedule is configured, in a running loop.

    :param state: the directory for exceptions; empty: they are forgotten when the daemon ends.
    :param feed: takes events for the core. :param changed: called when the next need may be another one.
    :ivar periods: the timetable from the latest look on; ``expected``: what the machine was needed for next then.
    """

    def __init__(
        self,
        host: Host,
        config: Config,
        state: str,
        feed: Callable[[ev.Event], None],
        say: Say,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.host, self.config, self.feed, self.say, self.changed = host, config, feed, say, changed
        self.path = os.path.join(state, "exceptions.json") if state else ""
        self.kept = exceptions.load(host.files, self.path) if state else Exceptions()
        self.leads = Leads(host.files, os.path.join(state, "lead-times.json") if state else "")
        self.loop = asyncio.get_running_loop()
        schedules = list(config.schedules.values())
        self.settling = Settling(self.look)
        self.watched = WatchedFiles(self.settling.touched)
        self.asking = Asking(host, schedules, say, self._learned, watch=self.watched.place)
        self.upkeep = Upkeep(host, schedules, self.look)
        self.periods: list[Period] = []
        self.expected: needs.Need | None = None
        self.plan: Plan | None = None
        self.offset = 0.0
        self.timer = WallTimer(self.look)
        self.unwatched = ""
        self.task: asyncio.Task[None] | None = None
        self.again = self.closed = False

    @property
    def exceptions(self) -> Exceptions:
        """Those that are not over."""
        return self.kept.since(self.host.clock.wall())

    # ------------------------------------------------------------ looking

    def look(self) -> None:
        """Tell what follows from what is known, at once; then ask all schedules, and tell it again."""
        if self.closed:
            return
        self.watched.begin()
        self._conclude()
        self.again = True
        if self.task is None:
            self.task = self.loop.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            while self.again:
                self.again = False
                await self.asking.ask(
                    lambda: self._need_in(self.timetable(self.host.clock.wall(), self.kept)) is not None
                )
                self._learned()
        except Exception as error:
            self.say("defect", detail=f"the schedules could not be asked: {type(error).__name__}: {error}")
        finally:
            self.task = None

    def _learned(self) -> None:
        """They have told something new."""
        self.upkeep.expect(self.asking.due)
        trouble = next(filter(None, self.asking.unwatched.values()), "")
        if trouble and trouble != self.unwatched:
            every = show_duration(UNWATCHED)
            self.say("defect", detail=f"the schedules' files are read every {every} only: {trouble}")
        self.unwatched = trouble
        self._conclude()

    def timetable(self, wall: float, kept: Exceptions) -> list[Period]:
        """Made anew from what was told last, as it is with these exceptions."""
        answers, but = self.asking.answers(wall), kept.since(wall)
        schedules = self.config.schedules.values()
        said = timetables.together(answers, schedules, but.skipped, but.spans())
        return timetables.timetable(answers, said, self.config.stages)

    def _conclude(self) -> None:
        wall, boottime = self.host.clock.wall(), self.host.clock.boottime()
        offset = wall - boottime
        steady = abs(offset - self.offset) < JUMP
        if self.plan is not None:
            self._mind_missed(wall, offset)
        self.periods = self.timetable(wall, self.kept)
        self.expected = self.need()
        going = self.config.off.sleep
        down = SOONEST[OFF] if going == OFF else 0.0
        ahead = needs.Ahead(self._kept_up(), self.leads.lead(_lead_of(going)) + down)
        plan = needs.plan(self.periods, wall, offset, self.config.off, ahead, self.unknown(wall))
        if not (steady and self.plan is not None and _rounded(plan) == _rounded(self.plan)):
            self.plan, self.offset = plan, offset
            self.feed(ev.Scheduled(boottime, plan))
        self.timer.set(self._edge(wall))
        self.changed()

    def _mind_missed(self, wall: float, offset: float) -> None:
        """What was needed came and went while it slept, or the clock is another one and nothing can be said of that."""
        step, missed = offset - self.offset, self.expected
        if abs(step) >= TOLD:
            self.say(
                "clock-set", detail=f"{show_duration(round(abs(step)))} {'ahead' if step > 0 else 'back'}"
            )
        elif missed is not None and wall > missed.at + TOLD:
            late = show_duration(round(wall - missed.at))
            self.say("schedule-missed", detail=f"{late} after {missed.schedule} ({missed.detail})")

    def unknown(self, wall: float) -> dict[str, str]:
        """Of whom it is not known what they say now, and why; what an admin skips need not be known."""
        unknown = self.asking.unknown(wall)
        return {name: why for name, why in unknown.items() if not self.kept.silenced(name, wall)}

    def _edge(self, wall: float) -> float:
        """When time alone changes something, or what changed is told by nobody."""
        present = self.periods[0]
        times = [present.end, self.asking.again_at(wall), self.upkeep.mind(wall)]
        if self.expected is not None:
            times.append(self.expected.at - self._kept_up())
        times += [each.end for each in self.kept.skipped]
        if present.says == UP and all(span.unit for span in present.because):
            times.append(wall + UNIT)
        if self.unwatched:
            times.append(wall + UNWATCHED)
        return min(time for time in times if time > wall)

    def _kept_up(self) -> float:
        """Seconds before it must be up from which on it is kept up: whoever was woken for that does not go down once more."""
        return max(self.leads.lead(SLEEP), DEFAULT[SLEEP])

    # ------------------------------------------------------------ asked

    def need(self) -> needs.Need | None:
        """What the machine must be awake for next, should it sleep from now on."""
        return self._need_in(self.periods)

    def _need_in(self, found: list[Period]) -> needs.Need | None:
        wakes = {name for name, each in self.config.schedules.items() if each.wake}
        sleeping = next((n for n, stage in enumerate(self.config.stages) if stage.sleep != "none"), 1 << 30)
        depth = {stage.name: n for n, stage in enumerate(self.config.stages)}
        return needs.next_need(
            found,
            self.host.clock.wall(),
            lambda name: name in wakes or name == "extended",
            lambda stage: depth.get(stage, sleeping) >= sleeping,
        )

    def wanted(self, state: str) -> float | None:
        """When the machine is to be woken from a sleep state for that, in seconds since the epoch: as much earlier as it takes to be ready."""
        need = self.need()
        return None if need is None else need.at - self.leads.lead(_lead_of(state))

    def ready(self, how: str, alarm: float) -> None:
        """The machine, woken by an alarm, is ready now."""
        try:
            self.leads.learn(how, self.host.clock.wall() - alarm)
        except OSError as error:
            self.say("defect", detail=f"{self.leads.path} cannot be written ({error.strerror})")

    def skip(self, schedule: str, start: float, end: float, who: str) -> None:
        """A schedule (all of them when empty) says nothing between these instants."""
        skipped = Exempt(start, end, schedule, who)
        self._except(Exceptions((*self.kept.skipped, skipped), self.kept.extended))
        named = f"the schedule {schedule}" if schedule else "all schedules"
        self.say("schedule-skipped", detail=f"{who} skipped {named} {self._length(start, end)}")

    def extend(self, start: float, end: float, why: str, who: str) -> None:
        """The machine stays up between these instants."""
        extended = Extended(start, end, why, who)
        self._except(Exceptions(self.kept.skipped, (*self.kept.extended, extended)))
        length = self._length(start, end)
        self.say(
            "schedule-extended", detail=f"{who} keeps the machine up {length}" + (f": {why}" if why else "")
        )

    def _length(self, start: float, end: float) -> str:
        """``for 2h``; ``for 2h, in 30min``."""
        wall = self.host.clock.wall()
        ahead = f", in {show_duration(start - wall)}" if start > wall + 1 else ""
        return f"for {show_duration(round(end - max(start, wall)))}{ahead}"

    def postpone(self, postponed: Extended, detail: str) -> None:
        """The machine stays up although it was to go off. Who may, and for how long, is postponing.py's."""
        self.say("postponed", detail=detail)
        self._except(self.kept.postpone(postponed))

    def restore(self, who: str, schedule: str = "") -> None:
        """No exceptions any more, or none of one schedule. Where none stood there is nothing to say."""
        stood = self.exceptions
        self._except(self.kept.without(schedule))
        if stood == stood.without(schedule):
            return
        named = f"the exceptions of {schedule}" if schedule else "all exceptions to the schedules"
        named = "what was extended" if schedule == "extended" else named
        self.say("schedule-restored", detail=f"{who} took {named} back")

    def _except(self, found: Exceptions) -> None:
        self.kept = found.tidied(self.host.clock.wall())
        if self.path:
            try:
                exceptions.save(self.path, self.kept)
            except OSError as error:
                self.say(
                    "defect",
                    detail=f"{self.path} cannot be written ({error.strerror}): the exception ends with powernapd",
                )
        self.look()

    def facts(self) -> dict[str, Any]:
        """For ``powernap schedule``."""
        need = self.need()
        return {
            **self.exceptions.document(),
            "lead": {how: self.leads.lead(how) for how in (SLEEP, BOOT)},
            "need": None
            if need is None
            else {"at": need.at, "schedule": need.schedule, "detail": need.detail},
            "troubles": self.asking.facts(),
        }

    def alarm(self) -> dict[str, Any] | None:
        """The one that is set in the hardware clock now, whosever it is; ``None``: none is, or it cannot be read."""
        from powernap.sleep import rtc  # noqa: PLC0415 - only to answer

        files = self.host.files
        try:
            clock = rtc.find(files)
            at = rtc.armed(files, clock, self.host.clock.wall()) if clock else None
        except rtc.AlarmError:
            return None
        return None if at is None else {"rtc": clock, "at": at}

    def close(self) -> None:
        """The end, once."""
        if self.closed:
            return
        self.closed = True
        self.asking.close()
        self.upkeep.close()
        self.settling.close()
        if self.task is not None:
            self.task.cancel()
        self.watched.close()
        self.timer.close()


def _lead_of(state: str) -> str:
    """How the machine comes back from a sleep state: by a resume from memory, or through its firmware."""
    return SLEEP if state in {SUSPEND, HYBRID} else BOOT


def _rounded(plan: Plan) -> tuple[Any, ...]:
    """The same for two plans that differ by nothing but the slewing of a clock."""
    off = plan.off
    return (
        tuple((each.name, each.reason, each.until and round(each.until)) for each in plan.up),
        plan.deepest,
        plan.why,
        off and (off.name, round(off.at), off.until and round(off.until), off.quiet, off.force),
    )
