"""core/energy.py: energy is counted through wraps, never across a gap that hides something, and estimates stay apart."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.energy import Count, Energy, Figure, Sample, between, integrate, total, within

SPAN = 262_143.3


def counted(at: float, joules: float, span: float = SPAN, ceiling: float = 200.0) -> Sample:
    return Sample(at, counts=(Count(joules % span if span else joules, span, ceiling),))


def powers(*watts: float) -> list[Sample]:
    """One a second."""
    return [Sample(float(at), each) for at, each in enumerate(watts)]


def test_power_is_integrated_by_trapezoid() -> None:
    """100 W to 200 W in 10 s is 1500 J."""
    assert Energy(1500.0, 10.0) == between(Sample(0.0, 100.0), Sample(10.0, 200.0), gap=10.0)


def test_a_gap_in_power_is_missing_not_guessed() -> None:
    """Whatever was drawn meanwhile, nobody saw it."""
    found = integrate([Sample(0.0, 100.0), Sample(10.0, 100.0), Sample(100.0, 100.0)], gap=60.0)
    assert Energy(1000.0, 10.0, missing=90.0) == found
    assert 100.0 == found.watts


def test_nothing_known_is_no_power() -> None:
    """Not zero watts."""
    assert Energy().watts is None
    assert integrate([], 1.0) == Energy()


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
    found = integrate(samples, gap=0.0)
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


def test_between_two_instants() -> None:
    """Half of the first second, all of the second, a quarter of the third."""
    found = within(powers(100, 100, 100, 100), 0.5, 2.25, gap=5)
    assert (175.0, 1.75, 0.0) == (found.joules, found.seconds, found.missing)


def test_what_lies_outside_the_samples_is_missing() -> None:
    """Before the first and after the last; and a refused gap stays missing in parts."""
    found = within(powers(100, 100), -1.0, 3.0, gap=5)
    assert (100.0, 1.0, 3.0) == (found.joules, found.seconds, found.missing)
    assert 10.0 == within([Sample(0, 1.0), Sample(100, 1.0)], 50, 60, gap=5).missing
    assert Energy(missing=1.0) == within(powers(100, 100, 100), 7.0, 8.0, gap=5)


def test_measured_and_estimated_are_never_added_together() -> None:
    """Each kind has its sum, and bands add up."""
    sums = total([Figure(10, 1, measured=True), Figure(5, 2, measured=False), Figure(7, 2, measured=True)])
    assert {"measured": Figure(17, 3, measured=True), "estimate": Figure(5, 2, measured=False)} == sums
    assert {} == total([])
