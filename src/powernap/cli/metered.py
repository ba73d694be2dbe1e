"""Which meter `powernap measure` reads: a section of the configuration, one that is named with its address, or the one that sees most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from powernap import meters
from powernap.cli import trial
from powernap.config.declared import declared
from powernap.config.model import Config
from powernap.config.problems import meant
from powernap.config.values import WrongValueError, convert
from powernap.host.availability import UnavailableError, unavailable
from powernap.host.host import Host
from powernap.meters import Found


class AddressError(ValueError):
    """A meter is not written as it should be; the message says how."""


class NoMeterError(UnavailableError):
    """There is none that can be read; ``ranked``: each with its reason."""

    def __init__(self, found: Found, ranked: list[Found]) -> None:
        super().__init__(found.answer)
        self.ranked = ranked


class Metered:
    """A meter and what it is called."""

    def __init__(self, found: Found, opened: meters.Meter) -> None:
        self.found, self.opened = found, opened


def meter_of(host: Host, config: Config, wanted: str | None) -> Metered:
    """The meter that was named, or the one that sees most. ``AddressError``, ``UnavailableError``, of these ``NoMeterError``."""
    found = named(host, config, wanted) if wanted else widest(host, config)
    if not found.answer:
        raise UnavailableError(found.answer)
    return Metered(found, meters.find(found.kind).open(host, found.options))


def widest(host: Host, config: Config) -> Found:
    """The usable one with the widest scope. ``NoMeterError`` with the reasons of all where there is none."""
    ranked = meters.ranked(host, config.meters.values())
    if ranked and ranked[0].answer:
        return ranked[0]
    reasons = "; ".join(f"{each.name}: {trial.why_not(each.answer)}" for each in ranked)
    none = unavailable(
        f"there is no meter ({reasons})",
        'configure one that needs an address, such as [meter.wall] with type = "plug", or name it: --meter plug:HOST',
    )
    raise NoMeterError(Found("", "", "", none, None), ranked)


def named(host: Host, config: Config, text: str) -> Found:
    """The configured meter of this name, else the one that ``text`` names with its address."""
    section = config.meters.get(text)
    if section:
        return meters.look(host, section.type, section.options, section.name)
    kind, options = parse(text, config.meters)
    return meters.look(host, kind, options)


def parse(text: str, configured: Iterable[str] = ()) -> tuple[str, Any]:
    """``rapl``, ``plug:10.0.0.5`` or ``redfish:https://bmc7,netrc=/etc/powernap/netrc``: the kind and its options.

    :param configured: names that would have done too.
    """
    head, *more = text.split(",")
    kind, colon, first = head.partition(":")
    if kind not in meters.kinds():
        known = sorted({*meters.kinds(), *configured})
        raise AddressError(f'there is no meter "{kind}"; {meant(kind, known, otherwise="the meters are")}')
    module = meters.find(kind)
    fields = declared(module.Options)
    if colon and not fields:
        raise AddressError(f'the meter {kind} has no address; write "{kind}"')
    given = {next(iter(fields)): first} if colon else {}
    for item in more:
        key, equals, value = item.partition("=")
        if not equals or key not in fields:
            known_keys = ", ".join(fields) or "none"
            raise AddressError(f'"{item}" is no option of the meter {kind}; its options are {known_keys}')
        given[key] = value
    missing = next((key for key, each in fields.items() if each.required and key not in given), None)
    if missing:
        raise AddressError(f'the meter {kind} needs an address; write "{kind}:{missing.upper()}"')
    try:
        values = {fields[key].field: convert(value, fields[key]) for key, value in given.items()}
    except WrongValueError as error:
        raise AddressError(f"meter {kind}: {error.message}; {error.remedy}") from None
    return kind, module.Options(**values)
