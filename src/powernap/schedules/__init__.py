"""One file each: when must this machine be up, when may it nap, when must it be off?

A schedule ``windows`` is the module ``windows.py`` (``systemd-timers`` is ``systemd_timers.py``). Its docstring's first line is its help. It holds:

``Options``
    a frozen dataclass of :func:`powernap.core.options.option` fields;
``probe(host, options) -> Availability``
    can it work on this machine? Looks only;
``spans(host, options, start, end, local) -> Iterator[Span]``
    every statement that touches the time between two instants (seconds since the epoch), in any order, not cut at the edges. ``local`` is the
    machine's time zone, for those that name none. Raises ``ScheduleError`` when it cannot tell: the daemon then goes on with what it
    was told last, and says since when;
``watched(options) -> tuple[str, ...]``
    files and directories whose change changes the answer; they are asked again when one does.

It may also hold ``doubts(host, options) -> Iterator[Doubt]``: what is configured and stands for nothing on this machine, for
`powernap config check`.

To look at a path that an admin has written may take for ever, where it lies on a server that is gone: the daemon calls all of these in a thread
(daemon/asking.py). Only regular files are opened (host/regular_file.py).

A schedule changes nothing, keeps no time and no state, and asks no other machine. What its spans come to is :mod:`powernap.core.timetable`'s.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, cast

from powernap.core.value import dataclass

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.core.timetable import Span
    from powernap.host.availability import Availability
    from powernap.host.host import Host


class ScheduleError(Exception):
    """It cannot tell: the reason and what to do.

    :ivar soon: only because what it goes by is being fetched for the first time: nobody need hear of it, unless that fails.
    """

    def __init__(self, reason: str, remedy: str = "", *, soon: bool = False) -> None:
        super().__init__(reason + (f"; {remedy}" if remedy else ""))
        self.reason, self.remedy, self.soon = reason, remedy, soon


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sentence about an option, by its key, and what to do."""

    key: str
    what: str
    remedy: str


SHOWN = 8
"""Names of a list that a sentence has room for."""


def named(names: list[str]) -> str:
    """``a, b and 3 more``."""
    left = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {left} more" if left > 0 else "")


class ScheduleModule(Protocol):
    """What a module in this package offers."""

    __doc__: str | None
    Options: type[Any]

    def probe(self, host: Host, options: Any) -> Availability:
        """Can it work here?"""
        ...

    def spans(self, host: Host, options: Any, start: float, end: float, local: tzinfo) -> Iterator[Span]:
        """What it says of that time. ``schedule`` is left empty."""
        ...

    def watched(self, options: Any) -> tuple[str, ...]:
        """Paths."""
        ...


def kinds() -> list[str]:
    """The schedules that are built in, sorted."""
    names = (
        name.removesuffix(".py") for path in __path__ for name in os.listdir(path) if name.endswith(".py")
    )
    return sorted({name.replace("_", "-") for name in names if not name.startswith("_")})


def find(kind: str) -> ScheduleModule:
    """The module of a built-in schedule; ``KeyError`` when there is none."""
    if kind not in kinds():
        raise KeyError(kind)
    return cast("ScheduleModule", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))
