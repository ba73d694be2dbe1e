"""What happened: each thing worth telling, kept in memory and, where there is a state directory, on disk.

Nothing is written while the machine naps (a disk that was just spun down would spin up): lines wait until it is awake or stops. A disk
that is full or read-only costs lines of the file, never the daemon; they are written once it takes them again.
"""

from __future__ import annotations

import json
import os
from collections import deque
from typing import Any

LINE = 300
"""Bytes of a usual line."""


class History:
    """The latest entries, oldest first.

    :param path: a file of JSON lines, or empty for memory only.
    :param keep: entries held in memory, and about as many at least on disk.
    :ivar trouble: why the file is not written, empty while it is.
    """

    def __init__(self, path: str = "", keep: int = 1000) -> None:
        self.path = path
        self.entries: deque[dict[str, Any]] = deque(maxlen=keep)
        self.unwritten: deque[bytes] = deque(maxlen=keep)
        self.room = keep * LINE
        self.torn = False
        self.trouble = ""
        self._load()

    def _load(self) -> None:
        try:
            lines = self._tail().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a torn line: the machine lost power while it was written
            if isinstance(entry, dict) and isinstance(entry.get("event"), str) and entry["event"] != "energy":
                self.entries.append(entry)

    def _tail(self) -> bytes:
        """The end of the file, as much as is ever of use."""
        if not self.path:
            return b""
        with open(self.path, "rb") as file:
            begin = max(0, os.fstat(file.fileno()).st_size - 2 * self.room)
            file.seek(begin)
            data = file.read(2 * self.room)
        self.torn = bool(data) and not data.endswith(b"\n")
        return data.partition(b"\n")[2] if begin else data

    def add(self, entry: dict[str, Any]) -> None:
        """Remember one thing that happened."""
        self.entries.append(entry)
        self.note(entry)

    def note(self, entry: dict[str, Any]) -> None:
        """A line for the file only, which `powernap report` reads and nobody asks the daemon for."""
        if self.path:
            self.unwritten.append(json.dumps(entry, separators=(",", ":"), default=str).encode() + b"\n")

    def flush(self) -> None:
        """Write what waits."""
        if not self.unwritten:
            return
        data = b"".join(self.unwritten)
        try:
            self._append(b"\n" + data if self.torn else data)
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}; the history is kept in memory only"
            return
        self.torn, self.trouble = False, ""
        self.unwritten.clear()

    def _append(self, data: bytes) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            written = os.write(fd, data)
            if written != len(data):
                self.torn = True
                raise OSError(28, "no room for all of it", self.path)
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        if size > 4 * self.room:
            self._shorten()

    def _shorten(self) -> None:
        """Keep the newer half, in a file that replaces the old one whole."""
        kept = self._tail()
        new = self.path + ".new"
        with open(new, "wb") as file:
            file.write(kept)
        os.replace(new, self.path)
