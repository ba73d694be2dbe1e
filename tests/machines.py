"""A machine made of a few files, with a clock that stands where the test puts it."""

from __future__ import annotations

import os
from pathlib import Path

from powernap.core.reading import Reading
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context


class Clock:
    """Both clocks of host/clock.py."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def boottime(self) -> float:
        """Where the test put it."""
        return self.now

    def wall(self) -> float:
        """The same."""
        return self.now


class Machine:
    """Files below a temporary root; ``told`` collects what a monitor tells."""

    def __init__(self, root: Path, files: dict[str, str]) -> None:
        self.root, self.clock, self.told = root, Clock(), list[Reading]()
        self.host = Host(files=TreeFiles(str(root)), clock=self.clock, live=False)
        for path, text in files.items():
            self.put(path, text)

    def put(self, path: str, text: str) -> None:
        """Write a file, its directories too."""
        place = Path(f"{self.root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        place = Path(f"{self.root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, place)

    def context(self, name: str) -> Context:
        """What a monitor is opened with."""
        return Context(name, self.host, self.told.append)
