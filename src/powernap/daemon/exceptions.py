"""The admin's exceptions to the schedules: what is skipped, and until when the machine stays up. They have an end, and outlive a reboot."""

from __future__ import annotations

import dataclasses
import json
from math import isfinite
from typing import Any

from powernap.core.timetable import UP, Exempt, Span
from powernap.core.value import dataclass
from powernap.host import documents
from powernap.host.files import Files

VERSION = 1
KEPT = 86400.0
"""Seconds for which one that is over is kept: the clock that says so may be wrong, and be set back."""
OVER_MAX = 32
"""Of those that are over, the latest: whoever makes one each second for a second must not make the file grow."""


@dataclass(frozen=True)
class Extended:
    """Stay up between these instants, in seconds since the epoch.

    :param postponed: seconds for which users had put this *off* off by then, in all (postponing.py); 0: it is an admin's.
    :param off_until: when the time of *off* ends that they put off; for so long it is known what they have used of it.
        0: it was not postponed, but extended.
    """

    start: float
    end: float
    why: str = ""
    who: str = ""
    postponed: float = 0.0
    off_until: float = 0.0

    @property
    def counts_until(self) -> float:
        """The end of what it is about."""
        return max(self.end, self.off_until)


@dataclass(frozen=True)
class Exceptions:
    """All that stand."""

    skipped: tuple[Exempt, ...] = ()
    extended: tuple[Extended, ...] = ()

    def since(self, now: float) -> Exceptions:
        """Without those that are over."""
        return Exceptions(
            tuple(each for each in self.skipped if each.end > now),
            tuple(each for each in self.extended if each.end > now),
        )

    def silenced(self, schedule: str, now: float) -> bool:
        """It is skipped at this instant."""
        return any(each.schedule in {"", schedule} and each.start <= now < each.end for each in self.skipped)

    def tidied(self, now: float) -> Exceptions:
        """Without those that have been over for long, and of the others that are over with the latest only."""
        left = self._counting(now - KEPT)
        every: tuple[Exempt | Extended, ...] = (*left.skipped, *left.extended)
        over = sorted(each.end for each in every if each.end <= now)
        return left.since(over[-OVER_MAX - 1]) if len(over) > OVER_MAX else left

    def _counting(self, now: float) -> Exceptions:
        """Without those of which nothing counts any more."""
        return Exceptions(
            tuple(each for each in self.skipped if each.end > now),
            tuple(each for each in self.extended if each.counts_until > now),
        )

    def without(self, schedule: str) -> Exceptions:
        """Without those of one schedule, or, by that name, what is ``extended``; empty: none at all."""
        return Exceptions(
            tuple(each for each in self.skipped if schedule and each.schedule != schedule),
            self.extended if schedule not in {"", "extended"} else (),
        )

    def postpone(self, more: Extended) -> Exceptions:
        """With one more; what the same user postponed and still stands then is lengthened, so that nobody heaps them up."""
        mine = [
            each
            for each in self.extended
            if each.postponed and more.postponed and each.who == more.who and each.end >= more.start
        ]
        start = min(each.start for each in (more, *mine))
        others = tuple(each for each in self.extended if each not in mine)
        return Exceptions(self.skipped, (*others, dataclasses.replace(more, start=start)))

    def spans(self) -> list[Span]:
        """What is extended, as spans."""
        return [
            Span(each.start, each.end, UP, "extended", f"{each.why or _did(each)} ({each.who})")
            for each in self.extended
        ]

    def document(self) -> dict[str, Any]:
        """For the file, and for whoever asks."""
        return {
            "version": VERSION,
            "skipped": [dataclasses.asdict(each) for each in self.skipped],
            "extended": [dataclasses.asdict(each) for each in self.extended],
        }


def _did(each: Extended) -> str:
    return "postponed" if each.postponed or each.off_until else "extended"


def load(files: Files, path: str) -> Exceptions:
    """Those of an earlier life; none where there is no file or it makes no sense (then the schedules hold as they are written)."""
    try:
        document = json.loads(files.read(path))
        skipped = [Exempt(**each) for each in document["skipped"]]
        extended = [Extended(**each) for each in document["extended"]]
    except (OSError, ValueError, TypeError, KeyError):
        return Exceptions()
    return Exceptions(
        tuple(each for each in skipped if _proper(each, each.schedule)),
        tuple(each for each in extended if _proper(each, each.why, each.postponed, each.off_until)),
    )


def _proper(found: Exempt | Extended, text: Any, *more: Any) -> bool:
    """Of the types that it should be, and with an end."""
    numbers = all(
        isinstance(each, int | float) and isfinite(each) for each in (found.start, found.end, *more)
    )
    return numbers and isinstance(text, str) and isinstance(found.who, str)


def save(path: str, found: Exceptions) -> None:
    """``OSError``: they hold until the daemon ends, and no longer."""
    documents.replace(path, found.document())
