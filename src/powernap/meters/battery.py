"""A battery or a UPS on USB that feeds the machine: what flows out of it, as long as it does.

Documentation/ABI/testing/sysfs-class-power: ``power_now`` in microwatts, else ``current_now`` (microamperes) times ``voltage_now`` (microvolts). Drivers differ in
the sign while it discharges. On mains nothing flows out, and there is nothing to measure.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from powernap.core.energy import Sample
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host

SCOPE = "platform"
LOCAL = True
SUPPLY = "/sys/class/power_supply"


@dataclass(frozen=True)
class Options:
    """It has none."""


def probe(host: Host, options: Options) -> Availability:  # noqa: ARG001
    """Which of them feed the machine now."""
    files = host.files
    known = [path for path in matching(files, f"{SUPPLY}/*") if _feeds(files, path)]
    if not known:
        return unavailable("there is no battery")
    feeding = discharging(files)
    if not feeding:
        return unavailable(
            "the machine runs on mains: nothing flows out of the battery", "unplug it for the measurement"
        )
    try:
        watts = sum(_watts(files, path) for path in feeding)
    except (OSError, ValueError) as error:
        return unavailable(f"{feeding[0]} does not tell its power: {error}")
    return available(f"{', '.join(path.rpartition('/')[2] for path in feeding)}: {watts:.2f} W")


def open(host: Host, options: Options) -> Battery:  # noqa: A001 - the word of the protocol
    """Those that feed the machine."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    return Battery(host, discharging(host.files))


class Battery:
    """Batteries that discharge together."""

    # gauges renew their reading every few seconds (smart battery specification: a mean over one minute at most)
    step, interval, gap, counts = 0.01, 5.0, 60.0, False

    def __init__(self, host: Host, paths: list[str]) -> None:
        self.host, self.paths, self.source = host, paths, ", ".join(paths)

    def read(self) -> Sample:
        """Watts out of all of them; ``OSError`` once the mains are back."""
        if discharging(self.host.files) != self.paths:
            raise OSError(errno.ENODATA, "the machine no longer runs on the same batteries")
        return Sample(self.host.clock.boottime(), sum(_watts(self.host.files, path) for path in self.paths))

    def close(self) -> None:
        """Nothing is open."""


def discharging(files: Files) -> list[str]:
    """Directories of what feeds the machine now."""
    return [
        path
        for path in matching(files, f"{SUPPLY}/*")
        if _feeds(files, path) and text(files, f"{path}/status") == "Discharging"
    ]


def _feeds(files: Files, path: str) -> bool:
    """The machine's own: not the battery of a mouse (``scope`` is ``Device``)."""
    return text(files, f"{path}/type") in {"Battery", "UPS"} and text(files, f"{path}/scope") != "Device"


def _watts(files: Files, path: str) -> float:
    if files.exists(f"{path}/power_now"):
        return abs(int(files.read(f"{path}/power_now"))) / 1e6
    current, voltage = int(files.read(f"{path}/current_now")), int(files.read(f"{path}/voltage_now"))
    return abs(current) * voltage / 1e12
