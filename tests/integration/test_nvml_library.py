"""NVIDIA's own Python library over a stand-in for its driver's: the calls, their types and their errors are the real ones."""

from __future__ import annotations

import ctypes
import errno
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakekernel import FakeKernel, laptop_like
from fakeplatform import add_gpu, add_nvidia
from machines import Clock
from plans import napping, probe, written
from powernap.core.energy import Energy, between
from powernap.host import nvml
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.meters import nvml as meter

SOURCE = Path(__file__).parent / "fake_nvml.c"
COUNTS, SHOWS = "0000:03:00.0", "0000:04:00.0"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Loaded under the driver's own name, so that pynvml finds it when it asks for that."""
    path = tmp_path_factory.mktemp("driver") / "libnvidia-ml.so.1"
    flags = ["-shared", "-fPIC", "-Wall", "-Werror", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run(["gcc", *flags, "-o", path, SOURCE], check=True)
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


@pytest.fixture
def machine(tmp_path: Path, driver: ctypes.CDLL) -> Iterator[FakeKernel]:
    """One card, and the real library; nothing is left open."""
    kernel = laptop_like(tmp_path / "machine")
    add_nvidia(kernel)
    real: Any = importlib.import_module("pynvml")
    kernel.nvml = real
    yield kernel
    assert 0 == opened(driver)


def opened(driver: ctypes.CDLL) -> int:
    return ctypes.c_int.in_dll(driver, "fake_open").value


def test_a_card_that_counts_is_measured(machine: FakeKernel, driver: ctypes.CDLL) -> None:
    """30 W for ten seconds, to the millijoule; the library is open meanwhile, and not afterwards."""
    clock = Clock()
    found = meter.open(Host(files=machine, clock=clock, live=False), meter.Options())
    assert (True, f"NVML {COUNTS}", 1) == (found.counts, found.source, opened(driver))
    before = found.read()
    driver.fake_pass(10)
    clock.now += 10
    assert Energy(300.0, 10.0) == between(before, found.read(), found.gap)
    found.close()


def test_of_cards_that_do_not_all_count_the_power_is_added_up(machine: FakeKernel) -> None:
    """The older one knows no count: both show what they draw now."""
    add_gpu(machine, "nvidia", number=1)
    machine.link(f"/sys/bus/pci/devices/{SHOWS}", "/sys/devices/pci0000:00/0000:03:01.0")
    host = Host(files=machine, live=False)
    with pytest.raises(UnavailableError, match=r"0000:03:01\.0 does not tell its power: Not Found"):
        meter.open(host, meter.Options())
    only = meter.open(host, meter.Options(card=COUNTS))
    only.close()
    both = meter.Nvml(host, nvml.Library(machine), [COUNTS, SHOWS])
    assert (False, 38.5, ()) == (both.counts, both.read().watts, both.read().counts)
    both.close()


def test_errors_are_the_kernels(machine: FakeKernel, driver: ctypes.CDLL) -> None:
    """A card that is not there, what a card cannot, and what we may not."""
    library = nvml.Library(machine)
    for ask, code in (
        (lambda: library.watts("0000:09:00.0"), errno.ENODEV),
        (lambda: library.joules(SHOWS), errno.EOPNOTSUPP),
        (lambda: library.ask(COUNTS, lambda nvml, card: nvml.nvmlDeviceGetFanSpeed(card)), errno.EOPNOTSUPP),
    ):
        with pytest.raises(OSError) as refused:
            ask()
        assert code == refused.value.errno
    library.close()
    root = ctypes.c_int.in_dll(driver, "fake_root")
    root.value = 0
    with pytest.raises(PermissionError):
        nvml.write_persistence(machine, COUNTS, "on")
    root.value = 1


def test_the_action_keeps_the_driver_loaded_and_takes_it_back(
    machine: FakeKernel, driver: ctypes.CDLL
) -> None:
    """Through plan, ledger and restore."""
    with napping(machine, "gpu") as entries:
        assert {COUNTS: "on"} == written(entries)
        assert "on" == nvml.read_persistence(machine, COUNTS)
    assert "off" == nvml.read_persistence(machine, COUNTS)
    assert "persistence on" in probe(machine, "gpu").detail


def test_without_the_driver_the_reason_is_said(tmp_path: Path) -> None:
    """A process of its own, in which nobody stands in for it."""
    program = (
        "from powernap.host import nvml; from powernap.host.files import TreeFiles\n"
        "try:\n    nvml.Library(TreeFiles())\n"
        "except OSError as error: print(error.errno, error.strerror)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert f"{errno.ENOENT} NVML Shared Library Not Found" == done.stdout.strip()
