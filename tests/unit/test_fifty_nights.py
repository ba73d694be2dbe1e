"""Fifty nights in a row, in faked time: by the ladder, by hand, by others and by schedules it goes down, and for each need it is up again.

What it is needed for is worked out by a slow and obvious oracle: for every fifth minute, by what the clocks on the walls of Berlin and New York show.
In these weeks both cities change their clocks (11 and 25 March 2035), the latter on Easter Sunday.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agendas import config
from fakekernel import FakeKernel, acpi_server
from fakesleep import add_sleep
from faketime import BOOT_ID, SLEEPING, Life, World, alarm, enter_world, live
from powernap.config.model import Config
from powernap.core.events import NapAsked

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
FIRST = datetime(2035, 2, 19, 12, tzinfo=BERLIN)
"""A Monday."""
NIGHTS = 50
MINUTE = 60.0
STEP, LOOK = 300, 1800
"""Seconds: all times of the schedules are multiples of the first; where it must be up it is looked at as often as the second, and at the beginning."""
LADDER = """
mode = "act"
loop_limit = 100
[sleep]
proof = "override"
through = "{through}"
[[stage]]
name = "ease"
after = "5min"
actions = ["kernel-quiet"]
[[stage]]
name = "suspend"
after = "{after}"
sleep = "suspend"
[monitor.work]
type = "process"
program = "nothing-of-this-name"
[off]
warn = "0s"
"""
SCHEDULES = """
[schedule.office]
type = "windows"
up = "Mon-Fri 07:30-18:00 Europe/Berlin"
unless = ["holidays"]
[schedule.holidays]
type = "dates"
days = ["easter-2", "easter+1", "03-08"]
zone = "Europe/Berlin"
[schedule.backup]
type = "cron"
at = ["15 3 * * *"]
stay = "20min"
zone = "Europe/Berlin"
[schedule.report]
type = "cron"
at = ["0 17 * * fri"]
stay = "30min"
zone = "America/New_York"
"""
NIGHT = """
[schedule.night]
type = "windows"
off = "daily 23:30-06:00 Europe/Berlin"
"""
HOLIDAYS = {"2035-03-08", "2035-03-23", "2035-03-26"}
TROUBLE = {
    "schedule-missed", "schedule-failed", "clock-set", "defect", "unalarmed", "unguarded", "apply-failed", "restore-failed", "sleep-failed",
    "action-spent", "kept-foreign", "loop", "monitor-failed", "alarm-taken",
}  # fmt: skip
BY_CLOCK = "woken by the clock's alarm (rtc0)"


def local(day: int, hour: int, minute: int = 0) -> float:
    """An instant of a day of these weeks, in Berlin."""
    date = (FIRST + timedelta(days=day)).date()
    return datetime(date.year, date.month, date.day, hour, minute, tzinfo=BERLIN).timestamp()


def needed(instant: float) -> bool:
    """Whether the machine must be up, by those schedules that say so."""
    here, there = datetime.fromtimestamp(instant, BERLIN), datetime.fromtimestamp(instant, NEW_YORK)
    time = f"{here:%H:%M}"
    office = here.weekday() < 5 and "07:30" <= time < "18:00" and f"{here:%Y-%m-%d}" not in HOLIDAYS
    report = there.weekday() == 4 and "17:00" <= f"{there:%H:%M}" < "17:30"
    return office or report or "03:15" <= time < "03:35"


# ------------------------------------------------------------ how a night begins


async def by_the_ladder(_life: Life) -> None:
    """Nobody does anything."""


async def by_hand(life: Life) -> None:
    """An admin asks for it."""
    life.node.feed(NapAsked(life.world.boottime(), "ada", "suspend"))


async def by_others(life: Life) -> None:
    """Somebody writes to the kernel; nobody is told before."""
    life.world.kernel.write(SLEEPING, "mem")


async def by_others_through_the_login_manager(life: Life) -> None:
    """It waits until the alarm is set."""
    assert life.login.held
    await life.login.order("sleep")


async def by_somebodys_shutdown(life: Life) -> None:
    """`systemctl poweroff`."""
    assert life.login.held
    await life.login.order("shutdown")


Begin = Callable[[Life], Coroutine[None, None, None]]
NEVER, SOON = "99h", "30min"
KINDS: dict[str, tuple[Begin, Config]] = {
    "ladder": (by_the_ladder, config(SCHEDULES, LADDER.format(through="kernel", after=SOON))),
    "ladder-logind": (by_the_ladder, config(SCHEDULES, LADDER.format(through="logind", after=SOON))),
    "hand": (by_hand, config(SCHEDULES, LADDER.format(through="kernel", after=NEVER))),
    "others": (by_others, config(SCHEDULES, LADDER.format(through="kernel", after=NEVER))),
    "others-logind": (
        by_others_through_the_login_manager,
        config(SCHEDULES, LADDER.format(through="logind", after=NEVER)),
    ),
    "off": (by_the_ladder, config(SCHEDULES + NIGHT, LADDER.format(through="kernel", after=NEVER))),
    "off-logind": (by_the_ladder, config(SCHEDULES + NIGHT, LADDER.format(through="logind", after=NEVER))),
    "shutdown": (by_somebodys_shutdown, config(SCHEDULES, LADDER.format(through="logind", after=NEVER))),
}
OFF = {"off", "off-logind", "shutdown"}
OURS = {"ladder", "ladder-logind", "hand", "off", "off-logind"}


def kind(night: int) -> str:
    """By turns, and each on all days of the week."""
    return list(KINDS)[night % len(KINDS)]


# ------------------------------------------------------------ the weeks


def told(called: str, said: list[dict[str, Any]]) -> str:
    """Of an evening and a night, for whoever reads why it failed."""
    lines = [
        f"{datetime.fromtimestamp(each['time'], BERLIN)} {each['event']} {each.get('detail', '')}"
        for each in said
    ]
    return "\n".join([called, *lines])


class Weeks:
    """A machine over all these nights.

    :ivar late: when it was needed and not up. :ivar looked: how often it was looked at.
    """

    def __init__(self, world: World, state: Path) -> None:
        self.world, self.state = world, state
        self.config = KINDS["ladder"][1]
        self.life: Life | None = Life(world, state, self.config)
        self.descriptors = 0
        self.late: list[str] = []
        self.looked = 0

    async def inspect(self, instants: list[float], *, free: bool) -> None:
        """At each of them it must be up. :param free: and as it is when nobody naps."""
        for instant in instants:
            await self.world.at(instant)
            self.looked += 1
            up = self.life is not None and self.world.true < instant + 1
            if not up or (free and self.life is not None and not self.life.free):
                self.late.append(
                    f"{datetime.fromtimestamp(instant, BERLIN)}, {self.world.true - instant:g} s late"
                )

    async def until(self, instant: float) -> None:
        """Somebody comes then; whenever it is switched off before, it begins a new life when it is on again."""
        coming = asyncio.ensure_future(self.world.at(instant, person=True))
        while not coming.done():
            off = asyncio.ensure_future(self.world.down.wait())
            await asyncio.wait([coming, off], return_when=asyncio.FIRST_COMPLETED)
            off.cancel()
            if self.world.down.is_set():
                await self.be_off()

    async def be_off(self) -> None:
        """The init system ends the daemon, and the machine is off until something brings it back."""
        await asyncio.sleep(0.2)
        life, self.life = self.life, None
        assert life is not None
        await life.end()
        self.world.off_and_on()
        self.life = Life(self.world, self.state, self.config)

    async def night(self, number: int) -> None:
        """From one noon to the next."""
        begin, self.config = KINDS[kind(number)]
        await self.until(local(number, 19))
        assert self.life is not None
        self.life.node.reload(self.config)
        evening = self.world.wall() + 0.01
        await asyncio.sleep(5 * MINUTE)
        boots = self.world.boots
        await begin(self.life)
        await self.until(local(number + 1, 12))
        self.judge(number, self.life, evening, self.world.boots - boots)

    def judge(self, number: int, life: Life, evening: float, boots: int) -> None:
        """What the history says of it; the alarm is ours, or none is set."""
        said, called = life.said(evening), f"night {number}, {kind(number)}"
        kinds = [entry["event"] for entry in said]
        assert TROUBLE.isdisjoint(kinds), told(called, said)
        assert (kind(number) in OURS) is ("sleep" in kinds), told(called, said)
        assert (boots > 0) is (kind(number) in OFF), called
        if kind(number) not in OFF:
            resumed = [entry["detail"] for entry in said if entry["event"] == "resumed"]
            # Of a sleep that nobody announced the kernel's counters from before are not known.
            assert kind(number) == "others" or resumed[0].endswith(BY_CLOCK), told(called, said)
        ours = life.node.night.alarm.ahead
        assert alarm(self.world.kernel) == (ours.at if ours else None), called

    async def all(self) -> None:
        """Every night; at its end nothing is left."""
        steps = range(int(local(0, 13)), int(local(NIGHTS, 12)), STEP)
        up = [float(step) for step in steps if needed(step) and (step % LOOK == 0 or not needed(step - STEP))]
        ends = [local(number + 1, 6) for number in range(NIGHTS) if kind(number).startswith("off")]
        looking = [
            asyncio.ensure_future(self.inspect(up, free=True)),
            asyncio.ensure_future(self.inspect(ends, free=False)),
        ]
        for number in range(NIGHTS):
            await self.night(number)
            if number == 0:
                self.descriptors = len(os.listdir("/proc/self/fd"))
        assert len(os.listdir("/proc/self/fd")) <= self.descriptors + 2
        assert self.life is not None
        await self.life.end()
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert self.looked == len(up) + len(ends)


def test_fifty_nights_and_it_is_up_for_each_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends it down: up in time, never asleep in a time in which it must be up; the history tells, and nothing is left behind."""
    machine = acpi_server(tmp_path / "machine")
    add_sleep(machine)
    world = World(machine, FIRST.astimezone(UTC).timestamp())
    enter_world(monkeypatch, world)
    before = settings(machine)

    async def claim() -> None:
        weeks = Weeks(world, tmp_path / "state")
        await weeks.all()
        assert weeks.late == []

    live(world, claim())
    assert settings(machine) == before


def settings(machine: FakeKernel) -> dict[str, str]:
    """What powernapd changes when it naps."""
    found = machine.snapshot().items()
    return {
        path: value
        for path, value in found
        if path.startswith(("/proc/sys/", "/sys/devices/system/")) and path != BOOT_ID
    }
