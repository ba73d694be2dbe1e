"""Nights in which somebody meddles, in faked time: the clock is set, the daemon or the machine starts anew, another program takes the alarm.

Each begins on a Saturday at noon; on Monday at 07:30 the machine must be up. It is, and the history says what happened.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agendas import HOUR, OFFICE, config, instant
from fakesleep import STATE, sleeper
from faketime import ALARM, FIRMWARE, SLEEPING, Life, World, alarm, enter_world, live, steal
from keeper import until
from powernap.config.model import Config
from powernap.core.events import NapAsked
from powernap.daemon.leads import DEFAULT

NOON, MONDAY = instant("2035-01-06 12:00"), instant("2035-01-08 07:30")
LADDER = """
mode = "act"
[sleep]
proof = "override"
through = "{through}"
[[stage]]
name = "suspend"
after = "99h"
sleep = "suspend"
[monitor.work]
type = "process"
program = "nothing-of-this-name"
[off]
warn = "0s"
"""
THROUGH = ["kernel", "logind"]
NIGHT = """
[schedule.night]
type = "windows"
off = "daily 22:00-06:00 UTC"
"""


def weekend(through: str, more: str = "") -> Config:
    """Up on working days; it sleeps when somebody says so."""
    return config(OFFICE + more, LADDER.format(through=through))


class Machine:
    """One world, and how to live in it."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tmp_path, self.patch = tmp_path, monkeypatch
        self.state = tmp_path / "state"

    def live(self, claim: Callable[[World, Path], Coroutine[Any, Any, None]], **machine: Any) -> None:
        """In a world that begins at noon."""
        kernel = sleeper(self.tmp_path / "machine", **machine)
        kernel.put(SLEEPING, "freeze mem")  # no hibernation, from which coming back might take longer
        world = World(kernel, NOON)
        enter_world(self.patch, world)
        live(world, claim(world, self.state))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that can sleep."""
    return Machine(tmp_path, monkeypatch)


async def begun(world: World, state: Path, conf: Config) -> Life:
    """A daemon that has asked its schedules."""
    life = Life(world, state, conf)
    await asyncio.sleep(1)
    await life.settled()
    return life


async def others_suspend(life: Life) -> None:
    """Whichever way there is."""
    if life.node.night.manager is None:
        life.world.kernel.write(SLEEPING, "mem")
    else:
        await life.login.order("sleep")


async def admin_suspends(life: Life) -> None:
    """By `powernap nap suspend`; back when it is over."""
    sleeps = life.kinds().count("sleep")
    life.node.feed(NapAsked(life.world.boottime(), "ada", "suspend"))
    await until(lambda: life.kinds().count("sleep") > sleeps and life.free, 60)


async def up_at(life: Life, wall: float) -> None:
    """At that instant of the wall clock it is up, and was woken shortly before by its alarm."""
    world = life.world
    said = [entry for entry in life.said() if entry["event"] == "resumed"]
    assert said, life.said()
    by = said[-1]["detail"].partition(", ")[2]  # nothing where nobody told before that a sleep would come
    assert by in {"", "woken by the clock's alarm (rtc0)"}, life.said()
    assert wall - DEFAULT["suspend"] - 2 <= said[-1]["time"] <= wall
    await world.at(wall - world.ahead)
    assert abs(world.wall() - wall) < 1
    assert life.free
    assert "schedule-missed" not in life.kinds()


def the_one(life: Life, kind: str) -> str:
    """The detail of the one entry of a kind."""
    (found,) = [entry for entry in life.said() if entry["event"] == kind]
    return str(found.get("detail", ""))


async def ends_soundly(life: Life) -> None:
    """To its end, and nothing else went wrong."""
    assert {"defect", "unalarmed", "unguarded", "schedule-failed", "sleep-failed"}.isdisjoint(life.kinds()), (
        life.said()
    )
    await life.end()


# ------------------------------------------------------------ the clock


@pytest.mark.parametrize("through", THROUGH)
@pytest.mark.parametrize("hours", [5, -5, 14 * 24, -28 * 24, 0.5])
def test_the_clock_is_set_while_it_is_awake(machine: Machine, hours: float, through: str) -> None:
    """The need moves with it, and the alarm, which is in the hardware clock's time; the history says by how much."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend(through))
        world.set_clock(hours * HOUR)
        await life.settled()
        said = the_one(life, "clock-set")
        assert said.endswith("ahead" if hours > 0 else "back")
        agenda = life.node.agenda
        assert agenda is not None
        need = agenda.need()
        assert need is not None
        assert f"{datetime.fromtimestamp(need.at, UTC):%a %H:%M}" == "Mon 07:30"
        at = need.at
        if through == "kernel":
            assert alarm(world.kernel) == at - DEFAULT["suspend"] - world.ahead
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, at)
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize("through", THROUGH)
def test_the_clock_is_set_there_and_back(machine: Machine, through: str) -> None:
    """It is as if it had never been set."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend(through))
        for by in (7 * HOUR, -7 * HOUR):
            world.set_clock(by)
            await life.settled()
        assert [entry["detail"] for entry in life.said() if entry["event"] == "clock-set"] == [
            "7h ahead",
            "7h back",
        ]
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize("zone", [3600, -5 * 3600, 90])
def test_a_hardware_clock_in_local_time_or_a_wrong_one(machine: Machine, zone: int) -> None:
    """The alarm is in its time, whatever that is; also when the system's clock is set."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend("kernel"))
        assert alarm(world.kernel) == MONDAY - DEFAULT["suspend"]
        world.set_clock(-3 * HOUR)
        await life.settled()
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim, zone=zone)


def test_a_clock_set_beyond_the_need_is_told_and_the_machine_is_up(machine: Machine) -> None:
    """Nobody was late: the time came by itself."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend("kernel"))
        world.set_clock(MONDAY - NOON + HOUR)
        await life.settled()
        assert [each.name for each in life.node.blockers() if each.kind == "window"] == ["office"]
        assert "schedule-missed" not in life.kinds()
        await life.end()

    machine.live(claim)


# ------------------------------------------------------------ the daemon, and the machine


@pytest.mark.parametrize("through", THROUGH)
def test_the_daemon_is_restarted(machine: Machine, through: str) -> None:
    """What an admin has extended holds, and so does the alarm; in between no alarm is left behind."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend(through))
        assert life.node.agenda is not None
        sunday = instant("2035-01-07 10:00")
        life.node.agenda.extend(sunday, sunday + HOUR, "release", "ada")
        await life.settled()
        await life.end()
        assert alarm(world.kernel) is None
        life = await begun(world, state, weekend(through))
        assert "ada" in the_one(life, "schedule-extended")
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, sunday)
        assert [each.name for each in life.node.blockers() if each.kind == "window"] == ["extended"]
        await world.at(sunday + 2 * HOUR)
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize(("through", "systemd"), [("kernel", True), ("kernel", False), ("logind", True)])
def test_the_machine_is_off_and_its_alarm_switches_it_on(
    machine: Machine, through: str, systemd: bool
) -> None:
    """In time; what was skipped stays skipped, the record of the alarm is read once, and how long it took is learned."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend(through, NIGHT))
        world.systemd = systemd
        assert life.node.agenda is not None
        life.node.agenda.skip("night", instant("2035-01-07 20:00"), MONDAY, "ada")
        await asyncio.wait_for(world.down.wait(), 2 * 24 * HOUR)
        assert instant("2035-01-06 22:00") <= world.wall() < instant("2035-01-06 22:10")
        await life.end()
        assert alarm(world.kernel) == instant("2035-01-07 06:00") - DEFAULT["boot"]
        assert json.loads((state / "set-alarm.json").read_text())["at"] == alarm(world.kernel)
        world.off_and_on()
        life = await begun(world, state, weekend(through, NIGHT))
        assert world.wall() < instant("2035-01-07 06:00")
        assert not (state / "set-alarm.json").exists()
        assert json.loads((state / "lead-times.json").read_text())["boot"]
        await world.at(MONDAY)
        assert world.boots == 2
        assert life.free
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize("through", THROUGH)
def test_somebody_switches_it_on_before_its_alarm_rings(machine: Machine, through: str) -> None:
    """The alarm is still set then, known for ours, and moved: to what is needed next. How long booting takes is not learned from that."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend(through, NIGHT))
        await asyncio.wait_for(world.down.wait(), 2 * 24 * HOUR)
        await life.end()
        world.boot(instant("2035-01-06 23:00"))
        life = await begun(world, state, weekend(through))
        assert not (state / "lead-times.json").exists()
        # With a login manager it is set when a sleep is coming.
        assert alarm(world.kernel) == (MONDAY - DEFAULT["suspend"] if through == "kernel" else None)
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)
        assert alarm(world.kernel) is None

    machine.live(claim)


def test_a_reboot_keeps_nothing_that_is_over(machine: Machine) -> None:
    """The alarm of an earlier life that rang while the machine was up teaches nothing."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend("kernel", NIGHT))
        await asyncio.wait_for(world.down.wait(), 2 * 24 * HOUR)
        await life.end()
        world.kernel.put(ALARM, "")
        world.boot(instant("2035-01-07 12:00") - FIRMWARE)
        life = await begun(world, state, weekend("kernel"))
        assert not (state / "lead-times.json").exists()
        await life.end()

    machine.live(claim)


# ------------------------------------------------------------ the alarm


THEIRS = {"cleared": None, "later": MONDAY + 3 * HOUR}


@pytest.mark.parametrize("theirs", THEIRS)
@pytest.mark.parametrize("through", THROUGH)
def test_the_alarm_is_stolen_before_our_own_sleep(machine: Machine, through: str, theirs: str) -> None:
    """It is set again right before; a later one of the thief's is put back once ours has rung."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend(through))
        steal(world.kernel, THEIRS[theirs])
        await asyncio.sleep(600)
        await admin_suspends(life)
        await up_at(life, MONDAY)
        await asyncio.sleep(60)
        if theirs == "later":
            assert alarm(world.kernel) == THEIRS[theirs]
        if through == "kernel":
            assert "rtc0" in the_one(life, "alarm-taken")
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize("theirs", THEIRS)
def test_the_alarm_is_stolen_before_others_sleep_through_the_login_manager(
    machine: Machine, theirs: str
) -> None:
    """It is set while they wait for our lock."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend("logind"))
        steal(world.kernel, THEIRS[theirs])
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        if theirs == "later":
            assert alarm(world.kernel) == THEIRS[theirs]
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize("theirs", THEIRS)
def test_the_alarm_is_stolen_where_nobody_tells_of_others_sleep(machine: Machine, theirs: str) -> None:
    """At the next look it is set again, and told."""

    async def claim(world: World, state: Path) -> None:
        life = await begun(world, state, weekend("kernel"))
        steal(world.kernel, THEIRS[theirs])
        assert life.node.agenda is not None
        life.node.agenda.look()
        await life.settled()
        assert "rtc0" in the_one(life, "alarm-taken")
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize("through", THROUGH)
@pytest.mark.parametrize("begin", [others_suspend, admin_suspends])
def test_somebodys_earlier_alarm_is_left_and_ours_set_after_it(
    machine: Machine, begin: Callable[[Life], Coroutine[Any, Any, None]], through: str
) -> None:
    """As `rtcwake -m no` sets it. It wakes the machine, and the next sleep has ours."""

    async def claim(world: World, state: Path) -> None:
        sunday = instant("2035-01-07 02:00")
        steal(world.kernel, sunday)
        life = await begun(world, state, weekend(through))
        assert alarm(world.kernel) == sunday
        await asyncio.sleep(200)
        await begin(life)
        await asyncio.sleep(0.1)
        assert sunday <= world.true < sunday + 60
        await asyncio.sleep(600)
        await begin(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim)


def test_somebodys_earlier_alarm_rings_while_the_machine_is_awake(machine: Machine) -> None:
    """Then the clock holds none; where nobody tells of others' sleep, ours is set at once."""

    async def claim(world: World, state: Path) -> None:
        sunday = instant("2035-01-07 02:00")
        steal(world.kernel, sunday)
        life = await begun(world, state, weekend("kernel"))
        await world.at(sunday + 600)
        assert alarm(world.kernel) == MONDAY - DEFAULT["suspend"]
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim)


@pytest.mark.parametrize("through", THROUGH)
@pytest.mark.parametrize("begin", [others_suspend, admin_suspends])
def test_a_clock_that_reaches_a_day_only(
    machine: Machine, begin: Callable[[Life], Coroutine[Any, Any, None]], through: str
) -> None:
    """It rings then, and is set again."""

    async def claim(world: World, state: Path) -> None:
        world.kernel.put(f"{STATE}/reach", "86400")
        life = await begun(world, state, weekend(through))
        while world.wall() < MONDAY - HOUR:
            await asyncio.sleep(300)
            await begin(life)
            await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim)


def test_a_clock_that_reaches_a_day_only_and_a_machine_that_is_awake_meanwhile(machine: Machine) -> None:
    """The chain goes on."""

    async def claim(world: World, state: Path) -> None:
        world.kernel.put(f"{STATE}/reach", "86400")
        life = await begun(world, state, weekend("kernel"))
        await world.at(NOON + 30 * HOUR)
        await others_suspend(life)
        await asyncio.sleep(0.1)
        await up_at(life, MONDAY)
        await ends_soundly(life)

    machine.live(claim)
