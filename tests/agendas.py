"""Schedules for tests of what keeps them: as the configuration has them, and a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keeper import run
from powernap.config.load import build
from powernap.config.model import Config
from powernap.core import events as ev
from powernap.core.plan import Plan
from powernap.daemon.agenda import Agenda
from powernap.host.files import TreeFiles
from powernap.host.host import Host

LADDER = """
[[stage]]
name = "ease"
after = "5min"
actions = ["kernel-quiet"]
[[stage]]
name = "suspend"
after = "30min"
sleep = "suspend"
[monitor.work]
type = "process"
program = "nothing-of-this-name"
"""
OFFICE = """
[schedule.office]
type = "windows"
up = "Mon-Fri 07:30-18:00 UTC"
"""


def instant(text: str) -> float:
    """UTC, in seconds since the epoch."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


MONDAY = instant("2035-01-01 00:00")
"""It lies ahead of the clock of whoever runs the tests, so that no real timer comes."""
HOUR, DAY = 3600.0, 86400.0


class Clock:
    """Both stand still until the test moves them."""

    def __init__(self, wall: float = MONDAY) -> None:
        self.at, self.since_boot = wall, 1000.0

    def boottime(self) -> float:
        """Seconds."""
        return self.since_boot

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.at

    def go(self, seconds: float) -> None:
        """Time passes."""
        self.at += seconds
        self.since_boot += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.at += seconds


def config(text: str, ladder: str = LADDER) -> Config:
    """A configuration without faults."""
    return build([("test.toml", ladder + text)])


class Diary:
    """An agenda and all that it told. Make it in a coroutine.

    :ivar fed: plans, in order. :ivar said: kinds and details. :ivar changes: how often the next need may have been another.
    """

    def __init__(self, text: str, root: str = "/nonexistent", state: str = "", clock: Any = None) -> None:
        self.clock = clock or Clock()
        self.host = Host(TreeFiles(root), self.clock, state=state)
        self.fed: list[Plan] = []
        self.said: list[tuple[str, str]] = []
        self.changes = 0
        self.agenda = Agenda(
            self.host, config(text), state, self._feed, lambda what, stage="", detail="": self._say(what, detail), self._change
        )  # fmt: skip

    def _feed(self, event: ev.Event) -> None:
        assert isinstance(event, ev.Scheduled)
        self.fed.append(event.plan)

    def _say(self, what: str, detail: str) -> None:
        self.said.append((what, detail))

    def _change(self) -> None:
        self.changes += 1

    @property
    def plan(self) -> Plan:
        """What the core was told last."""
        return self.fed[-1]

    def up(self) -> list[tuple[str, str]]:
        """Which schedules keep it up, and why."""
        return [(window.name, window.reason) for window in self.plan.up]

    def kinds(self) -> list[str]:
        """What was said, in order."""
        return [what for what, _ in self.said]

    async def look(self) -> None:
        """Look, and wait for the answers."""
        self.agenda.look()
        await self.answered()

    async def answered(self) -> None:
        """Until nobody is asked any more."""
        while self.agenda.task is not None:
            await self.agenda.task


Claim = Callable[[Diary], Coroutine[Any, Any, None]]


def kept(
    text: str,
    at: str = "2035-01-01 00:00",
    prepare: Callable[[Path], None] = lambda root: (root / "etc").mkdir(),
) -> Callable[[Claim], Callable[[Path], None]]:
    """Decorates a coroutine as a test of an agenda of these schedules, from then on. It has a tree and a state directory of its own.

    :param prepare: makes what the tree holds.
    """

    def decorate(test: Claim) -> Callable[[Path], None]:
        def claim(tmp_path: Path) -> None:
            async def work() -> None:
                prepare(tmp_path)
                diary = Diary(text, str(tmp_path), str(tmp_path / "state"), Clock(instant(at)))
                try:
                    await test(diary)
                finally:
                    diary.agenda.close()

            run(work())

        claim.__doc__ = test.__doc__
        return claim

    return decorate
