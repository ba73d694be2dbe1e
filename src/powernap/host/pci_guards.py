"""Guards of PCI functions: what must never sleep, and what sleeps at a risk.

Owns the looking, per function. Which classes may sleep at all is the action's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.host import pci
from powernap.host.device_guards import Guard
from powernap.host.files import matching, text
from powernap.host.sound import open_stream

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.pci import PciFunction

# drivers whose devices hung or vanished: graphics have their own action, the host's USB carries keyboards, mei_me is firmware's
DRIVERS = {
    "amdgpu",
    "radeon",
    "nouveau",
    "nvidia",
    "i915",
    "xe",
    "ast",
    "mgag200",
    "mei_me",
    "xhci_hcd",
    "igc",
}
I225_I226 = {f"8086:{device}" for device in ("15f2", "15f3", "125b", "125c", "125d", "125f")}
PASSED_ON = {"vfio-pci", "uio_pci_generic", "igb_uio", "pci-stub", "xen-pciback"}
EXTERNAL = 1 << 18 | 1 << 21  # AHCI 1.3.1 section 3.3.7, PxCMD: HPCP (hot plug), ESP (eSATA)


def graphics(files: Files, function: PciFunction) -> str:
    """A graphics card, a BMC's too, and the sound function of one."""
    slot = function.address.rpartition(".")[0]
    card = any(
        text(files, f"{pci.DEVICES}/{name}/class").startswith("0x03")
        for name in files.names(pci.DEVICES)
        if name.rpartition(".")[0] == slot and _same_card(files, function, name)
    )
    return "it is graphics, or part of a graphics card" if card else ""


def _same_card(files: Files, function: PciFunction, name: str) -> bool:
    """The functions of one slot are one card, but on the root bus, where chips of one package share a number by chance."""
    root = function.place.rpartition("/")[0].rpartition("/")[2].startswith("pci")
    return name == function.address if root else files.exists(f"{pci.DEVICES}/{name}")


def driver(_files: Files, function: PciFunction) -> str:
    """A driver, or a chip, that is known to hang."""
    if function.ids in I225_I226:
        return "Intel I225 and I226 hung machines when they slept"
    return (
        f"devices of the driver {function.driver} hung when they slept" if function.driver in DRIVERS else ""
    )


def passed_on(_files: Files, function: PciFunction) -> str:
    """Given to a virtual machine, or to a program such as DPDK."""
    return f"{function.driver} has it for a guest or a program" if function.driver in PASSED_ON else ""


def disks(files: Files, function: PciFunction) -> str:
    """A controller with disks."""
    below = [
        name
        for name in files.names("/sys/block")
        if files.real(f"/sys/block/{name}").startswith(f"{function.place}/")
    ]
    return f"{below[0]} is behind it" if below else ""


def network(files: Files, function: PciFunction) -> str:
    """A network card with a link."""
    ports = [path for path in matching(files, "/sys/class/net/*") if text(files, f"{path}/carrier") == "1"]
    live = next((path for path in ports if files.real(path).startswith(f"{function.place}/")), "")
    return f"{live.rpartition('/')[2]} has a link" if live else ""


def bridge(files: Files, function: PciFunction) -> str:
    """A bridge with something behind it, and every bridge that is not one of PCI's own."""
    if not function.kind.startswith("06"):
        return ""
    if function.kind != pci.BRIDGE:
        return "the machine itself hangs on it"
    behind = pci.children(files, function.place)
    return f"{behind[0]} is behind it" if behind else ""


def sound(files: Files, function: PciFunction) -> str:
    """A sound card while a stream is open."""
    return f"{stream} is open" if function.kind.startswith("04") and (stream := open_stream(files)) else ""


def hotplug(files: Files, function: PciFunction) -> str:
    """A SATA controller with a port made for plugging disks in: asleep, it does not see them."""
    for path in matching(files, f"{function.place}/ata*/host*/scsi_host/host*/ahci_port_cmd"):
        try:
            if int(text(files, path), 16) & EXTERNAL:
                return "a disk that is plugged in while it sleeps is not seen"
        except ValueError:
            continue
    return ""


GUARDS: tuple[Guard[PciFunction], ...] = (
    Guard("graphics", graphics, never=True),
    Guard("driver", driver, never=True),
    Guard("passed-on", passed_on, never=True),
    Guard("disks", disks, never=True),
    Guard("network", network, never=True),
    Guard("bridge", bridge, never=True),
    Guard("sound", sound),
    Guard("hotplug", hotplug),
)
