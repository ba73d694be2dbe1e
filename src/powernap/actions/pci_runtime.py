"""Lets PCI devices sleep while their drivers do not use them: sound, SD readers, SATA controllers without disks, and what you name.

An allow-list of classes. Never, whatever is allowed: the wake path (host/wake_path.py), network cards with a link, graphics and what a BMC
shows as graphics, controllers with disks, devices given to guests, and chips and drivers that are known to hang. Owns ``power/control`` of
these devices and of the ports of a SATA controller without disks, which sleeps only when they do. Leaves ``d3cold_allowed`` alone:
how deep a device sleeps is its driver's choice. 0.2 to 2 W each; milliseconds until a device answers again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import device_guards, pci
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.conflicts import advice
from powernap.host.devices import target
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable
from powernap.host.pci_guards import GUARDS
from powernap.host.wake_path import wake_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from powernap.host.files import Files
    from powernap.host.host import Host
    from powernap.host.pci import PciFunction

RISK = "careful"
LANE = "fast"

SATA = "0106"
NOT_ASKED = "nobody asked for it"


def _classes(names: tuple[str, ...]) -> str | None:
    wrong = next((name for name in names if not re.fullmatch("[0-9a-f]{4}", name)), None)
    return (
        wrong and f'"{wrong}" is no class; write its four digits as lspci -n shows them, for example "0403"'
    )


@dataclass(frozen=True)
class Options:
    """Which devices."""

    classes: tuple[str, ...] = option(
        ("0401", "0403", "0805", SATA),
        example='["0403", "0805"]',
        check=_classes,
        help="Classes of devices that may sleep: sound (0401, 0403), SD readers (0805), SATA controllers without disks (0106).",
    )
    allow: tuple[str, ...] = option(
        (),
        example='["10ec:5227"]',
        check=device_guards.unnamed,
        help="Other devices that may sleep, by ids or class; never those of the wake path.",
    )
    deny: tuple[str, ...] = option(
        (),
        example='["8086:a170"]',
        check=device_guards.unnamed,
        help="Devices that stay awake, by ids or class.",
    )
    bridges: bool = option(
        False,
        help="Bridges with nothing behind them too: a card that is plugged in while one sleeps may not be seen.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["hotplug"]',
        choices=device_guards.passable(GUARDS),
        help="Guards to pass over for every device, at your own risk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """How many devices can sleep, and why each other that was asked for stays awake."""
    files = host.files
    functions = pci.functions(files)
    if not functions:
        return unavailable("there is no PCI device")
    able, staying = _judged(files, functions, options)
    kept = device_guards.told((str(each), why) for each, why in staying if why != NOT_ASKED)
    done = [f"{count} may already"] if (count := sum(each.control == "auto" for each in functions)) else []
    if not able:
        return unavailable("; ".join(["no more PCI device can be let sleep", *done, *kept]))
    if not any(writable(files, f"{each.place}/power/control") for each in able):
        return unwritable(f"{able[0].place}/power/control")
    rivals = advice(files, "pci-runtime")
    names = " and ".join(map(str, able[:3])) + (f" and {len(able) - 3} more" if len(able) > 3 else "")
    counted = f"{len(able)} of {many(len(functions), 'PCI device')} can sleep: {names}"
    return available("; ".join([counted, *done, *kept, *rivals]))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """The ports of a SATA controller before itself. A device that fails does not hinder the others."""
    files = host.files
    for each in _judged(files, pci.functions(files), options)[0]:
        ports = matching(files, f"{each.place}/ata[0-9]*") if each.kind == SATA else []
        for place in [*ports, each.place]:
            if text(files, f"{place}/power/control") == "on":
                yield Change(target(files, place, "power/control"), "auto", "device", optional=True)


def _judged(
    files: Files, functions: list[PciFunction], options: Options
) -> tuple[list[PciFunction], list[tuple[PciFunction, str]]]:
    """The functions that can be let sleep, and those that stay awake, each with the reason."""
    path = wake_path(files)
    reasons = [(each, _stays(files, each, options, path)) for each in functions if each.control != "auto"]
    return [each for each, why in reasons if not why], [(each, why) for each, why in reasons if why]


def _stays(files: Files, function: PciFunction, options: Options, path: Mapping[str, str]) -> str:
    """Why a function stays awake; empty when it can sleep."""
    kinds = (function.kind, function.kind[:2])
    asked = function.kind in options.classes or device_guards.named(function.ids, kinds, options.allow)
    if not asked and not (options.bridges and function.kind == pci.BRIDGE):
        return NOT_ASKED
    if why := path.get(function.place):
        return why
    if device_guards.named(function.ids, kinds, options.deny):
        return "`deny` names it"
    if function.control != "on":
        return "this kernel gives it no power/control"
    return device_guards.standing(files, GUARDS, function, options.despite)
