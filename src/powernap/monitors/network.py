"""Somebody uses the network: bytes a second through the interfaces.

Owns the meaning of /sys/class/net/*/statistics and which interfaces count: those with hardware below them. Bridges, bonds, tunnels and the
containers' ends would count the same bytes twice. Where no interface has hardware (a container), all but ``lo`` count.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from powernap.core.counters import Look, rates
from powernap.core.meter import begin, measure
from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.threshold import Threshold
from powernap.core.units import show_size
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import text

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host
    from powernap.monitors import Context

EVENTS = False
INTERFACES = "/sys/class/net"
COUNTERS = {"in": ("rx_bytes",), "out": ("tx_bytes",), "any": ("rx_bytes", "tx_bytes")}


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    interfaces: tuple[str, ...] = option(
        (),
        example='["eth*", "wlan0"]',
        help="Names of the interfaces, `*` allowed; without it, every interface that has hardware below it.",
    )
    direction: str = option(
        "any", choices=("in", "out", "any"), help="Bytes received, sent, or both together."
    )
    above: float = option(
        10 * 1024.0,
        unit="byte_rate",
        example="10KiB/s",
        help="Bytes a second, through all these interfaces together, above which the machine is in use. "
        "Broadcasts, time and name look-ups of a quiet server stay below 1KiB/s.",
    )
    for_: float = option(
        0.0, unit="duration", example="1min", help="How long it must be above the limit before it counts."
    )
    below: float | None = option(
        None,
        unit="byte_rate",
        example="8KiB/s",
        help="Rate below which activity ends; without it, 80 % of `above`.",
    )


def watched(files: Files, patterns: tuple[str, ...]) -> list[str]:
    """The interfaces that count, now."""
    names = [name for name in files.names(INTERFACES) if files.exists(f"{INTERFACES}/{name}/statistics")]
    if patterns:
        return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    hardware = [name for name in names if files.exists(f"{INTERFACES}/{name}/device")]
    return hardware or [name for name in names if name != "lo"]


def counters(files: Files, options: Options) -> dict[str, int]:
    """Bytes so far by interface and direction (``eth0/rx_bytes``); an interface that goes meanwhile is left out.

    Source: Documentation/ABI/testing/sysfs-class-net-statistics.
    """
    names = [
        f"{name}/{counter}"
        for name in watched(files, options.interfaces)
        for counter in COUNTERS[options.direction]
    ]
    texts = {name: text(files, f"{INTERFACES}/{name.replace('/', '/statistics/')}") for name in names}
    return {name: int(value) for name, value in texts.items() if value.isascii() and value.isdigit()}


def probe(host: Host, options: Options) -> Availability:
    """Which interfaces are counted?"""
    every = host.files.names(INTERFACES)
    if not every:
        return unavailable(f"{INTERFACES} cannot be read", "mount /sys")
    if names := watched(host.files, options.interfaces):
        return available(", ".join(names))
    kind = " or ".join(options.interfaces) or "besides lo"
    return available(f"no interface {kind} now (here: {', '.join(every)}); one that comes is watched")


def open(context: Context, options: Options) -> NetworkMonitor:  # noqa: A001 - the name every monitor has
    """Take the first look."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return NetworkMonitor(context, options)


class NetworkMonitor:
    """Compares bytes with those of the previous look."""

    source = INTERFACES

    def __init__(self, context: Context, options: Options) -> None:
        self._context, self._options = context, options
        threshold = Threshold(options.above, options.for_, options.below)
        base = self._look(context.host.clock.boottime())
        self._meter = begin(context.name, threshold, base, "B/s", rate, "interfaces not measured yet")

    def check(self, now: float) -> Reading:
        """The rate since the previous look; within its first second the previous answer, unless it is exceeded already."""
        look = self._look(now)
        each = by_interface(rates(self._meter.base, look))
        self._meter = measure(self._meter, look, sum(each.values()), lambda end: self._reason(each, end))
        return self._meter.reading

    def close(self) -> None:
        """Nothing is held open."""

    def _look(self, now: float) -> Look:
        return Look(now, counters(self._context.host.files, self._options))

    def _reason(self, each: dict[str, float], end: str) -> str:
        """Names the busiest interface, and how much passed when others did something too."""
        if not each:
            return "no interface to watch"
        name = max(each, key=lambda name: each[name])
        total = sum(each.values())
        share = "" if total == each[name] else f" of {rate(total)} on {len(each)} interfaces"
        word = {"in": " received", "out": " sent", "any": ""}[self._options.direction]
        return f"{name} {rate(each[name])}{word}{share} {end}"


def by_interface(found: dict[str, float]) -> dict[str, float]:
    """Rates of both directions together."""
    each: dict[str, float] = {}
    for name, amount in found.items():
        interface = name.partition("/")[0]
        each[interface] = each.get(interface, 0.0) + amount
    return each


def rate(amount: float) -> str:
    """Bytes a second as text."""
    return f"{show_size(amount)}/s"
