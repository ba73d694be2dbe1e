"""How often a disk was started within the last day: its own counter now, less what it showed a day ago.

Owns that memory, a file in the daemon's state directory that is replaced whole. The counter is the drive's, so the starts of others and of other boots
count too; what is remembered is what it showed when it was asked, at most once an hour. Without a memory of a day nothing is said.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import documents

if TYPE_CHECKING:
    from powernap.host.disks import Disk
    from powernap.host.host import Host

VERSION = 1
NAME = "disk-starts.json"
DAY, HOUR = 86400.0, 3600.0
STALE = 2 * DAY
"""A look that is older says nothing of the last day."""
DISKS = 512
"""Disks that are remembered, the latest asked: a server with shelves has some hundred."""

Looks = tuple[tuple[float, int], ...]
"""Wall-clock seconds and the counter, oldest first."""

_one = threading.Lock()
"""An action whose thread takes too long is overtaken by the next one, which may ask about other disks at the same moment."""


@dataclass(frozen=True)
class Lately:
    """So many starts within so many days, of which there is one at least."""

    starts: int
    days: float


OfLastDay = Callable[["Disk", int], "Lately | None"]
"""By a disk and what its counter shows now; ``None`` where nothing is remembered of a day."""


def nobody_knows(_disk: Disk, _starts: int) -> Lately | None:
    """Where there is no memory."""
    return None


def of_last_day(host: Host) -> OfLastDay:
    """With the daemon's memory, which also takes each look; a disk without an identity of its own has none."""
    if not host.state:
        return nobody_knows
    path = os.path.join(host.state, NAME)

    def told(disk: Disk, starts: int) -> Lately | None:
        if not disk.identity:
            return None
        now = host.clock.wall()
        with _one:
            known = load(path)
            before = known.pop(disk.identity, ())
            after = remember(before, now, starts)
            if after != before:
                # a disk that takes nothing costs the memory, nothing else
                with contextlib.suppress(OSError):
                    save(path, {**known, disk.identity: after})
        return lately(after, now, starts)

    return told


def lately(looks: Looks, now: float, starts: int) -> Lately | None:
    """Since the latest look that is a day old."""
    old = [look for look in looks if look[0] <= now - DAY]
    return Lately(starts - old[-1][1], (now - old[-1][0]) / DAY) if old else None


def remember(looks: Looks, now: float, starts: int) -> Looks:
    """With this look, if the one before it is an hour old. A counter that fell, or a clock that was set back, begins anew."""
    kept = tuple(look for look in looks if now - STALE <= look[0])
    if any(at > now or count > starts for at, count in kept):
        kept = ()
    return kept if kept and now - kept[-1][0] < HOUR else (*kept, (round(now, 3), starts))


def load(path: str) -> dict[str, Looks]:
    """The looks of each disk, by its identity; none where the file is missing or broken."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read())
    except (OSError, ValueError):
        return {}


def parse(content: str) -> dict[str, Looks]:
    """The same of a text; ``ValueError`` where it is none of ours."""
    try:
        document = json.loads(content)
        if document["version"] != VERSION:
            return {}
        return {
            str(disk): tuple((float(at), int(starts)) for at, starts in looks)
            for disk, looks in document["disks"].items()
        }
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"no memory of starts: {error}") from None


def save(path: str, disks: dict[str, Looks]) -> None:
    """``OSError``: the old file is still there. For root's eyes: serial numbers stand in it."""
    latest = dict([*disks.items()][-DISKS:])
    documents.replace(path, {"version": VERSION, "disks": latest}, 0o600)
