"""NVIDIA's library: opened for each question and closed again, its errors are OSErrors, and a machine without it says so."""

from __future__ import annotations

import errno

import pytest

from fakekernel import laptop_like
from fakeplatform import add_nvidia
from powernap.host import nvml
from powernap.host.files import TreeFiles


@pytest.fixture
def machine(tmp_path):
    """One card."""
    kernel = laptop_like(tmp_path / "machine")
    add_nvidia(kernel)
    return kernel


def test_persistence(machine):
    """Read, set, and the library is closed after each."""
    assert nvml.read_persistence(machine, "0000:03:00.0") == "off"
    nvml.write_persistence(machine, "0000:03:00.0", "on")
    assert nvml.read_persistence(machine, "0000:03:00.0") == "on"
    assert machine.nvml.users == 0


@pytest.mark.parametrize(
    ("address", "state", "code"),
    [("0000:09:00.0", "0", errno.ENODEV), ("0000:03:00.0", "none", errno.EOPNOTSUPP)],
)
def test_errors(machine, address, state, code):
    """A card that is not there, and one without the mode; the library is closed then too."""
    machine.put("/.fake/nvidia/0000:03:00.0", state)
    with pytest.raises(OSError) as refused:
        nvml.read_persistence(machine, address)
    assert (refused.value.errno, machine.nvml.users) == (code, 0)


def test_without_the_right(machine):
    """EPERM."""
    machine.read_only_mount()
    with pytest.raises(PermissionError):
        nvml.write_persistence(machine, "0000:03:00.0", "on")


def test_recorded_machine(tmp_path):
    """Its cards are not this machine's."""
    with pytest.raises(FileNotFoundError):
        nvml.read_persistence(TreeFiles(str(tmp_path)), "0000:03:00.0")


def test_without_the_library(monkeypatch):
    """ENOENT, and it is known before."""
    monkeypatch.setattr(nvml, "MODULE", "there_is_no_such_module")
    assert not nvml.installed(TreeFiles())
    with pytest.raises(FileNotFoundError, match="nvidia-ml-py is not installed"):
        nvml.read_persistence(TreeFiles(), "0000:03:00.0")
