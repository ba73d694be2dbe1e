"""What the history's entries come to: how long the machine was in which state, its naps, its sleeps, its idle gaps.

Owns the reading of entries (daemon/voice.py writes them), one after the other: nothing is kept of an entry but sums, so that years of history take no
more room than a day. Instants are wall-clock seconds, because a history spans boots; where the clock was set back, nothing is counted twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from powernap.core.energy import Energy
from powernap.core.value import dataclass

AWAKE, ASLEEP, ABSENT = "awake", "asleep", "not running"
"""States beside the names of stages. ``not running``: the daemon was not there to see."""
SHORT = 60.0
"""Seconds: a nap that ends within them was interrupted, and cost more than it brought."""

SLEPT = re.compile(r"(\d+(?:\.\d+)?)s\b")
"""In the words of a resume: "slept 3600s, woken by the alarm"."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in one state.

    :param would: the daemon only watched, and would have been in this stage.
    """

    state: str
    begin: float
    end: float
    would: bool = False

    @property
    def length(self) -> float:
        """Seconds."""
        return max(0.0, self.end - self.begin)


@dataclass(frozen=True, slots=True)
class Source:
    """Who told of energy: which meter, how much of the machine it sees, and ``measured`` or ``estimate``."""

    meter: str = ""
    scope: str = ""
    basis: str = ""


@dataclass
class Past:
    """The sums so far.

    :param after: idle seconds after which each stage is entered, for entries that do not tell it themselves.
    :param since: nothing before it is counted; entries before it tell in which state the machine came into that time.
    :param told: hears each spell as it ends. :param gap: hears the length of each idle gap that led to a nap.
    :ivar first: when what is counted begins: ``since``, or the first entry where that is later; ``None`` without any entry.
    :ivar lengths: seconds by state and whether it only would have been. :ivar used: energy by state, as the latest meter told (``source``).
    :ivar naps: and of them ``interrupted``; ``woulds`` in watch mode, of them ``would_interrupted``. :ivar sleeps: also those that others asked for.
    """

    after: Mapping[str, float] = field(default_factory=dict)
    told: Callable[[Spell], None] = lambda _: None
    gap: Callable[[float], None] = lambda _: None
    lengths: dict[tuple[str, bool], float] = field(default_factory=dict)
    used: dict[str, Energy] = field(default_factory=dict)
    source: Source = Source()
    naps: int = 0
    interrupted: int = 0
    woulds: int = 0
    would_interrupted: int = 0
    sleeps: int = 0
    entries: int = 0
    first: float | None = None
    last: float = 0.0
    _state: str = AWAKE
    _would: bool = False
    _since: float = 0.0
    _napped: float | None = None
    _nap_would: bool = False
    _idle: float | None = None
    _gap_end: float = float("-inf")
    _asked: bool = False
    since: float = float("-inf")

    def add(self, entry: Mapping[str, Any]) -> None:
        """The next entry; one without an instant, or of a kind that changes nothing, only counts."""
        at = entry.get("time")
        if not isinstance(at, int | float) or isinstance(at, bool):
            return
        if self.first is None:
            self.first, self._since = max(at, self.since), at
        now = max(float(at), self._since)
        self.entries += self._counts(now)
        heard = HEARD.get(str(entry.get("event")))
        if heard:
            heard(self, now, entry)
        self.last = max(self.last, at)

    def finish(self, now: float) -> None:
        """The state that it is in lasts until now."""
        if self.first is not None:
            self._become(self._state, max(now, self._since))

    def _counts(self, at: float) -> bool:
        """It is in the time that is asked about."""
        return at >= self.since

    # --- entries

    def _entered(self, at: float, entry: Mapping[str, Any]) -> None:
        stage, would = str(entry.get("stage", "")), bool(entry.get("watching"))
        if self._napped is None:
            self._napped, self._nap_would = at, would
            self._idle = self._idle_since(at, stage, entry.get("idle_s"))
            self.naps += self._counts(at) and not would
            self.woulds += self._counts(at) and would
        self._asked = False
        self._become(stage, at, would=would)

    def _idle_since(self, at: float, stage: str, idle: object) -> float | None:
        """When the gap began: told by the entry, also where somebody asked for the nap. Entries of old have only the stage's own time."""
        if isinstance(idle, int | float) and idle >= 0:
            return at - idle
        return None if self._asked else at - self.after.get(stage, 0.0)

    def _by_request(self, _at: float, _entry: Mapping[str, Any]) -> None:
        """The next nap begins because somebody asked for it, and not after its stage's own time."""
        self._asked = True

    def _ended(self, at: float, _entry: Mapping[str, Any]) -> None:
        """Activity: the gap is over, even though putting back takes a moment more."""
        if self._idle is not None:
            # Not every end of a nap begins idle time anew (a window; leases, in entries of old): no second is in two gaps.
            if self._counts(at):
                self.gap(max(0.0, at - max(self._idle, self._gap_end)))
            self._gap_end = max(self._gap_end, at)
            self._idle = None

    def _left(self, at: float, entry: Mapping[str, Any]) -> None:
        self._ended(at, entry)
        if self._napped is not None and self._counts(self._napped) and at - self._napped < SHORT:
            self.interrupted += not self._nap_would
            self.would_interrupted += self._nap_would
        self._napped = None
        self._become(AWAKE, at)

    def _sleep(self, at: float, _entry: Mapping[str, Any]) -> None:
        if not self._would:
            self._become(ASLEEP, at)

    def _sleep_failed(self, at: float, _entry: Mapping[str, Any]) -> None:
        if self._state == ASLEEP:
            self._become(AWAKE, at)

    def _resumed(self, at: float, entry: Mapping[str, Any]) -> None:
        self._ended(at, entry)
        self.sleeps += self._counts(at)
        slept = SLEPT.search(str(entry.get("detail", "")))
        if self._state != ASLEEP and slept:
            # somebody else's sleep: only its end was told
            state, would = self._state, self._would
            self._become(ASLEEP, max(self._since, at - float(slept[1])))
            self._become(state, at, would=would)
        else:
            self._napped = None
            self._become(AWAKE, at)

    def _started(self, at: float, _entry: Mapping[str, Any]) -> None:
        """Without a ``stopped`` before it, the daemon or the machine ended at some time after the last entry."""
        if self._state not in (ABSENT, ASLEEP):
            self._become(ABSENT, min(at, max(self.last, self._since)))
        self._forget()
        self._become(AWAKE, at)

    def _stopped(self, at: float, _entry: Mapping[str, Any]) -> None:
        self._forget()
        self._become(ABSENT, at)

    def _energy(self, at: float, entry: Mapping[str, Any]) -> None:
        """A meter's account of some seconds in a state: ``{"event": "energy", "stage": S, "joules": J, "seconds": T}``.

        Another meter sees another part of the machine: what the one before it told is forgotten, and not added to.
        """
        joules, seconds = entry.get("joules"), entry.get("seconds")
        if isinstance(joules, int | float) and isinstance(seconds, int | float) and self._counts(at):
            source = Source(*(str(entry.get(key, "")) for key in ("meter", "scope", "basis")))
            if source != self.source:
                self.used.clear()
                self.source = source
            state = str(entry.get("stage") or AWAKE)
            self.used[state] = self.used.get(state, Energy()) + Energy(float(joules), float(seconds))

    # ---

    def _forget(self) -> None:
        """A nap and a gap that nobody saw end are not counted as ended."""
        self._napped = self._idle = None
        self._asked = False

    def _become(self, state: str, at: float, *, would: bool = False) -> None:
        spell = Spell(self._state, max(self._since, self.since), at, self._would)
        if spell.length > 0:
            key = (spell.state, spell.would)
            self.lengths[key] = self.lengths.get(key, 0.0) + spell.length
            self.told(spell)
        self._state, self._would, self._since = state, would, at


HEARD: dict[str, Callable[[Past, float, Mapping[str, Any]], None]] = {
    "asked": Past._by_request,  # noqa: SLF001 - the table of this class's entries
    "entered": Past._entered,  # noqa: SLF001
    "activity": Past._ended,  # noqa: SLF001
    "woken": Past._ended,  # noqa: SLF001
    "left": Past._left,  # noqa: SLF001
    "sleep": Past._sleep,  # noqa: SLF001
    "sleep-failed": Past._sleep_failed,  # noqa: SLF001
    "resumed": Past._resumed,  # noqa: SLF001
    "started": Past._started,  # noqa: SLF001
    "stopped": Past._stopped,  # noqa: SLF001
    "energy": Past._energy,  # noqa: SLF001
}


def read(entries: Iterable[Mapping[str, Any]], past: Past, now: float) -> Past:
    """All entries of a history, up to now."""
    for entry in entries:
        past.add(entry)
    past.finish(now)
    return past
