"""core/counters.py: two looks become rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.counters import MINIMUM, Look, conclusive, from_zero, never_back, rates

counts = st.integers(0, 2**40)
instants = st.floats(0, 1e7)


def test_a_rate_is_over_the_whole_interval() -> None:
    """Growth is divided by the time between the looks."""
    assert rates(Look(10, {"sda": 100}), Look(70, {"sda": 700})) == {"sda": 10.0}


def test_an_interval_below_a_second_counts_as_a_second() -> None:
    """4096 bytes 1 ms ago are 4096 bytes a second, not 4 MB."""
    assert rates(Look(10, {"sda": 0}), Look(10.001, {"sda": 4096})) == {"sda": 4096.0}


def test_what_has_gone_has_no_rate_and_what_came_counts_from_zero() -> None:
    """A disk that is unplugged is not there; one that was plugged in has done all that it counts."""
    assert rates(Look(0, {"sda": 7}), Look(2, {"sdb": 10})) == {"sdb": 5.0}


@pytest.mark.parametrize(
    ("before", "after", "growth"),
    [
        (None, 7, 7),
        (5, 7, 2),
        (2**32 - 1, 4, 5),
        (2**31, 0, 2**31),
        (2**31 - 1, 4, 4),
        (2**32, 4, 4),
        (2**40, 2**39, 2**39),
    ],
)
def test_a_counter_wraps_at_32_bits_or_starts_again(before: int | None, after: int, growth: int) -> None:
    """Only a value in the upper half of 32 bits can have wrapped."""
    assert from_zero(before, after) == growth


@pytest.mark.parametrize(("before", "after", "growth"), [(None, 9, 0), (5, 7, 2), (7, 5, 0), (5, 5, 0)])
def test_processor_time_that_goes_back_has_not_grown(before: int | None, after: int, growth: int) -> None:
    """Nor has that of a processor that came back online."""
    assert never_back(before, after) == growth


@given(counts, counts)
def test_growth_is_never_negative(before: int, after: int) -> None:
    """Whatever a counter does, nothing is taken away from what others did."""
    assert from_zero(before, after) >= 0
    assert never_back(before, after) >= 0


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**31))
def test_a_wrapped_counter_is_read_through_its_wrap(before: int, grown: int) -> None:
    """Growth of up to half the range is exact where the old value was in the upper half, and never too small."""
    found = from_zero(before, (before + grown) % 2**32)
    assert found == grown or (before < 2**31 and found <= grown)


@given(instants, st.floats(0, 10), st.integers(0, 1000), st.floats(0, 500))
def test_a_rate_above_the_limit_is_conclusive_at_once_and_any_after_a_second(
    at: float, later: float, grown: int, limit: float
) -> None:
    """Too early to say means: less than a second, and not yet as much as a second at the limit brings."""
    before, after = Look(at, {"x": 0}), Look(at + later, {"x": grown})
    rate = rates(before, after)["x"]
    early = after.at - before.at < MINIMUM
    assert conclusive(before, after, rate, limit) == (not early or grown > limit)
