"""Brings SAS disks to a power condition in which they turn with their heads unloaded, or turn more slowly.

Owns one command to each disk (START STOP UNIT with a power condition) and its counterpart. Never a plain STOP, after which the next read
fails with an I/O error. A disk that is used works on at once, after its recovery time; it is then active until the nap ends.

A condition that is set by command also stops the drive's own timers, and whether they run cannot be read. So restoring always gives
control back to the drive (LU_CONTROL), also when the disk has long been active again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import disk_guards, disks, drives
from powernap.host.availability import Availability, available, unavailable
from powernap.host.disk_starts import of_last_day
from powernap.host.knobs import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.disk_guards import Guard, Verdict
    from powernap.host.disks import Disk
    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"


def _named(names: tuple[str, ...]) -> str | None:
    return disk_guards.unknown_guard(names, disk_guards.RESTING)


@dataclass(frozen=True)
class Options:
    """Which disks, and how deep."""

    disks: tuple[str, ...] = option(
        (),
        example='["sdb", "naa.5000c500*"]',
        help="Names, WWIDs, serial numbers or models of the disks, `*` allowed; without it, every rotating SAS disk that no guard forbids.",
    )
    condition: str = option(
        "idle_b",
        choices=("idle_b", "idle_c", "standby_z"),
        help="How deep: heads unloaded (about 1.4 W less, back within a second), slower as well (3.7 W, 3 to 15 s), or stopped (6.8 W, as long as"
        " a start takes; some enclosures must allow each start, so prefer disk-spindown).",
    )
    cycles_per_day: float = option(
        10.0,
        example="10",
        check=disk_guards.bad_budget,
        help="For standby_z: starts that a disk may have had within a day; as long as no day is remembered, on average over its days in service.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["busy-array"]',
        check=_named,
        help=f"Guards to pass over, by name: {', '.join(disk_guards.names(disk_guards.RESTING))}.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which SAS disks have this condition."""
    candidates = _candidates(host.files, options)
    if not candidates:
        return unavailable(
            "no SAS disk that rotates"
            if not options.disks
            else f"no SCSI disk is {' or '.join(options.disks)}"
        )
    found = _verdicts(host, candidates, options)
    stays = disk_guards.staying(found)
    able = [each.disk for each in found if each]
    if not able:
        return unavailable("; ".join(stays), disk_guards.remedy(found))
    which = ", ".join(f"{disk}{_recovery(host.files, disk, options.condition)}" for disk in able)
    return available("; ".join([f"{options.condition}: {which}", *stays]), "; ".join(stays))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One command to each disk that has the condition."""
    for verdict in _verdicts(host, _candidates(host.files, options), options):
        if verdict:
            yield Change(verdict.disk.path, options.condition, kind="sas-power", optional=True)


def _candidates(files: Files, options: Options) -> list[Disk]:
    """SCSI disks by themselves: ATA disks behind a translator have their own command, flash and USB have none."""
    found = disks.chosen(disks.disks(files), options.disks)
    return [disk for disk in found if not disk.is_ata and disk.transport in {"sas", "scsi", "fc"}]


def _verdicts(host: Host, candidates: list[Disk], options: Options) -> list[Verdict]:
    files = host.files
    guards: tuple[Guard, ...] = (
        disk_guards.RESTING if options.condition == "standby_z" else disk_guards.IDLING
    )
    seen = disk_guards.scene(files, options.cycles_per_day, of_last_day(host))
    return disk_guards.verdicts(
        seen, candidates, guards, options.despite, lambda disk: _obstacle(files, disk, options.condition)
    )


def _obstacle(files: Files, disk: Disk, wanted: str) -> str:
    """Why it cannot be brought there."""
    if disks.asleep(files, disk):
        return "asleep already"
    try:
        now = drives.condition(files, disk.path)
        able = drives.conditions(files, disk)
    except OSError as error:
        return f"{error.strerror}"
    if now.commanded:
        return f"somebody has brought it to {now.name}; it is left to them"
    return "" if wanted in able else f"it has no {wanted} (it has {', '.join(able) or 'no power conditions'})"


def _recovery(files: Files, disk: Disk, wanted: str) -> str:
    try:
        milliseconds = drives.conditions(files, disk).get(wanted)
    except OSError:
        return ""
    return f", back within {milliseconds} ms" if milliseconds else ""
