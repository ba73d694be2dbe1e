"""ASPM: the policy, the firmware's word, and links that may not sleep."""

from __future__ import annotations

from pathlib import Path

import pytest

from powernap.host.aspm_policy import aspm
from powernap.host.files import TreeFiles


def put(root: Path, path: str, data: bytes) -> None:
    """A file of the machine."""
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


def test_the_policy_is_the_word_in_brackets(tmp_path: Path) -> None:
    """And a kernel without ASPM has none."""
    assert "" == aspm(TreeFiles(str(tmp_path))).policy
    put(tmp_path, "/sys/module/pcie_aspm/parameters/policy", b"default [performance] powersave \n")
    put(tmp_path, "/proc/cmdline", b"quiet pcie_aspm=off\n")
    found = aspm(TreeFiles(str(tmp_path)))
    assert ("performance", True) == (found.policy, found.off)


@pytest.mark.parametrize(
    ("table", "keeps"),
    [
        (bytes(109) + b"\x10\x00", True),
        (bytes(109) + b"\xff\x00", True),
        (bytes(109) + b"\xef\x00", False),
        (bytes(80), False),
    ],
)
def test_the_firmware_says_so_in_one_bit(tmp_path: Path, table: bytes, keeps: bool) -> None:
    """Whatever bytes the table holds besides, and however old it is."""
    put(tmp_path, "/sys/firmware/acpi/tables/FACP", table)
    assert keeps is aspm(TreeFiles(str(tmp_path))).firmware


class Closed(TreeFiles):
    """An ordinary user's."""

    def read(self, path: str) -> str:
        raise PermissionError(path)


def test_what_may_not_be_read_is_not_known(tmp_path: Path) -> None:
    """A machine without ACPI keeps nothing."""
    assert aspm(Closed(str(tmp_path))).firmware is None
    assert aspm(TreeFiles(str(tmp_path))).firmware is False


def test_links_that_could_sleep_and_may_not(tmp_path: Path) -> None:
    """By address."""
    for address, allowed in {"0000:00:1c.0": b"0\n", "0000:01:00.0": b"1\n"}.items():
        put(tmp_path, f"/sys/bus/pci/devices/{address}/link/l1_aspm", allowed)
    assert ("0000:00:1c.0",) == aspm(TreeFiles(str(tmp_path))).links
