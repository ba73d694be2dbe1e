"""All machines of the inventory kept: one timer for all of them, files watched, and no more started at once than may be.

Nothing polls. It wakes up when a machine is to be woken, when a schedule is to be asked again, when somebody sets the clock, and when a file that a
schedule reads changes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from powernap.core.units import show_duration
from powernap.daemon.asides import Asides
from powernap.daemon.leads import Leads
from powernap.daemon.settling import Settling
from powernap.daemon.upkeep import Upkeep
from powernap.daemon.watched_files import WatchedFiles
from powernap.host.wall_timer import WallTimer
from powernap.wakeproxy.gate import spread
from powernap.wakeproxy.keeper import TOLD, Keeper, Say

if TYPE_CHECKING:
    from powernap.config.inventory import HostConfig, Inventory
    from powernap.config.model import ScheduleConfig
    from powernap.wakeproxy.waking import Means

TOGETHER = 0.05
"""Seconds in which several machines may have answered before it is planned anew, for all of them."""
ASKED_TOGETHER, THREADS = 8, 48
"""Schedules asked at the same time, and threads with those that hang (on a server that is gone); as many machines have their turn."""


class Timer(Protocol):
    """``WallTimer``, or a test's."""

    def set(self, at: float | None) -> None:
        """Come then."""
        ...

    def close(self) -> None:
        """Come no more."""
        ...


class Roster:
    """Made in a running loop.

    :param state: the directory for what is learned; empty: it is forgotten. :param told: called when the facts may be others.
    """

    def __init__(
        self,
        inventory: Inventory,
        state: str,
        means: Means,
        say: Say,
        told: Callable[[], None] = lambda: None,
        timer: Callable[[Callable[[], None]], Timer] = WallTimer,
    ) -> None:
        self.inventory, self.state, self.means, self.say, self.told = inventory, state, means, say, told
        self.loop = asyncio.get_running_loop()
        self.clock = means.machine.clock
        self.keepers: dict[str, Keeper] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.asked, self.asides = asyncio.Semaphore(ASKED_TOGETHER), Asides(ASKED_TOGETHER, THREADS)
        self.queued: set[Keeper] = set()
        self.offset = self._offset()
        self.settling = Settling(self.look)
        self.planning: asyncio.TimerHandle | None = None
        self.telling: asyncio.TimerHandle | None = None
        self.pause = 0.0
        self.unwatched = ""
        self.closed = False
        self.timer = timer(self._came)
        self.watched = WatchedFiles(self.settling.touched)
        self.upkeep = Upkeep(means.machine, (), self.settling.touched)
        self.take(inventory)

    def take(self, inventory: Inventory) -> None:
        """Keep these machines from now on; what is known of those that are the same is kept."""
        before, self.inventory = self.keepers, inventory
        self.means.gate.set(inventory.together.at_once, inventory.together.apart)
        self.keepers = {
            name: before.pop(name)
            if name in before and before[name].config == each
            else Keeper(
                each, self._leads(name), self.means, self.say, self._changed, self.watched.place, self.asides
            )
            for name, each in inventory.hosts.items()
        }
        for each in before.values():
            each.close()
        self.upkeep.close()
        self.upkeep = Upkeep(self.means.machine, _distinct(inventory.hosts.values()), self.settling.touched)

    def _leads(self, name: str) -> Leads:
        path = os.path.join(self.state, "lead-times", f"{name}.json") if self.state else ""
        return Leads(self.means.machine.files, path)

    def _offset(self) -> float:
        return self.clock.wall() - self.clock.boottime()

    # ------------------------------------------------------------ looking

    def look(self) -> None:
        """Ask all schedules again."""
        if not self.closed:
            self.watched.begin()
            self._ask(self.keepers.values())

    def _ask(self, keepers: Iterable[Keeper]) -> None:
        for each in list(keepers):
            each.ask_at = inf  # until they have answered
            if each not in self.queued:  # it has not had its turn yet
                self.queued.add(each)
                self._do(self._asked(each))
        self._plan()

    async def _asked(self, keeper: Keeper) -> None:
        try:
            async with self.asked:
                self.queued.discard(keeper)
                if not keeper.asking.closed:
                    await keeper.ask()
            self._learned(keeper)
        except Exception as error:
            self.say("defect", keeper.name, f"{type(error).__name__}: {error}")
        self._changed()

    def _do(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.say("defect", detail=f"{type(error).__name__}: {error}")

    def _came(self) -> None:
        """It is time for something, or the clock was set."""
        step, now = self._offset() - self.offset, self.clock.wall()
        self.offset += step
        if abs(step) >= TOLD:
            self.say("clock-set", detail=f"{show_duration(round(abs(step)))} {'ahead' if step > 0 else 'back'}")  # fmt: skip
            for each in self.keepers.values():
                each.forget()
                each.conclude()
            self.look()
            return
        due = [each for each in self.keepers.values() if each.look_at(now) <= now]
        for each in due:
            each.conclude()
            self._do(each.look_off())
        self._ask(each for each in due if each.ask_at <= now)

    def _changed(self) -> None:
        """Something else may be next."""
        if self.planning is None and not self.closed:
            self.planning = self.loop.call_later(TOGETHER, self._planned)

    def _planned(self) -> None:
        self.planning = None
        self._plan()
        if self.telling is None:
            self.telling = self.loop.call_later(self.pause, self._tell)

    def _tell(self) -> None:
        """Takes a tenth of the time at most: the facts of a thousand machines take 50 ms."""
        self.telling, began = None, self.loop.time()
        self.told()
        self.pause = 10 * (self.loop.time() - began)

    def _plan(self) -> None:
        """Begin what is due, and come back for the next."""
        now, together = self.clock.wall(), self.inventory.together
        latest = {name: at for name, each in self.keepers.items() if (at := each.begin_at(now)) is not None}
        begins = spread(latest, together.at_once, together.apart)
        for name, at in begins.items():
            if at <= now:
                self.keepers[name].begin()
        rest = [at for at in begins.values() if at > now]
        looks = [each.look_at(now) for each in self.keepers.values()]
        soonest = min((*rest, *looks, self.upkeep.mind(now)))
        self.timer.set(soonest if soonest < inf else None)

    # ------------------------------------------------------------ files

    def _learned(self, keeper: Keeper) -> None:
        """Its schedules have told when their copies are to be renewed, and whether their files are watched."""
        due = {f"{keeper.name}/{schedule}": at for schedule, at in keeper.asking.due.items()}
        self.upkeep.expect({**self.upkeep.due, **due})
        trouble = next(filter(None, keeper.asking.unwatched.values()), "")
        if trouble and trouble != self.unwatched:
            self.say("defect", detail=f"changes of the schedules' files are not noticed: {trouble}")
        self.unwatched = trouble

    # ------------------------------------------------------------ told

    def facts(self) -> dict[str, Any]:
        """For the status document."""
        return {name: each.facts() for name, each in self.keepers.items()}

    def close(self) -> None:
        """The end, once."""
        self.closed = True
        self.timer.close()
        self.watched.close()
        self.upkeep.close()
        self.settling.close()
        for handle in (self.planning, self.telling):
            if handle is not None:
                handle.cancel()
        for task in self.tasks:
            task.cancel()
        for each in self.keepers.values():
            each.close()


def _distinct(hosts: Iterable[HostConfig]) -> list[ScheduleConfig]:
    """Each source once, under a name of its own: a calendar that fifty machines follow is fetched once."""
    found = {
        (each.type, each.options): dataclasses.replace(each, name=f"{host.name}/{name}")
        for host in hosts
        for name, each in host.schedules.items()
    }
    return list(found.values())
