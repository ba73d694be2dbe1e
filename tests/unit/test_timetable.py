"""core/timetable.py: what schedules say of each instant, in one documented order."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from powernap.core.timetable import (
    DAYS,
    FREE,
    NAP,
    OFF,
    UP,
    Exempt,
    Period,
    Span,
    at,
    joined,
    periods,
    without,
)

DEPTH = {"ease": 0, "rest": 1, "suspend": 2}
LAST = 24

instants = st.integers(-2, LAST + 2)
spans = st.builds(
    Span,
    start=instants,
    end=instants,
    says=st.sampled_from((UP, NAP, OFF, DAYS)),
    schedule=st.sampled_from(("a", "b")),
    detail=st.sampled_from(("", "x")),
    deepest=st.sampled_from(("", "ease", "rest", "suspend", "gone")),
    unit=st.sampled_from(("", "", "job.service")),
)
said = st.lists(spans, max_size=8)


def judged(said: list[Span], instant: float) -> tuple[str, str]:
    """The order of the docstring, for one instant, as slow and obvious as can be."""
    standing = [span for span in said if span.start <= instant < span.end]
    if any(span.says == UP for span in standing):
        return UP, ""
    if any(span.says == OFF for span in standing):
        return OFF, ""
    naps = [span.deepest for span in standing if span.says == NAP]
    for stage in ("ease", "rest", "suspend"):
        if stage in naps:
            return NAP, stage
    return (NAP, "") if naps else (FREE, "")


def names(found: tuple[Span, ...]) -> set[tuple[str, str, str, str]]:
    """Who says what, whatever the time."""
    return {(span.says, span.schedule, span.detail, span.deepest) for span in found}


# --- properties


@given(said)
def test_each_instant_is_judged_by_the_documented_order(said: list[Span]) -> None:
    """So it is never *off* and never *nap* while an *up* stands."""
    found = periods(said, 0, LAST, DEPTH)
    for instant in range(LAST):
        period = at(found, instant)
        assert period is not None
        assert (period.says, period.deepest) == judged(said, instant)


@given(said)
def test_the_periods_cover_the_time_without_gaps_and_neighbours_differ(said: list[Span]) -> None:
    """From first to last instant, each one in exactly one period."""
    found = periods(said, 0, LAST, DEPTH)
    assert (found[0].start, found[-1].end) == (0, LAST)
    for period, after in pairwise(found):
        assert period.start < period.end == after.start
        assert (period.says, period.deepest, period.because, period.overruled) != (
            after.says, after.deepest, after.because, after.overruled,
        )  # fmt: skip


@given(said, st.randoms(use_true_random=False))
def test_the_order_in_which_schedules_are_written_changes_nothing(
    said: list[Span], chance: random.Random
) -> None:
    """Any permutation gives the same periods, reasons included."""
    shuffled = list(said)
    chance.shuffle(shuffled)
    assert periods(shuffled, 0, LAST, DEPTH) == periods(said, 0, LAST, DEPTH)


@given(said, st.integers(1, LAST - 1))
def test_asking_about_a_part_gives_the_same_answer(said: list[Span], cut: int) -> None:
    """A restart, a step of the clock and years of absence only change which time is asked about."""
    whole = periods(said, 0, LAST, DEPTH)
    for start, end in ((0, cut), (cut, LAST)):
        expected = [
            Period(max(p.start, start), min(p.end, end), p.says, p.deepest, p.because, p.overruled)
            for p in whole
            if p.start < end and p.end > start
        ]
        assert periods(said, start, end, DEPTH) == expected


@given(said)
def test_everybody_who_says_something_is_named_once(said: list[Span]) -> None:
    """``because`` says what holds, ``overruled`` the rest, ``days`` is neither."""
    for period in periods(said, 0, LAST, DEPTH):
        standing = [span for span in said if span.says != DAYS and span.start <= period.start < span.end]
        assert names(period.because) | names(period.overruled) == names(tuple(standing))
        assert {span.says for span in period.because} == ({period.says} - {FREE})
        assert not set(period.because) & set(period.overruled)
        assert all(
            s.start <= period.start and period.end <= s.end for s in (*period.because, *period.overruled)
        )


@given(said, st.lists(st.builds(Exempt, instants, instants, st.sampled_from(("", "a", "b"))), max_size=3))
def test_what_is_exempt_says_nothing_and_the_rest_is_as_before(
    said: list[Span], exempt: list[Exempt]
) -> None:
    """Instant by instant, as if the exempt spans were not there."""
    found = periods(without(said, exempt), 0, LAST, DEPTH)
    for instant in range(LAST):
        left = [
            span
            for span in said
            if not any(h.start <= instant < h.end and h.schedule in {"", span.schedule} for h in exempt)
        ]
        period = at(found, instant)
        assert period is not None
        assert (period.says, period.deepest) == judged(left, instant)


# --- single cases


def test_nobody_says_anything() -> None:
    """The ladder alone decides; a schedule of days alone says nothing either."""
    assert periods([], 0, 9, DEPTH) == [Period(0, 9, FREE)]
    assert periods([Span(0, 9, DAYS, "holidays")], 0, 9, DEPTH) == [Period(0, 9, FREE)]


def test_up_beats_off_beats_nap() -> None:
    """Each with who says so, and who is overruled."""
    up, off, nap = Span(4, 6, UP, "backup"), Span(2, 8, OFF, "night"), Span(0, 10, NAP, "always")
    assert periods([nap, off, up], 0, 10, DEPTH) == [
        Period(0, 2, NAP, "", (nap,)),
        Period(2, 4, OFF, "", (off,), (nap,)),
        Period(4, 6, UP, "", (up,), (nap, off)),
        Period(6, 8, OFF, "", (off,), (nap,)),
        Period(8, 10, NAP, "", (nap,)),
    ]


def test_the_shallowest_stage_holds_and_the_deeper_one_is_overruled() -> None:
    """A stage of another configuration forbids nothing, as no stage does."""
    rest, ease = Span(0, 9, NAP, "a", deepest="rest"), Span(0, 9, NAP, "b", deepest="ease")
    gone, any_ = Span(0, 9, NAP, "c", deepest="gone"), Span(0, 9, NAP, "d")
    assert periods([rest, ease, gone, any_], 0, 9, DEPTH) == [
        Period(0, 9, NAP, "ease", (ease,), (rest, gone, any_))
    ]
    assert periods([any_, gone], 0, 9, DEPTH) == [Period(0, 9, NAP, "", (gone, any_))]
    assert periods([gone], 0, 9, {}) == [Period(0, 9, NAP, "", (gone,))]


def test_every_day_all_day_is_one_period() -> None:
    """At midnight nothing changes; and of the same windows in two sections each is named."""
    days = [Span(day, day + 1, UP, schedule, "daily") for day in range(5) for schedule in ("a", "b")]
    assert periods(days, 0, 5, DEPTH) == [
        Period(0, 5, UP, "", (Span(0, 5, UP, "a", "daily"), Span(0, 5, UP, "b", "daily")))
    ]


def test_runs_of_a_unit_stay_apart() -> None:
    """Each is void once its unit has run, so two that touch are two."""
    runs = [Span(0, 2, UP, "timers", unit="backup.service"), Span(2, 4, UP, "timers", unit="backup.service")]
    assert joined(runs) == runs
    assert [period.because for period in periods(runs, 0, 4, DEPTH)] == [(runs[0],), (runs[1],)]


def test_statements_that_overlap_or_touch_are_one_and_others_are_not() -> None:
    """Only those that are alike in all but the time."""
    one, touching, apart, other = (
        Span(0, 5, UP, "a"),
        Span(5, 7, UP, "a"),
        Span(8, 9, UP, "a"),
        Span(5, 8, UP, "b"),
    )
    assert joined([apart, other, touching, Span(1, 2, UP, "a"), one]) == [Span(0, 7, UP, "a"), apart, other]


def test_a_skip_takes_only_what_it_names() -> None:
    """Tonight's exception for one schedule leaves the others; one for all takes all; what goes on after it goes on."""
    office, night = Span(0, 10, UP, "office", "9-5"), Span(0, 10, OFF, "night")
    hole = Exempt(4, 6, "office")
    assert without([office, night], [hole]) == [
        Span(0, 4, UP, "office", "9-5"),
        Span(6, 10, UP, "office", "9-5"),
        night,
    ]
    assert without([office, night], [Exempt(0, 10)]) == []
    assert without([office], [Exempt(10, 12), Exempt(-2, 0), Exempt(3, 3), Exempt(6, 4)]) == [office]


def test_the_parts_left_by_a_skip_keep_everything_but_the_time() -> None:
    """Detail, deepest stage and unit."""
    span = Span(0, 4, NAP, "a", "daily", "ease", "job.service")
    assert without([span], [Exempt(0, 3)]) == [Span(3, 4, NAP, "a", "daily", "ease", "job.service")]


def test_no_time_has_no_periods() -> None:
    """From an instant to itself, or backwards; and nothing holds at an instant that was not asked about."""
    assert periods([Span(0, 9, UP)], 3, 3, DEPTH) == periods([Span(0, 9, UP)], 5, 3, DEPTH) == []
    assert at([Period(0, 3, FREE)], 3) is None


def test_a_span_without_end_is_no_trouble() -> None:
    """An exception "until further notice"."""
    forever = Span(5, float("inf"), UP, "extend")
    assert periods([forever], 0, 9, DEPTH) == [Period(0, 5, FREE), Period(5, 9, UP, "", (forever,))]
