"""One file each: a source that says what power the machine draws, or what energy it has used.

A meter ``rapl`` is the module ``rapl.py`` (``ipmi-dcmi`` is ``ipmi_dcmi.py``). Its docstring's first line is its help. It holds:

``Options``
    a frozen dataclass of :func:`powernap.core.options.option` fields; the first one is what an address names (``plug:10.0.0.5``);
``SCOPE``
    how much of the machine it sees, a word of :data:`SCOPES`;
``LOCAL``
    this machine's kernel answers from a file, so that powernapd may read it too. Other machines, programs, slow controllers and what wakes
    a device are asked by `powernap measure` only: the unit reaches no network, and a daemon that waits for a controller is none;
``probe(host, options) -> Availability``
    is there such a source, and may we read it? Looks at files only: it asks no other machine and starts no program;
``open(host, options) -> Meter``
    raises ``UnavailableError`` with reason and remedy when it cannot.

A meter reads and never sets anything (no power limits, no averaging intervals), keeps no time and decides nothing. What its readings come
to is :mod:`powernap.core.energy`'s.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Protocol, cast

from powernap.core.value import dataclass
from powernap.host.availability import Availability, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from powernap.core.energy import Sample
    from powernap.host.host import Host

SCOPES = ("wall", "psu", "bmc", "platform", "package", "gpu", "device")
"""From the widest. ``wall``: all that is paid for; ``psu``: what goes into the power supplies; ``bmc``: what the management controller says of
the whole; ``platform``: the board or its firmware's view of it; ``package``: processors and memory; ``gpu``: graphics cards; ``device``: one part."""
WHOLE = SCOPES[:4]
"""Those that see the machine as a whole."""


class Meter(Protocol):
    """An opened meter.

    :ivar source: what is read, for people. :ivar interval: seconds over which one reading is a mean, or that lie between two new ones.
    :ivar gap: seconds between two samples that may be bridged. :ivar step: the smallest difference it shows, in watts; 0: not known.
    :ivar counts: its samples are counters of energy; else they are the power at an instant.
    """

    source: str
    counts: bool
    interval: float
    gap: float
    step: float

    def read(self) -> Sample:
        """The power or the counters now. ``OSError`` where it does not answer, ``ValueError`` where the answer makes no sense."""
        ...

    def close(self) -> None:
        """Give back what is open."""
        ...


class MeterModule(Protocol):
    """What a module in this package offers."""

    __doc__: str | None
    Options: type[Any]
    SCOPE: str
    LOCAL: bool

    def probe(self, host: Host, options: Any) -> Availability:
        """Is it there?"""
        ...

    def open(self, host: Host, options: Any) -> Meter:
        """Get ready to read."""
        ...


class Asked(Protocol):
    """A ``[meter.NAME]`` section of the configuration."""

    @property
    def name(self) -> str:
        """Its own."""
        ...

    @property
    def type(self) -> str:
        """The kind."""
        ...

    @property
    def options(self) -> Any:
        """An instance of the kind's."""
        ...

    @property
    def enabled(self) -> bool:
        """``False`` leaves it out, and the kind with it."""
        ...


@dataclass(frozen=True)
class Found:
    """One meter of this machine: its name in the configuration, or its kind. ``asked``: the configuration names it."""

    name: str
    kind: str
    scope: str
    answer: Availability
    options: Any
    asked: bool = False


def kinds() -> list[str]:
    """The meters that are built in, sorted."""
    names = (
        name.removesuffix(".py") for path in __path__ for name in os.listdir(path) if name.endswith(".py")
    )
    return sorted({name.replace("_", "-") for name in names if not name.startswith("_")})


def find(kind: str) -> MeterModule:
    """The module of a built-in meter; ``KeyError`` when there is none."""
    if kind not in kinds():
        raise KeyError(kind)
    return cast("MeterModule", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))


def ranked(host: Host, asked: Iterable[Asked] = ()) -> list[Found]:
    """The configured meters, and every other kind that needs no address: the usable ones first, among them the widest scope first."""
    sections = list(asked)
    taken = {each.type for each in sections}
    found = [look(host, each.type, each.options, each.name) for each in sections if each.enabled]
    found += [
        look(host, kind, options)
        for kind in kinds()
        if kind not in taken and (options := _defaults(kind)) is not None
    ]
    return sorted(
        found, key=lambda each: (not each.answer, SCOPES.index(each.scope), not each.asked, each.name)
    )


def look(host: Host, kind: str, options: Any, name: str = "") -> Found:
    """What one of them answers; a probe that breaks is an answer too. ``name``: what the configuration calls it."""
    module = find(kind)
    try:
        answer = module.probe(host, options)
    except Exception as error:
        answer = unavailable(
            f"{type(error).__name__}: {error}", "please report this with `powernap snapshot`"
        )
    return Found(name or kind, kind, module.SCOPE, answer, options, bool(name))


def _defaults(kind: str) -> Any | None:
    """Its options when none are given; ``None`` where it needs some."""
    try:
        return find(kind).Options()
    except TypeError:
        return None
