"""Disks: which there are, what each is, and where the kernel keeps it.

Owns the looking below /sys/block, and reads only what the kernel has cached, so that a disk that sleeps stays asleep. What stands on a
disk is host/block_stack.py, what it says of itself host/drives.py, and which ones may sleep host/disk_guards.py.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import text

if TYPE_CHECKING:
    from powernap.host.files import Files

BLOCK = "/sys/block"
TRANSPORTS = (
    (r"/usb\d+/", "usb"),
    (r"/nvme/", "nvme"),
    (r"/virtio\d+/", "virtio"),
    (r"/ata\d+/", "ata"),
    (r"/end_device-", "sas"),
    (r"/rport-", "fc"),
    (r"/session\d+/", "iscsi"),
)
"""Parts of a device's path that tell how it is attached."""


@dataclass(frozen=True)
class Disk:
    """A whole disk.

    :param path: its device's own place in /sys/devices: by where it is plugged in, not by a name that the next boot may give to another.
    :param identity: what does not change with the place: its WWID, else its serial number, else nothing.
    :param transport: ``ata``, ``sas``, ``usb``, ``nvme``, ``virtio``, ``fc``, ``iscsi`` or ``scsi``.
    :param host: the SCSI host that it is at ("host2"), if any.
    """

    name: str
    path: str
    model: str = ""
    vendor: str = ""
    identity: str = ""
    rotational: bool = False
    removable: bool = False
    transport: str = "scsi"
    host: str = ""

    @property
    def is_ata(self) -> bool:
        """It takes ATA commands, at an ATA port or behind a SAS adapter that translates them (SAT-4 8.1: the vendor is "ATA")."""
        return self.vendor == "ATA"

    def __str__(self) -> str:
        return f"{self.name} ({self.model})" if self.model else self.name


def disks(files: Files) -> list[Disk]:
    """Every whole disk that has hardware below it, sorted by name. A hidden one is a path of several to the same NVMe disk."""
    return [
        look(files, name)
        for name in files.names(BLOCK)
        if files.exists(f"{BLOCK}/{name}/device") and text(files, f"{BLOCK}/{name}/hidden", "0") == "0"
    ]


def look(files: Files, name: str) -> Disk:
    """What sysfs says of one disk."""
    block = f"{BLOCK}/{name}"
    path = files.real(f"{block}/device")
    host = re.search(r"/(host\d+)(/|$)", path)
    return Disk(
        name=name,
        path=path,
        model=text(files, f"{path}/model"),
        vendor=text(files, f"{path}/vendor"),
        identity=text(files, f"{path}/wwid") or text(files, f"{block}/wwid") or text(files, f"{path}/serial"),
        rotational=text(files, f"{block}/queue/rotational") == "1",
        removable=text(files, f"{block}/removable") == "1",
        transport=next((word for part, word in TRANSPORTS if re.search(part, f"{path}/")), "scsi"),
        host=host[1] if host else "",
    )


def chosen(found: Iterable[Disk], wanted: Iterable[str]) -> list[Disk]:
    """The disks that an admin names, by name, identity or model; without names the rotating ones, because only those spin."""
    patterns = tuple(wanted)
    return [
        disk
        for disk in found
        if (any(_means(disk, pattern) for pattern in patterns) if patterns else disk.rotational)
    ]


def _means(disk: Disk, pattern: str) -> bool:
    return any(
        fnmatch.fnmatchcase(name, pattern.removeprefix("/dev/"))
        for name in (disk.name, disk.identity, disk.model)
        if name
    )


def by_path(files: Files, path: str) -> Disk | None:
    """The disk that is plugged in at a place now, if there is one."""
    names = files.names(f"{path}/block")
    return look(files, names[0]) if names and files.exists(f"{BLOCK}/{names[0]}") else None


def asleep(files: Files, disk: Disk) -> bool:
    """The kernel has put it to sleep, or is about to: to ask it anything would wake it (drivers/scsi/sg.c resumes at open)."""
    return text(files, f"{disk.path}/power/runtime_status") in {"suspended", "suspending"}


def generic(files: Files, path: str) -> str:
    """The node for commands of the disk at this place ("/dev/sg2"); empty where the sg driver is not loaded."""
    return next((f"/dev/{name}" for name in files.names(f"{path}/scsi_generic")), "")


def controller_class(files: Files, disk: Disk) -> str:
    """The PCI class of the controller that the disk is at ("0x010400"); empty for none."""
    place = disk.path
    while place.count("/") > 2:
        place = place.rpartition("/")[0]
        if re.fullmatch(r"0x[0-9a-f]{6}", found := text(files, f"{place}/class")):
            return found
    return ""
