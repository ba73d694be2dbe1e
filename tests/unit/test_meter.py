"""core/meter.py: a counter monitor's verdict from look to look."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from powernap.core.counters import MINIMUM, Look
from powernap.core.meter import Meter, begin, measure
from powernap.core.threshold import Threshold

LIMIT = 100.0


def meter(sustained: float = 0.0) -> Meter:
    """One that begins at 1000, with a limit of 100."""
    return begin(
        "disk", Threshold(LIMIT, sustained), Look(1000.0, {}), "B/s", "{:g}B".format, "not measured yet"
    )


def after(start: Meter, *steps: tuple[float, float]) -> Meter:
    """The state after these looks: when, and how much a second."""
    for at, measured in steps:
        start = measure(start, Look(at, {}), measured, lambda end: f"sda {end}")
    return start


def test_before_anything_was_measured_nobody_is_there() -> None:
    """The first reading says that it knows nothing yet."""
    reading = meter().reading
    assert (reading.monitor, reading.at, reading.reason) == ("disk", 1000.0, "not measured yet")
    assert (reading.active, reading.last, reading.measured, reading.limit, reading.unit) == (
        False,
        None,
        None,
        LIMIT,
        "B/s",
    )


def test_above_the_limit_is_a_pulse_now() -> None:
    """With the sentence that names who, over which time, and the limit."""
    reading = after(meter(), (1060.0, 150.0)).reading
    assert (reading.active, reading.last, reading.measured) == (False, 1060.0, 150.0)
    assert reading.reason == "sda over the last 1min (limit 100B, quiet again below 80B)"


def test_below_the_limit_the_last_pulse_is_remembered() -> None:
    """Idle time counts from the last look that found too much."""
    reading = after(meter(), (1060.0, 150.0), (1120.0, 50.0)).reading
    assert (reading.at, reading.last, reading.measured) == (1120.0, 1060.0, 50.0)
    assert reading.reason == "sda over the last 1min (limit 100B)"


def test_too_short_an_interval_repeats_the_answer_and_keeps_the_base() -> None:
    """Within a second the previous answer holds, and the next look compares with the same base."""
    before = after(meter(), (1060.0, 50.0))
    found = after(before, (1060.5, 90.0))
    assert (found.base, found.crossing) == (before.base, before.crossing)
    assert (found.reading.at, found.reading.measured) == (1060.5, 50.0)


def test_what_exceeds_the_limit_within_a_second_counts_at_once() -> None:
    """A whole second's worth in half a second needs no waiting."""
    found = after(meter(), (1000.5, 150.0))
    assert (found.reading.last, found.base.at) == (1000.5, 1000.5)


def test_it_must_last() -> None:
    """Above the limit, but not for long enough, is no activity yet."""
    found = after(meter(sustained=90.0), (1060.0, 150.0))
    assert found.reading.last is None
    assert found.reading.reason.endswith("(limit 100B, not yet for long enough)")
    assert after(found, (1120.0, 150.0)).reading.last == 1120.0


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 300.0)), max_size=20))
def test_never_a_pulse_in_the_future_nor_one_forgotten(steps: list[tuple[float, float]]) -> None:
    """Whatever is measured when: ``last`` never goes back nor beyond now, and the base is never later than the answer."""
    now, state = 1000.0, meter()
    for passed, measured in steps:
        now += passed
        before, state = state, after(state, (now, measured))
        assert state.base.at <= state.reading.at == now
        assert (before.reading.last or 0.0) <= (state.reading.last or 0.0) <= now
        assert (
            state.base is before.base
            or passed + (now - passed - before.base.at) >= MINIMUM
            or measured > LIMIT
        )
