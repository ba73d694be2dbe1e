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
"""Seconds for which one that is over is kept: the clock that says so may be wrong."""


@dataclass(frozen=True)
class Extended:
    """Stay up between these instants, in seconds since the epoch."""

    start: float
    end: float
    why: str = ""
    who: str = ""


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

    def spans(self) -> list[Span]:
        """What is extended, as spans."""
        return [
            Span(each.start, each.end, UP, "extended", f"{each.why or 'extended'} ({each.who})")
            for each in self.extended
        ]

    def document(self) -> dict[str, Any]:
        """For the file, and for whoever asks."""
        return {
            "version": VERSION,
            "skipped": [dataclasses.asdict(each) for each in self.skipped],
            "extended": [dataclasses.asdict(each) for each in self.extended],
        }


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
        tuple(each for each in extended if _proper(each, each.why)),
    )


def _proper(found: Exempt | Extended, text: Any) -> bool:
    """Of the types that it should be, and with an end."""
    instants: tuple[Any, ...] = (found.start, found.end)
    numbers = all(isinstance(each, int | float) and isfinite(each) for each in instants)
    return numbers and isinstance(text, str) and isinstance(found.who, str)


def save(path: str, found: Exceptions) -> None:
    """``OSError``: they hold until the daemon ends, and no longer."""
    documents.replace(path, found.document())
