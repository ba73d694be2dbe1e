"""Spins idle disks down by the kernel's own runtime power management, which starts them again before the next read.

Owns three attributes of each disk: after how long the kernel lets it rest, whether resting means to stop its motor, and whether it may rest
at all. Which disks are left alone is host/disk_guards.py. Never sends a stop itself: after that the next read would fail.

The order, which restoring follows backwards (drivers/scsi/sd.c):
the delay before the permission, so that a disk does not stop at once; the motor between the two, because a disk that was stopped while
`manage_runtime_start_stop` was 1 and is resumed while it is 0 is not started, and the next read fails with an I/O error. So where the kernel
was already allowed to let a disk rest, that is taken back first and given again last: restoring then wakes the disk before it touches the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.host import devices, disk_guards, disks
from powernap.host.availability import Availability, available, unavailable
from powernap.host.conflicts import advice
from powernap.host.disk_starts import of_last_day
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from powernap.host.disk_guards import Verdict
    from powernap.host.disks import Disk
    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"

CONTROL, DELAY = "power/control", "power/autosuspend_delay_ms"


def _idle(seconds: float) -> str | None:
    return None if 1 <= seconds <= 86400 else 'must be between 1 second and 1 day; write for example "10min"'


def _named(names: tuple[str, ...]) -> str | None:
    return disk_guards.unknown_guard(names, disk_guards.RESTING)


@dataclass(frozen=True)
class Options:
    """Which disks, and when."""

    disks: tuple[str, ...] = option(
        (),
        example='["sdb", "naa.5000c500*", "ST4000*"]',
        help="Names, WWIDs, serial numbers or models of the disks, `*` allowed; without it, every rotating disk that no guard forbids.",
    )
    idle: float = option(
        600.0,
        unit="duration",
        example="10min",
        check=_idle,
        help="How long nothing may have been read or written before a disk is stopped.",
    )
    cycles_per_day: float = option(
        10.0,
        example="10",
        check=disk_guards.bad_budget,
        help="Starts that a disk may have had within the last day, by its own counter; as long as no day is remembered, on average over its days in"
        " service. One that is over this budget stays up. Disks are made for about 50000 starts.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["smartd"]',
        check=_named,
        help=f"Guards to pass over, by name: {', '.join(disk_guards.names(disk_guards.RESTING))}.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which disks can be spun down, and why the others stay up."""
    files = host.files
    candidates = disks.chosen(disks.disks(files), options.disks)
    if not candidates:
        return unavailable(_none(options.disks))
    found = _verdicts(host, candidates, options)
    able, stays = [each for each in found if each], disk_guards.staying(found)
    if not able:
        return unavailable("; ".join(stays), disk_guards.remedy(found))
    unknown = [
        f"{each.disk.name}'s starts and self-tests are not known ({each.unknown})"
        for each in able
        if each.unknown
    ]
    rivals = advice(files, "disk-spindown")
    which = f"{', '.join(str(each.disk) for each in able)} after {show_duration(options.idle)}"
    return available("; ".join([which, *stays, *unknown, *rivals]), "; ".join(stays))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Disk by disk. One that refuses is left alone and named; the others still save."""
    files = host.files
    candidates = disks.chosen(disks.disks(files), options.disks)
    for verdict in _verdicts(host, candidates, options):
        if verdict:
            yield from _rest(files, verdict.disk, options.idle)


def _verdicts(host: Host, candidates: list[Disk], options: Options) -> list[Verdict]:
    files = host.files
    seen = disk_guards.scene(files, options.cycles_per_day, of_last_day(host))
    return disk_guards.verdicts(
        seen, candidates, disk_guards.RESTING, options.despite, lambda disk: _obstacle(files, disk)
    )


def _none(wanted: tuple[str, ...]) -> str:
    return (
        f"no disk is {' or '.join(wanted)}"
        if wanted
        else "no disk that rotates; flash disks rest by themselves"
    )


def _motor(files: Files, disk: Disk) -> str:
    """The attribute that makes resting stop the motor; since Linux 6.6 there is one for runtime alone. Empty for none."""
    for name in ("manage_runtime_start_stop", "manage_start_stop"):
        if found := matching(files, f"{disk.path}/scsi_disk/*/{name}"):
            return found[0].removeprefix(f"{disk.path}/")
    return ""


def _obstacle(files: Files, disk: Disk) -> str:
    """Why the kernel cannot do it, or has no need to."""
    # EIO where the driver has no delay (drivers/base/power/sysfs.c)
    delay = text(files, f"{disk.path}/{DELAY}")
    if not delay or not _motor(files, disk):
        other = "; see ata-standby" if disk.is_ata else ""
        return f"the kernel has no runtime power management for it{other}"
    if not writable(files, f"{disk.path}/{CONTROL}"):
        return f"{disk.path}/{CONTROL} cannot be written from here; run as root, outside a container"
    return ""


def _rest(files: Files, disk: Disk, idle: float) -> Generator[Change, str | None, None]:
    """The changes for one disk, in order; each is asked for only where the one before held."""

    def change(attribute: str, value: str, form: str = "text") -> Change:
        return Change(
            devices.target(files, disk.path, attribute), value, kind="device", form=form, optional=True
        )

    motor, wanted = _motor(files, disk), round(idle * 1000)
    delay, allowed = int(text(files, f"{disk.path}/{DELAY}")), text(files, f"{disk.path}/{CONTROL}") == "auto"
    stops = text(files, f"{disk.path}/{motor}") == "1"
    steps = [change(CONTROL, "on")] if allowed and not stops else []
    # a delay below zero forbids it; a shorter one than ours is somebody's choice, and saves more
    if not 0 <= delay <= wanted:
        steps.append(change(DELAY, str(wanted), "number"))
    if not stops:
        steps.append(change(motor, "1", "number"))
    for step in [*steps, change(CONTROL, "auto")]:
        if (yield step):
            return
