"""What stands on which disks: mounts and swap, and the sets (md, LVM, btrfs, ZFS) that need several disks at once.

Owns the way from a device node down to the disks below it, through partitions, LVM, dm-crypt, bcache and md, and what each set is doing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import roll
from powernap.host.files import matching, text, whole_number

if TYPE_CHECKING:
    from powernap.host.files import Files

NODES = "/sys/class/block"
SYSTEM = ("/", "/boot", "/boot/efi", "/usr", "/var", "/var/log")
"""Directories that a running system writes to, or needs at any moment."""
RESTING = {"clean", "active-idle", "readonly", "read-auto"}
"""States of an md array that nobody writes to (Documentation/admin-guide/md.rst, array_state)."""
INACTIVE = {"", "clear", "inactive"}


@dataclass(frozen=True)
class Set:
    """Disks that are used together.

    :param name: as an admin knows it ("md0", "ZFS pool tank"); :param members: the disks below it;
    :param use: how we know that it is in use now, or nothing; :param work: the resync, check, scrub or loss that is under way.
    """

    name: str
    members: frozenset[str]
    use: str = ""
    work: str = ""


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo (proc_pid_mountinfo(5))."""

    number: str
    place: str
    kind: str
    source: str


# ------------------------------------------------------------ down


def below(files: Files, node: str) -> frozenset[str]:
    """The disks below a block device ("sda1", "dm-0", "md0"), itself if it is one; none where there is no such device."""
    real = files.real(f"{NODES}/{node}")
    if not files.exists(real):
        return frozenset()
    if files.exists(f"{real}/partition"):
        real = os.path.dirname(real)
    slaves = files.names(f"{real}/slaves")
    if not slaves:
        return frozenset({os.path.basename(real)})
    return frozenset().union(*(below(files, slave) for slave in slaves))


def numbers(files: Files) -> dict[str, str]:
    """Names of block devices by their numbers: ``{"8:1": "sda1"}``."""
    return {text(files, f"{NODES}/{name}/dev"): name for name in files.names(NODES)}


# ------------------------------------------------------------ the system's


def parse_mounts(mountinfo: str) -> list[Mount]:
    """The mounts; a line that is cut off is passed over."""
    found = []
    for line in mountinfo.splitlines():
        first, dash, second = line.partition(" - ")
        one, two = first.split(), second.split()
        if dash and len(one) > 4 and len(two) > 1:
            found.append(Mount(one[2], _plain(one[4]), two[0], _plain(two[1])))
    return found


def _plain(path: str) -> str:
    r"""Mountinfo writes blanks as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def system_disks(files: Files) -> dict[str, list[str]]:
    """What of the system each disk carries: ``{"sda": ["/", "swap"]}``."""
    names = numbers(files)
    mounts = parse_mounts(text(files, "/proc/1/mountinfo") or text(files, "/proc/self/mountinfo"))
    carried: dict[str, list[str]] = {}
    for place in SYSTEM:
        owner = _owner(mounts, place)
        if owner:
            for disk in _mounted_on(files, names, owner):
                carried.setdefault(disk, []).append(place)
    for what, node in _swaps(files):
        owner = _owner(mounts, node) if what == "swap file" else None
        for disk in _mounted_on(files, names, owner) if owner else below(files, node):
            carried.setdefault(disk, []).append(what)
    return carried


def _owner(mounts: list[Mount], place: str) -> Mount | None:
    """The mount that holds a path; of several at one place the last hides the others."""
    holding = [each for each in mounts if f"{place}/".startswith(each.place.rstrip("/") + "/")]
    return max(reversed(holding), key=lambda each: len(each.place.rstrip("/")), default=None)


def _mounted_on(files: Files, names: dict[str, str], mount: Mount) -> frozenset[str]:
    """The disks below a mount. btrfs and ZFS have no device number of their own: their source and their members tell."""
    if mount.number in names:
        return below(files, names[mount.number])
    if mount.kind == "zfs":
        pool = mount.source.partition("/")[0]
        return _zfs_members(files).get(pool, frozenset())
    found = below(files, node_of(files, mount.source)) if mount.source.startswith("/dev/") else frozenset()
    joint = (members for _, members in _btrfs(files) if mount.kind == "btrfs" and found & members)
    return found.union(*joint)


def node_of(files: Files, source: str) -> str:
    """The kernel's name of "/dev/mapper/vg-root" or "/dev/sda2"."""
    name = source.removeprefix("/dev/")
    if name.startswith("mapper/"):
        for path in matching(files, "/sys/block/dm-*/dm/name"):
            if text(files, path) == name.removeprefix("mapper/"):
                return path.split("/")[3]
    real = files.real(source)
    return real.removeprefix("/dev/")


def _swaps(files: Files) -> Iterator[tuple[str, str]]:
    """Swap partitions by their node, swap files by their path (proc(5), /proc/swaps)."""
    for line in text(files, "/proc/swaps").splitlines()[1:]:
        path, kind, *_ = [*line.split(), "", ""]
        if kind == "file":
            yield "swap file", _plain(path)
        elif path.startswith("/dev/"):
            yield "swap", node_of(files, _plain(path))


# ------------------------------------------------------------ sets


def sets(files: Files) -> list[Set]:
    """Every set of more than one disk that is in operation."""
    found = [*_md(files), *_mapped(files), *_btrfs_sets(files), *_zfs_sets(files)]
    return [each for each in found if len(each.members) > 1]


def in_flight(files: Files, disk: str) -> bool:
    """Requests are under way (Documentation/block/stat.rst, inflight: reads and writes)."""
    return any(count != "0" for count in text(files, f"/sys/block/{disk}/inflight", "0 0").split())


def _use(files: Files, members: frozenset[str], state: str = "") -> str:
    busy = [name for name in sorted(members) if in_flight(files, name)]
    return f"whose {busy[0]} is in use" if busy else state


def _md(files: Files) -> Iterator[Set]:
    """Software RAID (Documentation/admin-guide/md.rst)."""
    for path in matching(files, "/sys/block/md*/md"):
        name, state = path.split("/")[3], text(files, f"{path}/array_state")
        if state in INACTIVE:
            continue
        members = below(files, name)
        use = "" if state in RESTING else f"which is being written to ({state})"
        yield Set(name, members, _use(files, members, use), _md_work(files, name, path))


def _md_work(files: Files, name: str, path: str) -> str:
    """A resync, recovery, check, repair or reshape, or disks that it lacks."""
    action, lacks = text(files, f"{path}/sync_action", "idle"), whole_number(files, f"{path}/degraded")
    if action not in {"idle", "frozen"}:
        done = re.fullmatch(r"(\d+) / (\d+)", text(files, f"{path}/sync_completed"))
        share = f", {100 * int(done[1]) // max(1, int(done[2]))} % done" if done else ""
        return f"{name} runs a {action}{share}"
    return f"{name} lacks {lacks} of its disks" if lacks > 0 else ""


def _mapped(files: Files) -> Iterator[Set]:
    """Logical volumes and the like that lie on several disks; paths to one disk are no set (see :func:`multipath`)."""
    for path in matching(files, "/sys/block/dm-*/dm"):
        if not text(files, f"{path}/uuid").startswith("mpath-"):
            members = below(files, path.split("/")[3])
            yield Set(text(files, f"{path}/name"), members, _use(files, members))


def multipath(files: Files) -> dict[str, str]:
    """Disks that are paths to another, by name: ``{"sdb": "mpatha"}``."""
    return {
        disk: text(files, f"{path}/name")
        for path in matching(files, "/sys/block/dm-*/dm")
        if text(files, f"{path}/uuid").startswith("mpath-")
        for disk in files.names(f"{os.path.dirname(path)}/slaves")
    }


def _btrfs(files: Files) -> Iterator[tuple[str, frozenset[str]]]:
    """Mounted file systems and their disks."""
    for path in matching(files, "/sys/fs/btrfs/*/devices"):
        nodes = files.names(path)
        yield path.split("/")[4], frozenset().union(*(below(files, node) for node in nodes))


def _btrfs_sets(files: Files) -> Iterator[Set]:
    scrubbing = "btrfs" if b"btrfs" in roll.call(files) else ""
    for uuid, members in _btrfs(files):
        place = f"/sys/fs/btrfs/{uuid}"
        name = f"btrfs {text(files, f'{place}/label') or uuid[:8]}"
        running = text(files, f"{place}/exclusive_operation", "none")
        work = f"{name} runs a {running}" if running != "none" else ""
        progress = text(files, f"/var/lib/btrfs/scrub.status.{uuid}")
        # the file says so too of one that a power cut ended, hence the program as well
        if scrubbing and "finished:0" in progress and "canceled:1" not in progress:
            work = f"{name} runs a scrub"
        yield Set(name, members, _use(files, members), work)


def _zfs_members(files: Files) -> dict[str, frozenset[str]]:
    """Disks of each imported pool. ZFS tells sysfs nothing; udev has seen the labels (blkid's ID_FS_LABEL is the pool)."""
    pools = {path.split("/")[5] for path in matching(files, "/proc/spl/kstat/zfs/*/state")}
    found: dict[str, set[str]] = {pool: set() for pool in pools}
    for number, node in numbers(files).items() if pools else ():
        facts = text(files, f"/run/udev/data/b{number}").splitlines()
        label = next((line[14:] for line in facts if line.startswith("E:ID_FS_LABEL=")), "")
        if "E:ID_FS_TYPE=zfs_member" in facts and label in found:
            found[label] |= below(files, node)
    return {pool: frozenset(members) for pool, members in found.items()}


def _zfs_sets(files: Files) -> Iterator[Set]:
    """A scrub of ZFS cannot be told without its program; its reads keep the disks up by themselves."""
    for pool, members in sorted(_zfs_members(files).items()):
        yield Set(f"ZFS pool {pool}", members, _use(files, members))
