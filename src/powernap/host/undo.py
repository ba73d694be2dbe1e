"""Put back everything that a ledger holds: at the daemon's start, when its unit stops or fails, and by hand.

Needs the standard library and nothing of the daemon, so that it also works when that is what broke.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.clock import SystemClock
from powernap.host.knobs import Knobs, MachineKnobs, Pretend
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import Disk, LedgerFile, Record, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from powernap.host.files import Files
    from powernap.host.ledger_entry import Result


@dataclass(frozen=True)
class Report:
    """:param results: what became of each entry, in the order of undoing; :param damage: lines that could not be read, and where a copy of them is."""

    results: list[Result]
    damage: list[str]

    @property
    def clean(self) -> bool:
        """Nothing of ours is left changed. Values that somebody else set meanwhile are theirs, and no failure."""
        return not self.damage and not any(each.left for each in self.results)


class Scratch:
    """A ledger read into memory, on which nothing is kept."""

    size = 0
    kept = ""

    def __init__(self, path: str) -> None:
        self._loaded = load(path)

    def load(self) -> tuple[list[Record], list[str]]:
        """What the file held."""
        return self._loaded

    def append(self, record: Record) -> None:
        """Not kept."""

    def clear(self) -> None:
        """Nothing to do."""

    def rewrite(self, records: list[Record]) -> None:
        """Not kept."""


def undo(path: str, files: Files, knobs: Knobs | None = None, disk: Disk | None = None) -> Report:
    """Restore all that the ledger at ``path`` holds. An absent ledger is an empty one, and is not made. May be killed and called again.

    :raises LedgerBusyError: a daemon has it open; :raises OSError: it cannot be opened.
    """
    return _on_paper(path, files, knobs, disk, Ledger.restore)


def preview(path: str, files: Files, knobs: Knobs | None = None) -> Report:
    """What :func:`undo` would do. Reads only, and needs no lock. ``OSError``: it cannot be read."""
    if _empty(path):
        return Report([], [])
    ledger = Ledger(Scratch(path), Pretend(knobs or MachineKnobs(files)), SystemClock(), boot_id(files))
    return Report([*ledger.dropped, *ledger.restore()], ledger.damage)


def forget(path: str, target: str, files: Files, knobs: Knobs | None = None) -> Report:
    """Drop a target that will not return from the ledger; nothing is written to the machine.

    :raises LedgerBusyError: a daemon has it open; :raises OSError: it cannot be opened.
    """
    return _on_paper(path, files, knobs, None, lambda ledger: ledger.forget(target))


def _on_paper(
    path: str, files: Files, knobs: Knobs | None, disk: Disk | None, do: Callable[[Ledger], list[Result]]
) -> Report:
    """What becomes of the entries of the ledger at ``path``, which is open for this long."""
    if _empty(path):
        return Report([], [])
    file = LedgerFile(path, disk)
    try:
        ledger = Ledger(file, knobs or MachineKnobs(files), SystemClock(), boot_id(files))
        return Report([*ledger.dropped, *do(ledger)], ledger.unreadable)
    finally:
        file.close()


def _empty(path: str) -> bool:
    """A file with nothing in it, not even half a line: it need not be opened to know that there is nothing to undo."""
    try:
        found = os.stat(path)
        return stat.S_ISREG(found.st_mode) and found.st_size == 0
    except FileNotFoundError:
        return True
