"""What the machine uses in each state, by a meter of its own, for the history: entries of the kind ``energy``.

Owns when the meter is read, which is seldom and wakes the machine hardly ever:

- when a stage is entered or left and before and after a sleep: powernapd is awake then anyway;
- on any other event, at most once in :data:`LOOK` seconds (:data:`SELDOM` for a meter without a counter);
- by a timer, once, ``LOOK`` seconds after each of the first kind, and while awake after an event, at most each ``SELDOM`` seconds: RAPL's
  counters go round, and two readings that lie too far apart say nothing. A daemon without events has no timer.

Energy is measured where a meter counts it, over the seconds between two readings that may be bridged; what lies between others is left out.
Where a meter only shows the power now, energy is the mean of what was seen in a state times the time in that state: an estimate, and called so.
Every reading is in a thread: what answers slowly delays nobody. Meters that are not ``LOCAL`` are never read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from powernap import meters
from powernap.core.energy import Energy, Sample, between
from powernap.core.value import dataclass
from powernap.daemon.aside import aside
from powernap.host.availability import UnavailableError
from powernap.host.host import Host

LOOK = 60.0
SELDOM = 600.0
PATIENT = 0.9
"""Of the time that two readings may lie apart: timers are late now and then."""
BY_ITSELF = ("rapl", "psu", "acpi", "battery")
"""Kinds that are used without being configured, in this order: the one that counts, then the widest scope. Parts of the machine are not."""
KEPT = 3600.0
"""Seconds after which a state that goes on is written down so far: what is in memory only dies with the daemon."""
WAITING = 4
"""Readings that wait behind one that hangs; further ones are not made."""
LAST = 1.0
"""Seconds that the end of the daemon waits for a last reading."""

Write = Callable[[dict[str, Any]], None]


@dataclass
class Account:
    """One state from its beginning. ``stage``: empty while awake. ``watts``: the sum of ``looks`` readings of a meter without a counter."""

    stage: str
    began: float
    energy: Energy = Energy()
    watts: float = 0.0
    looks: int = 0


@dataclass(frozen=True)
class Asked:
    """A reading under way, for this account. ``ends``: the account's last. ``night``: how many sleeps were over when it was asked for."""

    account: Account
    ends: bool
    night: int


class Consumption:
    """One meter and the account of the state that the machine is in. Make it in a running loop.

    :param write: takes an entry for the history.
    :ivar account: ``None`` while it sleeps. :ivar trouble: why the meter was not read lately. :ivar settled: no reading is under way.
    """

    def __init__(self, host: Host, found: meters.Found, meter: meters.Meter, write: Write) -> None:
        self.host, self.found, self.meter, self.write = host, found, meter, write
        self.loop = asyncio.get_running_loop()
        self.look = min(LOOK, PATIENT * meter.gap) if meter.counts else LOOK
        self.account: Account | None = None
        self.last: Sample | None = None
        self.night = 0
        self.trouble = ""
        self.queue: deque[Asked] = deque()
        self.settled = asyncio.Event()
        self.settled.set()
        self.timer: asyncio.TimerHandle | None = None
        # from when on an event may cause a reading, and such a reading another one
        self.next_look = self.next_pair = 0.0
        self._become("")

    @property
    def words(self) -> str:
        """Which meter, how much it sees, and why it was not read lately."""
        return f"{self.found.name} ({self.found.scope}: {self.meter.source})" + (
            f": {self.trouble}" if self.trouble else ""
        )

    # ------------------------------------------------------------ what happens

    def told(self, what: str, stage: str, *, acting: bool) -> None:
        """An entry of the history. While only watching the machine is awake, whatever is told, unless somebody else puts it to sleep."""
        if what == "resumed":
            # nothing is known of what was used meanwhile, and some counters began anew
            self.last, self.night = None, self.night + 1
            if self.account:
                self.account.looks = 0
            self._become("")
        elif acting and what == "entered":
            self._become(stage)
        elif acting and what in ("left", "sleep-failed"):
            self._become("")
        elif acting and what == "sleep":
            self._become(None)

    def mind(self, now: float) -> None:
        """Something woke the daemon; most calls end at once."""
        if now < self.next_look or self.account is None:
            return
        pair = self.meter.counts and not self.account.stage and now >= self.next_pair
        if now - self.account.began >= KEPT:
            self._become(self.account.stage)
        else:
            self._read(self.account)
            self._wait(now, follow=pair)

    async def close(self) -> None:
        """The end: a last reading, if it comes soon."""
        self._become(None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.settled.wait(), LAST)
        self.queue.clear()
        if self.timer:
            self.timer.cancel()
        # a reading that hangs has the meter: it goes with the process
        with contextlib.suppress(OSError):
            self.meter.close()

    # ------------------------------------------------------------ readings

    def _become(self, stage: str | None) -> None:
        """Another state, or the same once more: the account is written down, and a new one begins."""
        now, ended = self.host.clock.boottime(), self.account
        self.account = None if stage is None else Account(stage, now)
        if not self.meter.counts:
            self._finish(ended)
        elif ended:
            self._read(ended, ends=True)
        elif self.account:
            self._read(self.account)
        self._wait(now, follow=self.account is not None)

    def _wait(self, now: float, *, follow: bool) -> None:
        self.next_look = now + (self.look if self.meter.counts else SELDOM)
        if self.timer and (follow or self.account is None):
            self.timer.cancel()
            self.timer = None
        if follow:
            self.next_pair = now + SELDOM
            self.timer = self.loop.call_later(self.look, self._follow)

    def _follow(self) -> None:
        self.timer = None
        if self.account:
            self._read(self.account)

    def _read(self, account: Account, *, ends: bool = False) -> None:
        if len(self.queue) >= WAITING:
            return
        self.queue.append(Asked(account, ends, self.night))
        if len(self.queue) == 1:
            self.settled.clear()
            self._begin()

    def _begin(self) -> None:
        aside(self.meter.read, "meter").add_done_callback(self._took)

    def _took(self, answer: asyncio.Future[Sample]) -> None:
        if not self.queue:
            return  # closed meanwhile
        asked = self.queue.popleft()
        error = answer.exception()
        self.trouble = str(error) if error else ""
        if error is None and asked.night == self.night:
            self._count(asked.account, answer.result())
        if asked.ends:
            self._finish(asked.account)
        if self.queue:
            self._begin()
        else:
            self.settled.set()

    def _count(self, account: Account, sample: Sample) -> None:
        if sample.watts is not None and sample.at - account.began >= self.meter.interval:
            # earlier it would be a mean over the state before, too
            account.watts, account.looks = account.watts + sample.watts, account.looks + 1
        if sample.counts and self.last:
            account.energy += between(self.last, sample, self.meter.gap)
        self.last = sample

    def _finish(self, account: Account | None) -> None:
        if account is None:
            return
        now, used = self.host.clock.boottime(), account.energy
        if account.looks:
            length = now - account.began
            used = Energy(account.watts / account.looks * length, length)
        if used.seconds <= 0:
            return
        entry: dict[str, Any] = {
            "event": "energy",
            "at": round(now, 3),
            "time": round(self.host.clock.wall(), 3),
            "joules": round(used.joules, 3),
            "seconds": round(used.seconds, 3),
            "meter": self.found.name,
            "scope": self.found.scope,
            "basis": "measured" if self.meter.counts else "estimate",
        }
        self.write(entry | ({"stage": account.stage} if account.stage else {}))


# ---------------------------------------------------------------- which meter


async def begin(host: Host, asked: Iterable[meters.Asked], write: Write) -> Consumption | None:
    """With the meter that the daemon reads on this machine; ``None`` where there is none."""
    sections = list(asked)
    chosen = await aside(lambda: choose(host, sections), "meter")
    if chosen is None:
        return None
    found, meter = chosen
    return Consumption(host, found, meter, write)


def choose(host: Host, asked: list[meters.Asked]) -> tuple[meters.Found, meters.Meter] | None:
    """Of the configured ones the one that sees most, else the first of :data:`BY_ITSELF` that this machine has."""
    for found in candidates(host, asked):
        if not found.answer:
            continue
        with contextlib.suppress(UnavailableError, OSError, ValueError):
            return found, meters.find(found.kind).open(host, found.options)
    return None


def candidates(host: Host, asked: list[meters.Asked]) -> Iterator[meters.Found]:
    """In the order in which they are tried. Others than these are not even loaded."""
    local = [each for each in asked if each.enabled and meters.find(each.type).LOCAL]
    yield from sorted(
        (meters.look(host, each.type, each.options, each.name) for each in local),
        key=lambda found: meters.SCOPES.index(found.scope),
    )
    taken = {each.type for each in asked}
    for kind in BY_ITSELF:
        if kind not in taken:
            yield meters.look(host, kind, meters.find(kind).Options())
