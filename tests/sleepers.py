"""Machines that are off until they are woken, in virtual time, and the roster that keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from powernap.config.hosts import build
from powernap.config.inventory import HostConfig, Inventory
from powernap.host.availability import available
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.reach import SILENT, UP, Answer
from powernap.wakeproxy.gate import Gate
from powernap.wakeproxy.roster import Roster
from powernap.wakeproxy.waking import Means
from powernap.wakers import Context
from virtual_time import Clock, run

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = 'type = "windows"\nup = "Mon-Fri 07:30-18:00 Europe/Berlin"\n'
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def berlin(text: str) -> float:
    """A time of a clock in Berlin, in seconds since the epoch."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def host(name: str, schedule: str = OFFICE, more: str = 'boot = "3min"\n', methods: int = 1) -> str:
    """A section of the inventory."""
    method = f'[[host.{name}.wake]]\ntype = "magic-packet"\nmac = "52:54:{crc32(name.encode()):08x}"\n'
    planned = f"[host.{name}.schedule.office]\n{schedule}" if schedule else ""
    return f'[host.{name}]\naddress = "{name}"\n{more}{method * methods}{planned}'


def inventory(*texts: str) -> Inventory:
    """Without faults."""
    return build([("test.toml", "".join(texts))])


@dataclass
class Machine:
    """One of them.

    :ivar boots: seconds from the packet that it hears until it is there; ``None``: it never comes. :ivar deaf: so many packets are lost.
    :ivar woken: when packets came, by the wall clock. :ivar up_since: ``None`` while it is off.
    """

    boots: float | None = 60.0
    deaf: int = 0
    woken: list[float] = field(default_factory=list)
    up_since: float | None = None

    def up(self, now: float) -> bool:
        return self.up_since is not None and now >= self.up_since


@dataclass
class World:
    """All of it. :ivar said: kind, machine and words."""

    clock: Clock
    machines: dict[str, Machine]
    roster: Any = None
    said: list[tuple[str, str, str]] = field(default_factory=list)
    trouble: Exception | None = None
    looks: int = 0

    def kinds(self, name: str = "") -> list[str]:
        """What was said, in order; of one machine."""
        return [what for what, host, _ in self.said if name in ("", host)]

    def words(self, what: str) -> list[str]:
        """All of one kind."""
        return [text for kind, _, text in self.said if kind == what]

    async def until(self, text: str) -> None:
        """Wait for a time in Berlin."""
        await asyncio.sleep(max(0.0, berlin(text) - self.clock.wall()))

    # ------------------------------------------------------------ what the roster is given

    def say(self, what: str, host: str = "", detail: str = "", remedy: str = "") -> None:
        self.said.append((what, host, f"{detail}; {remedy}" if remedy else detail))

    async def look(self, host: HostConfig, limit: float) -> Answer:
        self.looks += 1
        if not self.machines[host.name].up(self.clock.wall()):
            await asyncio.sleep(limit)
        if self.machines[host.name].up(self.clock.wall()):
            return Answer(UP, "it answers")
        return Answer(SILENT, "it does not answer")

    def find(self, kind: str) -> Any:
        remedy = f"look at its card ({kind})"
        return SimpleNamespace(REPEAT=True, REMEDY=remedy, wake=self.wake, probe=lambda *_: available(""))

    def wake(self, context: Context, _options: Any) -> str:
        if self.trouble is not None:
            raise self.trouble
        machine, now = self.machines[context.name], self.clock.wall()
        machine.woken.append(now)
        if len(machine.woken) > machine.deaf and machine.boots is not None and machine.up_since is None:
            machine.up_since = now + machine.boots
        return "through eth0"

    @contextmanager
    def keeping(self, found: Inventory, state: str = "") -> Iterator[Roster]:
        """A powerwaked that runs for as long."""
        gate = Gate(found.together.at_once, found.together.apart)
        files = TreeFiles("/nonexistent" if not state else "")
        means = Means(Host(files, self.clock), gate, self.find, self.look)
        roster = self.roster = Roster(found, state, means, self.say, timer=self.clock.timer)
        roster.look()
        try:
            yield roster
        finally:
            roster.close()


Claim = Callable[[World], Coroutine[Any, Any, None]]


def world(at: str, **machines: Machine) -> Callable[[Claim], Callable[[], None]]:
    """Decorates a coroutine as a test, from a time in Berlin on."""

    def decorate(test: Claim) -> Callable[[], None]:
        def claim() -> None:
            async def work() -> None:
                fresh = {name: replace(each, woken=[]) for name, each in machines.items()}
                await test(World(Clock(berlin(at)), fresh))

            run(work())

        claim.__doc__ = test.__doc__
        return claim

    return decorate
