"""The schedules asked in threads: who hangs, breaks, says too much or answers late, and what holds then."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agendas import DAY, HOUR, MONDAY, OFFICE, Clock, config
from deadserver import DeadServer
from keeper import run
from loop_ears import until
from powernap.config.model import ScheduleConfig
from powernap.core.timetable import UP, Span
from powernap.daemon import timetables
from powernap.daemon.asides import Asides
from powernap.daemon.asking import MANY, REACHES, RETRY, Asking, Told
from powernap.daemon.timetables import together
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import ScheduleError

SHUTDOWNS = "[schedule.shutdowns]\n"


class Desk:
    """A machine with /run/systemd/shutdown, whose schedules are asked. Make it in a coroutine."""

    def __init__(self, root: Path, text: str, *more: ScheduleConfig, limit: float = 5.0) -> None:
        self.root, self.clock = root, Clock()
        self.said: list[tuple[str, str]] = []
        self.late = 0
        schedules = [*config(text).schedules.values(), *more]
        host = Host(TreeFiles(str(root)), self.clock)
        self.asking = Asking(host, schedules, lambda what, stage="", detail="": self.said.append((what, detail)), self._late, limit)  # fmt: skip
        self.reached: list[float] = []

    @property
    def scheduled(self) -> Path:
        """Where logind notes a shutdown."""
        path = self.root / "run/systemd/shutdown/scheduled"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _late(self) -> None:
        self.late += 1

    async def ask(self, enough: Callable[[], bool] = lambda: True) -> None:
        """All of them; ``reached`` is how far ahead, in days."""

        def noted() -> bool:
            self.reached.append((self.asking.end - self.clock.at) / DAY)
            return enough()

        await self.asking.ask(noted)

    def said_by(self, name: str) -> list[Span]:
        """In the end, from now on."""
        answers = self.asking.answers(self.clock.at)
        return [span for span in together(answers, self.asking.schedules) if span.schedule == name]

    def kinds(self) -> list[str]:
        """What was said."""
        return [what for what, _ in self.said]


def test_it_is_asked_no_farther_ahead_than_is_of_interest(tmp_path: Path) -> None:
    """A week at least; then farther and farther, at most for a year and a bit."""

    async def claim() -> None:
        desk = Desk(tmp_path, OFFICE)
        await desk.ask()
        await desk.ask(lambda: False)
        days = [reach / DAY for reach in REACHES]
        assert desk.reached == [days[1], *days[1:]]
        assert desk.asking.told["office"].end == MONDAY + REACHES[-1]

    run(claim())


def test_one_that_says_something_every_minute_is_asked_for_a_day_only(tmp_path: Path) -> None:
    """The others are asked as far as it takes."""
    minutely = '[schedule.minutely]\ntype = "cron"\nat = "* * * * *"\nstay = "30s"\nmeans = "nap"\n'

    async def claim() -> None:
        desk = Desk(tmp_path, minutely + OFFICE)
        await desk.ask(lambda: False)
        assert len(desk.asking.told["minutely"].spans) == 1440
        assert desk.asking.told["minutely"].end == MONDAY + DAY
        assert desk.asking.told["office"].end == MONDAY + REACHES[-1]
        assert desk.asking.again_at(MONDAY) == MONDAY + DAY / 2
        assert sum(len(told.spans) for told in desk.asking.told.values()) < 4 * MANY

    run(claim())


def test_one_in_trouble_from_the_first_moment_is_unknown(tmp_path: Path) -> None:
    """The others answer; why is said once, and again when it can tell."""

    async def claim() -> None:
        desk = Desk(tmp_path, SHUTDOWNS + OFFICE)
        assert desk.asking.unknown(MONDAY) == dict.fromkeys(("shutdowns", "office"), "the schedule is being asked")  # fmt: skip
        desk.scheduled.write_text("nonsense")
        await desk.ask()
        desk.clock.go(HOUR)
        await desk.ask()
        assert list(desk.asking.unknown(desk.clock.at)) == ["shutdowns"]
        assert "it says no time" in desk.asking.unknown(desk.clock.at)["shutdowns"]
        assert desk.asking.troubles["shutdowns"].since == MONDAY
        assert desk.asking.again_at(desk.clock.at) == desk.clock.at + RETRY
        assert desk.said == [("schedule-failed", desk.said[0][1])]
        assert "the machine stays up" in desk.said[0][1]

        desk.scheduled.unlink()
        await desk.ask()
        assert desk.asking.unknown(desk.clock.at) == {}
        assert desk.kinds() == ["schedule-failed", "schedule-recovered"]

    run(claim())


class Reading:
    """A type that can tell as soon as something has been read."""

    @dataclasses.dataclass(frozen=True)
    class Options:
        """None."""

    def __init__(self) -> None:
        self.error: ScheduleError | None = ScheduleError("it has not been read yet", soon=True)

    def spans(self, *_: object) -> list[Span]:
        """None, or why not."""
        if self.error:
            raise self.error
        return []


def test_one_that_is_read_for_the_first_time_is_not_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the machine up; when the reading fails that is told, as for any other, and when it can tell after that."""
    reading = Reading()
    monkeypatch.setattr(timetables, "module", lambda _: reading)

    async def claim() -> None:
        desk = Desk(tmp_path, "", ScheduleConfig("team", "ical", Reading.Options()))
        await desk.ask()
        assert list(desk.asking.unknown(MONDAY)) == ["team"]
        assert desk.said == []
        reading.error = ScheduleError("it could never be read: no answer")
        await desk.ask()
        assert desk.kinds() == ["schedule-failed"]
        reading.error = None
        await desk.ask()
        assert desk.kinds() == ["schedule-failed", "schedule-recovered"]

        fresh = Desk(tmp_path, "", ScheduleConfig("team", "ical", Reading.Options()))
        reading.error = ScheduleError("it has not been read yet", soon=True)
        await fresh.ask()
        reading.error = None
        await fresh.ask()
        assert fresh.said == []

    run(claim())


def test_what_was_told_last_goes_on_and_beyond_it_the_machine_is_needed(tmp_path: Path) -> None:
    """Nobody knows what is said then."""

    async def claim() -> None:
        desk = Desk(tmp_path, SHUTDOWNS)
        at = MONDAY + 5 * HOUR
        desk.scheduled.write_text(f"USEC={at * 1e6:.0f}\nMODE=poweroff\n")
        await desk.ask()
        desk.scheduled.write_text("nonsense")
        await desk.ask(lambda: False)

        spans = desk.said_by("shutdowns")
        assert desk.asking.unknown(MONDAY) == {}
        assert [span.detail for span in spans] == ["power-off by shutdown(8)"]
        assert "what it said last goes on" in desk.said[0][1]

        desk.clock.go(7.5 * DAY)
        await desk.ask()
        beyond = desk.said_by("shutdowns")[-1]
        assert (beyond.start, beyond.says) == (MONDAY + 8 * DAY, UP)
        desk.clock.go(DAY)
        assert list(desk.asking.unknown(desk.clock.at)) == ["shutdowns"]

    run(claim())


def test_a_clock_that_was_set_back_makes_all_unknown_until_they_are_asked(tmp_path: Path) -> None:
    """Of the time before they were told about, they said nothing."""

    async def claim() -> None:
        desk = Desk(tmp_path, OFFICE)
        await desk.ask()
        desk.clock.step(-HOUR)
        assert desk.asking.unknown(desk.clock.at) == {"office": "the schedule is being asked"}
        await desk.ask()
        assert desk.asking.unknown(desk.clock.at) == {}

    run(claim())


def test_a_clock_that_has_lost_the_time_is_not_believed(tmp_path: Path) -> None:
    """A machine whose battery is empty begins in 1970, and must not go off because it was night then."""

    async def claim() -> None:
        desk = Desk(tmp_path, '[schedule.night]\ntype = "windows"\noff = "daily"\n')
        desk.clock.at = 60.0
        await desk.ask()
        assert desk.asking.unknown(60.0) == {"night": "the clock has lost the time"}

    run(claim())


def test_one_that_hangs_holds_up_nobody_for_long_and_is_heard_late(tmp_path: Path) -> None:
    """It is in trouble, is not asked once more while it hangs, and what it answers in the end is taken."""

    async def claim() -> None:
        desk = Desk(tmp_path, SHUTDOWNS + OFFICE, limit=0.2)
        os.mkfifo(desk.scheduled)  # who reads it waits for somebody who writes
        await desk.ask()
        assert "does not answer within 0.2s" in desk.asking.unknown(MONDAY)["shutdowns"]
        assert list(desk.asking.told) == ["office"]
        await desk.ask()
        assert desk.asking.hanging == {"shutdowns"}
        assert desk.kinds() == ["schedule-failed"]

        answer(desk.scheduled)
        await until(lambda: desk.late)
        assert desk.asking.hanging == set()
        assert desk.asking.unknown(MONDAY) == {}
        desk.scheduled.unlink()
        await desk.ask()
        assert desk.kinds() == ["schedule-failed", "schedule-recovered"]

    run(claim())


def answer(fifo: Path) -> None:
    """To who hangs."""
    fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    os.write(fd, b"USEC=2051222400000000\nMODE=poweroff\n")
    os.close(fd)


def test_who_answers_after_the_end_is_not_listened_to(tmp_path: Path) -> None:
    """Nothing is called."""

    async def claim() -> None:
        desk = Desk(tmp_path, SHUTDOWNS, limit=0.05)
        os.mkfifo(desk.scheduled)
        await desk.ask()
        desk.asking.close()
        answer(desk.scheduled)
        await until(lambda: not desk.asking.hanging)
        assert (desk.late, desk.asking.told) == (0, {})

    run(claim())


def test_a_type_with_a_defect_is_in_trouble_like_any_other(tmp_path: Path) -> None:
    """The machine stays up, and says why."""

    async def claim() -> None:
        desk = Desk(tmp_path, "", ScheduleConfig("x", "windows", None))
        await desk.ask()
        assert "AttributeError" in desk.asking.unknown(MONDAY)["x"]

    run(claim())


def test_the_loop_goes_on_while_they_are_asked(tmp_path: Path) -> None:
    """Other work is done before the last one answers."""

    async def claim() -> None:
        desk = Desk(tmp_path, SHUTDOWNS, limit=5.0)
        os.mkfifo(desk.scheduled)
        asking = asyncio.ensure_future(desk.ask())

        def served() -> bool:
            answer_who_reads(desk.scheduled)
            return asking.done()

        await until(served)
        assert desk.asking.troubles == {}

    run(claim())


def answer_who_reads(fifo: Path) -> None:
    """If anybody does by now."""
    with contextlib.suppress(OSError):
        answer(fifo)


@pytest.mark.parametrize("ahead", [0.0, DAY - 1])
def test_what_was_told_covers_its_time_and_no_instant_more(tmp_path: Path, ahead: float) -> None:
    """From its start until before its end."""

    async def claim() -> None:
        desk = Desk(tmp_path, OFFICE)
        desk.asking.told["office"] = Told(MONDAY, MONDAY + DAY, ())
        assert desk.asking.unknown(MONDAY + ahead) == {}
        assert desk.asking.unknown(MONDAY + DAY)
        assert desk.asking.unknown(MONDAY - 1)
        assert desk.asking.answers(MONDAY).spans == {"office": ()}

    run(claim())


# ------------------------------------------------------------ near and far

FAR = '[schedule.far]\ntype = "dates"\ndays = "12-24"\nmeans = "up"\nzone = "UTC"\n'


class Slow:
    """A type that says nothing, as soon as the test lets it answer. ``asked`` is until when, each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[float] = []
        self.gate = threading.Semaphore(0)
        real = timetables.module
        monkeypatch.setattr(timetables, "module", lambda each: self if each.name == "slow" else real(each))

    def spans(self, _host: Host, _options: object, _start: float, end: float, _local: object) -> list[Span]:
        """In a thread."""
        self.asked.append(end)
        assert self.gate.acquire(timeout=10)
        return []

    def let(self) -> None:
        """The next answer through."""
        self.gate.release()


SLOW = ScheduleConfig("slow", "windows", None)


def test_what_lies_far_ahead_is_known_while_what_is_near_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the first question, about a day, replaced the answer to the last one, about a year; no alarm was wanted in that moment."""
    slow = Slow(monkeypatch)

    async def claim() -> None:
        desk = Desk(tmp_path, FAR, SLOW)
        for _ in REACHES:
            slow.let()
        await desk.ask(lambda: False)
        before = desk.asking.answers(MONDAY)
        assert before.end == MONDAY + REACHES[-1]
        asking = asyncio.ensure_future(desk.ask(lambda: False))
        for number in range(len(REACHES)):
            await until(lambda number=number: len(slow.asked) == len(REACHES) + number + 1)  # type: ignore[misc]
            assert desk.asking.answers(MONDAY) == before
            slow.let()
        await asking
        assert desk.asking.answers(MONDAY) == before

    run(claim())


def test_before_the_first_round_is_over_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that naps after half of it may sleep through what comes in a week."""
    slow = Slow(monkeypatch)

    async def claim() -> None:
        desk = Desk(tmp_path, FAR, SLOW)
        asking = asyncio.ensure_future(desk.ask(lambda: False))
        for number in range(len(REACHES)):
            await until(lambda number=number: len(slow.asked) == number + 1)  # type: ignore[misc]
            assert list(desk.asking.unknown(MONDAY)) == ["far", "slow"]
            slow.let()
        await asking
        assert desk.asking.unknown(MONDAY) == {}

    run(claim())


def test_one_that_answers_for_a_day_only_keeps_what_it_said_of_the_time_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails when it is asked about more: the near part is new, the rest as it was; also where that answer came late."""
    old = Told(
        MONDAY, MONDAY + 60 * DAY, (Span(MONDAY, MONDAY + 50 * DAY, UP), Span(MONDAY, MONDAY + HOUR, UP))
    )
    new = Told(MONDAY + HOUR, MONDAY + DAY, (Span(MONDAY, MONDAY + 2 * HOUR, UP),))
    both = new.and_before(old)
    assert both == Told(
        MONDAY + HOUR, MONDAY + 60 * DAY, (*new.spans, Span(MONDAY + DAY, MONDAY + 50 * DAY, UP))
    )
    assert new.and_before(None) == new
    assert old.and_before(new) == old
    aside = Told(MONDAY + 2 * DAY, MONDAY + 60 * DAY, ())
    assert new.and_before(aside) == new

    slow = Slow(monkeypatch)

    async def claim() -> None:
        desk = Desk(tmp_path, "", SLOW, limit=0.2)
        for _ in REACHES:
            slow.let()
        await desk.ask(lambda: False)
        await desk.ask()
        slow.let()
        await until(lambda: desk.late)
        told = desk.asking.told["slow"]
        assert told.end == desk.asking.answers(MONDAY).end == MONDAY + REACHES[-1]

        desk.clock.go(HOUR)
        slow.let()
        await desk.ask()  # the second question hangs
        assert desk.asking.told["slow"] == Told(MONDAY + HOUR, told.end, ())
        slow.let()
        await until(lambda: not desk.asking.hanging)

    run(claim())


# ------------------------------------------------------------ many


def renamed(schedule: ScheduleConfig, name: str) -> ScheduleConfig:
    """Another one, of another file on the same server."""
    options = dataclasses.replace(schedule.options, file=f"/dead/{name}")
    return dataclasses.replace(schedule, name=name, options=options)


def test_what_hangs_is_asked_once_for_all_who_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty machines with the same holidays on a file server that is gone take one thread. What follows is in their words; later each hears it."""
    server = DeadServer(monkeypatch, str(tmp_path / "dead"))
    text = '[schedule.holidays]\ntype = "dates"\nfile = "/dead/days"\n'
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "days").write_text("2035-01-02\n")

    async def claim() -> None:
        asides = Asides(2, 4)
        desks = [Desk(tmp_path, text, limit=0.05) for _ in range(10)]
        for desk in desks:
            desk.asking.asides, desk.asking.else_ = asides, "nobody is woken for it"
            await desk.ask()
            assert "nobody is woken for it" in desk.said[0][1]
        assert (1, 1) == (server.waiting, len(asides.hanging))
        server.back.set()
        await until(lambda: not asides.sources)
        for desk in desks:
            await desk.ask()
            assert "schedule-recovered" == desk.kinds()[-1]

    run(claim())


def test_forty_of_which_some_hang_take_few_threads_and_the_others_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a thread each, under a limit of 32 tasks. Those that hang are told, and so are those for whom no thread is left."""
    server = DeadServer(monkeypatch, str(tmp_path / "dead"))
    hanging = "".join(f'[schedule.hangs{n}]\ntype = "dates"\nfile = "/dead/{n}"\n' for n in range(3))
    others = "".join(OFFICE.replace("office", f"office{n}") for n in range(37))

    async def claim() -> None:
        desk = Desk(tmp_path, hanging + others, limit=0.5)
        desk.asking.asides = Asides(2, 4)
        most = 0
        asking = asyncio.ensure_future(desk.ask())
        while not asking.done():
            most = max(most, desk.asking.asides.running + len(desk.asking.asides.hanging))
            await asyncio.sleep(0.002)
        assert len([name for name in desk.asking.told if name.startswith("office")]) == 37
        assert (len(desk.asking.hanging), server.waiting) == (3, 3)
        assert most == 4

        more = [renamed(each, f"more-{each.name}") for each in desk.asking.schedules[:2]]
        desk.asking.schedules = more
        await desk.ask()
        reasons = [desk.asking.troubles[each.name].error.reason for each in more]
        assert sorted(reason[:20] for reason in reasons) == ["it does not answer w", "it is not asked: 4 o"]
        server.back.set()
        await until(lambda: not desk.asking.hanging)

    run(claim())
    assert server.touched == []
