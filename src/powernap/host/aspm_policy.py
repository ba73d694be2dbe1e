"""ASPM, the power saving of PCI Express links: the kernel's policy, and whether the firmware lets the kernel decide at all.

Owns the looking. Links one by one are an action's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.aspm import policy
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files

FADT = "/sys/firmware/acpi/tables/FACP"
BOOT_FLAGS, NO_ASPM = 109, 1 << 4
"""Fixed ACPI Description Table: IAPC_BOOT_ARCH, bit 4 "PCIe ASPM Controls": the system must not enable ASPM (ACPI 6.5, 5.2.9.3)."""


@dataclass(frozen=True)
class Aspm:
    """:param policy: the word in brackets; empty in a kernel without ASPM; :param off: by the kernel's command line.

    :param firmware: the firmware keeps it, ``None`` where that may not be read (only root may).
    :param links: PCI addresses whose link could sleep (L1) and may not.
    """

    policy: str = ""
    off: bool = False
    firmware: bool | None = None
    links: tuple[str, ...] = ()


def aspm(files: Files) -> Aspm:
    """How it stands."""
    switches = matching(files, "/sys/bus/pci/devices/*/link/l1_aspm")
    return Aspm(
        policy(files),
        " pcie_aspm=off" in f" {text(files, '/proc/cmdline')}",
        firmware_keeps(files),
        tuple(path.split("/")[5] for path in switches if text(files, path) == "0"),
    )


def firmware_keeps(files: Files) -> bool | None:
    """Whether the firmware forbids it; a table too short for the flags forbids nothing."""
    try:
        table = files.read(FADT).encode(errors="surrogateescape")
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return len(table) > BOOT_FLAGS and bool(table[BOOT_FLAGS] & NO_ASPM)
