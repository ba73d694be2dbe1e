"""Schedules that keep a copy of something: it is renewed when that is due, and never twice at a time."""

from __future__ import annotations

import os
import threading
from math import inf
from pathlib import Path
from typing import Any

import pytest

from agendas import MONDAY, OFFICE, Diary, config
from keeper import run
from loop_ears import until
from powernap.config.model import ScheduleConfig
from powernap.daemon import upkeep as module
from powernap.daemon.upkeep import Upkeep
from powernap.host.host import Host


def calendar(path: Path) -> str:
    """A schedule of a calendar that is no file."""
    return f'[schedule.ical]\nsource = "{path}/none.ics"\n'


def test_what_is_due_is_renewed_once_and_then_when_it_is_due_again(tmp_path: Path) -> None:
    """A failure is an attempt too; after it the schedules are asked again. Who keeps no copy is not minded."""

    async def claim() -> None:
        renewed: list[int] = []
        schedules = config(calendar(tmp_path) + OFFICE).schedules.values()
        upkeep = Upkeep(Host(state=str(tmp_path / "state")), schedules, lambda: renewed.append(1))
        assert list(upkeep.kept) == ["ical"]
        assert upkeep.mind(MONDAY) == inf
        upkeep.expect({"ical": MONDAY + 7, "office": MONDAY})
        assert upkeep.mind(MONDAY) == MONDAY + 7
        assert upkeep.mind(MONDAY + 6.5) == MONDAY + 7.5
        assert upkeep.mind(MONDAY + 7) == inf
        assert upkeep.under_way == {"ical"}
        upkeep.expect({"ical": MONDAY})
        assert upkeep.mind(MONDAY + 7) == inf
        assert len(upkeep.tasks) == 1
        await until(lambda: renewed)
        assert (renewed, upkeep.under_way) == ([1], set())
        upkeep.close()

    run(claim())


def test_after_the_end_nobody_hears_of_it(tmp_path: Path) -> None:
    """It was under way, or waited for its turn."""

    async def claim() -> None:
        renewed: list[int] = []
        upkeep = Upkeep(Host(state=str(tmp_path / "state")), config(calendar(tmp_path)).schedules.values(), lambda: renewed.append(1))  # fmt: skip
        upkeep.expect({"ical": MONDAY})
        upkeep.mind(MONDAY)
        await until(lambda: upkeep.asides.running)
        upkeep.close()
        await until(lambda: not upkeep.tasks)
        upkeep._renewed("ical")
        upkeep.expect({"ical": MONDAY})
        assert upkeep.mind(MONDAY) == inf
        assert renewed == []

    run(claim())


def test_a_type_that_is_gone_needs_nothing(tmp_path: Path) -> None:
    """It cannot be asked either, and that is told."""

    async def claim() -> None:
        upkeep = Upkeep(Host(state=str(tmp_path)), [ScheduleConfig("gone", "gone", None)], lambda: None)
        assert upkeep.kept == {}

    run(claim())


class Kept:
    """``refresh`` of a schedule."""

    def __init__(self, work: Any) -> None:
        self.work = work

    def refresh(self, _host: Host, _options: Any) -> None:
        """May hang."""
        self.work()


def test_one_that_hangs_holds_up_the_others_for_a_while_and_many_take_few_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: all waited for one lock, each in a thread. Where all threads hang, the next one is due again when it is asked."""
    monkeypatch.setattr(module, "LONGEST", 0.05)
    gate = threading.Event()

    async def claim() -> None:
        renewed: list[int] = []
        upkeep = Upkeep(Host(), [], lambda: renewed.append(1))
        hanging = {f"hangs{n}": (Kept(lambda: gate.wait(10)), None) for n in range(module.THREADS - 1)}
        upkeep.kept = {**hanging, "works": (Kept(lambda: None), None)}
        upkeep.expect(dict.fromkeys(upkeep.kept, MONDAY))
        upkeep.mind(MONDAY)
        await until(lambda: renewed)
        assert upkeep.under_way == {*hanging}
        assert len(upkeep.asides.hanging) == module.THREADS - 1

        upkeep.kept |= {name: (Kept(lambda: gate.wait(10)), None) for name in ("another", "last")}
        upkeep.expect({"another": MONDAY, "last": MONDAY})
        upkeep.mind(MONDAY)
        await until(lambda: upkeep.under_way == {*hanging, "another"})
        gate.set()
        await until(lambda: not upkeep.under_way)
        assert len(renewed) == module.THREADS + 1
        upkeep.close()

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
