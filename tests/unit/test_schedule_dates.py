"""schedules/dates.py and schedules/_calendar.py: whole local days by date, once or every year."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from machines import Clock
from powernap.config.declared import declared
from powernap.config.values import convert
from powernap.core.timetable import DAYS, NAP, OFF, UP
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import ScheduleError, dates
from powernap.schedules._calendar import EPOCH, easter
from powernap.schedules.dates import SAMPLE, Options, parse, wrong

HOST = Host(TreeFiles("/nowhere"), live=False)
DAY = 86400
EASTER = (
    "2016-03-27", "2017-04-16", "2018-04-01", "2019-04-21", "2020-04-12", "2021-04-04", "2022-04-17", "2023-04-09", "2024-03-31",
    "2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2031-04-13", "2032-03-28", "2033-04-17",
    "2034-04-09", "2035-03-25", "2036-04-13", "2037-04-05",
)  # fmt: skip
"""As in the almanacs."""
ZONES = (
    "Europe/Berlin",
    "America/Havana",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "UTC",
)
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NTH = ("last", "1st", "2nd", "3rd", "4th", "5th")


def instant(text: str, zone: str = "UTC") -> int:
    """Seconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def found(text: str, first: str, last: str) -> list[str]:
    """The days that a rule names, from one to another."""
    start, end = instant(first), instant(last) + DAY
    spans = dates.spans(HOST, Options(days=(text,)), start, end, UTC)
    return [f"{datetime.fromtimestamp(span.start, UTC):%Y-%m-%d}" for span in spans]


# --- the slow and obvious oracle: does a rule name this day?

Oracle = Callable[[date], bool]


def nth(week: int, weekday: int, month: int) -> Callable[[int], date | None]:
    """Counts through the month."""

    def find(year: int) -> date | None:
        month_days = [date(year, 1, 1) + timedelta(number) for number in range(366)]
        fitting = [
            day for day in month_days if (day.year, day.month, day.weekday()) == (year, month, weekday)
        ]
        return fitting[week - 1] if week - 1 < len(fitting) else None

    return find


def easter_by_table(after: int) -> Callable[[int], date | None]:
    """Looks it up."""

    def find(year: int) -> date | None:
        known = [date.fromisoformat(text) for text in EASTER if text.startswith(str(year))]
        return known[0] + timedelta(after) if known else None

    return find


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, Oracle]:
    """A rule as an admin writes it, and whether it names a day."""
    kind = draw(
        st.sampled_from(
            ("once", "range", "yearly", "yearly-range", "easter", "easter-range", "nth", "nth-range")
        )
    )
    one, other = (draw(st.dates(date(2016, 1, 1), date(2036, 12, 31))) for _ in range(2))
    if kind == "once":
        return one.isoformat(), lambda day: day == one
    if kind == "range":
        one, other = sorted((one, min(other, one + timedelta(400))))
        return f"{one}..{other}", lambda day: one <= day <= other
    if kind.startswith("yearly"):
        first, last = (one.month, one.day), (other.month, other.day)
        last = first if kind == "yearly" else last
        text = f"{one:%m-%d}" + (f"..{other:%m-%d}" if kind == "yearly-range" else "")
        return (
            text,
            lambda day: (
                first <= (day.month, day.day) <= last
                if first <= last
                else (day.month, day.day) >= first or (day.month, day.day) <= last
            ),
        )
    if kind.startswith("easter"):
        before, after = sorted(draw(st.tuples(st.integers(-60, 70), st.integers(-60, 70))))
        after = before if kind == "easter" else after
        text = f"easter{before:+}" + (f"..easter{after:+}" if kind == "easter-range" else "")
        ends = easter_by_table(before), easter_by_table(after)
    else:
        weekday, months = (
            st.integers(0, 6),
            draw(st.lists(st.integers(1, 12), min_size=2, max_size=2, unique=True)),
        )
        weeks = st.integers(0, 5 if kind == "nth" else 4)
        drawn = [(draw(weeks), draw(weekday), month) for month in sorted(months)]
        texts = [f"{NTH[week]} {NAMES[day]} of {MONTHS[month - 1]}" for week, day, month in drawn]
        text = texts[0] if kind == "nth" else "..".join(texts)
        ends = nth(*drawn[0]), nth(*drawn[0 if kind == "nth" else 1])

    def named(day: date) -> bool:
        begin, end = (find(day.year) for find in ends)
        return begin is not None and end is not None and begin <= day <= end

    return text, named


@settings(max_examples=70, deadline=None)
@given(
    rules(),
    st.sampled_from(ZONES),
    st.integers(instant("2016-03-01"), instant("2035-10-01")),
    st.integers(1, 400),
)
def test_a_rule_holds_exactly_on_the_days_that_it_names(
    rule: tuple[str, Oracle], zone: str, start: int, length: int
) -> None:
    """From midnight to midnight on the clocks of its zone, wherever they jump."""
    text, names = rule
    end = start + length * DAY
    spans = list(dates.spans(HOST, Options(days=(text,), zone=zone), start, end, UTC))
    edges = [
        int(edge) + beside for span in spans[:12] for edge in (span.start, span.end) for beside in (-1, 0, 1)
    ]
    for moment in (*edges, *range(start, end, max(3607, (end - start) // 60))):
        if start <= moment < end:
            day = datetime.fromtimestamp(moment, ZoneInfo(zone)).date()
            held = any(span.start <= moment < span.end for span in spans)
            assert held == names(day), (text, day)


@settings(max_examples=40, deadline=None)
@given(
    rules(),
    st.sampled_from(ZONES),
    st.integers(instant("2016-03-01"), instant("2035-10-01")),
    st.integers(1, 400),
)
def test_a_part_of_the_time_has_the_same_days(
    rule: tuple[str, Oracle], zone: str, start: int, length: int
) -> None:
    """Whole ones."""
    options, end = Options(days=(rule[0],), zone=zone), start + 401 * DAY
    whole = list(dates.spans(HOST, options, start, end, UTC))
    part = list(dates.spans(HOST, options, start, start + length * DAY, UTC))
    assert part == [span for span in whole if span.start < start + length * DAY]


# --- the calendar


def test_easter_is_when_the_almanacs_have_it() -> None:
    """And a second rule for it says the same for two thousand years."""
    assert tuple(date.fromordinal(easter(year) + EPOCH).isoformat() for year in range(2016, 2038)) == EASTER
    for year in range(1583, 4000):
        assert date.fromordinal(easter(year) + EPOCH) == oudin(year)


def oudin(year: int) -> date:
    """Easter after J.-M. Oudin (1940), as in the Explanatory Supplement to the Astronomical Almanac."""
    golden, century = year % 19, year // 100
    h = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    i = h - (h // 28) * (1 - (29 // (h + 1)) * ((21 - golden) // 11))
    j = (year + year // 4 + i + 2 - century + century // 4) % 7
    month = 3 + (i - j + 40) // 44
    return date(year, month, i - j + 28 - 31 * (month // 4))


def test_the_years_on_which_the_order_of_two_days_is_tried_show_every_case() -> None:
    """Easter on each of its days, from March 22 to April 25; each kind of year among the first 28."""
    assert len({easter(year) - date(year, 3, 22).toordinal() for year in SAMPLE}) == 35
    kinds = {(date(year, 1, 1).weekday(), date(year, 12, 31).weekday()) for year in SAMPLE[:28]}
    assert len(kinds) == 14


def test_days_of_every_form() -> None:
    """Holidays of Germany and of the United States in 2026 and 2027."""
    assert found("easter-2", "2026-01-01", "2027-12-31") == ["2026-04-03", "2027-03-26"]
    assert found("Easter+39", "2026-01-01", "2026-12-31") == ["2026-05-14"]
    assert found("easter", "2026-04-05", "2026-04-05") == ["2026-04-05"]
    assert found("last Mon of May", "2026-01-01", "2027-12-31") == ["2026-05-25", "2027-05-31"]
    assert found("1st monday of SEPTEMBER", "2026-01-01", "2026-12-31") == ["2026-09-07"]
    assert found("4th Thu of Nov", "2026-01-01", "2026-12-31") == ["2026-11-26"]
    assert found("last Sun of Dec", "2026-01-01", "2026-12-31") == ["2026-12-27"]
    assert found("5th Fri of May", "2026-01-01", "2027-12-31") == ["2026-05-29"]
    assert found("5th Mon of Feb", "2027-02-01", "2027-03-31") == []
    assert found("easter-100", "2026-12-01", "2026-12-31") == ["2026-12-18"]
    assert found("2026-12-24 .. 2026-12-26", "2026-01-01", "2026-12-25") == ["2026-12-24", "2026-12-25"]
    assert found("12-31..01-01", "2026-01-01", "2026-12-31") == ["2026-01-01", "2026-12-31"]


def test_a_leap_day_is_there_in_leap_years_only() -> None:
    """As a day of its own, and as the end of a range."""
    assert found("02-29", "2026-01-01", "2032-12-31") == ["2028-02-29", "2032-02-29"]
    assert found("02-28..02-29", "2027-02-01", "2028-12-31") == ["2027-02-28", "2028-02-28", "2028-02-29"]
    assert found("02-29..03-01", "2027-02-01", "2028-12-31") == ["2027-03-01", "2028-02-29", "2028-03-01"]


def test_a_range_may_go_from_christmas_to_easter() -> None:
    """It begins in one year and ends in the next, also for who asks about its end only."""
    assert found("12-25..easter-40", "2026-02-23", "2026-03-01") == ["2026-02-23", "2026-02-24"]


def test_the_ends_of_the_calendar_are_no_trouble() -> None:
    """A clock that says the year 1, or one that ``datetime`` cannot tell."""
    for when in (-62135596800, -(10**12), 253402300000, 10**12):
        for text in ("easter-60", "last Sun of Dec", "12-31..01-01"):
            list(dates.spans(HOST, Options(days=(text,)), when, when + 400 * DAY, UTC))


def test_no_time_has_no_days() -> None:
    """Backwards by more than a day or two."""
    assert not list(dates.spans(HOST, Options(days=("12-25",)), 20 * DAY, 0, UTC))


# --- what an admin writes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f'"" is not a day; {dates.FORMS}'),
        ("christmas", f'"christmas" is not a day; {dates.FORMS}'),
        ("2026-02-29", f'there is no day "2026-02-29"; {dates.FORMS}'),
        ("0000-01-01", f'there is no day "0000-01-01"; {dates.FORMS}'),
        ("02-30", f'there is no day "02-30"; {dates.FORMS}'),
        ("13-32", f'there is no day "13-32"; {dates.FORMS}'),
        ("25-12", 'there is no day "25-12"; the month comes first: write "12-25"'),
        ("2026-24-12", 'there is no day "2026-24-12"; the month comes first: write "2026-12-24"'),
        ("24.12.2026", '"24.12.2026" is not a day; write "2026-12-24"'),
        ("1.5.", '"1.5." is not a day; write "05-01"'),
        ("12.24.", f'"12.24." is not a day; {dates.FORMS}'),
        (
            "easter+201",
            '"easter+201" is more than 200 days from Easter; write a day that is nearer, or a date',
        ),
        ("last Mnday of May", '"last Mnday of May": "Mnday" is not a day; did you mean "Mon"?'),
        ("last Mon of Mai", '"last Mon of Mai": "Mai" is not a month; did you mean "May"?'),
        ("6th Mon of May", f'"6th Mon of May" is not a day; {dates.FORMS}'),
        (
            "2026-12-24..01-06",
            '"2026-12-24..01-06": one end has a year and the other has none; write it at both, or at neither for every year',
        ),
        (
            "2027-01-06 .. 2026-12-24",
            '"2027-01-06..2026-12-24": it ends before it begins; write "2026-12-24..2027-01-06"',
        ),
        (
            "5th Mon of May..06-10",
            '"5th Mon of May..06-10": not every month has a 5th one, so a range cannot begin or end with it; write "last"',
        ),
        (
            "easter..04-10",
            '"easter..04-10": which of the two comes first is not the same in all years; write days whose order is',
        ),
        ("12-24..", f'"12-24..": "" is not a day; {dates.FORMS}'),
    ],
)
def test_a_fault_is_named_with_what_to_write(text: str, expected: str) -> None:
    """Which day, and what it should be."""
    assert wrong(("12-25", text)) == expected


@given(st.text(st.sampled_from("0123456789-.:; easterlastMonofMay+1st#\u2013"), max_size=24))
def test_any_text_is_a_rule_or_a_fault_in_words(text: str) -> None:
    """Never anything else."""
    answer = wrong((text,))
    assert answer is None or "; " in answer


@given(rules())
def test_the_text_of_a_rule_is_kept(rule: tuple[str, Oracle]) -> None:
    """It is what `powernap schedule` shows."""
    assume(wrong((rule[0],)) is None)
    assert parse(rule[0]).text == rule[0]


def test_one_day_needs_no_list() -> None:
    """As the configuration reads it."""
    assert convert("12-25", declared(Options)["days"]) == ("12-25",)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 'it names no day; write, for example, days = ["12-25", "easter-2"]'),
        (
            {"days": ("12-25",), "means": UP, "deepest": "ease"},
            '"deepest" says how deep a nap may be, and none is allowed; write means = "nap"',
        ),
    ],
)
def test_options_that_say_nothing_are_refused(given: dict[str, object], expected: str) -> None:
    """Without days, and a depth without a nap."""
    with pytest.raises(ValueError) as caught:
        Options(**given)  # type: ignore[arg-type]
    assert str(caught.value) == expected


# --- the schedule


def test_a_day_lasts_from_midnight_to_midnight_on_the_wall() -> None:
    """In the section's zone before the machine's: 23 hours in spring, 25 in autumn."""
    start, end = instant("2026-01-01"), instant("2026-12-31")
    options = Options(days=("2026-03-29", "2026-10-25"), zone="Europe/Berlin")
    found = list(dates.spans(HOST, options, start, end, UTC))
    assert [(span.start, span.end - span.start) for span in found] == [
        (instant("2026-03-28 23:00"), 23 * 3600),
        (instant("2026-10-24 22:00"), 25 * 3600),
    ]
    local = dates.spans(HOST, Options(days=("2026-03-29",)), start, end, ZoneInfo("Asia/Tokyo"))
    assert [span.start for span in local] == [instant("2026-03-28 15:00")]


@pytest.mark.parametrize(("means", "deepest"), [(DAYS, ""), (UP, ""), (OFF, ""), (NAP, "ease")])
def test_what_the_days_mean_is_said_of_each(means: str, deepest: str) -> None:
    """Nothing by itself unless the admin says so."""
    options = Options(days=("12-24..12-26",), means=means, deepest=deepest)
    found = list(dates.spans(HOST, options, instant("2026-12-01"), instant("2027-01-01"), UTC))
    assert [(span.says, span.deepest, span.detail) for span in found] == [
        (means, deepest, "12-24..12-26")
    ] * 3
    assert Options(days=("12-25",)).means == DAYS


def machine(tmp_path: Path, content: str) -> Host:
    """A machine with a file of holidays."""
    (tmp_path / "holidays").write_text(content)
    return Host(TreeFiles(str(tmp_path)), live=False)


def test_the_file_has_a_rule_a_line(tmp_path: Path) -> None:
    """Comments, empty lines, a mark at its beginning and ends of lines of other systems do not matter."""
    host = machine(tmp_path, "\ufeff# closed\r\n12-25   # Christmas\r\n\r\n  easter-2\r\n")
    options = Options(days=("01-01",), file="/holidays")
    assert dates.probe(host, options).detail == "3 rules"
    found = dates.spans(host, options, instant("2026-01-01"), instant("2026-12-31"), UTC)
    assert [span.detail for span in found] == ["01-01", "12-25", "easter-2"]


def test_a_file_with_a_fault_or_without_itself_is_told_when_asked(tmp_path: Path) -> None:
    """File and line; the daemon then goes on with what it was told last."""
    host = machine(tmp_path, "12-25\n\n24.12.2026\n")
    options = Options(file="/holidays")
    expected = '/holidays:3: "24.12.2026" is not a day', 'write "2026-12-24"'
    answer = dates.probe(host, options)
    assert (answer.usable, answer.detail, answer.remedy) == (False, *expected)
    with pytest.raises(ScheduleError) as caught:
        list(dates.spans(host, options, 0, 1, UTC))
    assert (caught.value.reason, caught.value.remedy) == expected
    (tmp_path / "holidays").unlink()
    answer = dates.probe(host, options)
    assert (answer.usable, answer.detail) == (False, "/holidays cannot be read (No such file or directory)")
    with pytest.raises(ScheduleError, match="/holidays cannot be read"):
        list(dates.spans(host, options, 0, 1, UTC))


def test_a_zone_that_is_not_there_is_told_when_asked() -> None:
    """As of windows."""
    options = Options(days=("12-25",), zone="Europe/Bonn")
    assert dates.probe(HOST, options).detail == 'there is no time zone "Europe/Bonn"'
    with pytest.raises(ScheduleError, match='there is no time zone "Europe/Bonn"; '):
        list(dates.spans(HOST, options, 0, 1, UTC))


def test_the_files_whose_change_changes_the_answer() -> None:
    """The days' own, the zone's rules or which one is the machine's."""
    assert dates.watched(Options(days=("12-25",))) == ("/etc/localtime",)
    own, rules = dates.watched(Options(file="/etc/holidays", zone="Europe/Berlin"))
    assert own == "/etc/holidays"
    assert rules.endswith("/zoneinfo/Europe/Berlin")


@pytest.mark.parametrize(
    ("days", "over"),
    [(("2026-11-22",), True), (("2026-11-23",), False), (("2025-12-24", "2026-11-20..2026-11-22"), True), (("2025-12-24", "12-24"), False),
     (("2025-12-24..2026-12-24",), False), (("easter",), False)],
)  # fmt: skip
def test_days_that_are_all_over_are_doubted(days: tuple[str, ...], over: bool) -> None:
    """Two days after: before that it is still one of them in some zone."""
    clock = Clock(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
    found = list(dates.doubts(Host(TreeFiles("/nowhere"), clock), Options(days=days)))
    assert [each.what.startswith("all of its days are over, the last was 2026-11-22") for each in found] == [
        True
    ] * over
    assert list(dates.doubts(Host(TreeFiles("/nowhere"), clock), Options(days=days, file="/missing"))) == []


def test_what_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    """A FIFO, a device without end: it says so, and the thread that asks goes on."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("fifo", "zero"):
        options = Options(file=f"/{name}")
        host = Host(TreeFiles(str(tmp_path)))
        with pytest.raises(ScheduleError, match=f"/{name} cannot be read .it is no file"):
            list(dates.spans(host, options, 0.0, 1e6, UTC))
        assert not dates.probe(host, options)
