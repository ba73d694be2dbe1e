"""Guards of USB devices: what is lost or breaks when one of them sleeps.

Owns the looking, per device. That its drivers can sleep at all, and that it is not on the wake path, is the action's first question.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.host.device_guards import Guard
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from powernap.host.files import Files
    from powernap.host.usb import UsbDevice

# vendors of remote-management controllers and KVM switches: American Megatrends, ATEN, Avocent, Insyde, Raritan, Dell iDRAC's virtual hub
CONSOLES = {"046b", "0557", "0624", "0b1f", "14dd"}
CONSOLE_WORDS = re.compile(r"\b(kvm|virtual|ilo|idrac|bmc|ipmi|remote management)\b", re.IGNORECASE)
# vendors that make uninterruptible power supplies: APC, MGE, CyberPower, Tripp Lite, Phoenixtec, Liebert, Powercom
UPS = {"051d", "0463", "0764", "09ae", "06da", "10af", "0d9f"}
UPS_WORDS = re.compile(r"\bups\b|uninterruptible", re.IGNORECASE)


def _class(kinds: set[str], why: str) -> Callable[[Files, UsbDevice], str]:
    return lambda _files, device: why if device.kinds & kinds else ""


def serial(files: Files, device: UsbDevice) -> str:
    """A modem, a serial device by class, or any that has a terminal (drivers of adapters have vendor classes)."""
    terminal = any(
        matching(files, f"{each.place}/{path}") for each in device.interfaces for path in ("tty/*", "ttyUSB*")
    )
    return (
        "a serial console loses what it is sent while asleep"
        if terminal or device.kinds & {"02", "0a"}
        else ""
    )


def power_supply(_files: Files, device: UsbDevice) -> str:
    """An uninterruptible power supply: most are HID devices, some are known by vendor or name alone."""
    known = device.ids[:4] in UPS or UPS_WORDS.search(device.product)
    return "an uninterruptible power supply must be heard at once" if known else ""


def console(files: Files, device: UsbDevice) -> str:
    """A device of a BMC (virtual media, remote keyboard) or a KVM switch, also below a hub of theirs."""
    place = device.place
    while text(files, f"{place}/idVendor"):
        name = f"{text(files, f'{place}/manufacturer')} {text(files, f'{place}/product')}"
        if text(files, f"{place}/idVendor") in CONSOLES or CONSOLE_WORDS.search(name):
            return "it is the console of somebody far away (BMC or KVM switch)"
        place = place.rpartition("/")[0]
    return ""


def network(files: Files, device: UsbDevice) -> str:
    """A network adapter with a link."""
    ports = [path for each in device.interfaces for path in matching(files, f"{each.place}/net/*")]
    live = next((path for path in ports if text(files, f"{path}/carrier") == "1"), "")
    return f"{live.rpartition('/')[2]} has a link" if live else ""


GUARDS: tuple[Guard[UsbDevice], ...] = (
    Guard("input", _class({"03", "05"}, "asleep, it loses the first key or movement")),
    Guard("storage", _class({"08"}, "its disk or card may be in use, and is disk-spindown's to judge")),
    Guard("printer", _class({"07"}, "a job that wakes it may be lost")),
    Guard("ups", power_supply),
    Guard("console", console),
    Guard("serial", serial),
    Guard("network", network),
)
