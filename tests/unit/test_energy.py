"""core/energy.py: energy is counted through wraps, never across a gap that hides something."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.energy import Count, Energy, Sample, between

SPAN = 262_143.3


def counted(at: float, joules: float, span: float = SPAN, ceiling: float = 200.0) -> Sample:
    return Sample(at, counts=(Count(joules % span if span else joules, span, ceiling),))


def over(samples: list[Sample], gap: float) -> Energy:
    """Of all samples, each with the one before it."""
    return sum((between(one, other, gap) for one, other in pairwise(samples)), Energy())


def test_power_is_integrated_by_trapezoid() -> None:
    """100 W to 200 W in 10 s is 1500 J."""
    assert Energy(1500.0, 10.0) == between(Sample(0.0, 100.0), Sample(10.0, 200.0), gap=10.0)


def test_a_gap_in_power_is_missing_not_guessed() -> None:
    """Whatever was drawn meanwhile, nobody saw it."""
    found = over([Sample(0.0, 100.0), Sample(10.0, 100.0), Sample(100.0, 100.0)], gap=60.0)
    assert Energy(1000.0, 10.0, missing=90.0) == found
    assert 100.0 == found.watts


def test_nothing_known_is_no_power() -> None:
    """Not zero watts."""
    assert Energy().watts is None
    assert over([], 1.0) == Energy()


@pytest.mark.parametrize("later", [0.0, -5.0])
def test_samples_out_of_order_count_nothing(later: float) -> None:
    """A clock that stands or a sample twice."""
    assert Energy() == between(Sample(5.0, 1.0), Sample(5.0 + later, 1.0), gap=60.0)


@given(
    st.lists(st.tuples(st.floats(0.01, 300.0), st.floats(0.0, 199.0)), max_size=30), st.floats(0, SPAN - 1)
)
def test_a_counter_that_goes_round_loses_nothing(steps: list[tuple[float, float]], start: float) -> None:
    """However often it wraps, as long as it is read a quarter of a round apart."""
    at, shown, samples, used = 0.0, start, [counted(0.0, start)], 0.0
    for seconds, watts in steps:
        at, shown, used = at + seconds, shown + seconds * watts, used + seconds * watts
        samples.append(counted(at, shown))
    found = over(samples, gap=0.0)
    assert math.isclose(used, found.joules, abs_tol=1e-4)
    assert 0.0 == found.missing


def test_a_gap_of_more_than_a_quarter_of_a_round_is_refused() -> None:
    """262 kJ at 200 W last 22 minutes; a quarter is 5.5 minutes."""
    assert 1.0 == pytest.approx(counted(0, 0).counts[0].patience / (SPAN / 200 / 4))
    assert 0.0 == between(counted(0, 0), counted(327, 5000), gap=1e9).missing
    assert 328.0 == between(counted(0, 0), counted(328, 5000), gap=1e9).missing


def test_a_counter_that_began_anew_is_not_taken_for_one_that_went_round() -> None:
    """Suspend sets RAPL to 0: 200 kJ within a minute were more than the machine can draw."""
    assert 60.0 == between(counted(0, 60_000), counted(60, 100), gap=0).missing
    assert 60.0 == between(counted(0, 60_000, 0.0, 0.0), counted(60, 100, 0.0, 0.0), gap=0).missing


def test_a_counter_without_an_end_needs_no_limit() -> None:
    """64 bits of joules: any gap will do."""
    assert Energy(5000.0, 9999.0) == between(counted(0, 0, 0.0, 0.0), counted(9999, 5000, 0.0, 0.0), gap=0)


def test_counters_add_up_and_one_that_cannot_be_told_spoils_the_sum() -> None:
    """Two packages; in the second case one of them began anew; in the third one went away."""
    one = Sample(0, counts=(Count(0), Count(10)))
    assert Energy(12.0, 1.0) == between(one, Sample(1, counts=(Count(5), Count(17))), gap=0)
    assert Energy(missing=1) == between(one, Sample(1, counts=(Count(5), Count(7))), gap=0)
    assert Energy(missing=1) == between(one, Sample(1, counts=(Count(5),)), gap=0)
    assert Energy(missing=1) == between(Sample(0), Sample(1), gap=0)
