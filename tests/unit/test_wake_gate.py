"""wakeproxy/gate.py and wanted.py: how many at once, and what a machine is needed for."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.core.timetable import OFF, UP, Span, periods
from powernap.wakeproxy import wanted
from powernap.wakeproxy.gate import Gate, spread
from virtual_time import run

INSTANTS = st.lists(st.integers(0, 200).map(float), max_size=40)


@settings(deadline=None)
@given(INSTANTS, st.integers(1, 5), st.integers(0, 30).map(float))
def test_nobody_begins_late_and_no_more_than_that_many_together(
    at: list[float], at_once: int, apart: float
) -> None:
    """Whatever their own instants are; and nobody is earlier than that takes."""
    latest = {str(number): each for number, each in enumerate(at)}
    begin = spread(latest, at_once, apart)
    assert begin.keys() == latest.keys()
    assert all(begin[name] <= latest[name] for name in latest)
    ordered = sorted(begin.values())
    assert all(later - sooner >= apart for sooner, later in zip(ordered, ordered[at_once:], strict=False))
    assert all(begin[name] == latest[name] or begin[name] + apart in {*begin.values()} for name in latest), (
        "each that is early is so because of another one"
    )


@settings(deadline=None)
@given(INSTANTS, st.integers(1, 5), st.integers(0, 30).map(float))
def test_the_gate_lets_no_more_than_that_many_through(at: list[float], at_once: int, apart: float) -> None:
    """Whenever they come; and nobody waits for nothing."""
    went: list[float] = []

    async def claim() -> None:
        gate, loop = Gate(at_once, apart), asyncio.get_running_loop()

        async def come(when: float) -> None:
            await asyncio.sleep(when)
            await gate.go()
            went.append(loop.time())

        await asyncio.gather(*map(come, at))

    run(claim())
    assert len(at) == len(went)
    assert all(later - sooner > apart - 1e-6 for sooner, later in zip(went, went[at_once:], strict=False))
    assert len(at) > at_once or sorted(at) == went


def test_a_gate_that_is_set_anew_remembers_who_went() -> None:
    """Narrower and wider."""

    async def claim() -> None:
        gate, loop = Gate(2, 10.0), asyncio.get_running_loop()
        await gate.go()
        await gate.go()
        gate.set(1, 10.0)
        await gate.go()
        assert 10.0 == loop.time()
        gate.set(3, 10.0)
        await gate.go()
        await gate.go()
        assert 10.0 == loop.time()
        await gate.go()
        assert 20.0 == loop.time()

    run(claim())


def needed(*spans: tuple[float, float, str], until: float = 100.0, now: float = 0.0) -> list[wanted.Want]:
    """What stands, and what comes."""
    found = periods([Span(*each, str(number)) for number, each in enumerate(spans)], now, until, {})
    following = wanted.coming(found, now, lambda name: name != "asleep")
    return [*wanted.standing(found, now, lambda name: name != "asleep"), *([following] if following else [])]


def test_what_stands_and_what_comes() -> None:
    """Each with its end, by which it is too late."""
    assert [(-5, 10), (20, 40)] == [(each.at, each.until) for each in needed((-5, 10, UP), (20, 30, UP), (25, 40, UP))]  # fmt: skip
    assert [(30, 60)] == [(each.at, each.until) for each in needed((-5, 30, OFF), (60, 70, OFF))]
    assert [(30, 100)] == [(each.at, each.until) for each in needed((10, 30, OFF))]
    assert [] == needed()


def test_up_that_begins_in_up_is_a_need_of_its_own() -> None:
    """Whoever went down in the first knew of that; it may not know of the second."""
    assert [0, 20] == [each.at for each in needed((0, 50, UP), (20, 30, UP), now=10)]
