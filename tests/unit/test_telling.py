"""daemon/telling.py: all ways at once and aside, each in turn, a failure told once, nothing left behind."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from keeper import Fake, Keeper, config, kept, until
from powernap.config.model import Off, ScheduleConfig, Stage, Warn
from powernap.core import commands as ask
from powernap.daemon.performing import perform_all
from powernap.daemon.telling import WAYS, Telling
from powernap.daemon.telling_ways import TellingError
from powernap.daemon.telling_words import Said
from powernap.host.host import Host
from powernap.schedules import windows
from powernap.sleep.failure import SleepError

SUSPEND = Stage("bed", 3600.0, 30.0, (), "suspend")
PLAIN = config("work", stages=(SUSPEND,))


class Ways:
    """Ways that note what they are told; ``fails`` by name, and what they wait for."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.said: list[Said] = []
        self.fails: dict[str, Exception] = {}
        self.waits: dict[str, Callable[[], Awaitable[object]]] = {}
        self.known = {name: self._way(name) for name in WAYS}

    def _way(self, name: str) -> Any:
        async def way(_host: Host, said: Said, _kept: dict[str, Any]) -> None:
            if name in self.waits:
                await self.waits[name]()
            self.heard.append((name, said.event))
            self.said.append(said)
            if name in self.fails:
                raise self.fails[name]

        return way

    def events(self, name: str) -> list[str]:
        """What one was told, in order."""
        return [event for way, event in self.heard if way == name]


def telling(keeper: Keeper, *by: str) -> tuple[Telling, Ways]:
    """Users are told in ways of ours from now on."""
    ways = Ways()
    set_warn(keeper, Warn(by=by or tuple(WAYS), command=("/bin/x",)))
    keeper.node.telling = Telling(keeper.node, ways.known)
    return keeper.node.telling, ways


def set_warn(keeper: Keeper, warn: Warn) -> None:
    """Another configuration."""
    keeper.node.config = dataclasses.replace(keeper.node.config, warn=warn)


def stands(tell: Telling) -> bool:
    """Something is announced."""
    return tell.stands is not None


def soon(keeper: Keeper, seconds: float = 30.0) -> float:
    return keeper.host.clock.boottime() + seconds


@kept(conf=PLAIN)
async def test_all_ways_are_told_and_told_again_that_it_does_not_come(keeper: Keeper) -> None:
    """Each once."""
    _, ways = telling(keeper)
    perform_all(keeper.node, [ask.Warn("bed", soon(keeper))])
    perform_all(keeper.node, [ask.Unwarn("bed")])
    await until(lambda: len(ways.heard) == 2 * len(WAYS))
    assert all(ways.events(name) == ["warn", "unwarn"] for name in WAYS)
    said = ways.said[0].coming
    assert (said.stage, said.sleep, said.schedule, said.key) == ("bed", "suspend", "", False)
    assert 29.0 < said.left <= 30.0


@kept(conf=PLAIN)
async def test_only_the_ways_that_are_configured(keeper: Keeper) -> None:
    """Also when the configuration is another one by the time it is taken back."""
    tell, ways = telling(keeper, "command")
    tell.warn("bed", soon(keeper))
    set_warn(keeper, Warn(by=("terminals",)))
    tell.unwarn()
    await until(lambda: len(ways.heard) == 2)
    assert ways.heard == [("command", "warn"), ("command", "unwarn")]
    assert tell.kept["command"] == {"command": ("/bin/x",)}


@kept(conf=PLAIN)
async def test_what_was_not_announced_is_not_taken_back(keeper: Keeper) -> None:
    """Nobody is told twice that nothing comes."""
    tell, ways = telling(keeper, "terminals")
    tell.unwarn()
    tell.warn("bed", soon(keeper))
    tell.unwarn()
    tell.unwarn()
    await until(lambda: len(ways.heard) >= 2)
    await asyncio.sleep(0)
    assert ways.events("terminals") == ["warn", "unwarn"]


@kept(conf=PLAIN)
async def test_a_way_that_hangs_holds_up_nothing_but_itself(keeper: Keeper) -> None:
    """The others are told and told back; what it is told next waits its turn."""
    tell, ways = telling(keeper, "desktop", "terminals")
    hangs = asyncio.Event()
    ways.waits["desktop"] = hangs.wait
    tell.warn("bed", soon(keeper))
    tell.unwarn()
    await until(lambda: ways.events("terminals") == ["warn", "unwarn"])
    assert ways.events("desktop") == []
    hangs.set()
    await until(lambda: len(ways.events("desktop")) == 2)
    assert ways.events("desktop") == ["warn", "unwarn"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TellingError("user 7: no"), "user 7: no"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (TimeoutError(), "not done within 40 s"),
        (ValueError("odd\x1b"), "ValueError"),
    ],
)
def test_a_failure_is_told_once_until_it_works_again(error: Exception, said: str) -> None:
    """In the history, by its way; the others are none the wiser."""

    @kept(conf=PLAIN)
    async def claim(keeper: Keeper) -> None:
        tell, ways = telling(keeper, "command", "terminals")
        for broken in (True, True, False, True):
            ways.fails = {"command": error} if broken else {}
            count = len(ways.heard)
            tell.warn("bed", soon(keeper))
            await until(lambda count=count: len(ways.heard) == count + 2)  # type: ignore[misc]
            await asyncio.sleep(0)
        told = keeper.said("warn-failed")
        assert len(told) == 2
        assert told[0]["detail"].startswith(f"command: {said}")
        assert told[0]["detail"].isprintable()
        assert len(ways.events("terminals")) == 4

    claim()


@kept(conf=PLAIN)
async def test_it_is_said_again_when_a_tenth_is_left(keeper: Keeper) -> None:
    """At least a minute before; of what comes sooner than two minutes not at all."""
    tell, _ = telling(keeper, "terminals")
    clock, loop = keeper.host.clock, keeper.node.loop
    for seconds, before in ((600.0, 60.0), (3600.0, 360.0), (121.0, 60.0), (119.0, None), (30.0, None)):
        tell.warn("bed", clock.boottime() + seconds)
        if before is None:
            assert tell.timer is None
        else:
            assert tell.timer is not None
            assert tell.timer.when() - loop.time() == pytest.approx(seconds - before, abs=0.5)
    tell.warn("bed", clock.boottime() + 600.0)
    tell.unwarn()
    assert tell.timer is None


@kept(conf=PLAIN)
async def test_it_is_not_said_again_of_what_came_or_of_what_is_late(keeper: Keeper) -> None:
    """A sleep of somebody else's may have lain between."""
    tell, ways = telling(keeper, "terminals")
    tell.warn("bed", soon(keeper, 600.0))
    tell._again()
    await until(lambda: len(ways.heard) == 2)
    tell.warn("bed", soon(keeper, -1.0))
    tell._again()
    tell.warn("bed", soon(keeper, 600.0))
    tell.came()
    assert tell.timer is None
    await until(lambda: len(ways.heard) == 4)
    assert ways.said[-1].coming.left > 0 == ways.said[2].coming.left


@kept(conf=PLAIN)
async def test_what_came_is_over_with_the_next_way_back(keeper: Keeper) -> None:
    """Not with a way back before: users who were told of off stay told of it."""
    tell, ways = telling(keeper, "desktop")
    tell.warn("bed", soon(keeper))
    perform_all(keeper.node, [ask.Restore(7)])
    assert stands(tell)
    perform_all(keeper.node, [ask.Apply(8, "bed", ())])
    perform_all(keeper.node, [ask.Restore(9)])
    assert not stands(tell)
    await until(lambda: len(ways.heard) == 2)
    assert ways.events("desktop") == ["warn", "over"]


@kept(conf=PLAIN)
async def test_the_end_of_the_daemon_is_the_end_of_what_stands(keeper: Keeper) -> None:
    """Everybody is told that it does not come, and why; nothing is left behind."""
    tell, ways = telling(keeper)
    tell.warn("bed", soon(keeper))
    await until(lambda: len(ways.heard) == len(WAYS))
    await keeper.end()
    assert sorted(ways.heard[len(WAYS) :]) == [(name, "unwarn") for name in sorted(WAYS)]
    assert ways.said[-1].because == "powernapd was stopped"


@pytest.mark.parametrize("going", ["entered", "system"])
def test_the_end_of_the_daemon_is_no_news_where_the_stage_came_or_the_system_ends(
    going: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that a machine stays awake that reboots; but nothing is left behind."""
    monkeypatch.setattr("powernap.host.going_down.going_off", lambda _: going == "system")

    @kept(conf=PLAIN)
    async def claim(keeper: Keeper) -> None:
        tell, ways = telling(keeper, "desktop")
        tell.warn("bed", soon(keeper))
        await until(lambda: ways.heard)
        if going == "entered":
            tell.came()
        await keeper.end()
        assert ways.heard == [("desktop", "warn"), ("desktop", "over")]

    claim()


@kept(conf=PLAIN)
async def test_what_was_just_taken_back_is_told_before_the_daemon_ends(keeper: Keeper) -> None:
    """It may take its time: a notification would stay, and logind's words."""
    tell, ways = telling(keeper, "desktop", "logind")
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await goes_on.wait()

    tell.warn("bed", soon(keeper))
    await until(lambda: len(ways.heard) == 2)
    ways.waits = {"desktop": slow, "logind": slow}
    tell.unwarn()
    await begun.wait()
    keeper.node.loop.call_soon(goes_on.set)
    await keeper.end()
    assert ways.events("desktop") == ways.events("logind") == ["warn", "unwarn"]


@kept(conf=config("work", stages=(dataclasses.replace(SUSPEND, sleep="power-off"),)))
async def test_a_machine_that_did_not_go_off_says_so(keeper: Keeper) -> None:
    """Whatever held it up: it was announced. Not one that was asked to: it goes on for a moment until it is off."""
    tell, ways = telling(keeper, "terminals")
    for going in (False, True):
        tell.warn("bed", soon(keeper))
        perform_all(keeper.node, [ask.Apply(8, "bed", ())])
        tell.going = going
        perform_all(keeper.node, [ask.Restore(9)])
    await until(lambda: len(ways.heard) == 4)
    assert ways.events("terminals") == ["warn", "unwarn", "warn", "over"]


@kept(conf=config("work", stages=(dataclasses.replace(SUSPEND, sleep="power-off"),)))
async def test_a_power_off_that_is_refused_did_not_come(keeper: Keeper) -> None:
    """It was asked for, by then."""
    tell, ways = telling(keeper, "terminals")

    async def refused() -> None:
        raise SleepError("no")

    keeper.night.sleeping = refused
    tell.warn("bed", soon(keeper))
    perform_all(keeper.node, [ask.Apply(8, "bed", ()), ask.Sleep(9, "power-off", (), by_hand=False)])
    assert tell.going
    await until(lambda: not keeper.node.tasks)
    perform_all(keeper.node, [ask.Restore(10)])
    await until(lambda: len(ways.heard) == 2)
    assert ways.events("terminals") == ["warn", "unwarn"]


@kept(conf=config("work", stages=(dataclasses.replace(SUSPEND, sleep="power-off"),)))
async def test_who_comes_while_it_is_asked_for_is_told_once_it_is_refused(keeper: Keeper) -> None:
    """Until then it may go off all the same."""
    tell, ways = telling(keeper, "terminals")
    somebody = asyncio.Event()

    async def refused() -> None:
        await somebody.wait()
        raise SleepError("somebody came", wanted=True)

    keeper.night.sleeping = refused
    tell.warn("bed", soon(keeper))
    perform_all(keeper.node, [ask.Apply(8, "bed", ()), ask.Sleep(9, "power-off", (), by_hand=False)])
    await until(lambda: "power-off" in keeper.night.did)
    perform_all(keeper.node, [ask.Restore(10)])
    await until(lambda: len(ways.heard) == 2)
    somebody.set()
    await until(lambda: len(ways.heard) == 3)
    assert ways.events("terminals") == ["warn", "over", "unwarn"]


@kept(conf=config("work", stages=(dataclasses.replace(SUSPEND, sleep="power-off"),)))
async def test_nobody_waits_for_that_while_the_machine_goes_off(keeper: Keeper) -> None:
    """As was announced: everything ends with it."""
    tell, ways = telling(keeper, "desktop")
    tell.warn("bed", soon(keeper))
    await until(lambda: ways.heard)
    tell.came()
    tell.going = True
    await keeper.end()
    assert ways.heard == [("desktop", "warn")]


@kept(conf=PLAIN)
async def test_what_hangs_at_the_end_is_left(keeper: Keeper) -> None:
    """After a moment, and without a word."""
    tell, ways = telling(keeper, "desktop", "logind")
    tell.warn("bed", soon(keeper))
    await until(lambda: len(ways.heard) == 2)
    ways.waits["desktop"] = asyncio.Event().wait
    ways.fails["logind"] = TellingError("gone")
    await tell.close(0.05)
    assert ways.events("logind") == ["warn", "unwarn"]
    assert keeper.said("warn-failed") == []


@kept(conf=config("work", stages=(SUSPEND,), mode="watch"))
async def test_while_only_watching_nobody_is_told(keeper: Keeper) -> None:
    """The history says what would have been."""
    perform_all(keeper.node, [ask.Warn("bed", soon(keeper)), ask.Unwarn("bed")])
    assert keeper.node.telling is None
    assert [1, 1] == [len(keeper.said("warned")), len(keeper.said("unwarned"))]


@kept(conf=PLAIN)
async def test_the_first_warning_loads_what_tells(keeper: Keeper) -> None:
    """By the configured ways, none of which this machine has."""
    perform_all(keeper.node, [ask.Warn("bed", soon(keeper)), ask.Unwarn("bed")])
    assert keeper.node.telling is not None
    await until(lambda: not any(lock.locked() for lock in keeper.node.telling.turns.values()))  # type: ignore[union-attr]
    await asyncio.sleep(0.01)
    assert [] == keeper.said("warn-failed")


# ------------------------------------------------------------ a schedule's off

ALWAYS = ScheduleConfig("night", "windows", windows.Options(off=("daily 00:00-24:00 UTC",)))


def night(in_use: str, postpone: float = 3600.0) -> Any:
    plain = config("work", stages=(), settings={"min_awake": 0.0})
    monitors = {"input": dataclasses.replace(plain.monitors["work"], name="input", type="input")}
    off = Off(warn=600.0, quiet=0.0, in_use=in_use, postpone=postpone)
    return dataclasses.replace(plain, monitors=monitors, schedules={"night": ALWAYS}, off=off)


@pytest.mark.parametrize(("in_use", "key"), [("wait", True), ("off", False)])
def test_an_off_names_its_schedule_and_what_postpones_it(in_use: str, key: bool) -> None:
    """A key only where it waits for who uses it; the command as long as users may."""

    @kept({"input": Fake()}, night(in_use))
    async def claim(keeper: Keeper) -> None:
        tell, ways = telling(keeper, "terminals")
        assert keeper.node.agenda is not None
        await until(lambda: keeper.node.state.evidence.plan.off is not None)
        tell.warn("scheduled-off", soon(keeper, 600.0))
        await until(lambda: ways.said)
        coming = ways.said[0].coming
        assert (coming.schedule, coming.sleep, coming.key) == ("night", "power-off", key)
        assert coming.postpone == 14400.0
        assert coming.at == pytest.approx(keeper.host.clock.wall() + 600.0, abs=5)

    claim()


@kept({"input": Fake()}, night("off"))
async def test_who_keeps_it_up_is_told(keeper: Keeper) -> None:
    """An admin, or whoever postponed it; the one whose exception lasts longest."""
    _, ways = telling(keeper, "terminals")
    agenda, now = keeper.node.agenda, keeper.host.clock.wall()
    assert agenda is not None
    await until(lambda: ways.events("terminals") == ["warn"])
    agenda.extend(now - 1.0, now + 1800.0, "release", "root")
    await until(lambda: ways.events("terminals") == ["warn", "unwarn"])
    assert ways.said[1].because.startswith("root keeps it up until ")
    assert ways.said[1].because.endswith(" (release)")


@kept({"input": Fake()}, night("off"))
async def test_who_kept_it_up_until_then_does_not_keep_it_up_now(keeper: Keeper) -> None:
    """What was announced for the end of an exception, and is taken back by a key, is not that exception's doing."""
    tell, ways = telling(keeper, "terminals")
    agenda, now = keeper.node.agenda, keeper.host.clock.wall()
    assert agenda is not None
    await until(lambda: ways.events("terminals") == ["warn"])
    agenda.extend(now - 1.0, now + 1800.0, "", "root")
    await until(lambda: ways.events("terminals") == ["warn", "unwarn"])
    tell.warn("scheduled-off", soon(keeper, agenda.exceptions.extended[0].end - now))
    tell.unwarn()
    await until(lambda: len(ways.said) == 4)
    assert [bool(each.because) for each in ways.said] == [False, True, False, False]
