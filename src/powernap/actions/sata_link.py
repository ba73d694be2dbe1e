"""Lets the links of SATA disks sleep between two commands (link power management).

Owns ``link_power_management_policy`` of each SATA port that has a disk and whose original can be written back. The value is what the port
is asked for: its error handler brings it about at the next moment of calm (drivers/ata/libata-sata.c), and no file tells when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import disks
from powernap.host.availability import Availability, available, unavailable
from powernap.host.conflicts import advice
from powernap.host.cpus import number
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"

HOSTS = "/sys/class/scsi_host"
DEPTHS = ("max_performance", "medium_power", "med_power_with_dipm", "min_power_with_partial", "min_power")
"""From awake to deepest (Documentation/ABI/testing/sysfs-class-scsi_host). The last was linked to lost data: it is never written."""
HOT_PLUG, EXTERNAL = 1 << 18, 1 << 21
"""HPCP and ESP of the AHCI port's command register (AHCI 1.3.1 section 3.3.7): a link that sleeps does not notice a new disk."""


@dataclass(frozen=True)
class Options:
    """How deep."""

    policy: str = option(
        "med_power_with_dipm",
        choices=DEPTHS[1:4],
        help="The deepest sleep of a link; deeper ones than it are left as they are. min_power is not offered: it was linked to lost data.",
    )
    hot_plug: bool = option(
        False,
        help="Also at ports where disks are plugged in while the machine runs (hot-plug bays, eSATA); these no longer notice a new disk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which links can sleep deeper."""
    files = host.files
    ports = _ports(files)
    if not ports:
        return unavailable("no SATA port with a disk")
    able = list(_able(files, options))
    stays = [f"{_name(port)} stays: {why}" for port in ports if (why := _refusal(files, port, options))]
    if not able:
        return unavailable("; ".join(stays))
    rivals = advice(files, "sata-link")
    return available(
        "; ".join([f"{options.policy}: {', '.join(map(_name, able))}", *stays, *rivals]), "; ".join(stays)
    )


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Port by port; one that refuses is named, and the others still save."""
    for port in _able(host.files, options):
        yield Change(_policy(port), options.policy, optional=True)


def _ports(files: Files) -> list[str]:
    """Ports that have a disk: the link of an empty one is down."""
    used = {disk.host for disk in disks.disks(files)}
    ports = (
        path.rpartition("/")[0] for path in matching(files, f"{HOSTS}/host*/link_power_management_policy")
    )
    return sorted((port for port in ports if _name(port) in used), key=number)


def _policy(port: str) -> str:
    return f"{port}/link_power_management_policy"


def _name(port: str) -> str:
    return port.rpartition("/")[2]


def _able(files: Files, options: Options) -> Iterator[str]:
    return (port for port in _ports(files) if not _refusal(files, port, options))


def _refusal(files: Files, port: str, options: Options) -> str:
    """Why the link is left as it is."""
    now, shown = text(files, _policy(port)), text(files, f"{port}/ahci_port_cmd", "0")
    hot = int(shown, 16) & (HOT_PLUG | EXTERNAL) if all(c in "0123456789abcdefABCDEF" for c in shown) else 0
    if now == "keep_firmware_settings":
        return "it is as the firmware left it, and the kernel does not take that back"
    if text(files, f"{port}/link_power_management_supported", "1") == "0":
        return "its controller or disk cannot"
    if now not in DEPTHS:
        return f'its policy "{now}" is not known'
    if DEPTHS.index(now) >= DEPTHS.index(options.policy):
        return f"{now} already"
    if hot and not options.hot_plug:
        return f"{'an eSATA' if hot & EXTERNAL else 'a hot-plug'} port would not notice a new disk; hot_plug = true passes over this"
    return (
        ""
        if writable(files, _policy(port))
        else "it cannot be written from here; run as root, outside a container"
    )
