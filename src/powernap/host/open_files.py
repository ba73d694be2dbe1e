"""Who has a file open: one pass over /proc/PID/fd for all who ask.

Owns the pass. A process of another user shows its descriptors to root only: how many stayed hidden is part of the answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import TreeFiles, text
from powernap.host.roll import pids

if TYPE_CHECKING:
    from powernap.host.files import Files


@dataclass(frozen=True)
class OpenFile:
    """A descriptor; ``fd`` as /proc/PID/fd names it."""

    pid: int
    name: str
    fd: str
    path: str

    def __str__(self) -> str:
        """As a report says it: "jackd (pid 812)"."""
        return f"{self.name} (pid {self.pid})"


@dataclass(frozen=True)
class OpenFiles:
    """:param hidden: processes whose descriptors may not be seen; :param seen: those whose may."""

    files: list[OpenFile] = field(default_factory=list)
    hidden: int = 0
    seen: int = 0

    def below(self, *prefixes: str) -> list[OpenFile]:
        """Those whose path begins so."""
        return [each for each in self.files if each.path.startswith(prefixes)]


def open_files(files: Files, *prefixes: str) -> OpenFiles:
    """Every open file whose path begins with one of ``prefixes``. 1,000 processes with 20 descriptors each take 0.1 s."""
    found: list[OpenFile] = []
    hidden = seen = 0
    for pid in pids(files):
        directory = f"/proc/{pid}/fd"
        try:
            numbers = files.names(directory)
        except OSError:
            hidden += 1
            continue
        seen += bool(numbers)
        paths = [(fd, path) for fd, path in targets(files, directory, numbers) if path.startswith(prefixes)]
        name = text(files, f"/proc/{pid}/comm") if paths else ""
        found += [OpenFile(pid, name, fd, path) for fd, path in paths]
    return OpenFiles(found, hidden, seen)


def targets(files: Files, directory: str, numbers: list[str]) -> Iterator[tuple[str, str]]:
    """Where each descriptor leads; one that was closed meanwhile is left out."""
    for fd in numbers:
        try:
            yield fd, leads_to(files, f"{directory}/{fd}")
        except OSError:
            continue


def leads_to(files: Files, link: str) -> str:
    """Of the real tree in one system call, where resolving the whole path would take one a component."""
    return os.readlink(files.root + link) if isinstance(files, TreeFiles) else files.real(link)
