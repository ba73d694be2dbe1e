"""The flight recorder: what the core was told lately, for a bug report and for a replay. Bounded by size, not by count."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from powernap.core.events import Event
from powernap.core.record import line

ROOM = 256 * 1024
"""Characters kept: about 800 readings of usual length, some hours of a busy machine."""


class Recorder:
    """The latest events as lines of JSON, oldest first."""

    def __init__(self, room: int = ROOM) -> None:
        self.room, self.size = room, 0
        self.lines: deque[str] = deque()

    def add(self, event: Event) -> None:
        """Keep it, and forget as many of the oldest as it takes the room of."""
        text = line(event)
        self.lines.append(text)
        self.size += len(text)
        while self.size > self.room:
            self.size -= len(self.lines.popleft())

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)
