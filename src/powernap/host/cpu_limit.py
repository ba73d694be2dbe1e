"""An upper limit on the CPU time of a piece of pure computation, such as a regex on text that a stranger chose.

CPython's regex engine looks for signals while it backtracks, so that a timer's signal can end it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class CpuLimitError(Exception):
    """The computation was ended."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`CpuLimitError` in the block after so many seconds of this process's CPU time; 0 means no limit.

    Without effect outside the main thread, where Python hears no signals.
    """
    inside = seconds > 0

    def over(_signal: int, _frame: FrameType | None) -> None:
        if inside:  # else it came while the block was being left
            raise CpuLimitError

    try:
        before = signal.signal(signal.SIGVTALRM, over) if inside else None
    except ValueError:
        inside, before = False, None
    if not inside:
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        inside = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
