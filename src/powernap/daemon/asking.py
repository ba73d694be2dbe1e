"""The schedules asked, each in a thread of its own, and what each told last. Instants are seconds since the epoch.

A schedule may take its time (systemd-timers starts programs, a crontab may lie on a server that is gone), so none is asked in the loop's
thread. Who does not answer within :data:`ANSWER_MAX` is in trouble, like who raises; the others' answers are taken. What one in trouble
told last goes on, as far ahead as it was told; beyond that nobody knows, and the machine is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from powernap.core.timetable import UP, Span
from powernap.core.value import dataclass
from powernap.daemon import timetables
from powernap.daemon.aside import aside
from powernap.daemon.timetables import Answers
from powernap.host import zones
from powernap.schedules import ScheduleError

if TYPE_CHECKING:
    from powernap.config.model import ScheduleConfig
    from powernap.daemon.night import Say
    from powernap.host.host import Host

DAY = 86400.0
REACHES = (DAY, 8 * DAY, 62 * DAY, 400 * DAY)
"""Seconds ahead that are asked about: as far as the next need, and no farther than a year and a bit. A week at least, since an admin may skip
what is next: the machine is to know at once what comes after it."""
LEAST = 8 * DAY
MANY = 500
"""Statements of one schedule from which on it is not asked any farther ahead: a cron expression of each minute says half a million in 400 days, which
took 30 s and 1 GiB. Its first day's 1440 take 17 ms."""
ANSWER_MAX = 30.0
"""Seconds; systemctl has 10 for each of its questions."""
RETRY = 300.0
"""Seconds after which a schedule in trouble is asked again."""
RIGHT = 1577836800.0
"""The year 2020: a clock that shows an earlier time has lost it, and what the schedules say of such a time means nothing."""


@dataclass
class Trouble:
    """A schedule that cannot tell, and since when."""

    error: ScheduleError
    since: float


@dataclass(frozen=True)
class Told:
    """What a schedule said of a stretch of time."""

    start: float
    end: float
    spans: tuple[Span, ...]


class Asking:
    """Made in a running loop.

    :param late: called when one has answered after all. :param limit: seconds for an answer.
    :ivar end: as far ahead as was asked last.
    """

    def __init__(
        self,
        host: Host,
        schedules: Iterable[ScheduleConfig],
        say: Say,
        late: Callable[[], None],
        limit: float = ANSWER_MAX,
    ) -> None:
        self.limit = limit
        self.host, self.schedules, self.say, self.late = host, list(schedules), say, late
        self.told: dict[str, Told] = {}
        self.troubles: dict[str, Trouble] = {}
        self.hanging: set[str] = set()
        self.end = -inf
        self.closed = False

    # ------------------------------------------------------------ asking

    async def ask(self, enough: Callable[[], bool]) -> None:
        """All of them, farther and farther ahead until that is enough."""
        wall, before, left = self.host.clock.wall(), self.troubles, self.schedules
        errors: dict[str, ScheduleError] = {}
        for reach in REACHES:
            errors |= await self._all(left, wall, wall + reach)
            self.end = wall + reach
            self.troubles = {
                name: Trouble(error, before[name].since if name in before else wall)
                for name, error in errors.items()
            }
            left = [each for each in left if each.name not in errors and not self._dense(each.name)]
            if not left or (reach >= LEAST and enough()):
                break
        self._tell(before)

    def _dense(self, name: str) -> bool:
        return len(self.told[name].spans) > MANY

    async def _all(
        self, schedules: Iterable[ScheduleConfig], start: float, end: float
    ) -> dict[str, ScheduleError]:
        """At the same time. Takes what they tell, and answers with who cannot."""
        errors: dict[str, ScheduleError] = {}
        under_way: dict[str, asyncio.Future[Any]] = {}
        local = zones.local(self.host.files).zone
        for each in schedules:
            if each.name not in self.hanging:
                work = partial(timetables.ask, self.host, [each], start, end, local)
                under_way[each.name] = aside(work, f"schedule-{each.name}")
        if under_way:
            await asyncio.wait(under_way.values(), timeout=self.limit)
        for each in schedules:
            error = self._take(each.name, under_way.get(each.name))
            if error is not None:
                errors[each.name] = error
        return errors

    def _take(self, name: str, asked: asyncio.Future[Any] | None) -> ScheduleError | None:
        if asked is None or not asked.done():
            if asked is not None:
                self.hanging.add(name)
                asked.add_done_callback(lambda done: self._answered(name, done))
            return ScheduleError(f"it does not answer within {self.limit:g}s")
        if (defect := asked.exception()) is not None:
            return ScheduleError(
                f"{type(defect).__name__}: {defect}", "please report this with `powernap snapshot`"
            )
        answers: Answers = asked.result()
        if name in answers.troubles:
            return answers.troubles[name]
        self.told[name] = Told(answers.start, answers.end, answers.spans[name])
        return None

    def _answered(self, name: str, asked: asyncio.Future[Any]) -> None:
        """Too late for those who waited. It is asked again with all others, and not at once: it may be as late each time."""
        self.hanging.discard(name)
        if not self.closed and self._take(name, asked) is None:
            self.late()

    def _tell(self, before: dict[str, Trouble]) -> None:
        for name in self.troubles.keys() - before.keys():
            after = "what it said last goes on" if name in self.told else "the machine stays up"
            self.say("schedule-failed", detail=f"{name}: {self.troubles[name].error}; {after}")
        for name in before.keys() - self.troubles.keys():
            self.say("schedule-recovered", detail=name)

    # ------------------------------------------------------------ what came of it

    def answers(self, now: float) -> Answers:
        """What they said last, from now on."""
        end = max(self.end, now + DAY)
        spans = {each.name: self._spans(each.name, end) for each in self.schedules}
        return Answers(now, end, spans)

    def _spans(self, name: str, end: float) -> tuple[Span, ...]:
        told = self.told.get(name)
        if told is None:
            return ()
        if told.end >= end:
            return told.spans
        return (*told.spans, Span(told.end, end, UP, name, "what it says from then on is not known"))

    def unknown(self, now: float) -> dict[str, str]:
        """Of whom it is not known what they say at this instant, and why."""
        if now < RIGHT:
            return {each.name: "the clock has lost the time" for each in self.schedules}
        return {
            each.name: self._why(each.name) for each in self.schedules if not self._covers(each.name, now)
        }

    def _covers(self, name: str, now: float) -> bool:
        told = self.told.get(name)
        return told is not None and told.start <= now < told.end

    def _why(self, name: str) -> str:
        trouble = self.troubles.get(name)
        return f"the schedule cannot tell: {trouble.error}" if trouble else "the schedule is being asked"

    def again_at(self, now: float) -> float:
        """When they must be asked again, also if nothing changes."""
        if self.troubles:
            return now + RETRY
        # Half-way to where what they told ends.
        return min((told.start + told.end) / 2 for told in self.told.values()) if self.told else now + RETRY

    def close(self) -> None:
        """Who answers now is not listened to."""
        self.closed = True
