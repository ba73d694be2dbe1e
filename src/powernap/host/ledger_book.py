"""The entries that are not undone, in memory and on paper: which they are, how they are stacked, and a record for each step.

Owns numbers, order and room. When a step is taken and what is written to a knob is the ledger's (ledger.py); what a record means is
ledger_entry.py's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from powernap.host.knobs import AFTER
from powernap.host.ledger_entry import Entry, Record, knob_of, records_of, replay

if TYPE_CHECKING:
    from powernap.host.clock import Clock
    from powernap.host.knobs import Change

ROOM = 65536
"""Bytes of records about undone entries that are borne while others are live."""


class Paper(Protocol):
    """Where records are kept."""

    def load(self) -> tuple[list[Record], list[str]]:
        """Every whole record, and what is damaged."""
        ...

    def append(self, record: Record) -> None:
        """Keep a record; ``OSError`` when it cannot be."""
        ...

    def clear(self) -> None:
        """Forget all."""
        ...

    def rewrite(self, records: list[Record]) -> None:
        """Keep only these."""
        ...

    @property
    def size(self) -> int:
        """Bytes used."""
        ...

    @property
    def kept(self) -> str:
        """Where a copy of what was damaged is; empty: nothing of it was given up."""
        ...


class Book:
    """The live entries. Its methods may be called from several threads.

    :param boot: this boot's id, which new entries bear.
    :ivar damage: what could not be read of the paper.
    """

    def __init__(self, paper: Paper, clock: Clock, boot: str) -> None:
        self.paper, self._clock, self._boot = paper, clock, boot
        self._lock = threading.Lock()
        records, self.damage = paper.load()
        self._next = 1 + max((int(record["seq"]) for record in records if "seq" in record), default=0)
        self._live = replay(records)
        self._stacks: dict[tuple[str, ...], list[int]] = {}
        self._firsts: set[int] = set()
        for entry in self._live.values():
            self._file(entry)

    def _file(self, entry: Entry) -> None:
        self._stacks.setdefault(entry.knob, []).append(entry.seq)
        if any(first.fullmatch(entry.change.target) for first in AFTER.values()):
            self._firsts.add(entry.seq)

    def live(self, action: str | None = None, stage: str | None = None) -> list[Entry]:
        """What is changed now, newest first."""
        with self._lock:
            found = list(reversed(self._live.values()))
        return [each for each in found if action in (None, each.action) and stage in (None, each.stage)]

    def outlived(self) -> list[Entry]:
        """Entries of another boot whose values did not outlive it, the oldest first."""
        return [
            entry for entry in reversed(self.live()) if entry.boot != self._boot and not entry.change.durable
        ]

    def entry(self, seq: int) -> Entry | None:
        """As it is now; ``None`` when it is undone."""
        with self._lock:
            return self._live.get(seq)

    def stack(self, change: Change) -> list[Entry]:
        """The live entries of one knob, the oldest first."""
        with self._lock:
            return [self._live[seq] for seq in self._stacks.get(knob_of(change), [])]

    def firsts(self) -> list[Entry]:
        """The live entries that have to be put back before others are (``knobs.AFTER``), newest first: few, where the others may be thousands."""
        with self._lock:
            return [self._live[seq] for seq in sorted(self._firsts, reverse=True)]

    def above(self, entry: Entry) -> Entry | None:
        """The next later change of the same knob, where that is still to be undone."""
        return next((each for each in self.stack(entry.change) if each.seq > entry.seq), None)

    def top(self, entry: Entry) -> Entry:
        """The latest live change of the same knob: itself, where none came later."""
        return [entry, *self.stack(entry.change)][-1]

    def begin(self, change: Change, action: str, stage: str, old: str) -> Entry:
        """A new entry, on paper when this returns; ``OSError`` when it cannot be, and then there is none."""
        with self._lock:
            entry = Entry(
                self._next, action, stage, change, old, self._boot, self._clock.wall(), self._clock.boottime()
            )
            self.paper.append(records_of(entry)[0])
            self._next += 1
            self._live[entry.seq] = entry
            self._file(entry)
        return entry

    def note(self, entry: Entry, record: Record, after: Entry | None) -> None:
        """Record what is so already. A disk too full for it changes nothing: the next restore sees by the values.

        :param after: the entry from now on; ``None`` when it is undone.
        """
        with self._lock:
            if after:
                self._live[entry.seq] = after
            elif self._live.pop(entry.seq, None):
                self._firsts.discard(entry.seq)
                self._stacks[entry.knob].remove(entry.seq)
                if not self._stacks[entry.knob]:
                    del self._stacks[entry.knob]
            try:
                self.paper.append({**record, "seq": entry.seq})
            except OSError:
                pass

    def tidy(self) -> None:
        """Give back the paper's room: empty when nothing is live, else only what is live once that is worth it."""
        with self._lock:
            try:
                if not self._live:
                    self.paper.clear()
                elif self.paper.size > ROOM and self.paper.size > 1024 * len(self._live):
                    self.paper.rewrite(
                        [record for entry in self._live.values() for record in records_of(entry)]
                    )
            except OSError:
                pass  # a full disk: undone entries are harmless, they are found "already" restored
