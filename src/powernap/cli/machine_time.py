"""Times as this machine's clock on the wall shows them: the same for all commands, in whichever zone (``TZ``) the one who asks is."""

from __future__ import annotations

import os
import time
from datetime import datetime, tzinfo
from functools import cache

from powernap.host import zones
from powernap.host.files import TreeFiles

HALF_YEAR = 183 * 86400.0
"""Seconds: two zones that agree now may not do so in the other half of the year."""


def stamp(at: float, how: str) -> str:
    """An instant as ``strftime`` writes it.

    :raises ValueError: ``OverflowError`` or ``OSError``: there is no such time.
    """
    return f"{datetime.fromtimestamp(at, zone()):{how}}"


def midnight(at: float) -> float:
    """The begin of the day of an instant, also where the clock is put on or back."""
    return (
        datetime.fromtimestamp(at, zone())
        .replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        .timestamp()
    )


def zone() -> tzinfo | None:
    """The machine's; ``None`` where nobody has chosen another one: the C library reads the same file."""
    return _local().zone if "TZ" in os.environ else None


@cache
def _local() -> zones.Local:
    return zones.local(TreeFiles())


def named() -> str:
    """The machine's zone, where it is another than that of the one who asks; else empty."""
    own = zone()
    now = time.time()
    if own is None or all(_agree(own, at) for at in (now, now + HALF_YEAR)):
        return ""
    name = _local().name
    return "this machine's zone" if name == zones.LOCALTIME else f"{name}, this machine's zone"


def _agree(own: tzinfo, at: float) -> bool:
    there = datetime.fromtimestamp(at, own).utcoffset()
    return there is not None and there.total_seconds() == time.localtime(at).tm_gmtoff


def heading() -> list[str]:
    """A line to stand above times, where it is needed."""
    return [f"times of {name}"] if (name := named()) else []
