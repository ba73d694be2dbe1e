"""Power or energy sensors of one part of the machine (hwmon): a regulator, a graphics card, a memory controller.

Documentation/hwmon/sysfs-interface.rst: ``power*_input`` (or ``power*_average``) in microwatts, ``energy*_input`` in microjoules since the driver was
loaded. Sensors of one chip are mostly parts of each other, so they are never added up: where there are several, one must be named.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from powernap.core.energy import Count, Sample
from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

SCOPE = "device"
LOCAL = True
HWMON = "/sys/class/hwmon"
SHAPES = ("energy*_input", "power*_input", "power*_average")
"""Counters first: they miss nothing between two looks."""
OTHERS = frozenset({"power_meter"})
"""Chips with a meter of their own (acpi.py)."""
INTERVAL = 1.0
BRIDGED = 10.0
"""Seconds between two samples of power that may be bridged."""


@dataclass(frozen=True)
class Options:
    """Which one."""

    sensor: str = option(
        "",
        example="amdgpu/PPT",
        help='The sensor: the chip\'s name and the label, as "powernap measure" lists them.',
    )


@dataclass(frozen=True)
class Sensor:
    """:param name: chip and label, as an admin writes it; :param path: its attribute."""

    name: str
    path: str

    @property
    def counts(self) -> bool:
        """It counts energy; else it shows power."""
        return self.path.rpartition("/")[2].startswith("energy")


def probe(host: Host, options: Options) -> Availability:
    """Which sensors there are; with more than one, which to name."""
    found = chosen(host.files, options)
    if not found:
        missing = (
            f'there is no sensor "{options.sensor}"' if options.sensor else "no chip shows power or energy"
        )
        known = ", ".join(each.name for each in sensors(host.files))
        return unavailable(missing, f"there are {known}" if known else "")
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        return unavailable(f"there are several sensors: {names}", f"name one: --meter hwmon:{found[0].name}")
    try:
        parse(host.files.read(found[0].path))
    except (OSError, ValueError) as error:
        return unavailable(f"{found[0].path} cannot be read: {error}")
    return available(f"{found[0].name} ({found[0].path})")


def open(host: Host, options: Options) -> Hwmon:  # noqa: A001 - the word of the protocol
    """The one sensor."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    return Hwmon(host, chosen(host.files, options)[0])


class Hwmon:
    """One sensor."""

    step, interval = 0.0, INTERVAL

    def __init__(self, host: Host, sensor: Sensor) -> None:
        self.host, self.sensor, self.source, self.counts = host, sensor, sensor.path, sensor.counts
        self.gap = math.inf if sensor.counts else BRIDGED

    def read(self) -> Sample:
        """Watts, or joules."""
        value, at = parse(self.host.files.read(self.sensor.path)), self.host.clock.boottime()
        return Sample(at, counts=(Count(value),)) if self.sensor.counts else Sample(at, value)

    def close(self) -> None:
        """Nothing is open."""


def chosen(files: Files, options: Options) -> list[Sensor]:
    """Those that the options name."""
    return [each for each in sensors(files) if options.sensor in ("", each.name)]


def sensors(files: Files) -> list[Sensor]:
    """All of them, each quantity once: the counter where there is one beside the power of the same label."""
    found: dict[str, Sensor] = {}
    for each in _all(files):
        found.setdefault(each.name, each)
    return sorted(found.values(), key=lambda each: each.name)


def _all(files: Files) -> Iterator[Sensor]:
    for chip in matching(files, f"{HWMON}/hwmon*"):
        kind = text(files, f"{chip}/name")
        for shape in SHAPES if kind and kind not in OTHERS else ():
            for path in matching(files, f"{chip}/{shape}"):
                stem = path.rpartition("/")[2].rpartition("_")[0]
                yield Sensor(f"{kind}/{text(files, f'{chip}/{stem}_label') or stem}", path)


def parse(content: str) -> float:
    """Watts of microwatts, or joules of microjoules."""
    return int(content) / 1e6
