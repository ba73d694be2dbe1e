"""ical/expand.py: recurrences against a slow and obvious second opinion, and calendars that want to do harm."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars import answered, calendar, content, instant, utc
from powernap.host.calendars import LINE, parse_event, parse_head
from powernap.ical.bounds import TooMuchError
from powernap.ical.expand import CalendarError, Expansion, expand

START, END = instant("2026-02-01T00:00Z"), instant("2026-12-01T00:00Z")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
HOUR = "DTSTART:20261124T100000Z\nDTEND:20261124T110000Z"


def found(*events: str, start: float = START, end: float = END, zone: str = "") -> Expansion:
    """What these events come to."""
    return expand(calendar(*events, zone=zone), start, end)


def starts(*events: str) -> list[str]:
    """When they begin."""
    return [
        utc(event.start) if isinstance(event.start, float) else event.start for event in found(*events).events
    ]


# --- a second opinion


def occurs(
    first: dt.date, day: dt.date, freq: str, interval: int, days: tuple[int, ...], position: int
) -> bool:
    """Whether a rule has an occurrence on a day, asked of each day alone."""
    if freq == "DAILY":
        return (day - first).days % interval == 0 and (not days or day.weekday() in days)
    if freq == "WEEKLY":
        monday, now = first - dt.timedelta(first.weekday()), day - dt.timedelta(day.weekday())
        return (now - monday).days // 7 % interval == 0 and day.weekday() in (days or (first.weekday(),))
    months = (day.year - first.year) * 12 + day.month - first.month
    if months % interval:
        return False
    if not days:
        return day.day == first.day
    month = [day.replace(day=1) + dt.timedelta(offset) for offset in range(31)]
    choice = [each for each in month if each.month == day.month and each.weekday() in days]
    return day in choice and choice[position if position < 0 else position - 1 : position or None][:1] == [
        day
    ]


def opinion(
    zone: ZoneInfo, first: dt.datetime, count: int, without: set[dt.date], *rule: object
) -> Iterator[float]:
    """Each day from the first on; the first one counts whether the rule has it or not."""
    day, made = first.date(), 0
    while made < count and day < dt.date(2027, 2, 1):
        if day == first.date() or occurs(first.date(), day, *rule):  # type: ignore[arg-type]
            made += 1
            if day not in without:
                yield dt.datetime.combine(day, first.time(), zone).timestamp()
        day += dt.timedelta(1)


@settings(deadline=None, max_examples=60)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    day=st.dates(dt.date(2025, 9, 1), dt.date(2026, 10, 1)),
    minute=st.integers(0, 1439),
    freq=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    interval=st.integers(1, 5),
    days=st.sets(st.integers(0, 6), max_size=4),
    count=st.integers(1, 400),
    holes=st.sets(st.integers(0, 300), max_size=5),
)
def test_a_rule_is_what_asking_of_each_day_alone_comes_to(
    zone: str,
    day: dt.date,
    minute: int,
    freq: str,
    interval: int,
    days: set[int],
    count: int,
    holes: set[int],
) -> None:
    """Any frequency, interval, days of the week, number, and dates taken out, in zones with changes of an hour, of half an hour, and with none."""
    first = dt.datetime.combine(day, dt.time(minute // 60, minute % 60))
    chosen = tuple(sorted(days))
    if chosen:
        # what a rule without its own first date counts is left open (RFC 5545, 3.8.5.3), and programs differ
        while not occurs(first.date(), first.date(), freq, 1, chosen, 1):
            first += dt.timedelta(1)
    parts = [f"FREQ={freq}", f"INTERVAL={interval}", f"COUNT={count}"]
    parts += ["BYDAY=" + ",".join(DAYS[number] for number in chosen)] * bool(chosen)
    parts += ["BYSETPOS=1"] * bool(chosen and freq == "MONTHLY")
    without = {first.date() + dt.timedelta(hole) for hole in holes}
    exdates = ",".join(sorted(f"{hole:%Y%m%d}T{first:%H%M%S}" for hole in without))
    lines = [f"DTSTART;TZID={zone}:{first:%Y%m%dT%H%M%S}", "DURATION:PT30M", "RRULE:" + ";".join(parts)]
    lines += [f"EXDATE;TZID={zone}:{exdates}"] * bool(exdates)
    mine = list(opinion(ZoneInfo(zone), first, count, without, freq, interval, chosen, 1))
    assert [utc(when) for when in mine if START <= when < END] == [
        utc(event.start)
        for event in found("\n".join(lines)).events
        if isinstance(event.start, float) and START <= event.start < END
    ]


# --- what calendars write besides


def test_this_and_all_following_are_moved() -> None:
    """RANGE=THISANDFUTURE (RFC 5545, 3.2.13)."""
    series = "DTSTART:20261101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4"
    moved = (
        "UID:0\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261103T100000Z\nDTSTART:20261103T120000Z\nDURATION:PT1H"
    )
    both = calendar(series, moved).replace(b"UID:1\r\n", b"")
    assert ["11-01 10:00Z", "11-02 10:00Z", "11-03 12:00Z", "11-04 12:00Z"] == [
        utc(float(event.start))[5:] for event in expand(both, START, END).events
    ]


def test_a_period_written_out_has_its_own_length() -> None:
    """RDATE;VALUE=PERIOD."""
    (first, second) = found(HOUR + "\nRDATE;VALUE=PERIOD:20261125T100000Z/PT3H").events
    assert (3600, 10800) == (
        float(first.end) - float(first.start),
        float(second.end) - float(second.start),
    )


def test_an_exception_without_its_series_is_an_event() -> None:
    """Who was invited to one meeting of a series has nothing but that one."""
    assert ["2026-11-24 10:00Z"] == starts("RECURRENCE-ID:20261123T100000Z\n" + HOUR)


def test_a_series_that_is_cancelled_is_gone_with_what_was_moved() -> None:
    """And the other way round a single one that is cancelled takes nothing else away."""
    series = HOUR + "\nRRULE:FREQ=DAILY;COUNT=3"
    assert [] == starts(series + "\nSTATUS:CANCELLED")
    single = (
        "UID:0\nSTATUS:CANCELLED\nRECURRENCE-ID:20261125T100000Z\nDTSTART:20261125T100000Z\nDURATION:PT1H"
    )
    both = calendar(series, single).replace(b"UID:1\r\n", b"")
    assert [24, 26] == [int(utc(float(event.start))[8:10]) for event in expand(both, START, END).events]


def test_several_calendars_in_one_stream_are_all_read() -> None:
    """RFC 5545, 3.4; the same UID in two of them is the same event."""
    both = calendar(HOUR) + calendar("DTSTART:20261125T100000Z\nDURATION:PT1H").replace(b"UID:0", b"UID:b")
    assert len(expand(both, START, END).events) == 2


def test_nothing_but_events_counts() -> None:
    """Tasks, journals, busy times and alarms are passed over."""
    other = b"".join(
        f"BEGIN:{name}\r\nUID:{name}\r\nDTSTART:20261124T100000Z\r\nEND:{name}\r\n".encode()
        for name in ("VTODO", "VJOURNAL", "VFREEBUSY", "X-NEW")
    )
    assert (
        len(expand(calendar(HOUR).replace(b"END:VCALENDAR", other + b"END:VCALENDAR"), START, END).events)
        == 1
    )


def test_an_event_that_goes_on_is_found_from_its_midst() -> None:
    """One that began years ago too."""
    assert len(found("DTSTART:20200101T000000Z\nDTEND:20290101T000000Z").events) == 1


def test_the_zone_in_the_calendar_counts_unless_everybody_knows_it() -> None:
    """A description of its own under a name that nobody has; one that lies about Europe/Berlin is passed over."""
    zone = "BEGIN:VTIMEZONE\nTZID:{}\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0500\nTZOFFSETTO:+0500\nEND:STANDARD\nEND:VTIMEZONE"
    event = "DTSTART;TZID={0}:20261124T100000\nDURATION:PT1H"
    for name, hour in (("Our own place", "05"), ("Europe/Berlin", "09")):
        (one,) = found(event.format(name), zone=zone.format(name)).events
        assert utc(float(one.start)) == f"2026-11-24 {hour}:00Z"


def test_a_zone_that_nobody_knows_is_the_local_one_and_that_is_said() -> None:
    """RFC 5545 has no such calendar; programs guess."""
    found_ = found("DTSTART;TZID=Mars/Olympus:20261124T100000\nSUMMARY:Landing")
    assert [event.start for event in found_.events] == ["2026-11-24T10:00:00"]
    assert found_.notes == ['"Landing": nobody knows the time zone "Mars/Olympus"; the local one is taken']


@pytest.mark.parametrize(
    "times", ["DTSTART:20261124T100000Z\nDTEND:20261124T100000Z", "DTSTART:20261124T100000Z"]
)
def test_an_instant_counts_for_a_minute(times: str) -> None:
    """An event that ends as it begins, or says no end, would else be nothing at all."""
    (event,) = found(times).events
    assert float(event.end) - float(event.start) == 60


# --- what cannot be read


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("SUMMARY:It", '"It" is left out: it has no DTSTART'),
        ("SUMMARY:It\nDTSTART:root:x:0:0", '"It" is left out: its times or its rule'),
        ("SUMMARY:It\nDTSTART:20261124T100000Z\nRRULE:FREQ=SOMETIMES", '"It" is left out'),
        (
            "SUMMARY:It\nDTSTART:20261124T100000Z\nRRULE:FREQ=DAILY;INTERVAL=999999999999999999999",
            '"It" is left out',
        ),
        ("SUMMARY:It\nDTSTART:20261124T100000Z\nEXDATE:yesterday\nRRULE:FREQ=DAILY", '"It" is left out'),
        ("SUMMARY:It\nDTSTART:20261124T100000Z\nDURATION:P99999999W", '"It" is left out'),
        ("CLASS:PRIVATE\nSUMMARY:It", "a private event is left out"),
    ],
)
def test_an_event_that_cannot_be_read_is_left_out_and_named(bad: str, why: str) -> None:
    """The others stand. What stood there is not quoted: the file may be another than was meant."""
    found_ = found(bad, HOUR + "\nSUMMARY:Good")
    assert [event.summary for event in found_.events] == ["Good"]
    assert len(found_.notes) == 1
    assert why in found_.notes[0]
    assert "root" not in found_.notes[0]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "does not begin with BEGIN:VCALENDAR"),
        (b"root:$y$j9T$hash:19000:0:99999:7:::\n", "does not begin"),
        (b"\xef\xbb\xbf  \r\n<!DOCTYPE html><html>Please log in", "a web page, no calendar"),
        (calendar(HOUR).decode().encode("utf-16"), "UTF-16"),
        (content("google")[:3000], "cut off"),
        (content("google")[:-40] + b"END:VCALENDAR\r\n", "a part of it has no end"),
        (b"BEGIN:VCALENDAR\r\n" + b"\0" * 1000 + b"\r\nEND:VCALENDAR\r\n", "damaged"),
        (calendar(HOUR).replace(b"END:VEVENT", b"END:VEVENT\r\nEND:VCALENDAR\r\nEND:VEVENT"), "damaged"),
        (calendar(HOUR, zone="BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE"), "damaged"),
    ],
)
def test_what_is_no_calendar_is_said_in_a_sentence(given: bytes, why: str) -> None:
    """A page to log in, half a file, another encoding: the usual ones have their own words."""
    with pytest.raises(CalendarError, match=why) as caught:
        expand(given, START, END)
    assert "root" not in str(caught.value)


def test_other_encodings_of_titles_do_no_harm() -> None:
    """A byte order mark, Latin-1 where UTF-8 should be, control characters, and far too long a title."""
    assert len(expand(b"\xef\xbb\xbf" + calendar(HOUR), START, END).events) == 1
    latin = calendar(HOUR + "\nSUMMARY:Müll").decode().encode("latin-1")
    assert [event.summary for event in expand(latin, START, END).events] == ["M\ufffdll"]
    (event,) = found(HOUR + "\nSUMMARY:a\x1b[31m\\nb\u202e" + "c" * 1000).events
    assert event.summary.startswith("a [31m b ccc")
    assert len(event.summary) == 200


# --- what would take for ever


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("DTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY", '"It": it repeats more than'),
        ("DTSTART:20260601T000000Z\nRRULE:FREQ=DAILY;INTERVAL=0", '"It": it repeats more than'),
        (
            "DTSTART:20260601T000000Z\nRRULE:FREQ=DAILY;BYHOUR={};BYMINUTE={};BYSECOND={}".format(
                *(",".join(map(str, range(most))) for most in (24, 60, 60))
            ),
            '"It": it repeats more than',
        ),
        (
            "DTSTART:20260101T000000Z\nDURATION:PT1M\nRRULE:FREQ=HOURLY",
            '"It": more than 1000 events',
        ),
    ],
)
def test_a_rule_without_measure_ends_in_a_sentence(
    event: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the event, for somebody must correct it. (With a tenth of the limits, to be quick.)"""
    monkeypatch.setattr("powernap.ical.expand.STEPS", 20_000)
    monkeypatch.setattr("powernap.ical.expand.EVENTS", 1000)
    with pytest.raises(TooMuchError, match=why):
        found("SUMMARY:It\n" + event)


def test_many_small_rules_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred daily events are more than anybody's calendar."""
    monkeypatch.setattr("powernap.ical.expand.EVENTS", 2000)
    with pytest.raises(TooMuchError, match="more than 2000 events within"):
        found(*["DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY"] * 10)


@pytest.mark.parametrize(
    "given",
    [
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 3000 + b"END:VEVENT\r\n" * 3000 + b"END:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:X-Y\r\n" * 3000 + b"END:X-Y\r\n" * 3000 + b"END:VCALENDAR\r\n",
    ],
)
def test_parts_within_parts_within_parts_do_no_harm(given: bytes) -> None:
    """Deeper than the interpreter could follow."""
    assert not expand(given, START, END).events


# --- the answer


def test_every_answer_is_one_that_root_takes() -> None:
    """Each line within its length, however long the titles and however many the categories."""
    event = HOUR + "\nSUMMARY:" + "\U0001f4be" * 500 + "\nCATEGORIES:" + ",".join(["\U0001f4be" * 300] * 40)
    answer = answered(calendar(event), START, END)
    head = parse_head(answer.readline())
    line = answer.readline()
    assert (1, len(calendar(event))) == (head.count, head.size)
    assert len(line) <= LINE
    assert len(parse_event(line).summary) == 200


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"<html>", "it is a web page, no calendar"),
        (
            calendar("SUMMARY:It\nDTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY"),
            '"It": it repeats more than 2000 times',
        ),
    ],
)
def test_trouble_is_told_in_the_first_line(given: bytes, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing after it."""
    monkeypatch.setattr("powernap.ical.expand.STEPS", 2000)
    answer = answered(given, START, END)
    assert parse_head(answer.readline()).trouble == why
    assert answer.read() == b""


def test_an_event_is_told_as_it_is() -> None:
    """One object a line."""
    answer = answered(calendar(HOUR + "\nSUMMARY:Ä\nTRANSP:TRANSPARENT\nCATEGORIES:a"), START, END)
    answer.readline()
    start = instant("2026-11-24T10:00Z")
    told = {
        "start": start,
        "end": start + 3600,
        "summary": "Ä",
        "free": True,
        "private": False,
        "categories": ["a"],
    }
    assert told == json.loads(answer.readline())
