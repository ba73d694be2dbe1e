"""Graphics processors and contexts on them, on machines that are directories."""

from __future__ import annotations

from pathlib import Path

from powernap.host.files import TreeFiles
from powernap.host.gpus import contexts, gpus
from powernap.host.open_files import OpenFile

INTEL = "pos:\t0\ndrm-driver:\ti915\ndrm-pdev:\t0000:00:02.0\ndrm-client-id:\t{client}\ndrm-engine-render:\t{ns} ns\ndrm-engine-capacity-video:\t2\ndrm-resident-system0:\t{kib} KiB\n"


def card(root: Path, name: str, address: str, driver: str, **power: str) -> None:
    """A DRM card and its PCI device."""
    device = root / f"sys/devices/pci0000:00/{address}"
    (device / "power").mkdir(parents=True)
    for file, said in power.items():
        (device / "power" / file).write_text(said + "\n")
    (root / f"sys/bus/pci/drivers/{driver}").mkdir(parents=True, exist_ok=True)
    (device / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
    place = root / f"sys/class/drm/{name}"
    place.mkdir(parents=True)
    (place / "device").symlink_to(f"../../../devices/pci0000:00/{address}")
    (root / f"sys/class/drm/{name}-HDMI-A-1").mkdir()


def test_each_card_once_by_its_address(tmp_path: Path) -> None:
    """Its connectors are no cards."""
    card(tmp_path, "card0", "0000:00:02.0", "i915", runtime_status="active", control="on")
    found = gpus(TreeFiles(str(tmp_path)))
    assert [("0000:00:02.0", "i915", "active", "on")] == [
        (each.address, each.driver, each.status, each.control) for each in found
    ]


def test_a_card_of_nvidias_own_driver_has_its_model(tmp_path: Path) -> None:
    """Also where it is no DRM device."""
    place = tmp_path / "proc/driver/nvidia/gpus/0000:3b:00.0"
    place.mkdir(parents=True)
    (place / "information").write_text("Model: \t\t NVIDIA A40\nIRQ:   \t\t 100\n")
    assert ["NVIDIA A40"] == [each.name for each in gpus(TreeFiles(str(tmp_path)))]


def opened(root: Path, pid: int, fd: str, path: str, told: str = "", name: str = "work") -> OpenFile:
    """A descriptor, with its usage."""
    place = root / f"proc/{pid}/fdinfo"
    place.mkdir(parents=True, exist_ok=True)
    (place / fd).write_text(told or "pos:\t0\n")
    return OpenFile(pid, name, fd, path)


def test_a_client_with_two_descriptors_is_one_context(tmp_path: Path) -> None:
    """Its work is that of all engines, without their capacities."""
    told = INTEL.format(client=5, ns=900, kib=2)
    files = [opened(tmp_path, 7, fd, "/dev/dri/renderD128", told) for fd in ("3", "4")]
    files.append(opened(tmp_path, 7, "5", "/dev/dri/renderD128", INTEL.format(client=6, ns=1, kib=0)))
    found = list(contexts(TreeFiles(str(tmp_path)), files))
    assert [(900, 2048), (1, 0)] == [(each.work, each.memory) for each in found]


def test_nvidias_contexts_are_told_by_the_open_card_alone(tmp_path: Path) -> None:
    """Not by its control device, and not by who only keeps the driver loaded."""
    files = [
        opened(tmp_path, 7, "3", "/dev/nvidiactl"),
        opened(tmp_path, 7, "4", "/dev/nvidia0"),
        opened(tmp_path, 7, "5", "/dev/nvidia0"),
        opened(tmp_path, 7, "6", "/dev/nvidia-uvm"),
        opened(tmp_path, 8, "3", "/dev/nvidia0", name="nvidia-persiste"),
    ]
    found = list(contexts(TreeFiles(str(tmp_path)), files))
    assert [(7, "/dev/nvidia0", None, 0)] == [(each.pid, each.path, each.work, each.memory) for each in found]
