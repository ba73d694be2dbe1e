"""Noticing a sleep: once each, by the two clocks, and setting the clock is none."""

from __future__ import annotations

import os
import threading
import time

import pytest

from ears import EpollEars
from powernap.host.resume import SLEPT_MIN, ResumeWatch, asleep_so_far


class Sleeper:
    """Seconds slept so far, as the test says."""

    def __init__(self) -> None:
        self.slept = 100.0

    def __call__(self) -> float:
        return self.slept


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([0.0, 0.0], []),
        ([60.0, 0.0], [60.0]),
        ([60.0, 5.0], [60.0, 5.0]),
        ([SLEPT_MIN / 2] * 3, []),
        ([-1.0], []),
    ],
)
def test_each_sleep_is_told_once(steps: list[float], told: list[float]) -> None:
    """However often it is looked; a hair between the clocks is no sleep."""
    sleeper, heard = Sleeper(), list[float]()
    with EpollEars() as ears:
        watch = ResumeWatch(ears, heard.append, sleeper)
        for step in steps:
            sleeper.slept += step
            watch.look()
            watch.look()
        watch.close()

    assert heard == pytest.approx(told)


@pytest.mark.root
def test_the_kernel_tells_when_the_clock_is_set() -> None:
    """Setting the clock to what it says wakes the watch as a resume does, it arms itself again, and no sleep is seen in it."""
    sleeper, heard, looks = Sleeper(), list[float](), list[int]()

    def asleep() -> float:
        looks.append(1)
        return sleeper()

    with EpollEars() as ears:
        watch = ResumeWatch(ears, heard.append, asleep)
        for _ in range(2):
            looks.clear()
            time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
            assert ears.run(2, until=lambda: looks)
        sleeper.slept += 9
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
        assert ears.run(2, until=lambda: heard)
        watch.close()

    assert heard == [9.0]


def test_quiet_it_wakes_nobody() -> None:
    """The timer itself never comes."""
    with EpollEars() as ears:
        watch = ResumeWatch(ears, lambda _slept: None)
        ears.run(0.05)
        watch._cancelled()  # called without cause: nothing to read, nothing happens
        watch.close()

        assert ears.wakeups == 0


def test_closed_it_gives_its_descriptor_back_and_tells_nothing() -> None:
    """Closing twice is harmless, and a look afterwards finds no sleep."""
    sleeper, heard = Sleeper(), list[float]()
    before = len(os.listdir("/proc/self/fd"))
    with EpollEars() as ears:
        watch = ResumeWatch(ears, heard.append, sleeper)
        watch.close()
        watch.close()
        sleeper.slept += 60
        watch.look()

    assert heard == []
    assert before == len(os.listdir("/proc/self/fd"))


def test_a_busy_machine_is_no_sleep() -> None:
    """While threads take the processor from us between the two clocks their distance stays below what counts."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=spin) for _ in range(4)]
    for thread in threads:
        thread.start()
    found = [asleep_so_far() for _ in range(300)]
    stop.set()
    for thread in threads:
        thread.join()

    assert max(found) - min(found) < SLEPT_MIN
