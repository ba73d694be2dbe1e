"""The roll of all processes: /proc is passed through once a look, however many monitors ask.

Owns the pass and how long its answer stands. Who of the called matches is host/processes.py's affair, who of them is logged in
host/logins.py's. A pass costs three system calls a process; with 2,000 of them (2 virtual cores, 6.18) 10 ms for the names alone,
20 ms with the terminals. Which terminals people sit at is read along from the first time that somebody asks for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import field
from weakref import WeakKeyDictionary

from powernap.core.value import dataclass
from powernap.host.files import Files, TreeFiles

TOGETHER = 0.1
"""Seconds after a pass within which its answer stands for others who ask: the monitors of one look ask in a row."""
NAME, STAT = 64, 1024
"""Bytes that hold a name, and the line of a stat."""


@dataclass(frozen=True, slots=True)
class Roll:
    """One pass. It saw what was there at ``began``, perhaps also what came before ``ended`` (seconds of ``CLOCK_BOOTTIME``).

    :param names: process ids by name (proc_pid_comm(5)).
    :param seated: stat of each session leader that has a controlling terminal, by process id; ``None`` where nobody asked.
    """

    began: float
    ended: float
    names: dict[bytes, list[int]] = field(default_factory=dict)
    seated: dict[int, bytes] | None = None

    @property
    def count(self) -> int:
        """How many processes there were."""
        return sum(map(len, self.names.values()))


latest: WeakKeyDictionary[Files, Roll] = WeakKeyDictionary()
"""The latest pass of each machine."""


def roll(files: Files, now: float, *, after: float = float("-inf"), seated: bool = False) -> Roll:
    """All processes at ``now``: by a pass that a monitor of the same look has just made, else by a new one.

    :param after: only a pass that began after this instant will do: who asks has looked then already, or knows of a start.
    :param seated: with the session leaders' terminals.
    """
    last = latest.get(files)
    told = last is not None and last.seated is not None
    if last and after < last.began <= now <= last.ended + TOGETHER and (told or not seated):
        return last
    began = time.perf_counter()
    names, leaders = call_with_terminals(files) if told or seated else (call(files), None)
    found = Roll(now, now + time.perf_counter() - began, names, leaders)
    latest[files] = found
    return found


def call(files: Files) -> dict[bytes, list[int]]:
    """Process ids by name."""
    names: dict[bytes, list[int]] = {}
    for pid in pids(files):
        try:
            name = read_head(files, f"/proc/{pid}/comm", NAME)[:-1]
        except OSError:
            continue  # gone meanwhile, or hidden from us
        names.setdefault(name, []).append(pid)
    return names


def call_with_terminals(files: Files) -> tuple[dict[bytes, list[int]], dict[int, bytes]]:
    """Process ids by name, and the stat of session leaders that have a terminal (proc_pid_stat(5))."""
    names: dict[bytes, list[int]] = {}
    seated: dict[int, bytes] = {}
    for pid in pids(files):
        try:
            line = read_head(files, f"/proc/{pid}/stat", STAT)
        except OSError:
            continue
        name, leader = parse_line(line)
        names.setdefault(name, []).append(pid)
        if leader:
            seated[pid] = line
    return names, seated


def parse_line(line: bytes) -> tuple[bytes, bool]:
    """The name in a stat's brackets (it may hold brackets itself), and whether the process leads a session on a terminal.

    No more is taken apart than needed: this is done for each process of the machine.
    """
    end = line.rfind(b")")
    fields = line[end + 2 :].split(b" ", 5)
    leads = len(fields) > 4 and fields[4] != b"0" and line.startswith(fields[3] + b" ")
    return line[line.find(b"(") + 1 : end], leads


def read_head(files: Files, path: str, limit: int) -> bytes:
    """The first bytes of a file. For the real tree without a text layer, which would take seven system calls instead of three."""
    if not isinstance(files, TreeFiles):
        return files.read(path).encode(errors="surrogateescape")[:limit]
    fd = os.open(files.root + path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, limit)
    finally:
        os.close(fd)


def pids(files: Files) -> Iterator[int]:
    """All process ids."""
    return (int(name) for name in files.names("/proc") if name.isdecimal())
