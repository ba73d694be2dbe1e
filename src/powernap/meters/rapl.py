"""The processors' own energy counters (RAPL, through powercap): packages and their memory, or the whole platform where it is shown.

Documentation/power/powercap/powercap.rst; Intel by MSR, MMIO or TPMI, AMD by MSR. Counts microjoules, begins again from 0 after
``max_energy_range_uj`` (262 kJ: 22 minutes at 200 W), and readable by root only. Sub-zones are part of their package, except ``dram``. The same package
shown by several drivers is counted once. RAPL does not see disks, fans, cards and losses of the power supply: it is right about a
processor's share of a change, and says nothing of the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.energy import Count, Sample
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import matching, text, whole_number

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host

SCOPE = "package"
LOCAL = True
POWERCAP = "/sys/class/powercap"
DRIVERS = ("intel-rapl", "intel-rapl-tpmi", "intel-rapl-mmio")
"""Control types in the order in which they are believed; AMD is shown as the first one."""
ZONE = re.compile(r"(?P<driver>[a-z-]+):(?P<top>\d+)(?::(?P<part>\d+))?")
CEILING = 500.0
"""Watts that a zone is taken to stay below where it names no limit: more than any processor of today draws for minutes."""
SLACK = 2.0
"""Of the long-term limit: short bursts go above it."""


@dataclass(frozen=True)
class Options:
    """It has none."""


@dataclass(frozen=True)
class Zone:
    """One counter: its directory, what it counts ("package-0"; "package-0 dram"), the joules of one round and the watts it stays below."""

    place: str
    name: str
    span: float
    ceiling: float


def probe(host: Host, options: Options) -> Availability:  # noqa: ARG001
    """Which zones there are, and whether they may be read."""
    found = zones(host.files)
    if not found:
        return unavailable(
            "no RAPL: /sys/class/powercap has no counters", "modprobe intel_rapl_msr, on real hardware"
        )
    try:
        for zone in found:
            parse(host.files.read(f"{zone.place}/energy_uj"))
    except PermissionError:
        return unavailable(f"{found[0].place}/energy_uj may be read by root only", "run as root")
    except (OSError, ValueError) as error:
        return unavailable(f"{found[0].place}/energy_uj cannot be read: {error}")
    return available(", ".join(zone.name for zone in found))


def open(host: Host, options: Options) -> Rapl:  # noqa: A001 - the word of the protocol
    """All zones that add up."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    return Rapl(host, zones(host.files))


class Rapl:
    """Counters that together are the processors, or the platform."""

    step, counts = 0.0, True

    def __init__(self, host: Host, found: list[Zone]) -> None:
        self.host, self.zones = host, found
        self.source = ", ".join(zone.name for zone in found)
        # the counters move every millisecond; a second is enough to make that too small to matter
        self.interval = 1.0
        self.gap = min((Count(0.0, zone.span, zone.ceiling).patience for zone in found), default=0.0)

    def read(self) -> Sample:
        """All counters, one right after the other."""
        counts = tuple(
            Count(parse(self.host.files.read(f"{zone.place}/energy_uj")), zone.span, zone.ceiling)
            for zone in self.zones
        )
        return Sample(self.host.clock.boottime(), counts=counts)

    def close(self) -> None:
        """Nothing is open."""


def zones(files: Files) -> list[Zone]:
    """The counters that add up: the platform's alone where it counts, else each package once, and its memory."""
    found: dict[str, str] = {}
    for driver in DRIVERS:
        for place in matching(files, f"{POWERCAP}/{driver}:*"):
            name = _name(files, place, driver)
            if name and files.exists(f"{place}/energy_uj"):
                found.setdefault(name, place)
    platform = {
        name: place for name, place in found.items() if name.startswith("psys") and _counts(files, place)
    }
    if not platform:
        platform = {name: place for name, place in found.items() if not name.startswith("psys")}
    return [_zone(files, place, name) for name, place in sorted(platform.items())]


def _name(files: Files, place: str, driver: str) -> str:
    """``package-0``, ``package-0 dram``, ``psys``; empty for a part that its package counts already."""
    zone = ZONE.fullmatch(place.rpartition("/")[2])
    if not zone or zone["driver"] != driver:
        return ""
    name = text(files, f"{place}/name")
    if zone["part"] is None:
        return name
    above = text(files, f"{POWERCAP}/{driver}:{zone['top']}/name")
    return f"{above} dram" if name == "dram" and above else ""


def _counts(files: Files, place: str) -> bool:
    """Some firmware shows a platform zone that never moves from 0; unreadable ones count, so that the reason is told."""
    return text(files, f"{place}/energy_uj", "unreadable") != "0"


def _zone(files: Files, place: str, name: str) -> Zone:
    span = whole_number(files, f"{place}/max_energy_range_uj")
    limit = whole_number(files, f"{place}/constraint_0_power_limit_uw")
    ceiling = max(CEILING, SLACK * limit / 1e6) if limit > 0 else CEILING
    return Zone(place, name, max(0, span) / 1e6, ceiling)


def parse(content: str) -> float:
    """Joules of an ``energy_uj``."""
    return int(content) / 1e6
