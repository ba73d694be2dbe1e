"""Claims about one descriptor's ear."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ears import EpollEars
from powernap.host.ears import Ear


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_deaf_until_armed_and_after_deafening(pipe: tuple[int, int]) -> None:
    """What waits is heard once armed, also twice armed; deafened, it wakes nobody, and is there for the next arming."""
    heard: list[int] = []
    with EpollEars() as ears:

        def once() -> None:
            heard.append(1)
            ear.deafen()

        ear = Ear(ears, pipe[0], once)
        os.write(pipe[1], b"x")
        ears.run(0.01)
        assert (heard, ears.wakeups) == ([], 0)
        ear.arm()
        ear.arm()
        assert ears.run(1, lambda: heard)
        ears.run(0.01)
        assert (heard, ears.wakeups, ear.listening) == ([1], 1, False)
        ear.arm()
        assert ears.run(1, lambda: len(heard) == 2)
        ear.close()


def test_closed_for_good(pipe: tuple[int, int]) -> None:
    """A call-back that was due when its owner closed cannot listen to a descriptor that is somebody else's by then."""
    with EpollEars() as ears:
        ear = Ear(ears, pipe[0], lambda: None)
        ear.arm()
        ear.close()
        ear.arm()
        assert (ear.listening, ears.heard) == (False, {})


def test_without_ears_nothing_has_an_effect() -> None:
    """On a recorded machine there is nothing to hear."""
    ear = Ear(None, -1, lambda: None)
    ear.arm()
    ear.deafen()
    assert not ear.listening
    ear.close()


def test_priority_is_passed_on(pipe: tuple[int, int]) -> None:
    """A source that tells by ``EPOLLPRI`` is not woken by what can be read."""
    with EpollEars() as ears:
        ear = Ear(ears, pipe[0], lambda: None, priority=True)
        ear.arm()
        os.write(pipe[1], b"x")
        ears.run(0.01)
        assert ears.wakeups == 0
        ear.close()
