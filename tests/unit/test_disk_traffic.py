"""Bytes to and from disks, by disk and by process."""

from __future__ import annotations

from pathlib import Path

import pytest

from powernap.host.disk_traffic import Moved, by_disk, by_process, parse_io, parse_stat
from powernap.host.disks import Disk
from powernap.host.files import TreeFiles

STAT = "  100 0 8 5 200 0 16 9 0 0 0 0 0 0 0 0 0\n"


def test_sectors_are_512_bytes() -> None:
    """Whatever the disk's own are."""
    assert Moved(8 * 512, 16 * 512) == parse_stat(STAT)


@pytest.mark.parametrize("text", ["", "1 2 3", "a b c d e f g"])
def test_what_is_no_stat_says_nothing(text: str) -> None:
    """A disk that has just gone."""
    assert parse_stat(text) is None


def test_disks_by_name(tmp_path: Path) -> None:
    """One without counters is left out."""
    (tmp_path / "sys/block/sda").mkdir(parents=True)
    (tmp_path / "sys/block/sda/stat").write_text(STAT)
    assert {"sda": Moved(4096, 8192)} == by_disk(TreeFiles(str(tmp_path)), [Disk("sda", ""), Disk("sdb", "")])


IO = "rchar: 9\nwchar: 9\nsyscr: 1\nsyscw: 1\nread_bytes: {}\nwrite_bytes: {}\ncancelled_write_bytes: 0\n"


def test_processes_that_moved_something(tmp_path: Path) -> None:
    """By storage: what came from the cache is no disk's business."""
    for pid, moved in {7: (4096, 0), 8: (0, 0)}.items():
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/comm").write_text(f"p{pid}\n")
        (tmp_path / f"proc/{pid}/io").write_text(IO.format(*moved))
    found, hidden = by_process(TreeFiles(str(tmp_path)))
    assert ([(7, "p7", Moved(4096, 0))], 0) == (
        [(each.pid, each.name, each.moved) for each in found.values()],
        hidden,
    )
    assert parse_io("rchar: 1\n") is None


class Closed(TreeFiles):
    """Another user's counters."""

    def read(self, path: str) -> str:
        if path.endswith("/io"):
            raise PermissionError(path)
        return super().read(path)


def test_hidden_counters_are_counted(tmp_path: Path) -> None:
    """An ordinary user sees only its own."""
    (tmp_path / "proc/7").mkdir(parents=True)
    assert ({}, 1) == by_process(Closed(str(tmp_path)))
