"""Sends ATA disks to standby once, where the kernel's runtime power management cannot do it.

Owns one command to each disk (STANDBY IMMEDIATE, after its cache is flushed). Nothing has to be restored: any access starts the disk
again, and the ledger knows the change as one that ends by itself. Never sets the drive's own standby timer, which can be written and not read.

`disk-spindown` is the better way wherever it works, because the kernel then puts a disk that was woken to sleep again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import disk_guards, disks, drives
from powernap.host.availability import Availability, available, unavailable
from powernap.host.disk_guards import Guard
from powernap.host.disk_starts import of_last_day
from powernap.host.files import text
from powernap.host.knobs import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.disk_guards import Scene, Verdict
    from powernap.host.disks import Disk
    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"


def runtime_pm(seen: Scene, disk: Disk) -> str:
    """The kernel can do it, again and again, and counts the disk's idle time itself."""
    delay = text(seen.files, f"{disk.path}/power/autosuspend_delay_ms")
    return "the kernel can stop it by itself: use disk-spindown" if delay else ""


GUARDS = (Guard("runtime-pm", runtime_pm), *disk_guards.RESTING)


def _named(names: tuple[str, ...]) -> str | None:
    return disk_guards.unknown_guard(names, GUARDS)


@dataclass(frozen=True)
class Options:
    """Which disks."""

    disks: tuple[str, ...] = option(
        (),
        example='["sdb", "ST4000*"]',
        help="Names, WWIDs, serial numbers or models of the disks, `*` allowed; without it, every rotating ATA disk that no guard forbids.",
    )
    cycles_per_day: float = option(
        10.0,
        example="10",
        check=disk_guards.bad_budget,
        help="Starts that a disk may have had within the last day, by its own counter; as long as no day is remembered, on average over its days in"
        " service. One that is over this budget stays up.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["runtime-pm"]',
        check=_named,
        help=f"Guards to pass over, by name: {', '.join(disk_guards.names(GUARDS))}.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which ATA disks can be sent to standby."""
    candidates = _candidates(host.files, options)
    if not candidates:
        return unavailable(
            "no ATA disk that rotates"
            if not options.disks
            else f"no ATA disk is {' or '.join(options.disks)}"
        )
    found = _verdicts(host, candidates, options)
    stays = disk_guards.staying(found)
    able = [str(each.disk) for each in found if each]
    if not able:
        return unavailable("; ".join(stays), disk_guards.remedy(found))
    return available("; ".join([f"{', '.join(able)}, once, at once", *stays]), "; ".join(stays))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One command to each; a disk that does not rest afterwards is named."""
    for verdict in _verdicts(host, _candidates(host.files, options), options):
        if verdict:
            yield Change(verdict.disk.path, "standby", kind="ata-power", optional=True)


def _candidates(files: Files, options: Options) -> list[Disk]:
    return [disk for disk in disks.chosen(disks.disks(files), options.disks) if disk.is_ata]


def _verdicts(host: Host, candidates: list[Disk], options: Options) -> list[Verdict]:
    files = host.files
    seen = disk_guards.scene(files, options.cycles_per_day, of_last_day(host))
    return disk_guards.verdicts(
        seen, candidates, GUARDS, options.despite, lambda disk: _obstacle(files, disk)
    )


def _obstacle(files: Files, disk: Disk) -> str:
    """Why it cannot be sent to standby."""
    if disks.asleep(files, disk):
        return "asleep already"
    try:
        able = drives.can_standby(files, disk)
        drives.power_mode(files, disk.path)
    except OSError as error:
        return f"{error.strerror}"
    return "" if able else "the disk has no power management"
