"""The schedules asked, a few at a time, in threads, and what each told last. Instants are seconds since the epoch.

A schedule may take its time (systemd-timers starts programs, a crontab may lie on a server that is gone), so none is asked in the loop's
thread, and no path that an admin has written is touched there. Who does not answer within :data:`ANSWER_MAX` is in trouble, like who raises;
the others' answers are taken. What one in trouble told last goes on, as far ahead as it was told; beyond that nobody knows, and the machine
is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from powernap.core.timetable import Exempt, Span, without
from powernap.core.value import dataclass
from powernap.daemon import timetables
from powernap.daemon.asides import Asides, CrowdedError
from powernap.daemon.timetables import Answers
from powernap.host import zones
from powernap.schedules import ScheduleError

if TYPE_CHECKING:
    from powernap.config.model import ScheduleConfig
    from powernap.daemon.night import Say
    from powernap.host.host import Host

Watch = Callable[[str, Iterable[str]], str]
"""Has a schedule's files watched, and answers why that cannot be; called in the thread that then reads them."""
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
AT_ONCE, THREADS = 4, 8
"""Schedules asked at a time, and threads with those that hang."""
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

    def and_before(self, old: Told | None) -> Told:
        """And beyond it what was told before."""
        if old is None or not old.start <= self.end < old.end:
            return self
        beyond = without(old.spans, [Exempt(-inf, self.end)])
        return Told(self.start, old.end, (*self.spans, *beyond))


@dataclass(frozen=True)
class Answered:
    """Of one question.

    :param due: seconds until what the schedule keeps a copy of is to be renewed. :param unwatched: why its files are not watched;
        ``None``: that was asked before.
    """

    answers: Answers
    due: float = inf
    unwatched: str | None = None


class Asking:
    """Made in a running loop.

    :param late: called when one has answered after all. :param limit: seconds for an answer. :param asides: where they are asked, which several may share.
    :param else_: what follows where nothing is known, for the words of a schedule that cannot tell.
    :ivar end: as far ahead as was asked last. :ivar due: when copies are to be renewed, of those who were asked last.
    :ivar unwatched: whose files are not watched, and why.
    """

    def __init__(
        self,
        host: Host,
        schedules: Iterable[ScheduleConfig],
        say: Say,
        late: Callable[[], None],
        limit: float = ANSWER_MAX,
        watch: Watch = lambda _owner, _paths: "",
        asides: Asides | None = None,
        else_: str = "the machine stays up",
    ) -> None:
        self.limit, self.watch = limit, watch
        self.host, self.schedules, self.say, self.late = host, list(schedules), say, late
        self.told: dict[str, Told] = {}
        self.troubles: dict[str, Trouble] = {}
        self.asides, self.else_ = asides or Asides(AT_ONCE, THREADS), else_
        self.hanging: set[str] = set()
        self.due: dict[str, float] = {}
        self.unwatched: dict[str, str] = {}
        self.end = -inf
        self.closed = False

    # ------------------------------------------------------------ asking

    async def ask(self, enough: Callable[[], bool]) -> None:
        """All of them, farther and farther ahead until that is enough.

        What was told before holds until then: what lies far ahead must not be unknown while what is near is asked about.
        """
        wall, left, end = self.host.clock.wall(), self.schedules, -inf
        errors: dict[str, ScheduleError] = {}
        fresh: dict[str, Told] = {}
        self.due = {}
        for reach in REACHES:
            end = wall + reach
            errors |= await self._all(left, wall, end, fresh)
            left = [each for each in left if each.name not in errors and len(fresh[each.name].spans) <= MANY]
            if not left or (reach >= LEAST and self._judged(fresh, end, enough)):
                break
        for name, told in fresh.items():
            self.told[name] = told.and_before(self.told.get(name)) if name in errors else told
        self.end = max(end, self.end) if errors else end
        self._tell(errors, wall)

    def _judged(self, fresh: dict[str, Told], end: float, enough: Callable[[], bool]) -> bool:
        """By what has been told by now, which nobody else sees yet."""
        before = self.told, self.end
        self.told, self.end = {**self.told, **fresh}, end
        try:
            return enough()
        finally:
            self.told, self.end = before

    async def _all(
        self, schedules: Iterable[ScheduleConfig], start: float, end: float, fresh: dict[str, Told]
    ) -> dict[str, ScheduleError]:
        """Takes what they tell, and answers with who cannot."""
        errors: dict[str, ScheduleError] = {}

        async def one(schedule: ScheduleConfig) -> None:
            heard = await self._one(schedule, start, end, first=schedule.name not in fresh)
            if isinstance(heard, Told):
                fresh[schedule.name] = heard
            else:
                errors[schedule.name] = heard

        await asyncio.gather(*map(one, schedules))
        return errors

    async def _one(
        self, schedule: ScheduleConfig, start: float, end: float, *, first: bool
    ) -> Told | ScheduleError:
        name, silent = schedule.name, ScheduleError(f"it does not answer within {self.limit:g}s")
        source = f"{schedule.type} {schedule.options!r}"
        if name in self.hanging or source in self.asides.sources:
            return silent
        work = partial(_answer, self.host, schedule, start, end, self.watch if first else None)
        try:
            asked = await self.asides.do(work, f"schedule-{name}", self.limit)
        except CrowdedError as error:
            return ScheduleError(f"it is not asked: {error}", "see which schedules do not answer")
        if asked.done():
            return self._heard(name, asked)
        self.hanging.add(name)
        self.asides.sources.add(source)
        asked.add_done_callback(lambda done: self._answered(name, source, done))
        return silent

    def _heard(self, name: str, asked: asyncio.Future[Answered]) -> Told | ScheduleError:
        if (defect := asked.exception()) is not None:
            return ScheduleError(
                f"{type(defect).__name__}: {defect}", "please report this with `powernap snapshot`"
            )
        found = asked.result()
        if isfinite(found.due):
            self.due[name] = self.host.clock.wall() + found.due
        if found.unwatched is not None:
            self.unwatched[name] = found.unwatched
        answers = found.answers
        if name in answers.troubles:
            return answers.troubles[name]
        return Told(answers.start, answers.ends.get(name, answers.end), answers.spans[name])

    def _answered(self, name: str, source: str, asked: asyncio.Future[Any]) -> None:
        """Too late for those who waited. It is asked again with all others, and not at once: it may be as late each time."""
        self.hanging.discard(name)
        self.asides.sources.discard(source)
        if self.closed:
            return
        heard = self._heard(name, asked)
        if isinstance(heard, Told):
            self.told[name] = heard.and_before(self.told.get(name))
            self.late()

    def _tell(self, errors: dict[str, ScheduleError], now: float) -> None:
        known, before = self.troubles, self._failed()
        self.troubles = {
            name: Trouble(error, known[name].since if name in known else now)
            for name, error in errors.items()
        }
        for name in self._failed() - before:
            after = "what it said last goes on" if name in self.told else self.else_
            self.say("schedule-failed", detail=f"{name}: {self.troubles[name].error}; {after}")
        for name in before - self.troubles.keys():
            self.say("schedule-recovered", detail=name)

    def _failed(self) -> set[str]:
        """In trouble, and not only because something is being read for the first time: that need not be told."""
        return {name for name, trouble in self.troubles.items() if not trouble.error.soon}

    # ------------------------------------------------------------ what came of it

    def answers(self, now: float) -> Answers:
        """What they said last, from now on."""
        end = max(self.end, now + DAY)
        spans = {name: told.spans for name, told in self.told.items()}
        return Answers(now, end, spans, {}, {name: told.end for name, told in self.told.items()})

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

    def facts(self) -> list[dict[str, Any]]:
        """Who cannot tell, for whoever asks."""
        return [
            {"schedule": name, "reason": each.error.reason, "remedy": each.error.remedy, "since": each.since}
            for name, each in self.troubles.items()
        ]

    def close(self) -> None:
        """Who answers now is not listened to."""
        self.closed = True


def _answer(host: Host, schedule: ScheduleConfig, start: float, end: float, watch: Watch | None) -> Answered:
    """In a thread. Its files are watched first: what changes while they are read is told.

    :param watch: ``None``: that has been done, and when its copy is due has been told.
    """
    unwatched = watch(schedule.name, timetables.watched(host, schedule)) if watch else None
    answers = timetables.ask(host, [schedule], start, end, zones.local(host.files).zone)
    return Answered(answers, timetables.due(host, schedule) if watch else inf, unwatched)
