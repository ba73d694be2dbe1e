"""What goes into the power supplies, as they say themselves (PMBus, hwmon label "pin"): all of them together.

A machine with two supplies shares its load between them, so one alone says nothing: every supply that shows its input is added up, and one that cannot
be read makes the reading fail.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.energy import Sample
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host

SCOPE = "psu"
LOCAL = True
INPUT = re.compile(r"pin\d*")
"""Labels of the input power (drivers/hwmon/pmbus/pmbus_core.c)."""


@dataclass(frozen=True)
class Options:
    """It has none."""


def probe(host: Host, options: Options) -> Availability:  # noqa: ARG001
    """Which supplies show what goes in."""
    found = inputs(host.files)
    if not found:
        return unavailable(
            "no power supply shows its input (PMBus)", "most answer to the management controller only"
        )
    try:
        watts = _watts(host.files, found)
    except (OSError, ValueError) as error:
        return unavailable(f"a power supply cannot be read: {error}")
    return available(
        f"{'1 power supply' if len(found) == 1 else f'{len(found)} power supplies'}: {watts:.1f} W"
    )


def open(host: Host, options: Options) -> Psu:  # noqa: A001 - the word of the protocol
    """All supplies."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    return Psu(host, inputs(host.files))


class Psu:
    """All power supplies."""

    # PMBus numbers have 11 bits of mantissa, half a watt in a kilowatt; supplies renew them about once a second
    step, interval, gap, counts = 0.5, 1.0, 10.0, False

    def __init__(self, host: Host, paths: list[str]) -> None:
        self.host, self.paths, self.source = host, paths, ", ".join(paths)

    def read(self) -> Sample:
        """Their sum."""
        return Sample(self.host.clock.boottime(), _watts(self.host.files, self.paths))

    def close(self) -> None:
        """Nothing is open."""


def inputs(files: Files) -> list[str]:
    """The attributes of the input power."""
    return [
        label.replace("_label", "_input")
        for label in matching(files, "/sys/class/hwmon/hwmon*/power*_label")
        if INPUT.fullmatch(text(files, label)) and files.exists(label.replace("_label", "_input"))
    ]


def _watts(files: Files, paths: list[str]) -> float:
    return sum(int(files.read(path)) for path in paths) / 1e6
