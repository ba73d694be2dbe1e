"""A recorded machine's /proc, one process a call."""

from __future__ import annotations

from pathlib import Path

from machines import Clock
from powernap.host.files import TreeFiles
from powernap.host.host import Host


def recorded(root: Path) -> Host:
    """The machine below ``root``, on which nothing can happen."""
    (root / "proc").mkdir(exist_ok=True)
    return Host(files=TreeFiles(str(root)), clock=Clock(), live=False)


def put_process(
    root: Path,
    pid: int,
    name: str,
    *words: str,
    uid: int = 0,
    parent: int = 1,
    state: str = "S",
    started: int = 50000,
    io: int = 0,
) -> None:
    """Write a process as the kernel shows it; ``started`` in ticks of 10 ms, ``io`` in bytes read by read(2)."""
    directory = root / "proc" / str(pid)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "comm").write_text(name + "\n")
    (directory / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (directory / "stat").write_text(
        f"{pid} ({name}) {state} {parent} 1 1 0 -1 4194304 {'0 ' * 12}{started} 0 0\n"
    )
    (directory / "status").write_text(f"Name:\t{name}\nUid:\t0\t{uid}\t0\t0\n")
    (directory / "io").write_text(
        f"rchar: {io}\nwchar: 0\nsyscr: 1\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"
    )
