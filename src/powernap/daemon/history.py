"""What happened: each thing worth telling, kept in memory and, where there is a state directory, on disk.

Nothing is written while the machine naps (a disk that was just spun down would spin up): lines wait until it is awake or stops.
"""

from __future__ import annotations

import json
import os
from collections import deque
from typing import Any

LINES_MAX = 10_000
"""Lines kept on disk; when twice as many have gathered the older half is dropped."""


class History:
    """The latest entries, oldest first.

    :param path: JSON lines, mode 0644, or empty for memory only.
    :param keep: entries held in memory.
    """

    def __init__(self, path: str = "", keep: int = 1000) -> None:
        self.path = path
        self.entries: deque[dict[str, Any]] = deque(maxlen=keep)
        self.unwritten: list[str] = []
        self.lines = 0
        self.trouble = ""
        self._load()

    def _load(self) -> None:
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()[-LINES_MAX:]
        except OSError:
            return
        self.lines = len(lines)
        for line in lines[-(self.entries.maxlen or 0) :]:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a torn line: the machine lost power while it was written
            if isinstance(entry, dict):
                self.entries.append(entry)

    def add(self, entry: dict[str, Any]) -> None:
        """Remember one thing that happened."""
        self.entries.append(entry)
        if self.path and not self.trouble:
            self.unwritten.append(json.dumps(entry, separators=(",", ":")))

    def flush(self) -> None:
        """Write what waits; a disk that is full costs the file, never the daemon."""
        if not self.unwritten:
            return
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in self.unwritten))
            self.lines += len(self.unwritten)
            if self.lines > 2 * LINES_MAX:
                self._shorten()
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}; the history is kept in memory only"
        self.unwritten.clear()

    def _shorten(self) -> None:
        with open(self.path, encoding="utf-8", errors="replace") as file:
            kept = file.read().splitlines()[-LINES_MAX:]
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in kept))
        os.replace(self.path + ".new", self.path)
        self.lines = len(kept)
