"""A whole node in faked time that is to go off each night: users are told, postpone it, are told so, told anew, and it goes off. Twice in a row."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agendas import DAY, config, instant
from fakekernel import acpi_server
from fakesleep import add_sleep
from faketime import Life, World, enter_world, live
from powernap.daemon.control import Client, Peer
from powernap.daemon.requests import Requests
from powernap.daemon.telling import WAYS, Telling
from powernap.daemon.telling_words import Said
from powernap.host.host import Host

LADDER = """
mode = "act"
[sleep]
proof = "override"
through = "kernel"
[[stage]]
name = "ease"
after = "5min"
actions = ["kernel-quiet"]
[monitor.work]
type = "process"
program = "nothing-of-this-name"
[off]
in_use = "off"
[schedule.night]
type = "windows"
off = "daily 22:00-06:00 UTC"
"""
TEN, MINUTE = instant("2035-01-01 22:00"), 60.0
ANN = Peer(7, 33, 33, may_act=False)


class Users:
    """What they are told, and when; ``life`` is the daemon's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard: list[tuple[str, str, str]] = []

    async def way(self, _host: Host, said: Said, _kept: dict[str, Any]) -> None:
        """A terminal."""
        now = datetime.fromtimestamp(self.world.wall(), UTC)
        self.heard.append((f"{now:%H:%M}", said.event, said.coming.shown))

    def of(self, life: Life) -> Life:
        """They are told by it."""
        ways = dict.fromkeys(WAYS, self.way)
        life.node.telling = Telling(life.node, ways)
        life.node.telling.ways = ("terminals",)
        return life


async def off_or(world: World, at: float) -> bool:
    """Until then, or until the machine is being switched off."""
    tasks = [asyncio.ensure_future(world.at(at)), asyncio.ensure_future(world.down.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    tasks[1].cancel()
    return world.down.is_set()


async def night(life: Life, users: Users, number: int) -> None:
    """Somebody postpones it five minutes before it comes."""
    ten = TEN + number * DAY
    users.heard.clear()
    assert not await off_or(users.world, ten - 5 * MINUTE)
    visitor = Client(None, ANN)  # type: ignore[arg-type]
    done = Requests(life.node, list).answer(visitor, {"op": "postpone", "for_s": 1800})
    assert done is not None
    assert (done["was"], done["until"]) == (ten, ten + 1800.0)
    assert await off_or(users.world, ten + 60 * MINUTE)
    await asyncio.sleep(0.2)
    await life.end()
    assert users.world.wall() == pytest.approx(ten + 40 * MINUTE, abs=1.0)
    # Of the night before nothing counts any more, and nobody is told that a machine stays awake that goes off.
    assert users.heard == [
        ("21:50", "warn", "22:00"),
        ("21:55", "unwarn", "22:00"),
        ("22:30", "warn", "22:40"),
        ("22:39", "warn", "22:40"),
        ("22:40", "over", "22:40"),
    ]


def test_warned_postponed_warned_anew_and_off_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``in_use = "off"``; between the nights the machine is off, until its alarm rings."""
    kernel = acpi_server(tmp_path / "root")
    add_sleep(kernel)
    kernel.add("/run/systemd/users/33", "STATE=active\nSESSIONS=1\n")
    kernel.add("/run/systemd/sessions/1", "CLASS=user\n")
    world = World(kernel, instant("2035-01-01 20:00"))
    enter_world(monkeypatch, world)
    told = config('[warn]\nby = ["terminals"]\n', LADDER)
    users = Users(world)

    async def work() -> None:
        for number in range(2):
            await night(users.of(Life(world, tmp_path / "state", told)), users, number)
            world.off_and_on()

    live(world, work())
