"""The one timer: never before its instant, and the watchdog is fed whatever activity does to the deadline."""

from __future__ import annotations

import asyncio

import pytest

from keeper import run, until
from powernap.daemon.alarm import Alarm
from powernap.host.clock import SystemClock


class Ahead:
    """A ``CLOCK_BOOTTIME`` that the test moves forward, as a sleep does: the loop's clock stays behind."""

    def __init__(self) -> None:
        self.slept = 0.0

    def boottime(self) -> float:
        return SystemClock().boottime() + self.slept

    def wall(self) -> float:
        return self.boottime()


def test_it_never_comes_before_its_instant() -> None:
    """Each of a hundred deadlines comes, and not a hair early."""

    async def work() -> None:
        came = list[float]()
        clock = SystemClock()
        alarm = Alarm(clock, came.append)
        for _ in range(100):
            at = clock.boottime() + 0.0015
            alarm.set(at)
            await until(lambda: came)
            assert came.pop() >= at

    run(work())


def test_only_the_latest_deadline_comes() -> None:
    """Another replaces it, `None` takes it away."""

    async def work() -> None:
        came = list[float]()
        clock = SystemClock()
        alarm = Alarm(clock, came.append)
        alarm.set(clock.boottime() + 0.005)
        alarm.set(clock.boottime() + 0.01)
        alarm.set(None)
        await asyncio.sleep(0.03)
        assert [] == came

    run(work())


def test_an_instant_that_is_over_comes_at_once() -> None:
    """A deadline in the past does not wait."""

    async def work() -> None:
        came = list[float]()
        alarm = Alarm(SystemClock(), came.append)
        alarm.set(1.0)
        await until(lambda: came)

    run(work())


def test_deadlines_that_move_on_do_not_starve_the_watchdog() -> None:
    """Activity puts the deadline off again and again, each time before it comes: the watchdog is fed all the same."""

    async def work() -> int:
        fed, clock = list[int](), SystemClock()
        alarm = Alarm(clock, lambda _at: None, lambda: fed.append(1), 0.02)
        end = clock.boottime() + 0.2
        while clock.boottime() < end:
            alarm.set(clock.boottime() + 0.015)
            await asyncio.sleep(0.005)
        alarm.close()
        return len(fed)

    assert 3 <= run(work()) <= 11


def test_frequent_deadlines_do_not_overfeed_it() -> None:
    """The watchdog's message is sent once in its period, however many deadlines come."""

    async def work() -> int:
        fed, came, clock = list[int](), list[float](), SystemClock()
        alarm = Alarm(clock, came.append, lambda: fed.append(1), 60.0)
        for _ in range(20):
            alarm.set(clock.boottime())
            await until(lambda: came)
            came.clear()
        alarm.close()
        return len(fed)

    assert run(work()) == 0


def test_armed_again_after_a_sleep_it_comes_in_time() -> None:
    """The loop's clock stood still during the sleep; a deadline that fell into it has come."""

    async def work() -> None:
        came, clock = list[float](), Ahead()
        alarm = Alarm(clock, came.append)
        alarm.set(clock.boottime() + 3600)
        clock.slept = 7200
        alarm.arm()
        await until(lambda: came)
        assert came[0] == pytest.approx(clock.boottime(), abs=1)

    run(work())
