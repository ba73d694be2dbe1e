"""The USB devices of this machine, as the kernel describes them below /sys/bus/usb (Documentation/ABI/stable/sysfs-bus-usb).

Owns reading them; what may sleep is actions/usb_autosuspend.py's. Numbers are the USB class codes (usb.org, defined class codes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files

DEVICES = "/sys/bus/usb/devices"
HUB = "09"
KINDS = {
    "01": "audio device", "02": "modem", "03": "input device", "05": "physical device", "06": "camera", "07": "printer", "08": "storage",
    "09": "hub", "0a": "serial device", "0b": "smart-card reader", "0e": "camera", "e0": "radio", "ff": "device",
}  # fmt: skip
"""What a class is called."""


@dataclass(frozen=True)
class Interface:
    """One function of a device.

    :param kind: its class, two hexadecimal digits; :param driver: empty where none has claimed it;
    :param sleeps: its driver can be suspended, or it has none.
    """

    place: str
    kind: str
    driver: str
    sleeps: bool


@dataclass(frozen=True)
class UsbDevice:
    """One plugged-in device.

    :param name: its port, ``1-1.4``; :param place: its real path; :param ids: ``046d:c31c``; :param kind: its class, ``00`` where each
        interface has its own; :param control: ``on`` (never sleeps) or ``auto``; empty where it cannot be told.
    """

    name: str
    place: str
    ids: str
    product: str
    kind: str
    control: str
    interfaces: tuple[Interface, ...]

    @property
    def kinds(self) -> set[str]:
        """Every class that it or an interface of it has."""
        return {self.kind, *(each.kind for each in self.interfaces)} - {"00", "ef", ""}

    def __str__(self) -> str:
        """``046d:c31c keyboard``: what an admin finds in lsusb(8)."""
        first = next((KINDS[kind] for kind in sorted(self.kinds) if kind in KINDS), "device")
        return f"{self.ids} {self.product or first}"


def devices(files: Files) -> list[UsbDevice]:
    """Every device but the root hubs' controllers, by port."""
    names = [name for name in files.names(DEVICES) if ":" not in name]
    return [_device(files, name) for name in names if text(files, f"{DEVICES}/{name}/idVendor")]


def _device(files: Files, name: str) -> UsbDevice:
    place = files.real(f"{DEVICES}/{name}")
    # interfaces are named after their port, but those of a root hub ("usb1") after its bus: "1-0:1.0"
    port = f"{name.removeprefix('usb')}-0" if name.startswith("usb") else name
    return UsbDevice(
        name=name,
        place=place,
        ids=f"{text(files, f'{place}/idVendor')}:{text(files, f'{place}/idProduct')}",
        product=text(files, f"{place}/product"),
        kind=text(files, f"{place}/bDeviceClass"),
        control=text(files, f"{place}/power/control"),
        interfaces=tuple(_interface(files, path) for path in matching(files, f"{place}/{port}:*")),
    )


def _interface(files: Files, place: str) -> Interface:
    driver = files.real(f"{place}/driver").rpartition("/")[2] if files.exists(f"{place}/driver") else ""
    sleeps = text(files, f"{place}/supports_autosuspend") == "1"
    return Interface(place, text(files, f"{place}/bInterfaceClass"), driver, sleeps)
