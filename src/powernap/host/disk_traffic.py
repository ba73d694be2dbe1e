"""What moves to and from each disk, and which processes move it.

Owns the counters of /sys/block/NAME/stat (Documentation/block/stat.rst) and of /proc/PID/io (proc_pid_io(5)) as far as they are about
storage. The kernel keeps them: to read them wakes no disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import text
from powernap.host.roll import pids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from powernap.host.disks import Disk
    from powernap.host.files import Files

SECTOR = 512
"""Bytes in a sector of the counters, whatever the disk's own sectors are."""


@dataclass(frozen=True)
class Moved:
    """Bytes since the machine was started, or the process was."""

    read: int
    written: int


@dataclass(frozen=True)
class Mover:
    """A process that has moved something."""

    pid: int
    name: str
    moved: Moved


def by_disk(files: Files, disks: Iterable[Disk]) -> dict[str, Moved]:
    """Of each disk; one whose counters cannot be read is left out."""
    found = {disk.name: parse_stat(text(files, f"/sys/block/{disk.name}/stat")) for disk in disks}
    return {name: moved for name, moved in found.items() if moved}


def parse_stat(text: str) -> Moved | None:
    """Of a ``stat``: the third field are the sectors read, the seventh those written."""
    fields = text.split()
    if len(fields) < 7 or not (fields[2].isdecimal() and fields[6].isdecimal()):
        return None
    return Moved(int(fields[2]) * SECTOR, int(fields[6]) * SECTOR)


def by_process(files: Files) -> tuple[dict[int, Mover], int]:
    """Of each process that has moved anything, and how many keep their counters to themselves (those of others, to all but root).

    What was written counts when it is put into the cache, so the writer is named and not the kernel's flusher.
    """
    found: dict[int, Mover] = {}
    hidden = 0
    for pid in pids(files):
        try:
            moved = parse_io(files.read(f"/proc/{pid}/io"))
        except PermissionError:
            hidden += 1
            continue
        except (OSError, ValueError):
            continue
        if moved and (moved.read or moved.written):
            found[pid] = Mover(pid, text(files, f"/proc/{pid}/comm"), moved)
    return found, hidden


def parse_io(text: str) -> Moved | None:
    """Of an ``io``; ``None`` where the fields about storage are missing."""
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    read, written = fields.get("read_bytes", ""), fields.get("write_bytes", "")
    return Moved(int(read), int(written)) if read.isdecimal() and written.isdecimal() else None
