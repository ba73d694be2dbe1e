"""The history's file, entry by entry: years of it take no more room than a day. Owns what is no entry, and the progress of a long reading."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

LATEST = 2.0**40
"""Seconds since 1970: no instant of a machine's, and neither infinity nor what is no number (JSON of Python has both)."""
STEP = 1 << 20
"""Bytes between two signs of progress."""


def entries(path: str, damaged: Callable[[int], object] = lambda _: None) -> Iterator[dict[str, Any]]:
    """The entries, one at a time. Progress on a terminal.

    :param damaged: hears the numbers of lines that cannot be read; they are passed over.
    """
    with open(path, "rb") as file:
        show = Progress(os.fstat(file.fileno()).st_size)
        for number, line in enumerate(file, 1):
            show.read(len(line))
            entry = parse(line)
            if entry is not None:
                yield entry
            elif line.strip():
                damaged(number)
        show.end()


class Progress:
    """How much of a long history is read, on a terminal only."""

    def __init__(self, size: int) -> None:
        self.size, self.done, self.told = size, 0, 0
        self.shown = sys.stderr.isatty() and size > STEP

    def read(self, length: int) -> None:
        """So much more."""
        self.done += length
        if self.shown and self.done - self.told > STEP:
            self.told = self.done
            sys.stderr.write(f"\rreading the history: {self.done * 100 // self.size}%")
            sys.stderr.flush()

    def end(self) -> None:
        """Take it away."""
        if self.told:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def parse(line: bytes) -> dict[str, Any] | None:
    """One entry; ``None`` for a line that a power cut tore, or that is no entry with an instant."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    at = entry.get("time") if isinstance(entry, dict) else None
    good = isinstance(at, int | float) and not isinstance(at, bool) and abs(at) < LATEST
    return entry if good else None
