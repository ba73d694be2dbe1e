"""One file each: a method by which another machine is brought up.

A waker ``magic-packet`` is the module ``magic_packet.py``. Its docstring's first line is its help. It holds:

``Options``
    a frozen dataclass of :func:`powernap.core.options.option` fields;
``REPEAT``
    whether it may be used again while nobody knows what came of it: a packet that was lost tells nobody, and a second one does no harm. A power
    button pressed twice does: a method without it is used once, and only on a machine of which is known that it is not up. What it raises as
    ``WakeError`` was not done, and is tried again; of anything else, also that it does not return, nobody knows;
``REMEDY``
    what an admin should look at when it was used and the machine did not come;
``probe(host, options) -> Availability``
    can it be used from this machine? Looks only;
``wake(context, options) -> str``
    does it once, and says what it did, in words: ``through eth0``. Raises ``WakeError``. It may block, for ``context.limit`` at most. It is not
    begun again for the same machine while it hangs.

Three more are optional: ``LIMIT``, the seconds that it may take, where the context's own are not enough; ``state(context, options) -> str``, what it knows of the machine's power (one of :data:`STATES`), and
``off(context, options, *, force: bool) -> str``, which switches it off: gracefully, or at once. A magic packet can do neither.

A waker may use what its context gives it. It does not retry, wait for the machine, spread several wakes over time or log, and knows no
schedules: all that is in one place around it (:mod:`powernap.wakeproxy`).
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Protocol, cast

from powernap.core.value import dataclass

if TYPE_CHECKING:
    from powernap.host.availability import Availability
    from powernap.host.host import Host

ON, ASLEEP, OFF, UNKNOWN = "on", "asleep", "off", "unknown"
STATES = (ON, ASLEEP, OFF, UNKNOWN)
"""Of a machine's power. Nothing but a magic packet, which cannot hurt one that is on, is ever sent on ``unknown``."""


class WakeError(Exception):
    """It could not be done: the reason and what to do."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason + (f"; {remedy}" if remedy else ""))
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class Context:
    """What a waker is given.

    :param host: this machine: its files, its clocks. :param name: of the machine that is woken, as the inventory has it; ``address``: its own.
    :param limit: seconds.
    """

    host: Host
    name: str
    address: str
    limit: float = 10.0


class WakerModule(Protocol):
    """What a module in this package offers."""

    __doc__: str | None
    Options: type[Any]
    REPEAT: bool
    REMEDY: str

    def probe(self, host: Host, options: Any) -> Availability:
        """Can it be used from here?"""
        ...

    def wake(self, context: Context, options: Any) -> str:
        """Once."""
        ...


def kinds() -> list[str]:
    """The wakers that are built in, sorted."""
    names = (
        name.removesuffix(".py") for path in __path__ for name in os.listdir(path) if name.endswith(".py")
    )
    return sorted({name.replace("_", "-") for name in names if not name.startswith("_")})


def find(kind: str) -> WakerModule:
    """The module of a built-in waker; ``KeyError`` when there is none."""
    if kind not in kinds():
        raise KeyError(kind)
    return cast("WakerModule", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))
