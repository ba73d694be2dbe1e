"""Schedules that keep a copy of something: it is renewed when that is due, and never twice at a time."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path

from agendas import MONDAY, OFFICE, Diary, config
from keeper import run
from loop_ears import until
from powernap.config.model import ScheduleConfig
from powernap.daemon.upkeep import BROKEN, Upkeep
from powernap.host.host import Host


def calendar(path: Path) -> str:
    """A schedule of a calendar that is no file."""
    return f'[schedule.ical]\nsource = "{path}/none.ics"\n'


def test_what_is_due_is_renewed_once_and_then_later(tmp_path: Path) -> None:
    """A failure is an attempt too; after it the schedules are asked again."""

    async def claim() -> None:
        renewed: list[int] = []
        schedules = config(calendar(tmp_path) + OFFICE).schedules.values()
        upkeep = Upkeep(Host(state=str(tmp_path / "state")), schedules, lambda: renewed.append(1))
        assert list(upkeep.kept) == ["ical"]
        assert upkeep.mind(MONDAY) == inf
        assert upkeep.under_way == {"ical"}
        assert upkeep.mind(MONDAY) == inf
        await until(lambda: renewed)
        assert (renewed, upkeep.under_way) == ([1], set())
        assert upkeep.mind(MONDAY) > MONDAY
        upkeep.close()

    run(claim())


def test_after_the_end_nobody_hears_of_it(tmp_path: Path) -> None:
    """It was under way."""

    async def claim() -> None:
        renewed: list[int] = []
        upkeep = Upkeep(Host(state=str(tmp_path / "state")), config(calendar(tmp_path)).schedules.values(), lambda: renewed.append(1))  # fmt: skip
        upkeep.mind(MONDAY)
        upkeep.close()
        await until(lambda: not upkeep.under_way)
        assert renewed == []

    run(claim())


def test_one_that_does_not_tell_when_it_is_due_is_asked_later(tmp_path: Path) -> None:
    """Options that are none: a defect. And a type that is gone needs nothing."""
    broken = [ScheduleConfig("ical", "ical", None), ScheduleConfig("gone", "gone", None)]

    async def claim() -> None:
        upkeep = Upkeep(Host(state=str(tmp_path)), broken, lambda: None)
        assert list(upkeep.kept) == ["ical"]
        assert upkeep.mind(MONDAY) == MONDAY + BROKEN

    run(claim())


def test_a_calendar_that_could_never_be_read_keeps_the_machine_up(tmp_path: Path) -> None:
    """Why names the calendar, and what the attempt came to once there was one."""

    async def claim() -> None:
        diary = Diary(calendar(tmp_path), "", str(tmp_path / "state"))
        await diary.look()
        assert [name for name, _ in diary.up()] == ["ical"]
        await until(lambda: "could never be read" in str(diary.up()))
        assert os.listdir(tmp_path / "state")
        diary.agenda.close()

    run(claim())
