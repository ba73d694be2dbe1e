"""One file each: is somebody using this machine?

A monitor ``tcp`` is the module ``tcp.py`` (``magic-packet`` is ``magic_packet.py``). Its docstring's first line is its help. It holds:

``Options``
    a frozen dataclass of :func:`powernap.core.options.option` fields;
``probe(host, options) -> Availability``
    can it work on this machine? Looks only, needs no right, wakes no device;
``open(context, options) -> Monitor``
    acquires its event sources; raises ``UnavailableError`` with reason and remedy when it cannot.

A monitor writes nothing, sleeps never, logs nothing, starts no program (only ``command`` may) and imports no other monitor.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from powernap.core.reading import Reading
from powernap.core.value import dataclass

if TYPE_CHECKING:
    from powernap.host.availability import Availability
    from powernap.host.host import Host


@dataclass(frozen=True)
class Context:
    """What an opened monitor is given.

    :param name: its name in the configuration; goes into every reading.
    :param host: the machine.
    :param tell: call it, in the loop's thread, when something was *heard*. Deaf after hearing: having told of activity, a monitor
        listens no more until the next :meth:`Monitor.check` arms it again (but it goes on waiting for the end of a hold that it
        marked ``told``).
    """

    name: str
    host: Host
    tell: Callable[[Reading], None]


class Monitor(Protocol):
    """An opened monitor."""

    def check(self, now: float) -> Reading | Awaitable[Reading]:
        """Arm the event sources again, *then* look: the truth at ``now`` (``CLOCK_BOOTTIME`` seconds), including what happened
        since the last look. What takes longer than a file read is awaited; the daemon sets the time limit. An exception is a
        failed reading, which keeps the machine awake.
        """
        ...

    def close(self) -> None:
        """Give back every descriptor."""
        ...


class MonitorModule(Protocol):
    """What a module in this package offers."""

    __doc__: str | None
    Options: type[Any]
    EVENTS: bool
    """An event tells when activity begins. ``False``: only a look can tell, so in a reversible stage it is looked at each
    ``restore_within``."""

    def probe(self, host: Host, options: Any) -> Availability:
        """Can it work here?"""
        ...

    def open(self, context: Context, options: Any) -> Monitor:
        """Acquire event sources."""
        ...


def kinds() -> list[str]:
    """The types that are built in, sorted."""
    # Not pkgutil, which brings inspect, ast and tokenize into the daemon: 1.4 MiB.
    names = (
        name.removesuffix(".py") for path in __path__ for name in os.listdir(path) if name.endswith(".py")
    )
    return sorted({name.replace("_", "-") for name in names if not name.startswith("_")})


def find(kind: str) -> MonitorModule:
    """The module of a built-in type; ``KeyError`` when there is none."""
    if kind not in kinds():
        raise KeyError(kind)
    return cast("MonitorModule", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))
