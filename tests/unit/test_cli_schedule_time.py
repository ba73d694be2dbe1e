"""cli/schedule_time.py: what an admin types is the instant that he means, and the clock's jumps are told."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.cli.schedule_time import (
    Instant,
    TimeError,
    both,
    clock,
    day_start,
    full,
    instant,
    iso,
    offset,
    until,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]


def at(text: str, fold: int = 0) -> float:
    """``2026-11-23 14:05`` in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


NOW = at("2026-11-24 14:05")
"""A Tuesday."""


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("now", "2026-11-24 14:05"),
        ("2026-12-24 03:00", "2026-12-24 03:00"),
        (" 2026-12-24   03:00 ", "2026-12-24 03:00"),
        ("2026-12-24T03:00", "2026-12-24 03:00"),
        ("2026-12-24", "2026-12-24 00:00"),
        ("2026-12-24 24:00", "2026-12-25 00:00"),
        ("2026-12-24T03:00Z", "2026-12-24 04:00"),
        ("2026-12-24 03:00-05:00", "2026-12-24 09:00"),
        ("03:00", "2026-11-25 03:00"),
        ("3:00", "2026-11-25 03:00"),
        ("14:05", "2026-11-25 14:05"),
        ("14:06", "2026-11-24 14:06"),
        ("14:05:30", "2026-11-24 14:05:30"),
        ("24:00", "2026-11-25 00:00"),
        ("today 03:00", "2026-11-24 03:00"),
        ("today", "2026-11-24 00:00"),
        ("tomorrow 03:00", "2026-11-25 03:00"),
        ("Tomorrow", "2026-11-25 00:00"),
        ("Sat 22:00", "2026-11-28 22:00"),
        ("saturday 22:00", "2026-11-28 22:00"),
        ("Sat", "2026-11-28 00:00"),
        ("Tue 14:06", "2026-11-24 14:06"),
        ("Tue 14:05", "2026-12-01 14:05"),
        ("tues 14:00", "2026-12-01 14:00"),
        ("+3h", "2026-11-24 17:05"),
        ("+1h 30min", "2026-11-24 15:35"),
        ("+1w", "2026-12-01 14:05"),
        ("12-24 03:00", "2026-12-24 03:00"),
        ("12-24", "2026-12-24 00:00"),
        ("11-24 14:05", "2027-11-24 14:05"),
        ("11-24 14:06", "2026-11-24 14:06"),
        ("2-29", "2028-02-29 00:00"),
        ("2026-12-24 3:00", "2026-12-24 03:00"),
        ("tomorrow 3:00", "2026-11-25 03:00"),
        ("22:00 Sat", "2026-11-28 22:00"),
        ("2026-12-24 03:00 Europe/Berlin", "2026-12-24 03:00"),
        ("2026-12-24 03:00 America/New_York", "2026-12-24 09:00"),
        ("tomorrow 12:00 UTC", "2026-11-25 13:00"),
        ("23:30 UTC", "2026-11-25 00:30"),
        ("today 23:30 Asia/Tokyo", "2026-11-24 15:30"),
    ],
)
def test_a_time_is_the_next_one_that_it_can_mean(text: str, means: str) -> None:
    """In the zone's time; without anything to say about it."""
    assert Instant(at(means)) == instant(text, BERLIN, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "2026-02-29 12:00",
        "2026-12-24T25:00",
        "+99999999999999w",
        "9999-12-31 24:00",
        "9999-12-31",
        "1969-12-31 12:00",
        "Dec 24",
        "Sat Sun",
        "12:00 13:00",
        "UTC",
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    """The text, what is wrong, and examples."""
    with pytest.raises(TimeError, match=r'write, for example, "2026-12-24 03:00"') as error:
        instant(text, BERLIN, NOW)
    assert str(error.value).startswith(f'"{text}" is ')


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("25:00", 'there is no "25:00"; write a time from "00:00" to "24:00"'),
        ("Sat 24:01", 'there is no "24:01"; write a time from'),
        ("12:60", 'there is no "12:60"; write a time from'),
        ("12:00:60", 'there is no "12:00:60"; write a time from'),
        ("Su 12:00", '"Su" is no day; did you mean "Sun"?'),
        ("Satt 12:00", '"Satt" is no day; did you mean "Sat"?'),
        ("tomorow", '"tomorow" is no day; did you mean "tomorrow"?'),
        ("soon", '"soon" is no day; write, for example'),
        ("2026-13-01", 'there is no day "2026-13-01"; the month comes first: "2026-01-13"'),
        ("24-12 03:00", 'there is no day "24-12"; the month comes first: "12-24"'),
        ("2026-02-29", 'there is no day "2026-02-29"; write, for example'),
        ("12-24 03:00 Berlin", 'there is no time zone "Berlin"; did you mean "Europe/Berlin"?'),
        ("3:00 pm", 'hours go to 24 and know no "pm"; write, for example, "15:00"'),
        ("12-24 now", 'there is no time zone "now"; '),
        ("+3", '"3" is not a duration; write a number and a unit'),
        ("+", '"" is not a duration; write a number and a unit'),
        ("+3 lightyears", '"3 lightyears" is not a duration; write a number and a unit'),
    ],
)
def test_a_refusal_says_which_part_is_wrong(text: str, cause: str) -> None:
    """And what was probably meant."""
    with pytest.raises(TimeError) as error:
        instant(text, BERLIN, NOW)
    assert str(error.value).startswith(f'"{text}" is not a time: {cause}')


def test_a_time_that_the_clock_jumps_over_is_the_one_it_shows_then() -> None:
    """And it says so."""
    found = instant("2027-03-28 02:30", BERLIN, NOW)
    assert at("2027-03-28 03:30") == found.at
    assert "the clock jumps over 02:30 on that day; taken as 03:30 (CEST, +02:00)" == found.note


def test_a_time_that_comes_twice_is_the_first_and_tells_how_to_write_the_second() -> None:
    """What it tells is taken as it is."""
    found = instant("2026-10-25 02:30", BERLIN, NOW)
    assert at("2026-10-25 02:30") == found.at
    second = "2026-10-25T02:30+01:00"
    assert (
        "the clock shows 02:30 twice on that day; this is the first (CEST, +02:00), "
        "the second is 2026-10-25T02:30:00+01:00".replace("02:30:00", "02:30")
        == found.note
    )
    assert Instant(at("2026-10-25 02:30", fold=1)) == instant(second, BERLIN, NOW)


@pytest.mark.parametrize(
    ("now", "fold", "next_fold"), [("2026-10-25 02:10", 0, 0), ("2026-10-25 02:40", 0, 1)]
)
def test_the_next_time_may_be_the_second_of_two(now: str, fold: int, next_fold: int) -> None:
    """Between the two, the second one is the next."""
    found = instant("02:30", BERLIN, at(now, fold))
    assert at("2026-10-25 02:30", next_fold) == found.at
    assert f"this is the {['first', 'second'][next_fold]}" in found.note


def test_after_both_it_is_tomorrows() -> None:
    """As on any day."""
    assert Instant(at("2026-10-26 02:30")) == instant("02:30", BERLIN, at("2026-10-25 02:40", fold=1))


@given(st.integers(0, 2**32), st.sampled_from(ZONES))
def test_what_is_shown_as_iso_is_taken_back(seconds: int, zone: str) -> None:
    """With its offset, so on both sides of a jump."""
    assert Instant(float(seconds)) == instant(iso(seconds, ZoneInfo(zone)), ZoneInfo(zone), NOW)


@settings(deadline=None)  # a word that may be a zone is looked up
@given(st.text(max_size=20))
def test_any_text_is_an_instant_or_refused(text: str) -> None:
    """Nothing else is raised."""
    try:
        assert instant(text, BERLIN, NOW).at >= 0
    except TimeError as error:
        assert re.search("; (write|did you mean|the month comes first)", str(error))


def test_instants_as_they_are_shown() -> None:
    """The day where it is another one, 24:00 for its end, the offset where a time comes twice."""
    now = at("2026-10-24 22:00")
    assert "Sat 24 Oct 22:00" == full(now, BERLIN)
    assert "23:30" == until(at("2026-10-24 23:30"), now, BERLIN)
    assert "24:00" == until(at("2026-10-25 00:00"), now, BERLIN)
    assert "Sun 25 Oct 2026 01:00" == full(at("2026-10-25 01:00"), BERLIN, at("2026-04-01"))
    assert "Sun 25 Oct 01:00" == full(at("2026-10-25 01:00"), BERLIN, at("2026-05-01"))
    assert "Mon 25 Oct 2027 01:00" == until(at("2027-10-25 01:00"), now, BERLIN, now)
    assert "Sun 25 Oct 01:00" == until(at("2026-10-25 01:00"), now, BERLIN)
    assert "Mon 26 Oct 00:00" == until(at("2026-10-26 00:00"), now, BERLIN)
    assert "02:30 (CEST, +02:00)" == clock(at("2026-10-25 02:30"), BERLIN)
    assert "02:30 (CET, +01:00)" == clock(at("2026-10-25 02:30", fold=1), BERLIN)
    assert "02:30:15" == clock(at("2026-10-26 02:30:15"), BERLIN)
    assert {"x": 0, "x_iso": "1970-01-01T01:00:00+01:00"} == both("x", 0, BERLIN)
    assert {"x": None, "x_iso": ""} == both("x", None, BERLIN)


def test_a_zone_without_names_has_its_offset_only() -> None:
    """Brazil's have had none since 2017."""
    assert "-03:00" == offset(datetime(2026, 11, 23, tzinfo=ZoneInfo("America/Sao_Paulo")))


def test_a_day_begins_with_its_first_instant() -> None:
    """Where midnight is jumped over, that is at one o'clock."""
    santiago = ZoneInfo("America/Santiago")
    noon = datetime(2026, 9, 6, 12, tzinfo=santiago).timestamp()
    assert "2026-09-06T01:00:00-03:00" == iso(day_start(noon, santiago), santiago)
    assert "2026-09-07T00:00:00-03:00" == iso(day_start(noon, santiago, 1), santiago)
