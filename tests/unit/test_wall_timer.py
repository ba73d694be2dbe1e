"""Claims of host/wall_timer.py, on real timers. That somebody sets the clock cannot be tried here: the lab does."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from keeper import run
from loop_ears import until
from powernap.host.wall_timer import WallTimer


class Bell:
    """A timer that notes when it comes, and is then set to come no more."""

    def __init__(self) -> None:
        self.came: list[float] = []
        self.timer = WallTimer(self._come)

    def _come(self) -> None:
        self.came.append(time.time())
        self.timer.set(None)


def test_it_comes_at_its_instant_and_not_before() -> None:
    """By the wall clock, once."""

    async def claim() -> None:
        bell, at = Bell(), time.time() + 0.05
        bell.timer.set(at)
        await until(lambda: bell.came)
        bell.timer.close()
        assert len(bell.came) == 1
        assert bell.came[0] >= at

    run(claim())


@pytest.mark.parametrize("at", [0.0, -5.0, 1e-9, 0.25, 1.0, 1700000000.75])
def test_an_instant_that_has_passed_comes_at_once(at: float) -> None:
    """However long ago; the epoch itself would disarm it."""

    async def claim() -> None:
        bell = Bell()
        bell.timer.set(at)
        await until(lambda: bell.came)
        bell.timer.close()

    run(claim())


def test_without_an_instant_only_a_set_clock_brings_it() -> None:
    """One that is set to none is still silent when another comes that was set after it."""

    async def claim() -> None:
        silent, bell = Bell(), Bell()
        silent.timer.set(time.time() + 0.05)
        silent.timer.set(None)
        bell.timer.set(time.time() + 0.1)
        await until(lambda: bell.came)
        assert silent.came == []
        silent.timer.close()
        bell.timer.close()

    run(claim())


def test_set_anew_it_comes_at_the_new_instant() -> None:
    """The last word counts."""

    async def claim() -> None:
        bell = Bell()
        bell.timer.set(time.time() + 3600)
        bell.timer.set(time.time() + 0.01)
        await until(lambda: bell.came)
        bell.timer.close()

    run(claim())


def test_somebody_elses_read_is_no_fault() -> None:
    """It comes all the same: who is called looks for itself."""

    async def claim() -> None:
        bell = Bell()
        bell.timer._ready()
        assert len(bell.came) == 1
        bell.timer.close()

    run(claim())


def test_closed_it_comes_no_more() -> None:
    """Its descriptor is given back, and setting it is an error."""

    async def claim() -> None:
        bell = Bell()
        bell.timer.set(time.time() + 0.01)
        bell.timer.close()
        with pytest.raises(OSError, match="timerfd_settime"):
            bell.timer.set(None)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(bell.timer.fd)
        await asyncio.sleep(0.03)
        assert bell.came == []

    run(claim())
