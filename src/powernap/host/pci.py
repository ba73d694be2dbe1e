"""The PCI functions of this machine, as the kernel describes them below /sys/bus/pci (Documentation/ABI/testing/sysfs-bus-pci).

Owns reading them; what may sleep is actions/pci_runtime.py's and actions/pcie_aspm.py's. Classes are the first four digits of the class
code (PCI Code and ID Assignment Specification).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import text

if TYPE_CHECKING:
    from powernap.host.files import Files

DEVICES = "/sys/bus/pci/devices"
BRIDGE = "0604"
KINDS = {
    "0101": "IDE controller", "0104": "RAID controller", "0106": "SATA controller", "0107": "SAS controller", "0108": "NVMe drive",
    "0200": "network card", "0280": "wireless card", "0300": "graphics", "0302": "graphics", "0401": "sound", "0403": "sound",
    "0500": "memory", "0600": "host bridge", "0601": "ISA bridge", "0604": "bridge", "0780": "communication controller",
    "0805": "SD reader", "0c03": "USB controller", "0c05": "SMBus",
}  # fmt: skip
"""What a class is called."""


@dataclass(frozen=True)
class PciFunction:
    """One function of a card.

    :param address: ``0000:02:00.0``; :param place: its real path; :param ids: ``8086:1533``; :param kind: its class, ``0200``;
    :param driver: empty where none is bound; :param control: ``on`` (never sleeps by itself) or ``auto``.
    """

    address: str
    place: str
    ids: str
    kind: str
    driver: str
    control: str

    def __str__(self) -> str:
        """``0000:02:00.0 network card (8086:1533)``."""
        return f"{self.address} {KINDS.get(self.kind, f'device of class {self.kind}')} ({self.ids})"


def functions(files: Files) -> list[PciFunction]:
    """Every function, by address."""
    return [_function(files, address) for address in files.names(DEVICES)]


def _function(files: Files, address: str) -> PciFunction:
    place = files.real(f"{DEVICES}/{address}")
    driver = files.real(f"{place}/driver").rpartition("/")[2] if files.exists(f"{place}/driver") else ""
    vendor, device = (text(files, f"{place}/{name}").removeprefix("0x") for name in ("vendor", "device"))
    return PciFunction(
        address=address,
        place=place,
        ids=f"{vendor}:{device}",
        kind=text(files, f"{place}/class").removeprefix("0x")[:4],
        driver=driver,
        control=text(files, f"{place}/power/control"),
    )


def children(files: Files, place: str) -> list[str]:
    """Addresses of the functions directly behind a bridge."""
    return [name for name in files.names(place) if name.count(":") == 2 and "." in name]
