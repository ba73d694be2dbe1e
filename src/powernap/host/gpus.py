"""Graphics processors: which there are, whether they are suspended, and who has a context on them.

Owns /sys/class/drm, the usage that DRM drivers tell of each descriptor (Documentation/gpu/drm-usage-stats.rst) and what NVIDIA's own
driver shows in /proc/driver/nvidia. Nothing here asks the hardware: a query of the card's own figures would wake it, and keep it awake.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.open_files import OpenFile

DEVICES = ("/dev/dri/", "/dev/nvidia")
NVIDIA = "/proc/driver/nvidia/gpus"
KEEPERS = frozenset({"nvidia-persiste"})
"""Names of processes that hold the card open so that it may idle at its lowest (a card whose driver is not loaded idles at its highest)."""
WORK = re.compile(r"^drm-(?:engine|cycles)-(?!capacity-)\S+:\s*(\d+)", re.MULTILINE)
MEMORY = re.compile(r"^drm-(?:resident|memory)-\S+:\s*(\d+) ?(KiB|MiB)?", re.MULTILINE)
SCALE = {"": 1, "KiB": 1024, "MiB": 1024**2}


@dataclass(frozen=True)
class Gpu:
    """A card. ``address`` is its PCI address; ``status`` that of runtime power management ("active", "suspended", "unsupported", "")."""

    address: str
    driver: str
    name: str
    status: str
    control: str


@dataclass(frozen=True)
class Context:
    """What a process has on a card. ``work`` is what it has let it do so far (ns or cycles), ``None`` where the driver does not tell."""

    pid: int
    name: str
    path: str
    client: str
    work: int | None
    memory: int


def gpus(files: Files) -> list[Gpu]:
    """All cards, by PCI address; a server's BMC is one too, and saves nothing (driver ast, mgag200)."""
    cards = [
        path for path in matching(files, "/sys/class/drm/card[0-9]*") if "-" not in path.rpartition("/")[2]
    ]
    places = {files.real(f"{path}/device") for path in cards}
    places |= {f"/sys/bus/pci/devices/{address}" for address in files.names(NVIDIA)}
    by_address = {path.rpartition("/")[2]: path for path in sorted(places)}
    return [read(files, address, path) for address, path in sorted(by_address.items())]


def read(files: Files, address: str, path: str) -> Gpu:
    """One card."""
    driver = files.real(f"{path}/driver").rpartition("/")[2] if files.exists(f"{path}/driver") else ""
    model = re.search(r"^Model:\s*(.+)", text(files, f"{NVIDIA}/{address}/information"), re.MULTILINE)
    return Gpu(
        address,
        driver,
        model[1].strip() if model else f"{driver or 'graphics'} {address}",
        text(files, f"{path}/power/runtime_status"),
        text(files, f"{path}/power/control"),
    )


def contexts(files: Files, opened: list[OpenFile]) -> Iterator[Context]:
    """Of descriptors of :data:`DEVICES`, one for each client of each process. NVIDIA's are told by the open card alone."""
    seen = set()
    for each in opened:
        if each.name in KEEPERS or not re.fullmatch(r"/dev/(dri/(card|renderD)\d+|nvidia\d+)", each.path):
            continue
        told = text(files, f"/proc/{each.pid}/fdinfo/{each.fd}")
        client = re.search(r"^drm-client-id:\s*(\S+)", told, re.MULTILINE)
        key = (each.pid, each.path if not client else f"{told_address(told)}/{client[1]}")
        if key not in seen:
            seen.add(key)
            work = [int(count) for count in WORK.findall(told)]
            memory = sum(int(count) * SCALE[unit] for count, unit in MEMORY.findall(told))
            yield Context(each.pid, each.name, each.path, str(key[1]), sum(work) if work else None, memory)


def told_address(fdinfo: str) -> str:
    """The PCI address in a descriptor's usage; empty where the card is not on that bus."""
    found = re.search(r"^drm-pdev:\s*(\S+)", fdinfo, re.MULTILINE)
    return found[1] if found else ""
