"""schedules/windows.py and schedules/_wall.py: a window holds whenever a clock on the wall of its zone shows a time within it."""

from __future__ import annotations

import functools
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.config.declared import declared
from powernap.config.values import WrongValueError, convert
from powernap.core.timetable import NAP, OFF, UP, Period, Span, at, periods
from powernap.core.value import dataclass as light
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import ScheduleError, _names, windows
from powernap.schedules._wall import Wall, stretches
from powernap.schedules.windows import Options, parse, wrong

HOST = Host(TreeFiles("/nowhere"), live=False)
DAY, WEEK, YEAR = 86400, 7 * 86400, 31556952
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "Africa/Sao_Tome", "America/Caracas", "America/Havana", "America/New_York",
    "America/Nuuk", "America/Santiago", "America/Sao_Paulo", "Antarctica/Casey", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut",
    "Asia/Gaza", "Asia/Kathmandu", "Asia/Pyongyang", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin",
    "Europe/Istanbul", "Pacific/Apia", "Pacific/Chatham", "UTC",
)  # fmt: skip
"""With clocks that jump at midnight, by half an hour, by two, into winter time in summer, over a month of fasting, and for good."""
ODDITIES = (
    ("Pacific/Apia", "2011-12-30"),  # no such day there
    ("Pacific/Kwajalein", "1993-08-21"),  # nor here
    ("America/Juneau", "1867-10-18"),  # twice the same day
    ("Asia/Manila", "1844-12-31"),
    ("Africa/Freetown", "1939-09-03"),  # changed and changed back within four days
    ("Africa/Monrovia", "1972-01-07"),  # by 44 minutes and 30 seconds
    ("Europe/Amsterdam", "1937-07-01"),  # by 28 seconds
    ("Europe/Lisbon", "1992-09-27"),  # summer time goes on as another zone's winter time
    ("Europe/London", "1945-07-15"),  # double summer time
    ("Antarctica/Troll", "2005-02-12"),
    ("Asia/Pyongyang", "2018-05-04"),
    ("Africa/Casablanca", "2026-02-15"),
)


def instant(text: str, zone: str = "UTC") -> int:
    """Seconds since the epoch of "2026-03-29 01:30" (the first of two)."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def shown(found: Iterator[Span], zone: str) -> list[str]:
    """Spans as local times with their offset."""
    ends = [
        [datetime.fromtimestamp(edge, ZoneInfo(zone)) for edge in (span.start, span.end)] for span in found
    ]
    return [f"{start:%a %H:%M%z}-{end:%a %H:%M%z}" for start, end in sorted(ends)]


def said(text: str, start: int, end: int, zone: str) -> Iterator[Span]:
    """What one window says, in a zone given apart."""
    return windows.spans(HOST, Options(up=(text,)), start, end, ZoneInfo(zone))


# --- the slow and obvious oracle


@dataclass(frozen=True)
class Drawn:
    """A window as drawn: weekdays on which it begins, minutes from and to."""

    days: frozenset[int]
    times: tuple[tuple[int, int], ...]

    def text(self) -> str:
        """As an admin would write it."""
        days = ",".join(NAMES[day] for day in sorted(self.days))
        clock = [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in self.times]
        return f"{days} {','.join(clock)}"

    def holds(self, instant: float, zone: tzinfo) -> bool:
        """Look at the clock on the wall."""
        clock = datetime.fromtimestamp(instant, zone)
        minute = clock.hour * 60 + clock.minute
        today = clock.weekday() in self.days
        yesterday = (clock.weekday() - 1) % 7 in self.days
        for begin, end in self.times:
            if begin < end and today and begin <= minute < end:
                return True
            if begin > end and ((today and minute >= begin) or (yesterday and minute < end)):
                return True
        return False


@functools.cache
def moments(name: str, start: int, end: int) -> tuple[int, ...]:
    """Every half hour, and the seconds around it, on days on which the clock of a zone jumps, and on those beside them."""
    zone = ZoneInfo(name)
    offsets = [datetime.fromtimestamp(day, zone).utcoffset() for day in range(start, end, DAY)]
    jumps = [
        start + number * DAY for number in range(1, len(offsets)) if offsets[number] != offsets[number - 1]
    ]
    return tuple(day + half * 1800 + second for day in jumps for half in range(-96, 97) for second in (-1, 0))


def joined(found: Iterator[Span]) -> tuple[list[float], list[float]]:
    """Starts and ends of their union, for bisecting."""
    starts: list[float] = []
    ends: list[float] = []
    for since, until in sorted((span.start, span.end) for span in found):
        if ends and since <= ends[-1]:
            ends[-1] = max(ends[-1], until)
        else:
            starts.append(since)
            ends.append(until)
    return starts, ends


def within(union: tuple[list[float], list[float]], instant: float) -> bool:
    """Whether an instant is in the union."""
    at = bisect_right(union[0], instant) - 1
    return at >= 0 and instant < union[1][at]


minutes = st.one_of(st.integers(0, 1439), st.sampled_from((0, 30, 60, 90, 120, 150, 180, 1380, 1410)))
ranges = st.tuples(minutes, st.one_of(minutes, st.just(1440))).filter(lambda pair: pair[0] != pair[1])
drawn = st.builds(
    Drawn,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.lists(ranges, min_size=1, max_size=3).map(tuple),
)
begins = st.integers(instant("2016-01-01"), instant("2026-01-01"))
times_looked_at = st.one_of(
    st.tuples(st.sampled_from(ZONES), begins, st.sampled_from((WEEK, YEAR, 10 * YEAR))),
    st.sampled_from(ODDITIES).map(lambda odd: (odd[0], instant(odd[1]) - WEEK, 2 * WEEK)),
)


@settings(max_examples=50, deadline=None)
@given(drawn, times_looked_at, st.randoms(use_true_random=False))
def test_a_window_holds_exactly_when_the_clock_on_the_wall_says_so(
    window: Drawn, looked_at: tuple[str, int, int], chance: random.Random
) -> None:
    """Ten years of any zone, and the oddest weeks of history: at random instants, around each jump, and a second beside edges."""
    name, start, length = looked_at
    end, zone = start + length, ZoneInfo(name)
    spans = list(said(window.text(), start, end, name))
    union = joined(iter(spans))
    edges = [
        int(edge) for span in chance.sample(spans, min(len(spans), 40)) for edge in (span.start, span.end)
    ]
    near = [edge + beside for edge in edges for beside in (-1, 0, 1)]
    jumps = moments(name, start // DAY * DAY, end)
    jumps = tuple(chance.sample(jumps, min(len(jumps), 400)))
    anywhere = [chance.randrange(start, end) for _ in range(200)]
    for moment in (*near, *jumps, *anywhere):
        if start <= moment < end:
            assert within(union, moment) == window.holds(moment, zone), (window.text(), name, moment)


@settings(max_examples=40, deadline=None)
@given(drawn, times_looked_at, st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_a_part_of_the_time_has_the_same_spans(
    window: Drawn, looked_at: tuple[str, int, int], cuts: list[float]
) -> None:
    """Whole ones, wherever it is cut: so a restart, a stepped clock and months of absence change nothing."""
    name, start, length = looked_at
    whole = list(said(window.text(), start, start + length, name))
    first, last = sorted(start + cut * length for cut in cuts)
    touching = [span for span in whole if span.start < last and span.end > first]
    assert sorted(
        map(repr, windows.spans(HOST, Options(up=(window.text(),)), first, last, ZoneInfo(name)))
    ) == sorted(map(repr, touching))


@light(frozen=True)
class Section:
    """A [schedule.NAME] section."""

    name: str
    options: Options
    drawn: dict[str, tuple[Drawn, ...]]
    zone: str


def section(number: int, drawn: dict[str, tuple[Drawn, ...]], zone: str, deepest: str) -> Section:
    """With the windows' texts as its options."""
    texts = {says: tuple(window.text() for window in each) for says, each in drawn.items()}
    options = Options(**texts, zone=zone, deepest=deepest if texts["nap"] else "")
    return Section(f"s{number}", options, drawn, zone)


@st.composite
def sections(draw: st.DrawFn) -> list[Section]:
    """One to four, each with windows of any kind in a zone of its own."""
    some = st.lists(drawn, max_size=2).map(tuple)
    kinds = st.fixed_dictionaries({"up": some, "nap": some, "off": some}).filter(
        lambda each: any(each.values())
    )
    one = st.tuples(kinds, st.sampled_from(ZONES), st.sampled_from(("", "ease", "suspend")))
    return [section(number, *each) for number, each in enumerate(draw(st.lists(one, min_size=1, max_size=4)))]


def timetable(found: list[Section], start: int, end: int) -> list[Period]:
    """As the daemon makes it."""
    spans = [
        Span(s.start, s.end, s.says, each.name, s.detail, s.deepest, s.unit)
        for each in found
        for s in windows.spans(HOST, each.options, start, end, UTC)
    ]
    return periods(spans, start, end, {"ease": 0, "suspend": 1})


@settings(max_examples=25, deadline=None)
@given(sections(), begins, st.randoms(use_true_random=False))
def test_never_off_and_never_nap_while_a_window_wants_the_machine_up(
    found: list[Section], start: int, chance: random.Random
) -> None:
    """Several sections, each in its zone; the same whatever order they were written in."""
    end = start + 5 * WEEK
    table = timetable(found, start, end)
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert timetable(shuffled, start, end) == table
    for moment in (chance.randrange(start, end) for _ in range(60)):
        says = {
            kind
            for each in found
            for kind, some in each.drawn.items()
            if any(window.holds(moment, ZoneInfo(each.zone)) for window in some)
        }
        period = at(table, moment)
        expected = next((kind for kind in (UP, OFF, NAP) if kind in says), "free")
        assert period and period.says == expected


# --- the clock jumps


def test_the_hour_left_out_in_spring_shortens_a_window() -> None:
    """Berlin 2026-03-29: after 01:59 comes 03:00."""
    start = instant("2026-03-28")
    night = said("Sun 01:30-03:30", start, start + 2 * DAY, "Europe/Berlin")
    assert shown(night, "Europe/Berlin") == ["Sun 01:30+0100-Sun 03:30+0200"]
    assert [s.end - s.start for s in said("Sun 01:30-03:30", start, start + 2 * DAY, "Europe/Berlin")] == [
        3600
    ]
    assert not list(said("Sun 02:00-03:00", start, start + 2 * DAY, "Europe/Berlin"))


def test_the_hour_that_comes_twice_in_autumn_holds_twice() -> None:
    """Berlin 2026-10-25: after 02:59 comes 02:00."""
    start = instant("2026-10-24")
    end = start + 2 * DAY
    assert shown(said("Sun 02:00-02:30", start, end, "Europe/Berlin"), "Europe/Berlin") == [
        "Sun 02:00+0200-Sun 02:30+0200",
        "Sun 02:00+0100-Sun 02:30+0100",
    ]
    assert shown(said("Sun 01:00-02:30", start, end, "Europe/Berlin"), "Europe/Berlin") == [
        "Sun 01:00+0200-Sun 02:30+0200",
        "Sun 02:00+0100-Sun 02:30+0100",
    ]
    assert shown(said("Sun 01:00-04:00", start, end, "Europe/Berlin"), "Europe/Berlin") == [
        "Sun 01:00+0200-Sun 04:00+0100"
    ]


def test_half_an_hour_of_summer_time() -> None:
    """Lord Howe 2026-10-04: after 01:59 comes 02:30."""
    start = instant("2026-10-03")
    assert shown(
        said("Sun 01:00-03:00", start, start + 2 * DAY, "Australia/Lord_Howe"), "Australia/Lord_Howe"
    ) == ["Sun 01:00+1030-Sun 03:00+1100"]
    assert not list(said("Sun 02:00-02:30", start, start + 2 * DAY, "Australia/Lord_Howe"))


def test_a_day_that_begins_at_one_and_a_night_that_ends_twice() -> None:
    """Havana: on 2026-03-08 midnight is left out; on 2026-11-01 it comes twice, so Sunday has 25 hours."""
    spring, autumn = instant("2026-03-06 12:00"), instant("2026-10-30 12:00")
    assert shown(said("Sun", spring, spring + 3 * DAY, "America/Havana"), "America/Havana") == [
        "Sun 01:00-0400-Mon 00:00-0400"
    ]
    assert [s.end - s.start for s in said("Sun", autumn, autumn + 3 * DAY, "America/Havana")] == [25 * 3600]
    assert shown(said("Sat 23:00-24:00", autumn, autumn + 3 * DAY, "America/Havana"), "America/Havana") == [
        "Sat 23:00-0400-Sun 00:00-0400"
    ]


def test_a_day_that_never_was() -> None:
    """Apia went from Thursday, 2011-12-29 to Saturday the 31st: Friday's windows are void, but for the morning after."""
    start, zone = instant("2011-12-29", "Pacific/Apia"), "Pacific/Apia"
    assert not list(said("Fri 00:00-24:00", start, start + 4 * DAY, zone))
    assert shown(said("Thu 22:00-06:00", start, start + 4 * DAY, zone), zone) == [
        "Thu 22:00-1000-Sat 00:00+1400"
    ]
    assert shown(said("Fri 22:00-06:00", start, start + 4 * DAY, zone), zone) == [
        "Sat 00:00+1400-Sat 06:00+1400"
    ]


def test_a_night_before_a_day_that_never_was_is_found_on_the_morning_after() -> None:
    """Half past midnight on the last Thursday before the jump of 24 hours: Wednesday's night goes on."""
    start, zone = instant("2011-12-29 00:30", "Pacific/Apia"), "Pacific/Apia"
    assert shown(said("Wed 22:00-06:00", start, start + 60, zone), zone) == ["Wed 22:00-1000-Thu 06:00-1000"]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's ends on Saturday, and is found also by who asks about Saturday only."""
    saturday = instant("2026-11-28")
    assert shown(said("Fri 22:00-06:00", saturday, saturday + DAY, "UTC"), "UTC") == [
        "Fri 22:00+0000-Sat 06:00+0000"
    ]


def test_only_what_touches_the_time_asked_about_is_said() -> None:
    """Not what ends when it begins, nor what begins when it ends."""
    eight = instant("2026-11-23 08:00")
    assert not list(said("daily 07:00-08:00,09:00-10:00", eight, eight + 3600, "UTC"))
    assert len(list(said("daily 07:00-08:00,09:00-10:00", eight - 0.5, eight + 3600.5, "UTC"))) == 2  # type: ignore[arg-type]


def test_no_time_has_no_windows() -> None:
    """From an instant to itself, within a window too, or backwards."""
    eight = instant("2026-11-23 08:00")
    assert not list(said("daily 07:00-07:30", eight, eight, "UTC"))
    assert not list(said("daily", eight, eight - 20 * DAY, "UTC"))


def test_a_clock_gone_wild_is_no_trouble() -> None:
    """1901 to beyond 9999, where the calendar ends."""
    for year in (-2208988800, 0, 32503680000, 253402300000, 10**12):
        assert len(list(said("daily 07:00-08:00", year, year + WEEK, "Europe/Berlin"))) in {7, 8, 0}
    assert not list(said("daily", 10**12, 10**12 + WEEK, "UTC"))


class Asked(tzinfo):
    """A zone that counts how often it was asked."""

    def __init__(self, name: str) -> None:
        self.zone, self.count = ZoneInfo(name), 0

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        """Of the real zone."""
        self.count += 1
        return self.zone.utcoffset(when)

    def dst(self, when: datetime | None) -> timedelta | None:
        """Of the real zone."""
        return self.zone.dst(when)

    def tzname(self, when: datetime | None) -> str | None:
        """Of the real zone."""
        return self.zone.tzname(when)

    def fromutc(self, when: datetime) -> datetime:
        """Of the real zone."""
        return self.zone.fromutc(when.replace(tzinfo=self.zone)).replace(tzinfo=self)


def test_ten_years_take_one_question_a_day_and_seventeen_for_each_jump() -> None:
    """And they find the jumps to the second."""
    zone = Asked("Europe/Berlin")
    found = list(stretches(zone, instant("2016-01-01"), instant("2026-01-01")))
    assert len(found) == 1 + 20
    assert found[1] == (instant("2016-03-27 01:00"), 7200)
    assert zone.count <= 3654 + 20 * (17 + 1)


def test_jumps_are_found_where_the_time_begins_and_ends() -> None:
    """On the last second, and none behind it."""
    jump = instant("2026-03-29 01:00")
    zone = ZoneInfo("Europe/Berlin")
    assert list(stretches(zone, jump - 5, jump)) == [(jump - 5, 3600), (jump, 7200)]
    assert list(stretches(zone, jump - 5, jump - 1)) == [(jump - 5, 3600)]
    assert list(stretches(zone, jump, jump)) == [(jump, 7200)]
    assert Wall(zone, jump, jump).days()


# --- what an admin writes


def test_the_parts_of_a_window() -> None:
    """Days, times and zone, each of which may be left out."""
    every, hour = frozenset(range(7)), 3600
    day = ((0, 24 * hour),)
    forms = {
        "Mon-Fri 07:30-18:00 Europe/Berlin": ({0, 1, 2, 3, 4}, ((27000, 64800),), "Europe/Berlin"),
        "sat,SUNDAY 7:00-12:00,13:00-24:00": ({5, 6}, ((7 * hour, 12 * hour), (13 * hour, 24 * hour)), ""),
        "Fri-Mon": ({4, 5, 6, 0}, day, ""),
        "Mon..Wed,fri": ({0, 1, 2, 4}, day, ""),
        "Daily UTC": (every, day, "UTC"),
        "22:00-06:00": (every, ((22 * hour, 30 * hour),), ""),
        "00:00-24:00": (every, day, ""),
        "Sun 22:00-00:00": ({6}, ((22 * hour, 24 * hour),), ""),
        "Mon - Fri   08:00 \u2013 09:00 , 10:00-11:00": (
            {0, 1, 2, 3, 4}, ((8 * hour, 9 * hour), (10 * hour, 11 * hour)), "",
        ),
        "Mon America/Port-au-Prince": ({0}, day, "America/Port-au-Prince"),
    }  # fmt: skip
    for text, expected in forms.items():
        window = parse(text)
        assert (set(window.days), window.times, window.zone) == (set(expected[0]), *expected[1:]), text
        assert wrong((text,)) is None, text


@settings(max_examples=40)
@given(drawn)
def test_what_is_drawn_is_what_is_read(window: Drawn) -> None:
    """Days and minutes come back."""
    found = parse(window.text())
    assert found.days == window.days
    assert [(a // 60, b // 60 % 1440) for a, b in found.times] == [(a, b % 1440) for a, b in window.times]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '"": it says no days and no times; write, for example, "Mon-Fri 07:30-18:00"'),
        ("Mno-Fri 07:30-18:00", '"Mno-Fri 07:30-18:00": "Mno" is not a day; did you mean "Mon"?'),
        ("Mo-Fr", '"Mo-Fr": "Mo" is not a day; did you mean "Mon"?'),
        ("Di", '"Di": "Di" is not a day; write Mon, Tue, Wed, Thu, Fri, Sat, Sun'),
        ("T", '"T": "T" is not a day; write Mon, Tue, Wed, Thu, Fri, Sat, Sun'),
        ("Wendsday", '"Wendsday": "Wendsday" is not a day; did you mean "Wed"?'),
        ("Mon; Tue", '"Mon;Tue": ";" separates nothing here; write ","'),
        ("Mon,,Tue", '"Mon,,Tue": there is a comma too many; write days as in "Sat,Sun"'),
        ("Mon-mon", '"Mon-mon": "Mon-mon" may be one day or seven; write "Mon" or "daily"'),
        ("Mon 7.30-18:00", '"Mon 7.30-18:00": "7.30" is not a time of day; write "07:30"'),
        ("Mon 08:00-18", '"Mon 08:00-18": "18" is not a time of day; write "18:00"'),
        ("Mon 12am-6pm", '"Mon 12am-6pm": "12am" is not a time of day; write "00:00"'),
        ("08:00-6:30PM", '"08:00-6:30PM": "6:30PM" is not a time of day; write "18:30"'),
        (
            "08:00-24:01",
            '"08:00-24:01": "24:01" is not a time of day; write hours and minutes, from "00:00" to "24:00"',
        ),
        ("08:00-x", '"08:00-x": "x" is not a time of day; write hours and minutes, from "00:00" to "24:00"'),
        ("08:00", '"08:00": "08:00" is one time; write from and to, such as "07:30-18:00"'),
        ("08:00-", '"08:00-": "" is not a time of day; write hours and minutes, from "00:00" to "24:00"'),
        (
            "08:00-09:00,",
            '"08:00-09:00,": there is a comma too many; write times as in "08:00-12:00,13:00-17:00"',
        ),
        ("24:00-06:00", '"24:00-06:00": a window cannot begin at 24:00; write "00:00" and the next day'),
        (
            "08:00-08:00",
            '"08:00-08:00": "08:00-08:00" ends when it begins; write "00:00-24:00" if you mean the whole day',
        ),
        (
            "Mon 08:00-09:00, Tue 10:00-11:00",
            '"Mon 08:00-09:00,Tue 10:00-11:00": "Tue" stands after times; write two windows: ["Mon-Fri 07:30-18:00", "Tue 10:00-12:00"]',
        ),
        (
            "08:00-09:00 Mon",
            '"08:00-09:00 Mon": "Mon" is out of place; write days, joined by commas, then times: "Mon-Fri 07:30-18:00"',
        ),
        (
            "Mon Tue",
            '"Mon Tue": "Tue" is out of place; write days, joined by commas, then times: "Mon-Fri 07:30-18:00"',
        ),
        (
            "08:00-09:00 10:00-11:00",
            '"08:00-09:00 10:00-11:00": "10:00-11:00" is out of place; write days, joined by commas, then times: "Mon-Fri 07:30-18:00"',
        ),
        ("Mon UTC and so on", '"Mon UTC and so on": "and" after the time zone is too much; delete it'),
        (
            "Mon 08:00-09:00 Europe/Berln",
            '"Mon 08:00-09:00 Europe/Berln": there is no time zone "Europe/Berln"; did you mean "Europe/Berlin"?',
        ),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_what_to_write(text: str, expected: str) -> None:
    """Which window, which word of it, and what it should be."""
    assert wrong(("daily", text)) == expected


@given(st.text(st.sampled_from("MonFriSatdaily 0123456789:,-./;UTCEuropeBerlin\u2013"), max_size=30))
def test_any_text_is_a_window_or_a_fault_in_words(text: str) -> None:
    """Never anything else."""
    answer = wrong((text,))
    assert answer is None or "; " in answer


def test_one_window_needs_no_list_and_a_fault_is_a_fault_of_its_key() -> None:
    """As the configuration reads it."""
    option = declared(Options)["up"]
    assert convert("Mon-Fri 07:30-18:00", option) == ("Mon-Fri 07:30-18:00",)
    with pytest.raises(WrongValueError) as caught:
        convert(["daily", "Mno"], option)
    assert (caught.value.message, caught.value.remedy) == (
        '"up": "Mno": "Mno" is not a day',
        'did you mean "Mon"?',
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 'it says nothing; write, for example, up = "Mon-Fri 07:30-18:00"'),
        ({"zone": "UTC"}, 'it says nothing; write, for example, up = "Mon-Fri 07:30-18:00"'),
        (
            {"up": ("daily",), "deepest": "ease"},
            '"deepest" says how deep a nap may be, and no nap is given; write nap = "daily 22:00-06:00"',
        ),
    ],
)
def test_options_that_say_nothing_are_refused(given: dict[str, object], expected: str) -> None:
    """Without windows, and a depth without a nap."""
    with pytest.raises(ValueError) as caught:
        Options(**given)  # type: ignore[arg-type]
    assert str(caught.value) == expected


def test_names_are_english_short_or_long_in_any_case() -> None:
    """Both days and months."""
    assert [_names.weekday(name) for name in ("mon", "SUNDAY", "Thu")] == [0, 6, 3]
    assert [_names.month(name) for name in ("jan", "December", "MAY")] == [1, 12, 5]
    with pytest.raises(_names.WrongError, match=r'"Ju" is not a month; write Jan'):
        _names.month("Ju")


# --- the schedule


def test_each_window_says_its_own_in_its_own_zone() -> None:
    """The window's zone before the section's before the machine's; only a nap has a depth."""
    noon = instant("2026-11-23 12:00")
    options = Options(
        up=("11:00-12:00 America/New_York",),
        nap=("11:00-12:00",),
        off=("Mon 23:00-24:00",),
        deepest="ease",
        zone="Asia/Tokyo",
    )
    assert [
        (s.says, s.start, s.detail, s.deepest) for s in windows.spans(HOST, options, noon, noon + DAY, UTC)
    ] == [
        (UP, instant("2026-11-23 16:00"), "11:00-12:00 America/New_York", ""),
        (NAP, instant("2026-11-24 02:00"), "11:00-12:00", "ease"),
        (OFF, instant("2026-11-23 14:00"), "Mon 23:00-24:00", ""),
    ]
    own = windows.spans(HOST, Options(up=("11:00-12:00",)), noon, noon + DAY, ZoneInfo("America/New_York"))
    assert [s.start for s in own] == [instant("2026-11-23 16:00")]


def test_probe_says_whose_time_it_is(tmp_path: Path) -> None:
    """The machine's own too, and what is wrong with it."""
    host = Host(TreeFiles(str(tmp_path)), live=False)
    assert windows.probe(host, Options(up=("daily",))).detail == "1 window in the time of UTC"
    both = Options(up=("Mon UTC",), off=("Sun",), zone="Europe/Berlin")
    assert windows.probe(host, both).detail == "2 windows in the time of Europe/Berlin, UTC"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").write_text("no zone")
    answer = windows.probe(host, Options(up=("daily",)))
    assert answer
    assert answer.detail.startswith("1 window in the time of UTC: /etc/localtime is no time zone (")


def test_a_zone_that_went_with_its_package_is_told_when_asked() -> None:
    """The daemon then goes on with what it was told last."""
    options = Options(up=("daily",), zone="Europe/Bonn")
    answer = windows.probe(HOST, options)
    assert not answer
    assert answer.detail == 'there is no time zone "Europe/Bonn"'
    assert answer.remedy
    with pytest.raises(ScheduleError, match='there is no time zone "Europe/Bonn"; '):
        list(windows.spans(HOST, options, 0, 1, UTC))


def test_the_files_whose_change_changes_the_answer() -> None:
    """Of each zone its rules; of the machine's own, which one it is."""
    watched = windows.watched(Options(up=("Mon Asia/Tokyo", "Tue"), zone="Europe/Berlin"))
    assert [path.rpartition("/zoneinfo/")[2] for path in watched] == ["Asia/Tokyo", "Europe/Berlin"]
    assert all(Path(path).is_file() for path in watched)
    assert windows.watched(Options(up=("Tue", "Wed"))) == ("/etc/localtime",)
