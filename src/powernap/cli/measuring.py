"""Carries out a measurement: windows with and without each action in turns, applied and put back exactly as the daemon does it.

Owns the course of it and the sampling. What the windows say is :mod:`powernap.core.comparison`'s, how an action is applied
:mod:`powernap.daemon.hands`'.
"""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from powernap.core.comparison import Window, is_disturbed, order
from powernap.core.energy import Energy, Sample, between
from powernap.daemon.hands import Hands
from powernap.host.files import Files, text
from powernap.host.host import Host
from powernap.meters import Meter

STAGE = "measure"
"""The stage under which the ledger knows these changes."""
SHORTEST = 0.2
"""Seconds between two samples, however quick the meter: each costs a little power itself."""
SAMPLES = 4
"""Samples of a window at least, however long one reading of the meter is a mean over."""
AT_WORK = (0, 1, 2, 5, 6, 7)
"""Fields of /proc/stat's first line that are work: user, nice, system, irq, softirq, steal (proc_stat(5))."""


class OverError(Exception):
    """Asked to end."""


class LeftError(Exception):
    """Something could not be put back: nothing further is measured."""


@dataclass(frozen=True)
class Course:
    """:param names: the actions. :param window: seconds of each window. :param settle: seconds after a switch that are left out.

    :param spare: windows that may be measured again because something else used the machine.
    :param any_load: what else uses the machine is not looked at.
    """

    names: tuple[str, ...]
    window: float
    rounds: int
    settle: float
    spare: int
    any_load: bool = False

    @property
    def count(self) -> int:
        """Windows in all, without repeated ones."""
        return 1 + 2 * self.rounds * len(self.names)


@dataclass(frozen=True)
class Progress:
    """Where a measurement stands. ``name`` is empty in a window without an action; ``left`` is seconds."""

    number: int
    count: int
    name: str
    left: float
    watts: float | None


@dataclass
class Measurement:
    """One measurement.

    :param pause: waits for so many seconds; ``True``: end now.
    :param told: hears of the progress with each sample.
    :ivar windows: those that are complete, in order. :ivar repeated: how many were measured again.
    :ivar failed: actions that could not be applied, and why. :ivar trouble: why the meter was not read lately.
    """

    host: Host
    hands: Hands
    meter: Meter
    course: Course
    pause: Callable[[float], Awaitable[bool]]
    told: Callable[[Progress], None] = lambda _: None
    windows: list[Window] = field(default_factory=list)
    repeated: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    trouble: str = ""

    async def run(self) -> None:
        """All windows; whatever happens, everything is put back. ``OverError`` when it was ended, ``LeftError`` when that failed."""
        try:
            for name in order(self.course.names, self.course.rounds):
                await self._next(name)
        finally:
            await self._restore()

    async def _next(self, name: str) -> None:
        """One more window: switch, let it settle, measure, and again where something else used the machine."""
        if name in self.failed or (not name and self.windows and not self.windows[-1].name):
            return
        if not await self._switch(name):
            return
        settling, _ = await self._stretch(name, self.course.settle)
        while True:
            energy, busy = await self._stretch(name, self.course.window)
            window = Window(name, energy.watts, 0.0 if self.course.any_load else busy, settling)
            quietest = min((each.busy for each in self.windows if each.name == name), default=math.inf)
            if not is_disturbed(window, quietest) or self.repeated >= self.course.spare:
                break
            self.repeated += 1
        self.windows.append(window)

    async def _switch(self, name: str) -> bool:
        """Whether the action is in force now (none: everything is put back)."""
        await self._restore()
        if not name:
            return True
        self.hands.ready()
        failures = await self.hands.apply(STAGE, (name,))
        ledger = self.hands.ledger
        if not failures and ledger and ledger.live(name):
            return True
        await self._restore()
        self.failed[name] = failures[0].reason if failures else self._nothing(name)
        return False

    def _nothing(self, name: str) -> str:
        return self.hands.left_out.get(name, "nothing had to be changed: it is so already")

    async def _restore(self) -> None:
        failed, kept = await self.hands.restore()
        if failed:
            raise LeftError("; ".join(f"{each.action}: {each.reason}" for each in failed))
        if kept:
            raise LeftError(f"somebody else changes the same things: {'; '.join(kept)}")

    async def _stretch(self, name: str, length: float) -> tuple[Energy, float]:
        """Energy and processors at work over so many seconds, in samples no further apart than the meter's interval."""
        if length <= 0:
            return Energy(), 0.0
        clock, period = self.host.clock, min(max(self.meter.interval, SHORTEST), length / SAMPLES)
        total, last = Energy(), self._read()
        # after the first reading, which may take longer than a short window: there is always a second one
        began, work = clock.boottime(), at_work(self.host.files)
        while (rest := began + length - clock.boottime()) > 1e-3:
            self._tell(name, last)
            if await self.pause(min(period, rest)):
                raise OverError
            sample = self._read()
            if sample and last:
                total += between(last, sample, max(self.meter.gap, 2 * period))
            last = sample or last
        took = clock.boottime() - began
        busy = (at_work(self.host.files) - work) / took if took > 0 else 0.0
        return total, busy

    def _read(self) -> Sample | None:
        """A sample; a meter that does not answer costs the time until it does."""
        try:
            sample = self.meter.read()
        except (OSError, ValueError) as error:
            self.trouble = str(error)
            return None
        self.trouble = ""
        return sample

    def _tell(self, name: str, last: Sample | None) -> None:
        done, each = len(self.windows), self.course.window + self.course.settle
        left = (self.course.count - done) * each
        self.told(Progress(done + 1, self.course.count, name, left, last.watts if last else None))


def at_work(files: Files) -> float:
    """Processor seconds of work since boot, of all processors; 0 where the machine does not say."""
    return parse_work(text(files, "/proc/stat")) / os.sysconf("SC_CLK_TCK")


def parse_work(stat: str) -> int:
    """Ticks of work in the first line of /proc/stat."""
    words: Sequence[str] = stat.partition("\n")[0].split()
    if words[:1] != ["cpu"]:
        return 0
    return sum(int(words[1 + at]) for at in AT_WORK if len(words) > 1 + at)
