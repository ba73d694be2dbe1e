"""The schedules asked in threads: who hangs, breaks, says too much or answers late, and what holds then."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agendas import DAY, HOUR, MONDAY, OFFICE, Clock, config
from keeper import run
from loop_ears import until
from powernap.config.model import ScheduleConfig
from powernap.core.timetable import UP
from powernap.daemon.asking import MANY, REACHES, RETRY, Asking, Told
from powernap.host.files import TreeFiles
from powernap.host.host import Host

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


def test_what_was_told_last_goes_on_and_beyond_it_the_machine_is_needed(tmp_path: Path) -> None:
    """Nobody knows what is said then."""

    async def claim() -> None:
        desk = Desk(tmp_path, SHUTDOWNS)
        at = MONDAY + 5 * HOUR
        desk.scheduled.write_text(f"USEC={at * 1e6:.0f}\nMODE=poweroff\n")
        await desk.ask()
        desk.scheduled.write_text("nonsense")
        await desk.ask(lambda: False)

        spans = desk.asking.answers(MONDAY).spans["shutdowns"]
        assert desk.asking.unknown(MONDAY) == {}
        assert [span.detail for span in spans] == ["power-off by shutdown(8)"]
        assert "what it said last goes on" in desk.said[0][1]

        desk.clock.go(7.5 * DAY)
        await desk.ask()
        beyond = desk.asking.answers(desk.clock.at).spans["shutdowns"][-1]
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
