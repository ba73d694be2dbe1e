"""cli/schedule_days.py: local days as long as they are, with the wall's clock on them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.cli.schedule_days import DAY, Day, days, pieces
from powernap.cli.schedule_time import day_start
from powernap.core.timetable import FREE, UP, Period, Span, periods

HOUR = 3600.0


def around(zone: str, year: int, month: int, day: int) -> list[Day]:
    """The day before, that day and the next."""
    noon = datetime(year, month, day, 12, tzinfo=ZoneInfo(zone)).timestamp()
    clock = ZoneInfo(zone)
    return days(clock, day_start(noon, clock, -1), day_start(noon, clock, 2))


@pytest.mark.parametrize(
    ("zone", "when", "hours", "note"),
    [
        ("Europe/Berlin", (2027, 3, 28), 23.0, "23h: there is no 02:00-03:00"),
        ("Europe/Berlin", (2026, 10, 25), 25.0, "25h: 02:00-03:00 comes twice"),
        ("Australia/Lord_Howe", (2026, 10, 4), 23.5, "23.5h: there is no 02:00-02:30"),
        ("Australia/Lord_Howe", (2027, 4, 4), 24.5, "24.5h: 01:30-02:00 comes twice"),
        ("America/Santiago", (2026, 9, 6), 23.0, "23h: there is no 00:00-01:00"),
        ("America/Santiago", (2027, 4, 3), 25.0, "25h: 23:00-24:00 comes twice"),
        ("UTC", (2027, 3, 28), 24.0, ""),
    ],
)
def test_a_day_is_as_long_as_it_is(zone: str, when: tuple[int, int, int], hours: float, note: str) -> None:
    """And says why it is no day like others; its neighbours are."""
    before, found, after = around(zone, *when)
    assert [date(*when) + timedelta(days=number) for number in (-1, 0, 1)] == [
        before.date,
        found.date,
        after.date,
    ]
    assert (hours * HOUR, note) == (found.seconds, found.note)
    assert (DAY, "", DAY, "") == (before.seconds, before.note, after.seconds, after.note)


def test_a_day_that_a_zone_left_out_is_not_there() -> None:
    """Samoa went to the other side of the date line on 30 December 2011."""
    clock = ZoneInfo("Pacific/Apia")
    start = datetime(2011, 12, 29, tzinfo=clock).timestamp()
    assert ["Thu 29 Dec", "Sat 31 Dec"] == [each.label for each in days(clock, start, start + 2 * DAY)]


def test_what_the_clock_shows() -> None:
    """In seconds since midnight; nothing on another day."""
    _, found, after = around("Europe/Berlin", 2026, 10, 25)
    first = after.passes[0].start
    assert 23 * HOUR == found.shows(first - HOUR)
    assert found.shows(first) is None
    assert 0.0 == after.shows(first)


@given(
    st.sampled_from(["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Tehran"]),
    st.integers(0, 2**31),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), max_size=12),
)
def test_no_instant_is_lost_or_shown_twice(
    zone: str, seconds: int, count: int, windows: list[tuple[int, int]]
) -> None:
    """The passes are the whole time without gaps, and so are the pieces of periods; each lies on its day."""
    clock = ZoneInfo(zone)
    start, end = day_start(seconds, clock), day_start(seconds, clock, count)
    spans = [Span(start + low * HOUR, start + (low + length) * HOUR, UP, "x") for low, length in windows]
    told = periods(spans, start, end, {})
    reached = start
    for day in days(clock, start, end):
        assert all(0 <= each.shown < each.last <= DAY for each in day.passes)
        for each in day.passes:
            assert reached == each.start
            reached = each.end
        assert day.seconds == sum(each.high - each.low for each in pieces(day, told))
    assert reached == end


def test_a_piece_is_of_one_pass() -> None:
    """So what holds through an hour that comes twice has two pieces; they overlap on the wall."""
    _, found, _ = around("Europe/Berlin", 2026, 10, 25)
    whole = [Period(0.0, 2.0**40, FREE)]
    assert [(0.0, 3 * HOUR, 0), (2 * HOUR, 24 * HOUR, 1)] == [
        (each.low, each.high, each.number) for each in pieces(found, whole)
    ]
