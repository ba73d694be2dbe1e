"""Writes an archive that the kernel unpacks as its first file system (newc; Documentation/driver-api/early-userspace/buffer-format.rst)."""

from __future__ import annotations

import stat
from pathlib import PurePosixPath


class Archive:
    """Files and directories, in the order in which they are added; parents come by themselves."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._count = 0
        self._directories: set[str] = set()

    def directory(self, name: str) -> None:
        """With its parents."""
        for path in (*reversed(PurePosixPath(name).parents), PurePosixPath(name)):
            if str(path) not in {".", "/", *self._directories}:
                self._directories.add(str(path))
                self._add(str(path), stat.S_IFDIR | 0o755)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """A regular file."""
        self.directory(str(PurePosixPath(name).parent))
        self._add(name, stat.S_IFREG | mode, content)

    def device(self, name: str, major: int, minor: int) -> None:
        """A character device."""
        self.directory(str(PurePosixPath(name).parent))
        self._add(name, stat.S_IFCHR | 0o600, numbers=(major, minor))

    def packed(self) -> bytes:
        """The whole archive."""
        self._add("TRAILER!!!", 0)
        return bytes(self._data)

    def _add(self, name: str, mode: int, content: bytes = b"", numbers: tuple[int, int] = (0, 0)) -> None:
        self._count += 1
        path = name.encode() + b"\0"
        fields = (self._count, mode, 0, 0, 1, 0, len(content), 0, 0, *numbers, len(path), 0)
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields) + path
        self._pad()
        self._data += content
        self._pad()

    def _pad(self) -> None:
        self._data += bytes(-len(self._data) % 4)
