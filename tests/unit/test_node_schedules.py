"""The node and its schedules: off when one says so, nothing while only watching, and what is left of the night before."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agendas import HOUR, MONDAY, Clock
from keeper import Fake, Keeper, config, run, until
from powernap.config.model import Config, Off, ScheduleConfig
from powernap.daemon.history import History
from powernap.daemon.leads import DEFAULT
from powernap.host.files import TreeFiles
from powernap.schedules import windows
from powernap.sleep.rtc import Alarm

GOING = Off(warn=0.0, quiet=0.05)


def scheduled(name: str = "night", mode: str = "act", **said: Any) -> Config:
    """No ladder, one monitor, and a schedule of windows."""
    plain = config("work", stages=(), mode=mode, settings={"min_awake": 0.0})
    schedule = ScheduleConfig(name, "windows", windows.Options(**said))
    return dataclasses.replace(plain, schedules={name: schedule}, off=GOING)


OFF: dict[str, Any] = {"off": ("daily 00:00-24:00 UTC",)}
UP: dict[str, Any] = {"up": ("daily 00:00-24:00 UTC",)}


def test_when_a_schedule_says_off_it_goes_off() -> None:
    """Once nobody has used it for as long as the admin wants; not while somebody does."""

    async def claim() -> None:
        keeper = Keeper({"work": Fake()}, scheduled(**OFF))
        never = asyncio.Event()
        keeper.night.sleeping = never.wait
        keeper.node.begin()
        await until(lambda: "power-off" in keeper.night.did)
        assert keeper.said("entered")[0]["stage"] == "scheduled-off"
        await keeper.end()

    run(claim())


def test_while_only_watching_nothing_is_set_and_nothing_slept() -> None:
    """The history tells what would have been; the night is asked, and never entered or made ready."""

    async def claim() -> None:
        keeper = Keeper({"work": Fake()}, scheduled(mode="watch", **OFF))
        keeper.node.begin()
        await until(lambda: keeper.said("entered"))
        assert keeper.said("entered")[0]["watching"]
        assert keeper.node._wanted("power-off") is None
        assert set(keeper.night.did) <= {"may it power-off?", "unguard"}
        await keeper.end()

    run(claim())


def test_acting_it_is_woken_for_its_schedules() -> None:
    """As much earlier as it takes; without schedules for nothing."""

    async def claim() -> None:
        keeper = Keeper({"work": Fake()}, scheduled(up=("Mon 07:30-18:00 UTC",)), Clock())
        guards: list[int] = []
        stand = keeper.night.stand_guard

        async def stand_guard() -> None:
            guards.append(1)
            await stand()

        keeper.night.stand_guard = stand_guard  # type: ignore[method-assign]
        keeper.node.begin()
        await until(lambda: guards and keeper.node._wanted("suspend") is not None)
        at = MONDAY + 7.5 * HOUR
        assert keeper.node._wanted("power-off") == at - DEFAULT["boot"]
        assert keeper.node._wanted("suspend") == at - DEFAULT["suspend"]
        keeper.node.reload(dataclasses.replace(keeper.node.config, schedules={}))
        assert keeper.node._wanted("suspend") is None
        assert keeper.node.agenda is None
        await keeper.end()

    run(claim())


def test_reloaded_it_asks_the_new_ones_and_naps_no_sooner() -> None:
    """What keeps it up in the moment between the two is said."""

    async def claim() -> None:
        keeper = Keeper({"work": Fake()}, scheduled("old", **UP))
        keeper.node.begin()
        await until(lambda: names(keeper) == ["old"])
        first = keeper.node.agenda
        keeper.node.reload(scheduled("new", **UP))
        assert names(keeper) == ["new"]
        assert first is not None
        assert first.closed
        await until(lambda: "new" in {*(keeper.node.agenda.asking.told if keeper.node.agenda else ())})
        assert names(keeper) == ["new"]
        await keeper.end()

    run(claim())


def names(keeper: Keeper) -> list[str]:
    """The schedules that keep it up."""
    return [each.name for each in keeper.node.blockers() if each.kind == "window"]


def test_after_a_resume_they_are_asked_anew() -> None:
    """What was told before the sleep may be over."""

    async def claim() -> None:
        clock = Clock(MONDAY + 12 * HOUR)
        keeper = Keeper({"work": Fake()}, scheduled(up=("Mon 07:30-18:00 UTC",)), clock)
        keeper.node.begin()
        await until(lambda: names(keeper) == ["night"] and keeper.node.agenda and keeper.node.agenda.task is None)  # fmt: skip
        clock.go(10 * HOUR)
        keeper.node._resumed(10 * HOUR)
        assert names(keeper) == []
        await keeper.end()

    run(claim())


# ------------------------------------------------------------ what is left of the night before

WALL = MONDAY + 8 * HOUR
Claim = Callable[[Keeper, Path], Coroutine[Any, Any, None]]


def begun(tmp_path: Path, content: str, booted: float, test: Claim) -> None:
    """A node that begins at 08:00, on a machine that booted so many seconds ago, with this record of an alarm."""

    async def claim() -> None:
        clock = Clock(WALL)
        clock.since_boot = booted
        (tmp_path / "set-alarm.json").write_text(content)
        keeper = Keeper({"work": Fake()}, scheduled(**UP), clock)
        keeper.host.files = TreeFiles("/")
        keeper.node.voice.history = History(str(tmp_path / "history.jsonl"))
        keeper.node.begin()
        await test(keeper, tmp_path)
        assert not (tmp_path / "set-alarm.json").exists()
        await keeper.end()

    run(claim())


def record(at: float) -> str:
    """As set_alarm.py writes it."""
    return json.dumps({"version": 1, "rtc": "rtc0", "at": int(at), "raw": int(at)})


@pytest.mark.parametrize(
    ("booted", "at", "learned"),
    [(60.0, WALL - 90, [90.0]), (86400.0, WALL - 90, None), (60.0, WALL - 5 * HOUR, None), (88.0, WALL - 90, [90.0])],
)  # fmt: skip
def test_the_alarm_that_started_it_teaches_how_long_that_takes(tmp_path: Path, booted: float, at: float, learned: list[float] | None) -> None:  # fmt: skip
    """But not one that rang while the machine was up, nor one that somebody's finger came hours after."""

    async def claim(keeper: Keeper, _state: Path) -> None:
        assert keeper.node.agenda is not None
        assert keeper.node.agenda.leads.known.get("boot") == learned

    begun(tmp_path, record(at), booted, claim)


def test_an_alarm_that_is_still_set_is_known_for_ours(tmp_path: Path) -> None:
    """Somebody switched the machine on before it rang."""

    async def claim(keeper: Keeper, _state: Path) -> None:
        assert keeper.night.alarm.ahead == Alarm("rtc0", int(WALL + HOUR), int(WALL + HOUR))

    begun(tmp_path, record(WALL + HOUR), 60.0, claim)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1, "rtc": "rtc0", "at": "x", "raw": 1}'])
def test_a_damaged_record_of_an_alarm_breaks_nothing(tmp_path: Path, content: str) -> None:
    """It is none, and the node begins."""

    async def claim(keeper: Keeper, _state: Path) -> None:
        assert keeper.night.alarm.ahead is None
        assert keeper.node.begun

    begun(tmp_path, content, 60.0, claim)


def test_exceptions_that_make_no_sense_break_nothing(tmp_path: Path) -> None:
    """The node begins, and the schedules hold as they are written."""
    (tmp_path / "exceptions.json").write_text('{"skipped": [{"start": "x", "end": "y"}], "extended": []}')
    (tmp_path / "lead-times.json").write_text('{"boot": ["x"]}')

    async def claim(keeper: Keeper, _state: Path) -> None:
        await until(lambda: names(keeper) == ["night"])

    begun(tmp_path, record(WALL - 90), 60.0, claim)
