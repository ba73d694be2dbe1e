"""core/threshold.py: above a limit, for long enough, until clearly below."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from powernap.core.threshold import Crossing, Threshold, judge, wording

LIMIT = Threshold(10.0)
values = st.floats(0, 30)


def test_at_the_limit_is_not_above_it() -> None:
    """``above = 10`` means more than 10."""
    assert not judge(LIMIT, Crossing(), 10.0, 0, 1).active
    assert judge(LIMIT, Crossing(), 10.01, 0, 1).active


def test_activity_goes_on_until_it_is_below_four_fifths_of_the_limit() -> None:
    """A value that hovers at the limit is one activity."""
    active = Crossing(since=0, active=True)
    assert judge(LIMIT, active, 8.0, 1, 2) == active
    assert judge(LIMIT, active, 7.99, 1, 2) == Crossing()


def test_below_the_limit_nothing_begins_in_the_gap() -> None:
    """Hysteresis keeps what is, it does not start."""
    assert judge(LIMIT, Crossing(since=0), 9.0, 1, 2) == Crossing()


def test_the_admin_may_set_where_activity_ends_but_never_above_where_it_begins() -> None:
    """A floor above the limit would let activity end while it goes on."""
    assert Threshold(10, below=5).floor == 5
    assert Threshold(10, below=50).floor == 10


def test_it_counts_only_when_sustained() -> None:
    """Above from 0: with sustained = 60 not yet at 59, but at 60."""
    limit = Threshold(10, sustained=60)
    early = judge(limit, Crossing(), 11, 0, 59)
    assert early == Crossing(since=0)
    assert judge(limit, early, 11, 59, 60) == Crossing(since=0, active=True)


def test_a_break_starts_the_time_anew() -> None:
    """Twice 40 seconds are not 60."""
    limit = Threshold(10, sustained=60)
    broken = judge(limit, Crossing(since=0), 3, 40, 50)
    assert judge(limit, broken, 11, 50, 90) == Crossing(since=50)


def test_a_long_interval_above_the_limit_counts_from_its_beginning() -> None:
    """One look late says as much as sixty early."""
    assert judge(Threshold(10, sustained=60), Crossing(), 11, 0, 60).active


def test_the_words_say_what_would_end_it() -> None:
    """What an admin reads behind the value."""
    assert wording(Crossing(), "10%", "8%") == "limit 10%"
    assert wording(Crossing(since=1), "10%", "8%") == "limit 10%, not yet for long enough"
    assert wording(Crossing(since=1, active=True), "10%", "8%") == "limit 10%, quiet again below 8%"


@given(st.lists(values, max_size=30), st.floats(0, 5))
def test_activity_begins_above_the_limit_and_ends_below_the_floor(
    measured: list[float], sustained: float
) -> None:
    """In any sequence of values, and it is never active before it has been above for long enough."""
    limit, state, above_since = Threshold(10, sustained), Crossing(), None
    for at, value in enumerate(measured):
        new = judge(limit, state, value, at, at)
        if value > limit.above and above_since is None:
            above_since = at
        if new.active and not state.active:
            assert value > limit.above
            assert above_since is not None
            assert at - above_since >= sustained
        if state.active and not new.active:
            assert value < limit.floor
        if new.since is None:
            above_since = None
        state = new
