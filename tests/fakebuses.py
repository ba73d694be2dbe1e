"""Fake USB, PCI and sound devices for the fake kernel: what their attributes do, and how a machine is given them.

Owns ``add_pci``, ``add_usb``, ``add_input``, ``add_network``, ``add_sound`` and ``add_buses`` (a small server's), plugging and unplugging,
and the rules of ``power/*``, ``link/*`` and the sound drivers' parameters. Hidden state is below ``/.fake`` and the device's path:
``idle`` (milliseconds since it was used last, see ``let_idle``; none: in use for ever) and, of a link's upper end, ``aspm``.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, Any

from fakeattributes import RULES, Show, Store, number, read_only, refuse, rule, store_bracket, word

if TYPE_CHECKING:
    from pathlib import Path

    from fakekernel import FakeKernel

ROOT = "/sys/devices/pci0000:00"
XHCI = f"{ROOT}/0000:00:14.0"
HUB = f"{XHCI}/usb1"
POLICY = "/sys/module/pcie_aspm/parameters/policy"
HDA = "/sys/module/snd_hda_intel/parameters"
STATES = ("l0s_aspm", "l1_aspm", "l1_1_aspm", "l1_2_aspm", "clkpm")
SUBSTATES = {"l1_1_aspm", "l1_2_aspm"}
WANTS = {
    "performance": set[str](),
    "powersave": {"l0s_aspm", "l1_aspm", "clkpm"},
    "powersupersave": set(STATES),
}
DEVICE = r"/sys/devices/pci[^/]*(?:/[0-9a-f]{4}:[0-9a-f:.]+)*(?:/usb\d+(?:/\d[\d.-]*)*|/ata\d+)?"


def device_rule(tail: str, show: Show | None = None, store: Store | None = None) -> None:
    """An attribute of any PCI or USB device. Before all others, which know nothing of these."""
    RULES.insert(0, (re.compile(f"{DEVICE}/{tail}"), show, store))


# --- giving a machine devices


def bare_machine(root: Path) -> FakeKernel:
    """A machine with nothing in it: what four processors bring along is most of a test's time."""
    from fakekernel import FakeKernel  # noqa: PLC0415 - which imports this

    kernel = FakeKernel(root)
    kernel.add("/proc/mounts", "sysfs /sys sysfs rw 0 0", writable=False)
    return kernel


def add_device(
    kernel: FakeKernel, place: str, control: str = "on", *, wakeup: str = "", idle: bool = True
) -> str:
    """A directory with ``power``. :param idle: nobody uses it. :param wakeup: ``enabled``, ``disabled``, or it cannot wake."""
    for name in ("uevent", "power/runtime_status"):
        kernel.add(f"{place}/{name}", writable=False)
    kernel.add(f"{place}/power/control", control)
    if wakeup:
        kernel.add(f"{place}/power/wakeup", wakeup)
    if idle:
        kernel.add(f"/.fake{place}/idle", "0")
    return place


def add_pci(
    kernel: FakeKernel,
    place: str,
    ids: str,
    kind: str,
    *,
    driver: str = "",
    control: str = "on",
    wakeup: str = "",
    link: str = "",
    firmware: str = "",
    off: str = "",
) -> str:
    """A function at its real path.

    :param ids: ``8086:1533``; :param kind: ``020000``; :param link: the states that its link can enter; :param firmware: those that the
        firmware had set; :param off: those that a driver switched off.
    """
    add_device(kernel, place, control, wakeup=wakeup)
    vendor, _, device = ids.partition(":")
    for name, value in {"vendor": vendor, "device": device, "class": kind}.items():
        kernel.add(f"{place}/{name}", f"0x{value}", writable=False)
    if driver:
        kernel.add(f"/sys/bus/pci/drivers/{driver}/uevent", writable=False)
        kernel.link(f"{place}/driver", f"/sys/bus/pci/drivers/{driver}")
    kernel.link(f"/sys/bus/pci/devices/{place.rpartition('/')[2]}", place)
    if link:
        above = os.path.dirname(place)
        kernel.add(
            f"/.fake{above}/aspm", "\n".join(" ".join(sorted(each.split())) for each in (link, firmware, off))
        )
        for state in link.split():
            kernel.add(f"{place}/link/{state}")
    return place


def add_usb(
    kernel: FakeKernel,
    place: str,
    ids: str,
    *interfaces: tuple[str, str],
    kind: str = "00",
    product: str = "",
    control: str = "on",
    wakeup: str = "",
    devnum: int = 2,
    serial: str = "",
) -> str:
    """A device at its real path.

    :param interfaces: class and driver of each, e.g. ``("03", "usbhid")``; ``-`` before a driver that cannot be suspended.
    """
    add_device(kernel, place, control, wakeup=wakeup)
    vendor, _, model = ids.partition(":")
    kernel.add(f"{place}/power/autosuspend_delay_ms", "2000")
    values = {
        "idVendor": vendor,
        "idProduct": model,
        "bDeviceClass": kind,
        "devnum": str(devnum),
        "product": product,
        "serial": serial,
    }
    for name, value in values.items():
        if value:
            kernel.add(f"{place}/{name}", value, writable=False)
    name = os.path.basename(place)
    port = f"{name.removeprefix('usb')}-0" if name.startswith("usb") else name
    for index, (each, driver) in enumerate(interfaces):
        where = f"{place}/{port}:1.{index}"
        kernel.add(f"{where}/uevent", writable=False)
        kernel.add(f"{where}/bInterfaceClass", each, writable=False)
        kernel.add(f"{where}/supports_autosuspend", "0" if driver.startswith("-") else "1", writable=False)
        if driver:
            kernel.add(f"/sys/bus/usb/drivers/{driver.lstrip('-')}/uevent", writable=False)
            kernel.link(f"{where}/driver", f"/sys/bus/usb/drivers/{driver.lstrip('-')}")
        kernel.link(f"/sys/bus/usb/devices/{os.path.basename(where)}", where)
    kernel.link(f"/sys/bus/usb/devices/{name}", place)
    return place


def add_hub(kernel: FakeKernel, place: str, ids: str = "05e3:0610") -> str:
    """A hub: sleeps by itself, as the kernel has all hubs (drivers/usb/core/hub.c)."""
    return add_usb(kernel, place, ids, ("09", "hub"), kind="09", product="USB2.0 Hub", control="auto")


def add_input(kernel: FakeKernel, above: str, number: int, name: str) -> str:
    """An input device of a bus device."""
    place = f"{above}/input/input{number}"
    kernel.add(f"{place}/uevent", writable=False)
    kernel.add(f"{place}/name", name, writable=False)
    kernel.link(f"/sys/class/input/input{number}", place)
    return place


def add_network(
    kernel: FakeKernel, above: str, name: str, *, carrier: bool = True, default_route: bool = False
) -> str:
    """A network card of a bus device."""
    place = f"{above}/net/{name}"
    kernel.add(f"{place}/uevent", writable=False)
    kernel.add(f"{place}/carrier", str(int(carrier)), writable=False)
    kernel.link(f"{place}/device", above)
    kernel.link(f"/sys/class/net/{name}", place)
    if default_route:
        routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        kernel.add(
            "/proc/net/route", f"{routes}{name} 00000000 010200C0 0003 0 0 0 00000000 0 0 0", writable=False
        )
    return place


def add_clock(kernel: FakeKernel, place: str = "/sys/devices/pnp0/00:03/rtc/rtc1") -> str:
    """A real-time clock."""
    kernel.add(f"{place}/uevent", writable=False)
    kernel.link("/sys/class/rtc/rtc1", place)
    return place


def add_sound(kernel: FakeKernel, *, seconds: str = "0", controller: str = "N", ac97: str = "") -> None:
    """The parameters of the sound drivers, and one stream that is closed."""
    kernel.add(f"{HDA}/power_save", seconds)
    kernel.add(f"{HDA}/power_save_controller", controller)
    if ac97:
        kernel.add("/sys/module/snd_ac97_codec/parameters/power_save", ac97)
    kernel.add("/proc/asound/card0/pcm0p/sub0/status", "closed", writable=False)


def add_buses(kernel: FakeKernel) -> None:
    """A small server's: the network card that carries the default route, sound, an empty SATA controller, a drive, a BMC's graphics,
    an SD reader; a keyboard that wakes the machine behind a hub, a mouse, a camera, a smart-card reader and a serial adapter.
    """
    add_device(kernel, ROOT)
    for address, ids, kind, driver in (
        ("00:00.0", "8086:3ec2", "060000", ""),
        ("00:14.0", "8086:a36d", "0c0330", "xhci_hcd"),
        ("00:16.0", "8086:a360", "078000", "mei_me"),
        ("00:17.0", "8086:a352", "010601", "ahci"),
        ("00:1b.0", "8086:a340", "060400", "pcieport"),
        ("00:1c.0", "8086:a338", "060400", "pcieport"),
        ("00:1d.0", "8086:a330", "060400", "pcieport"),
        ("00:1e.0", "8086:a331", "060400", "pcieport"),
        ("00:1f.3", "8086:a348", "040300", "snd_hda_intel"),
    ):
        add_pci(
            kernel,
            f"{ROOT}/0000:{address}",
            ids,
            kind,
            driver=driver,
            wakeup="enabled" if kind == "0c0330" else "",
        )
    for port in (1, 2):
        add_device(kernel, f"{ROOT}/0000:00:17.0/ata{port}")
        kernel.add(
            f"{ROOT}/0000:00:17.0/ata{port}/host{port}/scsi_host/host{port}/ahci_port_cmd",
            "4017",
            writable=False,
        )
    card = add_pci(
        kernel,
        f"{ROOT}/0000:00:1c.0/0000:02:00.0",
        "8086:1533",
        "020000",
        driver="igb",
        wakeup="enabled",
        link="l1_aspm",
        firmware="l1_aspm",
    )
    add_network(kernel, card, "eth0", default_route=True)
    add_pci(
        kernel,
        f"{ROOT}/0000:00:1b.0/0000:01:00.0",
        "144d:a808",
        "010802",
        driver="nvme",
        link=" ".join(STATES),
        off="l1_aspm l1_1_aspm l1_2_aspm",
    )
    add_pci(kernel, f"{ROOT}/0000:00:1d.0/0000:03:00.0", "10ec:525a", "080501", driver="rtsx_pci")
    add_pci(kernel, f"{ROOT}/0000:00:1e.0/0000:04:00.0", "1a03:2000", "030000", driver="ast")
    add_usb(
        kernel,
        HUB,
        "1d6b:0002",
        ("09", "hub"),
        kind="09",
        product="xHCI Host Controller",
        control="auto",
        wakeup="disabled",
        devnum=1,
    )
    add_hub(kernel, f"{HUB}/1-1")
    keyboard = add_usb(
        kernel,
        f"{HUB}/1-1/1-1.1",
        "046d:c31c",
        ("03", "usbhid"),
        ("03", "usbhid"),
        product="USB Keyboard",
        wakeup="enabled",
        devnum=4,
    )
    add_input(kernel, f"{keyboard}/1-1.1:1.0", 5, "Logitech USB Keyboard")
    mouse = add_usb(
        kernel,
        f"{HUB}/1-2",
        "046d:c077",
        ("03", "usbhid"),
        product="USB Optical Mouse",
        wakeup="disabled",
        devnum=5,
    )
    add_input(kernel, f"{mouse}/1-2:1.0", 6, "Logitech USB Optical Mouse")
    add_usb(
        kernel,
        f"{HUB}/1-3",
        "0bda:5411",
        ("0e", "uvcvideo"),
        ("0e", "uvcvideo"),
        kind="ef",
        product="Camera",
        devnum=6,
        serial="SN 01",
    )
    add_usb(kernel, f"{HUB}/1-4", "08e6:3437", ("0b", ""), product="USB SmartCard Reader", devnum=7)
    serial = add_usb(kernel, f"{HUB}/1-5", "0403:6001", ("ff", "ftdi_sio"), product="FT232R", devnum=8)
    kernel.add(f"{serial}/1-5:1.0/ttyUSB0/uevent", writable=False)
    add_clock(kernel)
    add_sound(kernel)


EQUIP = dict.fromkeys(("usb-autosuspend", "pci-runtime", "pcie-aspm", "audio"), add_buses)
"""What a machine must have for an action that is killed at every write (killing.py), and the options to use."""
OPTIONS: dict[str, dict[str, Any]] = {
    "usb-autosuspend": {"delay": 5.0},
    "pcie-aspm": {"policy": "powersupersave", "links": ("0000:01:00.0",)},
}


# --- what happens to devices


def let_idle(kernel: FakeKernel, milliseconds: int) -> None:
    """Time passes in which nobody uses any device."""
    for directory, _, names in os.walk(f"{kernel.root}/.fake/sys/devices"):
        if "idle" in names:
            path = f"{directory[len(kernel.root) :]}/idle"
            kernel.put(path, str(int(kernel.get(path)) + milliseconds))


def unplug(kernel: FakeKernel, place: str) -> None:
    """The device and all below it are gone; what links to them hangs. (Kept aside, so that its inode number is not given again.)"""
    aside = f"{kernel.root}/.fake/unplugged"
    os.makedirs(aside, exist_ok=True)
    os.rename(kernel.root + place, f"{aside}/{len(os.listdir(aside))}")
    for bus in ("usb", "pci"):
        where = f"{kernel.root}/sys/bus/{bus}/devices"
        for name in os.listdir(where) if os.path.isdir(where) else ():
            if not os.path.exists(f"{where}/{name}"):
                os.unlink(f"{where}/{name}")


# --- power


def store_control(kernel: FakeKernel, path: str, text: str) -> None:
    """``on`` or ``auto``; EINVAL for anything else (drivers/base/power/sysfs.c). A device that was held awake begins to be idle now."""
    word("on", "auto")(kernel, path, text)
    idle = f"/.fake{os.path.dirname(os.path.dirname(path))}/idle"
    if kernel.exists(idle):
        kernel.put(idle, "0")


def asleep(kernel: FakeKernel, place: str) -> bool:
    """Allowed to, not used for as long as its delay says, and nothing below it is awake."""
    if kernel.get(f"{place}/power/control", "on") != "auto" or not kernel.exists(f"/.fake{place}/idle"):
        return False
    delay = int(kernel.get(f"{place}/power/autosuspend_delay_ms", "0"))
    below = [
        f"{place}/{name}" for name in kernel.names(place) if kernel.exists(f"{place}/{name}/power/control")
    ]
    below = [each for each in below if kernel.is_directory(each)]
    return 0 <= delay < int(kernel.get(f"/.fake{place}/idle")) and all(asleep(kernel, each) for each in below)


def show_status(kernel: FakeKernel, path: str) -> str:
    """``active`` or ``suspended``."""
    return "suspended\n" if asleep(kernel, os.path.dirname(os.path.dirname(path))) else "active\n"


device_rule("power/control", store=store_control)
device_rule("power/runtime_status", show_status, read_only)
device_rule("power/wakeup", store=word("enabled", "disabled"))
device_rule("power/autosuspend_delay_ms", store=number(-(2**31), 2**31 - 1))

# --- links


def link_of(kernel: FakeKernel, place: str) -> tuple[set[str], set[str], set[str]]:
    """What the link above a function can, what the firmware had set, what was switched off for it alone."""
    can, firmware, off = (*kernel.get(f"/.fake{os.path.dirname(place)}/aspm").split("\n"), "", "")[:3]
    return set(can.split()), set(firmware.split()), set(off.split())


def enabled(kernel: FakeKernel, place: str) -> set[str]:
    """pcie_config_aspm_link(): what the policy wants, can be and is not switched off; no sub-state without L1."""
    can, firmware, off = link_of(kernel, place)
    chosen = re.search(r"\[(\w+)\]", kernel.get(POLICY, "[default]"))
    wanted = WANTS.get(chosen[1] if chosen else "default", firmware) & can - off
    return wanted if "l1_aspm" in wanted else wanted - SUBSTATES


def show_link(kernel: FakeKernel, path: str) -> str:
    """Whether it *is* on."""
    place, state = path.split("/link/")
    return f"{int(state in enabled(kernel, place))}\n"


def store_link(kernel: FakeKernel, path: str, text: str) -> None:
    """Whether it *may* be on (aspm_attr_store_common()): a sub-state takes L1 along when switched on, L1 its sub-states when off."""
    if text.strip() not in {"0", "1", "y", "n", "Y", "N"}:
        refuse(errno.EINVAL, path)
    place, state = path.split("/link/")
    can, firmware, off = link_of(kernel, place)
    if text.strip() in "1yY":
        off -= {state, "l1_aspm"} if state in SUBSTATES else {state}
    else:
        off |= {state} | (SUBSTATES & can if state == "l1_aspm" else set())
    kernel.put(
        f"/.fake{os.path.dirname(place)}/aspm",
        "\n".join(" ".join(sorted(each)) for each in (can, firmware, off)),
    )


def store_policy(kernel: FakeKernel, path: str, text: str) -> None:
    """EPERM where firmware kept the control, or after ``pcie_aspm=off``."""
    if kernel.exists("/.fake/aspm_disabled"):
        refuse(errno.EPERM, path)
    store_bracket(kernel, path, text)


def firmware_keeps_links(kernel: FakeKernel) -> None:
    """Firmware keeps the control: no link shows a file, and the policy is EPERM."""
    kernel.add("/.fake/aspm_disabled")
    for path in [f"/sys/bus/pci/devices/{name}" for name in kernel.names("/sys/bus/pci/devices")]:
        kernel.delete(f"{kernel.real(path)}/link")


device_rule("link/[a-z0-9_]+", show_link, store_link)
RULES.insert(0, (re.compile(re.escape(POLICY)), None, store_policy))

# --- sound


def store_yes_no(kernel: FakeKernel, path: str, text: str) -> None:
    """A ``bool`` parameter (kernel/params.c): takes 1, y, Y and 0, n, N; shows Y or N."""
    if text.strip() not in {"0", "1", "y", "n", "Y", "N"}:
        refuse(errno.EINVAL, path)
    kernel.put(path, "Y" if text.strip() in "1yY" else "N")


rule(f"{HDA}/power_save", store=number(-(2**31), 2**31 - 1))
rule(f"{HDA}/power_save_controller", store=store_yes_no)
rule("/sys/module/snd_ac97_codec/parameters/power_save", store=number(-(2**31), 2**31 - 1))
