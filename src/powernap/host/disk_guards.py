"""Guards: what forbids to let a disk rest.

Owns the looking; each guard is a name, a look that answers with its evidence about one disk (or nothing), and which disks stay up
because of it. A guard that stands leaves that disk alone, and only that one; an admin may pass over any of them by name.

The wear budget counts with the drive's own counter, whoever caused the starts: those of the last day where the daemon remembers what the
counter showed a day ago (host/disk_starts.py), else the average over the drive's days in service, which needs no memory.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import block_stack, disks, drives, roll
from powernap.host.disk_starts import nobody_knows
from powernap.host.files import text

if TYPE_CHECKING:
    from powernap.host.block_stack import Set
    from powernap.host.disk_starts import OfLastDay
    from powernap.host.disks import Disk
    from powernap.host.drives import Health
    from powernap.host.files import Files

RAID_CONTROLLER = "0x0104"
GRANTED = 30.0
"""Days that a new disk is given: its maker and whoever built it in have started it some dozen times."""
UNABLE = "unable"
"""Stands for a guard where none forbids it and it cannot be done."""
SMARTD = ("/etc/smartd.conf", "/etc/smartmontools/smartd.conf")


@dataclass(frozen=True)
class Scene:
    """What is looked at once for all disks.

    :param carried: what of the system each disk carries; :param sets: those in operation; :param paths: disks that are paths to another;
    :param smartd: the lines of smartd's configuration, if it runs; :param health: what each disk says, asked when a guard wants it.
    :param lately: its starts of the last day, where they are known.
    """

    files: Files
    carried: dict[str, list[str]]
    sets: list[Set]
    paths: dict[str, str]
    smartd: str
    health: Callable[[Disk], Health]
    cycles_per_day: float
    lately: OfLastDay


@dataclass(frozen=True)
class Guard:
    """:param finds: the evidence about a disk, or an empty text when nothing forbids it."""

    name: str
    finds: Callable[[Scene, Disk], str]


@dataclass(frozen=True)
class Verdict:
    """One disk: ``guard`` and ``why`` it stays up, both empty where it may rest; ``unknown``: what it did not tell, and why not."""

    disk: Disk
    guard: str = ""
    why: str = ""
    unknown: str = ""

    def __bool__(self) -> bool:
        return not self.guard


def scene(files: Files, cycles_per_day: float, lately: OfLastDay = nobody_knows) -> Scene:
    """The machine as it is now."""
    asked: dict[str, Health] = {}

    def health(disk: Disk) -> Health:
        if disk.name not in asked:
            asked[disk.name] = drives.health(files, disk)
        return asked[disk.name]

    return Scene(
        files,
        block_stack.system_disks(files),
        block_stack.sets(files),
        block_stack.multipath(files),
        _smartd_lines(files),
        health,
        cycles_per_day,
        lately,
    )


def verdicts(
    seen: Scene,
    candidates: Sequence[Disk],
    guards: Iterable[Guard],
    despite: Iterable[str] = (),
    unable: Callable[[Disk], str] = lambda _: "",
) -> list[Verdict]:
    """Which of the disks may rest, and why the others may not. Members of a set go together or not at all.

    :param unable: why a disk that no guard forbids cannot be put to rest, or nothing.
    """
    passed = set(despite)
    heeded = [guard for guard in guards if guard.name not in passed]
    found = {disk.name: _first(seen, disk, heeded, unable) for disk in candidates}
    if "array" not in passed:
        _together(seen, found)
    return list(found.values())


def _first(seen: Scene, disk: Disk, guards: Sequence[Guard], unable: Callable[[Disk], str]) -> Verdict:
    for guard in guards:
        if evidence := guard.finds(seen, disk):
            return Verdict(disk, guard.name, evidence)
    if why := unable(disk):
        return Verdict(disk, UNABLE, why)
    unknown = seen.health(disk).unknown if any(guard in ASKING for guard in guards) else ""
    return Verdict(disk, unknown=unknown)


def _together(seen: Scene, found: dict[str, Verdict]) -> None:
    """Hold back every member of a set of which one stays up, until nothing more follows from it.

    A member that does not turn (a flash disk beside rotating ones, one that is asleep) holds nobody back.
    """
    present = disks.disks(seen.files)
    turning = {disk.name for disk in present if disk.rotational} | set(found)
    turning -= {disk.name for disk in present if disks.asleep(seen.files, disk)}
    settled = False
    while not settled:
        settled = True
        for each in seen.sets:
            awake = [name for name in sorted(each.members & turning) if not found.get(name)]
            why = each.use or (f"whose {awake[0]} stays up too" if awake else "")
            for name in each.members & set(found) if why else ():
                if found[name]:
                    found[name] = Verdict(found[name].disk, "array", f"member of {each.name}, {why}")
                    settled = False


def staying(found: Iterable[Verdict]) -> list[str]:
    """Each disk that is left alone, and why: ``"sdb stays up: member of md0, whose sdc is in use"``."""
    words = ((each, "is left alone" if each.guard == UNABLE else "stays up") for each in found if not each)
    return [f"{each.disk.name} {what}: {each.why}" for each, what in words]


def remedy(found: Iterable[Verdict]) -> str:
    """How an admin may pass over the guards that stand."""
    standing = sorted({each.guard for each in found} - {"", UNABLE})
    return (
        "despite = [" + ", ".join(f'"{name}"' for name in standing) + "] passes over this" if standing else ""
    )


# ------------------------------------------------------------ for the actions' options


def names(guards: Iterable[Guard]) -> tuple[str, ...]:
    """What may be passed over."""
    return ("array", *(guard.name for guard in guards))


def unknown_guard(wanted: Iterable[str], guards: Iterable[Guard]) -> str | None:
    """What is wrong with a list of guards to pass over."""
    known = names(guards)
    wrong = [name for name in wanted if name not in known]
    return f'"{wrong[0]}" is no guard; they are: {", ".join(known)}' if wrong else None


def bad_budget(cycles: float) -> str | None:
    """What is wrong with a number of starts a day."""
    return None if cycles > 0 else "must be more than 0; 10 a day spend 36500 starts in ten years"


# ------------------------------------------------------------ the guards


def system(seen: Scene, disk: Disk) -> str:
    """The system's own disk is never at rest for long, and everything waits while it starts."""
    carried = seen.carried.get(disk.name, [])
    return f"system disk with {', '.join(carried)}" if carried else ""


def removable(_seen: Scene, disk: Disk) -> str:
    """A medium that can be taken out."""
    return "its medium can be taken out" if disk.removable else ""


def usb_bridge(_seen: Scene, disk: Disk) -> str:
    """Bridges lie about a disk's state, and some lose the disk when it is stopped."""
    return (
        "a USB bridge is between, and these are not to be trusted with a stop"
        if disk.transport == "usb"
        else ""
    )


def hba_raid(seen: Scene, disk: Disk) -> str:
    """A volume of a RAID controller is several disks, of which it may drop one that is slow to start.

    A SATA port that is called RAID by the firmware, and driven by the kernel as any other, has the plain disk.
    """
    kind = disks.controller_class(seen.files, disk) if disk.transport != "ata" else ""
    return (
        "a volume of a RAID controller, whose vendor's tool puts its disks to rest"
        if kind.startswith(RAID_CONTROLLER)
        else ""
    )


def multipath(seen: Scene, disk: Disk) -> str:
    """Another path to the same disk may be in use, and the path checker asks it every few seconds."""
    name = seen.paths.get(disk.name, "")
    return f"a path of {name}" if name else ""


def busy_array(seen: Scene, disk: Disk) -> str:
    """A resync, check, repair, reshape, or a lost disk: the others have work to do, or are all there is."""
    return _work(seen, disk, scrub=False)


def scrub(seen: Scene, disk: Disk) -> str:
    """A scrub reads everything; it takes longest when its disks have to start again and again."""
    return _work(seen, disk, scrub=True)


def _work(seen: Scene, disk: Disk, *, scrub: bool) -> str:
    found = (each.work for each in seen.sets if disk.name in each.members and each.work)
    return next((work for work in found if work.endswith(" a scrub") == scrub), "")


def smart_test(seen: Scene, disk: Disk) -> str:
    """A stop would abort the drive's test of itself."""
    return seen.health(disk).test


def cycles(seen: Scene, disk: Disk) -> str:
    """A drive is made for so many starts. The budget is the last day's, or an average as long as nothing is remembered of a day."""
    wear = seen.health(disk).wear
    if wear.starts is None:
        return ""
    if wear.rated and wear.starts >= wear.rated:
        return f"started {wear.starts} times, and made for {wear.rated}"
    lately = seen.lately(disk, wear.starts)
    if lately:
        spent, most = f"started {lately.starts} times", seen.cycles_per_day * lately.days
        words = (
            f"over its budget: {spent} in the last {24 * lately.days:.0f} hours, and {most:.0f} are allowed"
        )
        return words if lately.starts >= most else ""
    if wear.days is None:
        return ""
    allowed = seen.cycles_per_day * max(GRANTED, wear.days)
    if wear.starts < allowed:
        return ""
    spent = f"started {wear.starts} times in {wear.days:.0f} days of service"
    return f"over its budget: {spent}, and {allowed:.0f} are allowed at {seen.cycles_per_day:g} a day"


def unasked(seen: Scene, disk: Disk) -> str:
    """A disk that might be in a test, or over its budget, for all that we are allowed to know. (One that keeps no count is another matter.)"""
    health = seen.health(disk)
    return f"it cannot be asked for its starts and self-tests ({health.unknown})" if health.barred else ""


def smartd(seen: Scene, disk: Disk) -> str:
    """The SMART daemon wakes a disk at each look (every 30 minutes), unless it is told not to (smartd.conf(5), ``-n``)."""
    if not seen.smartd or not smartd_wakes(seen.smartd, _names(seen.files, disk)):
        return ""
    return "smartd wakes it every 30 minutes; add `-n standby` to its line in /etc/smartd.conf"


def smartd_wakes(config: str, names: Iterable[str]) -> bool:
    """Whether smartd looks at a disk of these names without minding its sleep.

    The disk's own line counts before DEVICESCAN, and DEFAULT lines give options to the lines after them.
    """
    known, default, scan = tuple(names), "", None
    for line in re.sub(r"\\\n", " ", config).splitlines():
        name, _, rest = re.sub(r"#.*", "", line).strip().partition(" ")
        if name == "DEFAULT":
            default = rest
        elif any(fnmatch.fnmatchcase(each, name) for each in known):
            return _wakes(f"{default} {rest}")
        elif name == "DEVICESCAN":
            scan = f"{default} {rest}"
    return scan is not None and _wakes(scan)


def _wakes(options: str) -> bool:
    modes = re.findall(r"(?:^|\s)-n\s*(\w+)", options)
    return not modes or modes[-1] == "never"


def _names(files: Files, disk: Disk) -> list[str]:
    """``/dev`` names of a disk: its own, and udev's links to it (udev's database, lines ``S:``)."""
    number = text(files, f"/sys/block/{disk.name}/dev")
    links = re.findall(r"^S:(\S+)$", text(files, f"/run/udev/data/b{number}"), re.MULTILINE)
    return [f"/dev/{name}" for name in (disk.name, *links)]


def _smartd_lines(files: Files) -> str:
    """The configuration of smartd, if it runs. Without a file it looks at every disk."""
    if b"smartd" not in roll.call(files):
        return ""
    return next((found for path in SMARTD if (found := text(files, path))), "DEVICESCAN")


ASKING = (Guard("smart-test", smart_test), Guard("cycles", cycles), Guard("unasked", unasked))
"""Guards that ask the disk itself."""

RESTING = (
    Guard("system", system),
    Guard("removable", removable),
    Guard("usb-bridge", usb_bridge),
    Guard("hba-raid", hba_raid),
    Guard("multipath", multipath),
    Guard("busy-array", busy_array),
    Guard("scrub", scrub),
    Guard("smartd", smartd),
    *ASKING,
)
"""What forbids to stop a disk. ``array`` comes on top: members of a set rest together or not at all."""

IDLING = tuple(guard for guard in RESTING if guard.name not in {"cycles", "smartd", "unasked"})
"""What forbids to unload a disk's heads while it turns: that costs no start, and looking at it does no harm."""
