"""Schedules that keep a copy of something far away: it is renewed when that is due, in a thread, one at a time for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any

from powernap.daemon import timetables
from powernap.daemon.aside import aside

if TYPE_CHECKING:
    from powernap.config.model import ScheduleConfig
    from powernap.host.host import Host

BROKEN = 3600.0
"""Seconds after which one that does not even tell when it is due is asked again."""


class Upkeep:
    """Made in a running loop. :param renewed: called after each attempt, also one that failed: who is asked now says so."""

    def __init__(self, host: Host, schedules: Iterable[ScheduleConfig], renewed: Callable[[], None]) -> None:
        self.host, self.renewed = host, renewed
        self.under_way: set[str] = set()
        self.closed = False
        self.kept = {each.name: (module, each.options) for each in schedules if (module := _keeps(each))}

    def mind(self, wall: float) -> float:
        """Begin what is due now; when the next one is, in seconds since the epoch."""
        times = [inf]
        for name, (module, options) in self.kept.items():
            if name in self.under_way:
                continue
            wait = self._wait(module, options)
            if wait > 0:
                times.append(wall + max(wait, 1.0))
            else:
                self._renew(name, module, options)
        return min(times)

    def _wait(self, module: Any, options: Any) -> float:
        try:
            return float(module.due(self.host, options))
        except Exception:
            return BROKEN  # what it keeps cannot be read then, and that is told

    def _renew(self, name: str, module: Any, options: Any) -> None:
        self.under_way.add(name)
        renewing = aside(lambda: module.refresh(self.host, options), f"renew-{name}")
        renewing.add_done_callback(lambda done: self._renewed(name, done))

    def _renewed(self, name: str, _done: asyncio.Future[Any]) -> None:
        self.under_way.discard(name)
        if not self.closed:
            self.renewed()

    def close(self) -> None:
        """Who is done now is not heard."""
        self.closed = True


def _keeps(schedule: ScheduleConfig) -> Any:
    """Its module, where it has ``due`` and ``refresh``: seconds until the second should be called, which may take its time and does not raise."""
    try:
        module = timetables.module(schedule)
    except Exception:
        return None  # it cannot be asked either, and that is told
    return module if hasattr(module, "due") and hasattr(module, "refresh") else None
