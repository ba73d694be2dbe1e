"""Transparent huge pages, which a small daemon is better off without (Documentation/admin-guide/mm/transhuge.rst).

Where they are always given, as Debian does, the kernel fills 2 MiB where a stack or a heap holds some KiB: 1.5 MiB of a daemon that has
just started, and 2 to 3 more in the threads of its first naps (the lab's Debian 12), coming and going.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from powernap.host.libc import libc

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_THP_DISABLE, PR_GET_THP_DISABLE = 41, 42
"""Of ``linux/prctl.h``; prctl(2)."""


class _Refusal:
    """What this process has asked for. :ivar programs: how many are just being started."""

    def __init__(self) -> None:
        self.made, self.programs, self.lock = False, 0, threading.Lock()

    def begin(self) -> None:
        with self.lock:
            self.made = self.made or libc.prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0
            self._tell()

    def starting(self, change: int) -> None:
        with self.lock:
            self.programs += change
            self._tell()

    def _tell(self) -> None:
        # a kernel without huge pages has nothing to refuse
        if self.made:
            libc.prctl(PR_SET_THP_DISABLE, 0 if self.programs else 1, 0, 0, 0)


_refusal = _Refusal()


def refuse() -> None:
    """No more of them for this process."""
    _refusal.begin()


@contextlib.contextmanager
def inherited() -> Iterator[None]:
    """While a program is started, which takes the setting over: it may be anything that an admin's hook leaves running."""
    _refusal.starting(1)
    try:
        yield
    finally:
        _refusal.starting(-1)
