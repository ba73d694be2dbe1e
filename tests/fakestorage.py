"""Fake disks, links and NVMe drives for the fake kernel: what their attributes do, and how a machine is given them.

Owns ``add_disk``, ``add_nvme``, ``add_port``, ``add_partition``, ``add_md``, ``add_mapped`` and ``mount``. What a drive itself does and
answers is fakedrives.py.
"""

from __future__ import annotations

import errno
import json
import os
import re
from typing import TYPE_CHECKING, Any

from fakeattributes import FLAG, RULES, Store, number, read_only, refuse, word
from fakedrives import drives, read, resume, set_drive

if TYPE_CHECKING:
    from fakekernel import FakeKernel

AHCI = "/sys/devices/pci0000:00/0000:00:17.0"
HBA = "/sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0"
USB = "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-3/2-3:1.0"
DEBUG = "/sys/devices/pseudo_0/adapter0"
NVME = "/sys/devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme"
PARENTS = {"ata": AHCI, "sas": HBA, "usb": USB, "scsi": DEBUG}
POLICIES = ("max_performance", "medium_power", "med_power_with_dipm", "min_power_with_partial", "min_power")
DEVICE = r"(?P<device>/sys/devices/.*/\d+:\d+:\d+:\d+)"
SLOWEST = 2**31 - 1


# ------------------------------------------------------------ giving a machine disks


def add_disk(
    kernel: FakeKernel,
    name: str,
    transport: str = "ata",
    *,
    rotational: bool = True,
    host: int | None = None,
    control: str = "on",
    delay: int | None = -1,
    manage: int | None = None,
    split: bool = True,
    removable: bool = False,
    **drive: Any,
) -> str:
    """A disk that turns; the path of its device.

    :param delay: ``None``: the driver has none, and reading it is EIO. :param manage: whether resting stops the motor; as its driver sets it.
    :param split: ``manage_runtime_start_stop`` (since 6.6) in place of ``manage_start_stop``. :param drive: its state, see :func:`drive_of`.
    """
    number = ord(name[-1]) - ord("a") if host is None else host
    address = f"{number}:0:0:0"
    port = {"ata": f"/ata{number + 1}", "sas": ""}.get(transport, "")
    end = f"/port-{number}:0/end_device-{number}:0" if transport == "sas" else ""
    device = f"{PARENTS[transport]}{port}/host{number}{end}/target{number}:0:0/{address}"
    state = {"name": name, "ata": transport == "ata", "node": "sg" + name[2:], "path": device, **drive}
    kernel.add(f"/.fake/disks/{name}", json.dumps(state, sort_keys=True))
    _add_device(kernel, device, state, transport)
    kernel.add(f"{device}/power/control", control)
    kernel.add(f"{device}/power/autosuspend_delay_ms", "none" if delay is None else str(delay))
    kernel.add(f"{device}/power/runtime_status", "active")
    motor = "manage_runtime_start_stop" if split else "manage_start_stop"
    kernel.add(
        f"{device}/scsi_disk/{address}/{motor}", str(int(transport == "ata") if manage is None else manage)
    )
    _add_block(kernel, device, name, rotational=rotational, removable=removable)
    kernel.add(f"{device}/scsi_generic/sg{name[2:]}/dev", f"21:{number}", writable=False)
    kernel.add(f"/dev/sg{name[2:]}")
    return device


def _add_device(kernel: FakeKernel, device: str, state: dict[str, Any], transport: str) -> None:
    name = state["name"]
    facts = {
        "vendor": "ATA" if state["ata"] else {"sas": "SEAGATE", "scsi": "Linux"}.get(transport, "Generic"),
        "model": state.get("model", "scsi_debug" if transport == "scsi" else f"DISK-{name}"),
        "wwid": state.get("wwid", f"naa.5000c5000000{ord(name[-1]):04x}"),
    }
    for attribute, value in facts.items():
        kernel.add(f"{device}/{attribute}", value, writable=False)
    kind = {"ata": "0x010601", "sas": "0x010700", "usb": "0x0c0330"}.get(transport)
    if kind and not kernel.exists(f"{PARENTS[transport].split('/usb')[0]}/class"):
        kernel.add(f"{PARENTS[transport].split('/usb')[0]}/class", kind, writable=False)


def _add_block(kernel: FakeKernel, device: str, name: str, *, rotational: bool, removable: bool) -> None:
    block = f"{device}/block/{name}"
    kernel.add(f"{block}/queue/rotational", str(int(rotational)))
    for attribute, value in {
        "removable": str(int(removable)),
        "hidden": "0",
        "inflight": "       0        0",
    }.items():
        kernel.add(f"{block}/{attribute}", value, writable=False)
    kernel.add(f"{block}/dev", f"8:{16 * (ord(name[-1]) - ord('a'))}", writable=False)
    kernel.link(f"{block}/device", device)
    for place in ("/sys/block", "/sys/class/block"):
        kernel.link(f"{place}/{name}", block)


def add_partition(kernel: FakeKernel, disk: str, number: int) -> str:
    """``sda1``; its name."""
    name, block = f"{disk}{number}", kernel.real(f"/sys/block/{disk}")
    major, minor = kernel.get(f"{block}/dev").split(":")
    kernel.add(f"{block}/{name}/partition", str(number), writable=False)
    kernel.add(f"{block}/{name}/dev", f"{major}:{int(minor) + number}", writable=False)
    kernel.link(f"/sys/class/block/{name}", f"{block}/{name}")
    return name


def add_virtual(kernel: FakeKernel, name: str, number: str, slaves: tuple[str, ...]) -> str:
    """A device that stands on others; its path."""
    block = f"/sys/devices/virtual/block/{name}"
    kernel.add(f"{block}/dev", number, writable=False)
    for slave in slaves:
        kernel.link(f"{block}/slaves/{slave}", kernel.real(f"/sys/class/block/{slave}"))
    for place in ("/sys/block", "/sys/class/block"):
        kernel.link(f"{place}/{name}", block)
    return block


def add_md(
    kernel: FakeKernel,
    name: str,
    *members: str,
    state: str = "clean",
    action: str = "idle",
    degraded: int = 0,
) -> str:
    """A software RAID; the path of its ``md`` directory."""
    block = add_virtual(kernel, name, f"9:{name[2:]}", members)
    values = {
        "array_state": state,
        "sync_action": action,
        "degraded": str(degraded),
        "sync_completed": "none" if action == "idle" else "25 / 100",
    }
    for attribute, value in values.items():
        kernel.add(f"{block}/md/{attribute}", value)
    return f"{block}/md"


def add_mapped(kernel: FakeKernel, number: int, name: str, *slaves: str, uuid: str = "LVM-x") -> None:
    """A logical volume, a dm-crypt volume, several paths to one disk."""
    block = add_virtual(kernel, f"dm-{number}", f"253:{number}", slaves)
    kernel.add(f"{block}/dm/name", name, writable=False)
    kernel.add(f"{block}/dm/uuid", uuid, writable=False)


def mount(kernel: FakeKernel, place: str, node: str, kind: str = "ext4", device: str = "") -> None:
    """A line of mountinfo. ``device``: its number where the file system has one of its own (btrfs, ZFS)."""
    number = device or kernel.get(f"/sys/class/block/{node.removeprefix('/dev/')}/dev")
    before = kernel.get("/proc/self/mountinfo", "")
    line = f"{len(before.splitlines()) + 20} 1 {number} / {place} rw,relatime shared:1 - {kind} {node} rw"
    kernel.add("/proc/self/mountinfo", f"{before}\n{line}".strip(), writable=False)


def add_port(
    kernel: FakeKernel, host: int, policy: str = "max_performance", *, supported: bool = True, bits: int = 0
) -> str:
    """A SATA port. ``bits`` of its command register: 18 hot-plug, 21 eSATA."""
    port = f"/sys/class/scsi_host/host{host}"
    kernel.add(f"{port}/link_power_management_policy", policy)
    kernel.add(f"{port}/link_power_management_supported", str(int(supported)), writable=False)
    kernel.add(f"{port}/ahci_port_cmd", f"{sum([1 << bits] if bits else []) | 0x4000:x}", writable=False)
    return port


def add_nvme(kernel: FakeKernel, name: str = "nvme0", tolerance: str | None = "25000") -> str:
    """A drive; ``tolerance=None``: it does not change its power state by itself. Its path."""
    path = f"{NVME}/{name}"
    kernel.add(f"{path}/model", f"FLASH-{name}", writable=False)
    if tolerance is not None:
        kernel.add(f"{path}/power/pm_qos_latency_tolerance_us", tolerance)
    kernel.link(f"/sys/class/nvme/{name}", path)
    return path


# ------------------------------------------------------------ attributes


def scsi_rule(tail: str, show: Any = None, store: Store | None = None) -> None:
    """An attribute of any SCSI device. Before all others, which know nothing of these."""
    RULES.insert(0, (re.compile(f"{DEVICE}/{tail}"), show, store))


def device_of(path: str) -> str:
    """The device that an attribute belongs to."""
    return re.match(DEVICE, path)["device"]  # type: ignore[index]


def store_control(kernel: FakeKernel, path: str, text: str) -> None:
    """``on`` resumes it first (pm_runtime_forbid)."""
    word("on", "auto")(kernel, path, text)
    if text.strip() == "on":
        resume(kernel, device_of(path))


def show_delay(kernel: FakeKernel, path: str) -> str:
    """EIO where the driver uses none (autosuspend_delay_ms_show)."""
    value = kernel.get(path)
    if value == "none":
        refuse(errno.EIO, path)
    return f"{value}\n"


def store_delay(kernel: FakeKernel, path: str, text: str) -> None:
    """One below zero forbids to rest, and resumes what rests."""
    if kernel.get(path) == "none":
        refuse(errno.EIO, path)
    number(-(2**31), 2**31 - 1)(kernel, path, text)
    if int(text) < 0:
        resume(kernel, device_of(path))


def store_policy(kernel: FakeKernel, path: str, text: str) -> None:
    """EOPNOTSUPP where the link cannot; ``keep_firmware_settings`` is shown and not taken (libata-sata.c)."""
    if kernel.get(f"{os.path.dirname(path)}/link_power_management_supported", "1") == "0":
        refuse(errno.EOPNOTSUPP, path)
    word(*POLICIES)(kernel, path, text)


def show_tolerance(kernel: FakeKernel, path: str) -> str:
    """``auto``, ``any`` or microseconds (pm_qos_latency_tolerance_us_show)."""
    value = kernel.get(path)
    return "any\n" if value == str(SLOWEST) else f"{value}\n"


def store_tolerance(kernel: FakeKernel, path: str, text: str) -> None:
    """EINVAL below zero."""
    if text.strip() == "auto":
        kernel.put(path, "auto")
    else:
        number(0, SLOWEST)(kernel, path, str(SLOWEST) if text.strip() == "any" else text)


scsi_rule("power/control", store=store_control)
scsi_rule("power/autosuspend_delay_ms", show_delay, store_delay)
scsi_rule("power/runtime_status", store=read_only)
scsi_rule("scsi_disk/[^/]*/manage_(runtime_|system_)?start_stop", store=FLAG)
RULES.insert(
    0, (re.compile("/sys/class/scsi_host/host[0-9]+/link_power_management_policy"), None, store_policy)
)
RULES.insert(
    0,
    (
        re.compile("/sys/devices/.*/nvme[0-9]+/power/pm_qos_latency_tolerance_us"),
        show_tolerance,
        store_tolerance,
    ),
)


# ------------------------------------------------------------ for the tests that kill at every write


def three(kernel: FakeKernel, transport: str, **more: Any) -> None:
    """Three disks beside the system's, one of which an admin lets rest already."""
    add_disk(kernel, "sda", "ata", host=6)
    mount(kernel, "/", f"/dev/{add_partition(kernel, 'sda', 1)}")
    for name in ("sdb", "sdc", "sdd"):
        add_disk(
            kernel,
            name,
            transport,
            control="auto" if name == "sdd" and transport == "sas" else "on",
            **more,
        )


def ports(kernel: FakeKernel) -> None:
    """Three ports whose links can sleep, one that is as the firmware left it."""
    for host, name in enumerate(("sda", "sdb", "sdc", "sdd")):
        add_port(kernel, host, "keep_firmware_settings" if name == "sdb" else "max_performance")
        add_disk(kernel, name, host=host)


def nvmes(kernel: FakeKernel) -> None:
    """Three drives."""
    for name in ("nvme0", "nvme1", "nvme2"):
        add_nvme(kernel, name)


CONDITIONS = {"idle_a": 10, "idle_b": 650, "idle_c": 4000, "standby_z": 15000}
EQUIP = {
    "disk-spindown": lambda kernel: three(kernel, "sas"),
    "ata-standby": lambda kernel: three(kernel, "ata", delay=None),
    "sas-idle": lambda kernel: three(kernel, "sas", conditions=CONDITIONS),
    "sata-link": ports,
    "nvme-latency": nvmes,
}


def use(kernel: FakeKernel) -> None:
    """Somebody reads from every disk."""
    for name in drives(kernel):
        read(kernel, name)


def use_anew(kernel: FakeKernel) -> None:
    """The same, and starts are not counted: no undo takes wear back."""
    use(kernel)
    for name in drives(kernel):
        set_drive(kernel, name, starts=120)


SETTLE = {"ata-standby": use_anew, "sas-idle": use}
"""What happens anyway after an action: disks that it sent to rest are used again."""
