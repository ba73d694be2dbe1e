"""Schedules that keep a copy of something far away: it is renewed when that is due, in a thread, one at a time.

Does not own when: that is told by whoever asks the schedules, since a look at the original may take as long as reading it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from powernap.daemon import timetables
from powernap.daemon.asides import Asides, CrowdedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from powernap.config.model import ScheduleConfig
    from powernap.host.host import Host

LONGEST = 330.0
"""Seconds after which the next one has its turn: to read a calendar twice takes at most 310."""
THREADS = 3
"""With those that hang, on a server that is gone."""


class Upkeep:
    """Made in a running loop. :param renewed: called after each attempt, also one that failed: who is asked now says so.

    :ivar due: when each is to be renewed, in seconds since the epoch.
    """

    def __init__(self, host: Host, schedules: Iterable[ScheduleConfig], renewed: Callable[[], None]) -> None:
        self.host, self.renewed = host, renewed
        self.due: dict[str, float] = {}
        self.under_way: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.asides = Asides(1, THREADS)
        self.closed = False
        self.kept = {each.name: (module, each.options) for each in schedules if (module := _keeps(each))}

    def expect(self, due: Mapping[str, float]) -> None:
        """What the schedules have said of it now."""
        self.due = {name: at for name, at in due.items() if name in self.kept}

    def mind(self, wall: float) -> float:
        """Begin what is due now; when the next one is, in seconds since the epoch."""
        if self.closed:
            return inf
        waiting = {name: at for name, at in self.due.items() if name not in self.under_way}
        for name, at in waiting.items():
            if at <= wall:
                del self.due[name]  # when it is due next, it says when it is asked after this
                self._renew(name)
        return min((max(at, wall + 1.0) for at in waiting.values() if at > wall), default=inf)

    def _renew(self, name: str) -> None:
        self.under_way.add(name)
        task = asyncio.get_running_loop().create_task(self._renewing(name))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _renewing(self, name: str) -> None:
        module, options = self.kept[name]
        try:
            renewing = await self.asides.do(
                lambda: module.refresh(self.host, options), f"renew-{name}", LONGEST
            )
        except CrowdedError:
            self.under_way.discard(name)  # asked again, it is due again
            return
        renewing.add_done_callback(lambda _: self._renewed(name))

    def _renewed(self, name: str) -> None:
        self.under_way.discard(name)
        if not self.closed:
            self.renewed()

    def close(self) -> None:
        """Who is done now is not heard."""
        self.closed = True
        for task in self.tasks:
            task.cancel()


def _keeps(schedule: ScheduleConfig) -> Any:
    """Its module, where it has ``due`` and ``refresh``: seconds until the second should be called, which may take its time and does not raise."""
    try:
        module = timetables.module(schedule)
    except Exception:
        return None  # it cannot be asked either, and that is told
    return module if hasattr(module, "due") and hasattr(module, "refresh") else None
