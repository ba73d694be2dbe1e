"""Who has a file open, on machines that are directories."""

from __future__ import annotations

import os
from pathlib import Path

from powernap.host.files import TreeFiles
from powernap.host.open_files import open_files


def put(root: Path, pid: int, name: str, **links: str) -> Path:
    """A process with descriptors, by number."""
    place = root / f"proc/{pid}/fd"
    place.mkdir(parents=True)
    (root / f"proc/{pid}/comm").write_text(name + "\n")
    for fd, target in links.items():
        (place / fd.lstrip("_")).symlink_to(target)
    return place


def test_each_descriptor_of_a_wanted_path_is_found(tmp_path: Path) -> None:
    """And no other; a process without any counts as seen all the same."""
    put(tmp_path, 7, "jackd", _3="/dev/cpu_dma_latency", _4="/dev/null", _5="socket:[12]")
    put(tmp_path, 8, "sleep", _0="/dev/null")
    put(tmp_path, 9, "[kthreadd]")
    found = open_files(TreeFiles(str(tmp_path)), "/dev/cpu_dma_latency", "/dev/dri/")
    assert [("jackd (pid 7)", "3", "/dev/cpu_dma_latency")] == [
        (str(each), each.fd, each.path) for each in found.files
    ]
    assert (2, 0) == (found.seen, found.hidden)
    assert [] == found.below("/dev/dri/")


class Closed(TreeFiles):
    """Process 7's descriptors are another user's."""

    def names(self, path: str) -> list[str]:
        if path == "/proc/7/fd":
            raise PermissionError
        return super().names(path)


def test_hidden_processes_are_counted(tmp_path: Path) -> None:
    """What an ordinary user cannot see is part of the answer."""
    put(tmp_path, 7, "jackd", _3="/dev/cpu_dma_latency")
    found = open_files(Closed(str(tmp_path)), "/dev/")
    assert ([], 1) == (found.files, found.hidden)


def test_this_process_is_seen_on_this_machine() -> None:
    """As the kernel shows it."""
    with open(os.devnull, encoding="utf-8") as file:
        found = open_files(TreeFiles(), os.devnull)
        assert (os.getpid(), str(file.fileno())) in {(each.pid, each.fd) for each in found.files}
