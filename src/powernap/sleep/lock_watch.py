"""Waits, without polling, for the end of the locks that keep the machine out of a sleep state.

Owns which sleep is waited for. What a lock is, is inhibitors.py's; how one is heard of, login_manager.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from powernap.sleep.failure import SleepError
from powernap.sleep.inhibitors import Inhibitor


class Locks(Protocol):
    """The login manager, as far as it is needed here. Errors are ``SleepError``."""

    async def blockers(self, state: str, *, automatic: bool) -> list[Inhibitor]:
        """Who keeps the machine out of it now."""
        ...

    async def hear_locks(self, changed: Callable[[], None]) -> None:
        """Call this when that may have changed."""
        ...

    def ignore_locks(self) -> None:
        """No longer."""
        ...


class LockWatch:
    """Who blocks a sleep, and when nobody does any more.

    Where the login manager cannot be asked, nothing is told: whoever was refused tries again after a while, which also connects anew.

    :param gone: called once, when a sleep that was blocked no longer is.
    :ivar waiting: the sleep state whose locks are waited for; empty while none is.
    """

    def __init__(self, locks: Locks, gone: Callable[[], None]) -> None:
        self.locks, self.gone = locks, gone
        self.waiting, self.automatic = "", True
        self.news = False
        self.asking = asyncio.Lock()
        self.task: asyncio.Task[None] | None = None

    async def blockers(self, state: str, *, automatic: bool) -> list[Inhibitor]:
        """Those who block it now; while there are any, their end is waited for. ``SleepError`` when that cannot be told."""
        async with self.asking:
            self.stop()
            found = await self.locks.blockers(state, automatic=automatic)
            if found:
                self.waiting, self.automatic = state, automatic
                await self.locks.hear_locks(self._changed)
                # One may have ended before its end was listened for.
                found = await self.locks.blockers(state, automatic=automatic)
            if not found:
                self.stop()
            return found

    def stop(self) -> None:
        """Wait no longer."""
        self.waiting = ""
        self.locks.ignore_locks()

    def _changed(self) -> None:
        self.news = True
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        """After a change. Those that come while logind is being asked are one more question, however many."""
        async with self.asking:
            while self.waiting and self.news:
                self.news = False
                try:
                    found = await self.locks.blockers(self.waiting, automatic=self.automatic)
                except SleepError:
                    return
                if not found and not self.news:
                    self.stop()
                    self.gone()
