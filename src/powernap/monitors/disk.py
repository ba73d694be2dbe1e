"""Somebody uses the disks: bytes read and written a second.

Owns the meaning of /proc/diskstats and which of its devices are disks: whole ones with hardware below them. Partitions, loop, ram, zram, md and
dm devices would count the same bytes twice. Discards and flushes are not counted: the kernel does those by itself (fstrim.timer).

Reads /proc and /sys only, so a disk that has spun down stays down.
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
DISKSTATS = "/proc/diskstats"
SECTOR = 512
"""Bytes in a sector of /proc/diskstats, whatever the disk's own sectors are (Documentation/block/stat.rst)."""


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    disks: tuple[str, ...] = option(
        (),
        example='["sd*", "nvme0n1"]',
        help="Names of the disks, `*` allowed; without it, every disk that has hardware below it.",
    )
    above: float = option(
        100 * 1024.0,
        unit="byte_rate",
        example="100KiB/s",
        help="Bytes a second, read and written by all these disks together, above which the machine is in use. "
        "Logs and file system journals of a quiet server stay below 20KiB/s.",
    )
    for_: float = option(
        0.0, unit="duration", example="1min", help="How long it must be above the limit before it counts."
    )
    below: float | None = option(
        None,
        unit="byte_rate",
        example="80KiB/s",
        help="Rate below which activity ends; without it, 80 % of `above`.",
    )


def parse(diskstats: str) -> dict[str, int]:
    """Sectors read and written of each block device (Documentation/admin-guide/iostats.rst, fields 3 and 7)."""
    return {
        fields[2]: int(fields[5]) + int(fields[9])
        for fields in map(str.split, diskstats.splitlines())
        if len(fields) > 9
    }


def is_disk(files: Files, name: str) -> bool:
    """A whole disk with hardware below it, and not one path of several to the same disk (``hidden``: NVMe multipath).

    Names with a slash (cciss/c0d0) stand in sysfs with an exclamation mark.
    """
    path = f"/sys/block/{name.replace('/', '!')}"
    return files.exists(f"{path}/device") and text(files, f"{path}/hidden", "0") == "0"


def watched(files: Files, counters: dict[str, int], wanted: tuple[str, ...]) -> dict[str, int]:
    """The counters of the disks that are wanted; a name given by the admin may be any block device."""
    if wanted:
        return {
            name: count
            for name, count in counters.items()
            if any(fnmatch.fnmatch(name, pattern) for pattern in wanted)
        }
    return {name: count for name, count in counters.items() if is_disk(files, name)}


def probe(host: Host, options: Options) -> Availability:
    """Are there counters, and of which disks?"""
    try:
        counters = parse(host.files.read(DISKSTATS))
    except (OSError, ValueError) as problem:
        return unavailable(
            f"{DISKSTATS} cannot be read ({problem})", "mount /proc; in a container, give it the host's /proc"
        )
    if names := sorted(watched(host.files, counters, options.disks)):
        return available(", ".join(names))
    wanted = " or ".join(options.disks) or "with hardware below it"
    return available(
        f"no disk {wanted} now (here: {', '.join(sorted(counters)) or 'none'}); one that comes is watched"
    )


def open(context: Context, options: Options) -> DiskMonitor:  # noqa: A001 - the name every monitor has
    """Take the first look."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return DiskMonitor(context, options)


class DiskMonitor:
    """Compares sectors with those of the previous look."""

    source = DISKSTATS

    def __init__(self, context: Context, options: Options) -> None:
        self._context, self._options = context, options
        threshold = Threshold(options.above, options.for_, options.below)
        base = self._look(context.host.clock.boottime())
        self._meter = begin(context.name, threshold, base, "B/s", rate, "disks not measured yet")

    def check(self, now: float) -> Reading:
        """The rate since the previous look; within its first second the previous answer, unless it is exceeded already."""
        look = self._look(now)
        each = {name: rate * SECTOR for name, rate in rates(self._meter.base, look).items()}
        self._meter = measure(self._meter, look, sum(each.values()), lambda end: self._reason(each, end))
        return self._meter.reading

    def close(self) -> None:
        """Nothing is held open."""

    def _look(self, now: float) -> Look:
        files = self._context.host.files
        return Look(now, watched(files, parse(files.read(DISKSTATS)), self._options.disks))

    def _reason(self, each: dict[str, float], end: str) -> str:
        """Names the busiest disk, and how much all did when others did something too."""
        if not each:
            return "no disk to watch"
        name = max(each, key=lambda name: each[name])
        total = sum(each.values())
        share = "" if total == each[name] else f" of {rate(total)} on {len(each)} disks"
        return f"disk {name} {rate(each[name])}{share} {end}"


def rate(amount: float) -> str:
    """Bytes a second as text."""
    return f"{show_size(amount)}/s"
