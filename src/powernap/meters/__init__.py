"""One file each: a source that says what power the machine draws, or what energy it has used.

A meter ``rapl`` is the module ``rapl.py`` (``ipmi-dcmi`` is ``ipmi_dcmi.py``). Its docstring's first line is its help. It holds:

``Options``
    a frozen dataclass of :func:`powernap.core.options.option` fields; the first one is what an address names (``plug:10.0.0.5``);
``SCOPE``
    how much of the machine it sees, a word of :data:`SCOPES`;
``probe(host, options) -> Availability``
    is there such a source, and may we read it? Looks at files only: it asks no other machine and starts no program;
``open(host, options) -> Meter``
    raises ``UnavailableError`` with reason and remedy when it cannot.

A meter reads and never sets anything (no power limits, no averaging intervals), keeps no time and decides nothing. What its readings come
to is :mod:`powernap.core.energy`'s.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from typing import TYPE_CHECKING, Any, Protocol, cast

from powernap.core.value import dataclass
from powernap.host.availability import Availability, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.core.energy import Sample
    from powernap.host.host import Host

SCOPES = ("wall", "psu", "bmc", "platform", "package", "device")
"""From the widest. ``wall``: all that is paid for; ``psu``: what goes into the power supplies; ``bmc``: what the management controller says of
the whole; ``platform``: the board or its firmware's view of it; ``package``: processors and memory; ``device``: one part."""


class Meter(Protocol):
    """An opened meter.

    :ivar source: what is read, for people. :ivar interval: seconds over which one reading is a mean, or that lie between two new ones.
    :ivar gap: seconds between two samples that may be bridged. :ivar step: the smallest difference it shows, in watts; 0: not known.
    """

    source: str
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

    def probe(self, host: Host, options: Any) -> Availability:
        """Is it there?"""
        ...

    def open(self, host: Host, options: Any) -> Meter:
        """Get ready to read."""
        ...


@dataclass(frozen=True)
class Found:
    """One meter of this machine."""

    kind: str
    scope: str
    answer: Availability
    options: Any


class AddressError(ValueError):
    """A meter is not written as it should be; the message says how."""


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


def ranked(host: Host) -> list[Found]:
    """Every meter that needs no address, the usable ones first, among them the widest scope first."""
    found = [_look(host, kind, options) for kind in kinds() if (options := _defaults(kind)) is not None]
    return sorted(found, key=lambda each: (not each.answer, SCOPES.index(each.scope), each.kind))


def parse(text: str) -> tuple[str, Any]:
    """``rapl``, ``plug:10.0.0.5`` or ``redfish:https://bmc7,netrc=/etc/powernap/netrc``: the kind and its options."""
    head, *more = text.split(",")
    kind, colon, first = head.partition(":")
    if kind not in kinds():
        raise AddressError(f'there is no meter "{kind}"; the meters are {", ".join(kinds())}')
    fields = [field.name for field in dataclasses.fields(find(kind).Options)]
    if colon and not fields:
        raise AddressError(f'the meter {kind} has no address; write "{kind}"')
    given = {fields[0]: first} if colon else {}
    for item in more:
        key, equals, value = item.partition("=")
        if not equals or key.replace("-", "_") not in fields:
            known = ", ".join(fields) or "none"
            raise AddressError(f'"{item}" is no option of the meter {kind}; its options are {known}')
        given[key.replace("-", "_")] = value
    try:
        options = find(kind).Options(**given)
    except TypeError:
        raise AddressError(f'the meter {kind} needs an address; write "{kind}:{fields[0].upper()}"') from None
    for complaint in _complaints(options):
        raise AddressError(f"meter {kind}: {complaint}")
    return kind, options


def at(host: Host, text: str) -> Found:
    """The meter that ``text`` names; :class:`AddressError`."""
    kind, options = parse(text)
    return _look(host, kind, options)


def _look(host: Host, kind: str, options: Any) -> Found:
    module = find(kind)
    try:
        answer = module.probe(host, options)
    except Exception as error:
        answer = unavailable(
            f"{type(error).__name__}: {error}", "please report this with `powernap snapshot`"
        )
    return Found(kind, module.SCOPE, answer, options)


def _defaults(kind: str) -> Any | None:
    """Its options when none are given; ``None`` where it needs some."""
    try:
        return find(kind).Options()
    except TypeError:
        return None


def _complaints(options: Any) -> Iterator[str]:
    """What the options' own checks say."""
    for field in dataclasses.fields(options):
        check = field.metadata.get("check")
        if check and (complaint := check(getattr(options, field.name))):
            yield f'"{field.name}": {complaint}'
