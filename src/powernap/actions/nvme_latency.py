"""Lets NVMe drives sleep deeper by themselves, by allowing them longer to wake up.

Owns ``pm_qos_latency_tolerance_us`` of each drive: the kernel chooses from it which power states the drive may enter when it is idle
(Autonomous Power State Transitions). Never sends a drive's feature or table itself, which the kernel would undo, and never overrides the
kernel's list of drives that lose their controller in deep states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.host import devices
from powernap.host.availability import Availability, available, unavailable
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"

DRIVES = "/sys/class/nvme"
ATTRIBUTE = "power/pm_qos_latency_tolerance_us"
UNLIMITED = {"any", "auto"}
"""Both let the drive use every state (drivers/nvme/host/core.c, nvme_set_latency_tolerance)."""


def _tolerance(seconds: float) -> str | None:
    return (
        None
        if 0.001 <= seconds <= 10
        else 'must be between 1 millisecond and 10 seconds; write for example "100ms"'
    )


@dataclass(frozen=True)
class Options:
    """How long a drive may take to wake up."""

    latency: float = option(
        0.1,
        unit="duration",
        example="100ms",
        check=_tolerance,
        help="The longest time a drive may take to wake up; the kernel's own default is 100ms. A drive that may take longer already stays so.",
    )
    any_latency: bool = option(False, help="However long it takes, in place of `latency`.")
    override: bool = option(
        False,
        help="Also where the tolerance is 0: somebody forbade the drive to sleep, mostly because it fails then.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which drives may be allowed more."""
    files = host.files
    drives = [path.rpartition("/")[2] for path in matching(files, f"{DRIVES}/nvme*")]
    if not drives:
        return unavailable("no NVMe drive")
    refused = {name: why for name in drives if (why := _refusal(files, name, options))}
    able = [name for name in drives if name not in refused]
    stays = [f"{name} stays: {why}" for name, why in refused.items()]
    if not able:
        return unavailable("; ".join(stays))
    longest = (
        "however long they take"
        if options.any_latency
        else f"up to {show_duration(options.latency)} to wake up"
    )
    return available("; ".join([f"{', '.join(able)}: {longest}", *stays]), "; ".join(stays))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Drive by drive."""
    yield from _wanted(host.files, options)


def _wanted(files: Files, options: Options) -> Iterator[Change]:
    for path in matching(files, f"{DRIVES}/nvme*"):
        if not _refusal(files, path.rpartition("/")[2], options):
            yield Change(
                devices.target(files, path, ATTRIBUTE), _value(options), kind="device", optional=True
            )


def _value(options: Options) -> str:
    return "any" if options.any_latency else str(round(options.latency * 1e6))


def _refusal(files: Files, name: str, options: Options) -> str:
    """Why the drive is left as it is."""
    path = f"{DRIVES}/{name}/{ATTRIBUTE}"
    now, wanted = text(files, path), _value(options)
    if not now:
        return (
            "it does not change its power state by itself (no APST), or the kernel knows that it fails then"
        )
    if now in UNLIMITED or (wanted != "any" and now.isdecimal() and int(now) >= int(wanted)):
        return f"it may take {now if now in UNLIMITED else now + ' us'} already"
    if now == "0" and not options.override:
        return "somebody forbade it to sleep (0); override = true passes over this"
    return "" if writable(files, path) else "it cannot be written from here; run as root, outside a container"
