"""The machine's files: /proc, /sys, /run and the like, under an injected root.

Paths are text as the kernel documents them ("/sys/devices/system/cpu/online"). A recorded machine is the same tree below another
root; the tests' fake kernel offers the same functions over attributes that validate, clamp and fail as the real ones do.
"""

from __future__ import annotations

import fnmatch
import os
from typing import Protocol


class Files(Protocol):
    """Reads and writes of a machine's files. Every error is an ``OSError`` with the errno the kernel gave."""

    def read(self, path: str) -> str:
        """The whole content, as it is (a trailing newline included)."""
        ...

    def write(self, path: str, text: str) -> None:
        """Write an existing attribute in one ``write(2)``; a short write is an error."""
        ...

    def names(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty when it does not exist."""
        ...

    def exists(self, path: str) -> bool:
        """Whether the path is there."""
        ...

    def real(self, path: str) -> str:
        """The path with symbolic links resolved, still relative to the machine's root."""
        ...

    def make_directory(self, path: str) -> None:
        """mkdir(2): a cgroup, whose files then appear by themselves."""
        ...

    def remove_directory(self, path: str) -> None:
        """rmdir(2): ``EBUSY`` while a cgroup has processes or children; its files go with it."""
        ...


class TreeFiles:
    """The files below ``root``: the live machine ("/") or a recorded one."""

    def __init__(self, root: str = "/") -> None:
        self.root = root.rstrip("/")

    def read(self, path: str) -> str:
        """The whole content; undecodable bytes survive as surrogates."""
        with open(self.root + path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def write(self, path: str, text: str) -> None:
        """One ``write(2)`` to an existing file: a sysfs attribute takes its value in one piece or not at all."""
        fd = os.open(self.root + path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            data = text.encode(errors="surrogateescape")
            written = os.write(fd, data)
            if written != len(data):
                raise OSError(5, f"short write: {written} of {len(data)} bytes", path)
        finally:
            os.close(fd)

    def names(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty when it does not exist or is none."""
        try:
            return sorted(os.listdir(self.root + path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def exists(self, path: str) -> bool:
        """Whether the path is there."""
        return os.path.exists(self.root + path)

    def real(self, path: str) -> str:
        """Links resolved within the root."""
        real, root = os.path.realpath(self.root + path), os.path.realpath(self.root or "/")
        return real[len(root.rstrip("/")) :] if real.startswith(root) else real

    def make_directory(self, path: str) -> None:
        """mkdir(2)."""
        os.mkdir(self.root + path)

    def remove_directory(self, path: str) -> None:
        """rmdir(2)."""
        os.rmdir(self.root + path)


def text(files: Files, path: str, default: str = "") -> str:
    """A file's content without surrounding white space, or ``default`` where it cannot be read."""
    try:
        return files.read(path).strip()
    except (OSError, ValueError):
        return default


def whole_number(files: Files, path: str) -> int:
    """The whole number that a file holds; -1 where it is missing or says something else."""
    found = text(files, path)
    return int(found) if found.isdecimal() else -1


def matching(files: Files, pattern: str) -> list[str]:
    """Paths that match a pattern with ``*`` in single components, sorted: ``/sys/block/sd*/stat``."""
    found = [""]
    for part in pattern.strip("/").split("/"):
        if "*" not in part and "[" not in part:
            found = [f"{path}/{part}" for path in found]
            continue
        found = [
            f"{path}/{name}"
            for path in found
            for name in files.names(path or "/")
            if fnmatch.fnmatch(name, part)
        ]
    return [path for path in found if files.exists(path)]
