"""Claims about the limit on computation."""

from __future__ import annotations

import re
import signal
import threading
import time

import pytest

from powernap.host.cpu_limit import CpuLimitError, cpu_limit


def test_endless_regex_is_ended():
    """A regex that would run for years is over after the limit."""
    began = time.process_time()
    with pytest.raises(CpuLimitError), cpu_limit(0.05):
        re.search("(a+)+b", "a" * 64)
    assert time.process_time() - began < 1


def test_nothing_is_left_behind():
    """Afterwards neither timer nor handler is there."""
    before = signal.getsignal(signal.SIGVTALRM)
    with cpu_limit(10):
        pass
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
    assert signal.getsignal(signal.SIGVTALRM) == before


def test_zero_is_no_limit():
    """Zero sets no timer."""
    with cpu_limit(0):
        assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0


def test_other_threads_are_not_limited():
    """Outside the main thread the block runs, without a limit."""
    ran = []

    def run() -> None:
        with cpu_limit(0.01):
            ran.append(signal.getitimer(signal.ITIMER_VIRTUAL)[0])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ran == [0]
