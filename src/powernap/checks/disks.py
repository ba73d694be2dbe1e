"""Disks that spin and cannot stop, because something keeps using them; and who does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.checks import AS_ROOT, DISK, Finding, Unseen, some
from powernap.core.units import show_size
from powernap.core.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look
    from powernap.host.disk_traffic import Moved

NAME = "disks"


@dataclass(frozen=True)
class Traffic:
    """Of a disk or a process during the window, bytes a second."""

    name: str
    read: float
    written: float
    spins: bool = False


SPINNING = frozenset({"ata", "sas", "scsi", "usb"})
"""How disks are attached that turn here. A virtual one says that it rotates, and what it turns is the host's."""


def judge(before: Look, after: Look) -> Iterator[Finding | Unseen]:
    """Each rotating disk that was used; one that was not may sleep, and what forbids that is its action's answer.

    Of a recorded machine no disk's last minutes are known, only what it has moved since the start.
    """
    if not after.live:
        return
    busy = [each for each in traffic(before, after) if each.spins and (each.read or each.written)]
    if not busy:
        return
    movers = processes(before, after)
    who = some(
        [f"{each.name} (read {show_size(each.read)}/s, wrote {show_size(each.written)}/s)" for each in movers]
    )
    for each in busy:
        yield Finding(
            NAME,
            DISK,
            f"{each.name} was used: read {show_size(each.read)}/s, written {show_size(each.written)}/s",
            f"it cannot stop while it is used; on all disks together, most was moved by {who or 'the kernel, or who could not be seen'}",
            "move logs and state that are written all the time to flash, mount with noatime, or stop who writes while nobody needs it",
            "disk-spindown",
        )
    if after.movers_hidden:
        yield Unseen(
            "who uses the disks",
            f"processes that keep their counters to themselves: {after.movers_hidden}",
            AS_ROOT,
        )


def traffic(before: Look, after: Look) -> list[Traffic]:
    """Of every disk, the busiest first."""
    length = max(after.at - before.at, 1e-3)
    found = []
    for disk in after.disks:
        if now := after.moved.get(disk.name):
            read, written = growth(before.moved.get(disk.name), now)
            spins = disk.rotational and disk.transport in SPINNING
            found.append(Traffic(disk.name, read / length, written / length, spins))
    return sorted(found, key=lambda each: (-each.read - each.written, each.name))


def processes(before: Look, after: Look) -> list[Traffic]:
    """Of every process that moved something, the busiest first."""
    length = max(after.at - before.at, 1e-3)
    found = []
    for pid, mover in after.movers.items():
        then = before.movers.get(pid)
        read, written = growth(then.moved if then else None, mover.moved)
        if read or written:
            found.append(Traffic(f"{mover.name} (pid {pid})", read / length, written / length))
    return sorted(found, key=lambda each: (-each.read - each.written, each.name))


def growth(then: Moved | None, now: Moved) -> tuple[int, int]:
    """Bytes read and written meanwhile; counters that went back are new ones."""
    if then is None or now.read < then.read or now.written < then.written:
        return now.read, now.written
    return now.read - then.read, now.written - then.written
