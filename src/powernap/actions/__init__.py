"""One file each: a reversible power-saving change of the machine.

An action ``cpu-clock`` is the module ``cpu_clock.py``. Its docstring's first line is its help. It holds:

``Options``
    a frozen dataclass of :func:`powernap.core.options.option` fields;
``RISK``
    ``safe``, ``careful`` or ``dangerous``;
``LANE``
    ``fast`` (milliseconds; restored first) or ``slow``;
``probe(host, options) -> Availability``
    is there something to save here, and may it be touched? Looks only;
``plan(host, options) -> Iterator[Change]``
    what to write, in order. A generator: each change has been applied before the next is asked for, so a later one may depend on
    what an earlier one revealed; an ``optional`` one that was refused answers its ``yield`` with the reason. Reading, journalling,
    writing, verifying and restoring are the ledger's (host/ledger.py), the same for all; restoring goes through the entries
    backwards.

An action decides nothing about *when*, keeps no state, and writes only through the changes it yields.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from powernap.host.availability import Availability
    from powernap.host.host import Host
    from powernap.host.knobs import Change


class ActionModule(Protocol):
    """What a module in this package offers."""

    __doc__: str | None
    Options: type[Any]
    RISK: str
    LANE: str

    def probe(self, host: Host, options: Any) -> Availability:
        """Can it save something here?"""
        ...

    def plan(self, host: Host, options: Any) -> Iterator[Change]:
        """What to write, in order."""
        ...


def kinds() -> list[str]:
    """The actions that are built in, sorted."""
    # Not pkgutil, which brings inspect, ast and tokenize into the daemon: 1.4 MiB.
    names = (
        name.removesuffix(".py") for path in __path__ for name in os.listdir(path) if name.endswith(".py")
    )
    return sorted({name.replace("_", "-") for name in names if not name.startswith("_")})


@functools.cache  # 70 us each time, which a user who just came would wait for
def find(kind: str) -> ActionModule:
    """The module of a built-in action; ``KeyError`` when there is none."""
    if kind not in kinds():
        raise KeyError(kind)
    return cast("ActionModule", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))
