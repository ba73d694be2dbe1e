"""The firmware's power meter (ACPI000D), which most servers with a management controller have.

Read as Documentation/hwmon/acpi_power_meter.rst says: ``power1_average`` in microwatts, a mean over ``power1_average_interval``
milliseconds. The attributes are in the ``device`` directory, and with some kernels (6.1) ``name`` too. Of several meters only those of the top domain are added up: one whose
devices (``measures/``) lie below another's is part of it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from powernap.core.energy import Sample
from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import matching, text, whole_number

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host

SCOPE = "platform"
LOCAL = True
HWMON = "/sys/class/hwmon"
UNKNOWN = 0xFFFFFFFF * 1000
"""What _PMM answers when it cannot tell (ACPI specification, 10.4.1), in the driver's microwatts."""
USUAL = 1.0
"""Seconds: the averaging interval where the firmware names none."""
BRIDGED = 10.0
"""Readings of the interval that may be missed."""


@dataclass(frozen=True)
class Options:
    """Which of them."""

    chip: str = option("", example="hwmon2", help="Only this meter (its directory in /sys/class/hwmon).")


def probe(host: Host, options: Options) -> Availability:
    """Which meters there are, and what they show."""
    places = _places(host.files, options)
    if not places:
        return unavailable(
            "the firmware offers no power meter", "modprobe acpi_power_meter, where it has one"
        )
    try:
        watts = _watts(host.files, places)
    except (OSError, ValueError) as error:
        return unavailable(f"{places[0]}/power1_average cannot be read: {_why(error)}")
    return available(f"{', '.join(places)}: {watts:.1f} W")


def open(host: Host, options: Options) -> Acpi:  # noqa: A001 - the word of the protocol
    """The meters of the top domain."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    return Acpi(host, _places(host.files, options))


class Acpi:
    """Meters that together see the machine."""

    step, counts = 0.001, False

    def __init__(self, host: Host, places: list[str]) -> None:
        self.host, self.places = host, places
        self.source = ", ".join(f"{place}/power1_average" for place in places)
        self.interval = max((_interval(host.files, place) for place in places), default=USUAL)
        self.gap = BRIDGED * self.interval

    def read(self) -> Sample:
        """Watts now."""
        return Sample(self.host.clock.boottime(), _watts(self.host.files, self.places))

    def close(self) -> None:
        """Nothing is open."""


def _places(files: Files, options: Options) -> list[str]:
    """Directories with the attributes, of the top domain, not of a battery."""
    chips = matching(files, f"{HWMON}/{options.chip or 'hwmon*'}")
    found = [
        place
        for chip in chips
        if "power_meter" in {text(files, f"{chip}/name"), text(files, f"{chip}/device/name")}
        for place in (f"{chip}/device", chip)
        if files.exists(f"{place}/power1_average") and whole_number(files, f"{place}/power1_is_battery") != 1
    ]
    measured = {place: _measured(files, place) for place in found}
    return [place for place in found if not _part_of_another(place, measured)]


def _measured(files: Files, place: str) -> list[str]:
    """The devices that it measures, as paths of the tree of devices."""
    return [files.real(f"{place}/measures/{name}") for name in files.names(f"{place}/measures")]


def _part_of_another(place: str, measured: dict[str, list[str]]) -> bool:
    """Whether all its devices lie strictly below those of another meter, or are the same as those of an earlier one."""
    own = measured[place]
    for other, theirs in measured.items():
        below = [any(device.startswith(f"{top}/") for top in theirs) for device in own]
        if other != place and own and all(below):
            return True
        if other < place and own and set(own) == set(theirs):
            return True
    return False


def _interval(files: Files, place: str) -> float:
    milliseconds = whole_number(files, f"{place}/power1_average_interval")
    return milliseconds / 1000 if milliseconds > 0 else USUAL


def _watts(files: Files, places: list[str]) -> float:
    return sum(parse(files.read(f"{place}/power1_average")) for place in places)


def parse(content: str) -> float:
    """Watts of a ``power1_average``. ``OSError`` (``ENODATA``) when the firmware cannot tell now."""
    microwatts = int(content)
    if not 0 <= microwatts < UNKNOWN:
        raise OSError(errno.ENODATA, "the firmware has no reading")
    return microwatts / 1e6


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
