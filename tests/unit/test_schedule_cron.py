"""schedules/cron.py and schedules/_cron.py: a time comes when Debian's cron would run a job, also where a clock jumps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from machines import Clock
from powernap.config.declared import declared
from powernap.config.values import WrongValueError, convert
from powernap.core.timetable import NAP, OFF, UP, Span
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import ScheduleError, cron
from powernap.schedules._cron import FIELDS, NICKNAMES, Rule, following, instants, parse, stays
from powernap.schedules._names import WrongError
from powernap.schedules.cron import Options

DAY, WEEK = 86400, 7 * 86400
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Santiago", "Asia/Kathmandu", "Asia/Beirut", "Africa/Cairo",
    "Africa/Casablanca", "Antarctica/Troll", "Australia/Lord_Howe", "Pacific/Chatham",
)  # fmt: skip
"""With clocks that jump at midnight, by half an hour, by two, over a month of fasting, and never."""
YEARS = 2024, 2034
NAMES = {3: ("jan", "feb", "mar", "apr", "may", "jun"), 4: ("sun", "mon", "tue", "wed", "thu", "fri", "sat")}


def instant(text: str, zone: str = "UTC") -> int:
    """Seconds since the epoch of "2026-03-29 01:30" (the first of two)."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def shown(found: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(found, ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"


def times(expression: str, zone: str, begin: str, end: str) -> list[str]:
    found = instants(parse(expression), ZoneInfo(zone), instant(begin, zone), instant(end, zone))
    return [shown(each, zone) for each in found]


# --- expressions


def test_every_example_of_crontab_5_comes_when_it_says() -> None:
    """crontab(5): "5 0 * * *" five minutes after midnight, "15 14 1 * *" on the first, "0 22 * * 1-5" on weekdays, "23 0-23/2" every two hours."""
    assert times("5 0 * * *", "UTC", "2026-11-23", "2026-11-25") == [
        "2026-11-23 00:05 UTC",
        "2026-11-24 00:05 UTC",
    ]
    assert times("15 14 1 * *", "UTC", "2026-11-23", "2027-01-15") == [
        "2026-12-01 14:15 UTC",
        "2027-01-01 14:15 UTC",
    ]
    weekdays = times("0 22 * * 1-5", "UTC", "2026-11-27", "2026-12-01")
    assert weekdays == ["2026-11-27 22:00 UTC", "2026-11-30 22:00 UTC"]  # Friday, then Monday
    assert len(times("23 0-23/2 * * *", "UTC", "2026-11-23", "2026-11-24")) == 12
    assert times("5 4 * * sun", "UTC", "2026-11-23", "2026-11-30") == ["2026-11-29 04:05 UTC"]


def test_a_day_matches_by_number_or_weekday_where_both_are_restricted() -> None:
    """crontab(5): "30 4 1,15 * 5" is the 1st and 15th of each month, plus every Friday."""
    days = [each[:10] for each in times("30 4 1,15 * 5", "UTC", "2026-11-01", "2026-12-01")]
    assert days == [
        f"2026-11-{day:02}"
        for day in (1, 6, 13, 15, 20, 27)
    ]  # fmt: skip


def test_a_day_matches_by_both_where_one_begins_with_a_star() -> None:
    """As Debian's cron does it: "*/2" with a weekday are the odd days on which it is that weekday."""
    assert times("0 0 */2 * mon", "UTC", "2026-11-01", "2026-12-01") == [
        "2026-11-09 00:00 UTC",
        "2026-11-23 00:00 UTC",
    ]
    assert len(times("0 0 1,* * mon", "UTC", "2026-11-01", "2026-12-01")) == 30


@pytest.mark.parametrize("sunday", ["0", "7", "sun", "SUN", "7-7"])
def test_sunday_is_0_and_7(sunday: str) -> None:
    """BSD and ATT seem to disagree about this (crontab(5))."""
    assert parse(f"0 0 * * {sunday}") == parse("0 0 * * 0")


def test_ranges_lists_steps_and_names_are_the_same_in_all_their_spellings() -> None:
    """Each of them is the list of its numbers."""
    assert parse("0-59/20 0 * jan,Feb-APR 5-7") == parse("0,20,40 00 * 1,2,3,4 fri,6,0")
    assert parse("*/30 * * * *").times == parse("0,30 0-23 * * *").times


@pytest.mark.parametrize("nickname", NICKNAMES)
def test_a_nickname_stands_for_its_expression(nickname: str) -> None:
    """And for nothing else."""
    assert parse(nickname) == parse(NICKNAMES[nickname])


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("61 * * * *", '"61" is no minute', 'write 0 to 59, such as "*/15"'),
        ("* 24 * * *", '"24" is no hour', 'write 0 to 23, such as "8-18"'),
        ("* * 0 * *", '"0" is no day of month', 'write 1 to 31, such as "1,15"'),
        ("* * * 13 *", '"13" is no month', 'write 1 to 12 or jan to dec, such as "jan-mar"'),
        ("* * * * Monday", '"Monday" is no day of week', 'write 0 to 7 or sun to sat, such as "mon-fri"'),
        ("* * L * *", '"L" is no day of month', 'write 1 to 31, such as "1,15"'),
        ("* * * * 5#3", '"5#3" is no day of week', 'write 0 to 7 or sun to sat, such as "mon-fri"'),
        ("0~59 * * * *", '"0~59" is no minute', 'write 0 to 59, such as "*/15"'),
        ("1,,2 * * * *", '"1,,2" is no minute', 'write 0 to 59, such as "*/15"'),
        ("1- * * * *", '"1-" is no minute', 'write 0 to 59, such as "*/15"'),
        ("5/10 * * * *", 'the minute "5/10" has a step but no end', 'write "5-59/10"'),
        ("5/ * * * *", 'the minute "5/" has a step but no end', 'write "5-59/2"'),
        ("*/0 * * * *", 'the minute "*/0" has no proper step', 'write, for example, "*/5"'),
        ("*/x * * * *", 'the minute "*/x" has no proper step', 'write, for example, "*/5"'),
        ("*/90 * * * *", 'the minute "*/90" never takes its step', 'write "0" if that is meant, else several expressions'),
        ("* 22-6 * * *", 'the hour "22-6" ends before it begins', 'write "22-23,0-6"'),
        ("* * * * fri-sun", 'the day of week "fri-sun" ends before it begins', 'write "5-7"'),
        ("* * * * fri-mon", 'the day of week "fri-mon" ends before it begins', 'write "5-7,0-1"'),
        ("* * * dec-feb *", 'the month "dec-feb" ends before it begins', 'write "12,1-2"'),
        ("0 0 30 2 *", "no month of it has such a day", "write a day of month that there is"),
        ("0 0 31 4,6 *", "no month of it has such a day", "write a day of month that there is"),
        ("@reboot", "it comes at no time of the clock, and a machine that boots is up", "delete it"),
        ("@fortnightly", "there is no such nickname", f"write one of {', '.join(NICKNAMES)}"),
        (
            "0 0 * * * *",
            "these are 6 fields and cron has five: minute, hour, day of month, month, day of week",
            'write, for example, "30 2 * * mon-fri"',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_field_and_what_to_write(text: str, what: str, remedy: str) -> None:
    """The option's check answers with it, so the admin sees it with file and line."""
    assert cron.wrong((text,)) == f'"{text}": {what}; {remedy}'


@pytest.mark.parametrize(
    "text", ["5-59/10 * * * *", "* 22-23,0-6 * * *", "* * * * 5-7,0-1", "* * * 12,1-2 *"]
)
def test_what_is_to_be_written_can_be_read(text: str) -> None:
    """A remedy is none if it is refused."""
    assert cron.wrong((text,)) is None


def test_the_configuration_shows_the_complaint() -> None:
    """With the name of the option and the whole expression."""
    with pytest.raises(WrongValueError) as caught:
        convert(["@daily", "61 * * * *"], declared(Options)["at"])
    assert caught.value.message == '"at": "61 * * * *": "61" is no minute'
    assert caught.value.remedy == 'write 0 to 59, such as "*/15"'


def test_numbers_of_any_length_are_refused_and_not_computed() -> None:
    """Python itself refuses to read 5,000 digits, with an error that is not for an admin."""
    for field in ("9" * 5000, "*/" + "0" * 5000, "*/" + "9" * 5000, "0" * 5000 + "7"):
        assert "minute" in (cron.wrong((f"{field} * * * *",)) or "")
    assert cron.wrong((f"{'0' * 200}7 * * * *",)) is None


@given(st.text(alphabet="0123456789*/-,@ abcdjmnuLW#?~", max_size=30))
def test_whatever_is_written_is_read_or_refused_with_a_remedy(text: str) -> None:
    """No expression breaks the parser, and none that it takes has no time."""
    try:
        rule = parse(text)
    except WrongError as error:
        assert "; " in str(error)
    else:
        assert rule.times
        assert rule.months
        assert following(rule, UTC, 0.0) is not None


def test_what_cron_takes_although_it_is_no_time_is_read_as_cron_reads_it() -> None:
    """Found with Debian's cron 3.0pl1-162: what follows a range is skipped, a range that ends before it begins is empty."""
    for odd, plain in (("5#3", "5"), ("1-5/2/3", "1-5/2"), ("0~3", "0"), ("*5", "*"), ("*-3", "*")):
        assert parse(f"* * * * {odd}", strict=False) == parse(f"* * * * {plain}"), odd
    assert parse("* * * * 5-1", strict=False).weekdays == frozenset()
    assert parse("50-10 * * * *", strict=False).times == ()
    assert len(parse("*/90 * * * *", strict=False).times) == 24
    for bad in ("5/10", "5x", "1-", "1,", "*/0", "?", "6-"):
        with pytest.raises(WrongError):
            parse(f"* * * * {bad}", strict=False)


# --- where a clock jumps


def test_a_time_that_the_clock_skips_comes_right_after_the_jump_and_once() -> None:
    """cron(8): "those jobs which would have run in the time that was skipped will be run soon after the change"."""
    around = ("Europe/Berlin", "2027-03-28", "2027-03-29")
    assert times("30 2 * * *", *around) == ["2027-03-28 03:00 CEST"]
    assert times("0,30 2 * * *", *around) == ["2027-03-28 03:00 CEST"]
    assert times("0,30 2-3 * * *", *around) == ["2027-03-28 03:00 CEST", "2027-03-28 03:30 CEST"]
    assert times("30 1 * * *", *around) == ["2027-03-28 01:30 CET"]


def test_a_time_that_the_clock_shows_twice_comes_once() -> None:
    """cron(8): "those jobs that fall into the repeated time will not be re-run"."""
    around = ("Europe/Berlin", "2027-10-31", "2027-11-01")
    assert times("30 2 * * *", *around) == ["2027-10-31 02:30 CEST"]
    assert times("0 1-4 * * *", *around) == [
        "2027-10-31 01:00 CEST",
        "2027-10-31 02:00 CEST",
        "2027-10-31 03:00 CET",
        "2027-10-31 04:00 CET",
    ]


def test_who_looks_from_a_jump_on_sees_what_comes_at_it_and_not_what_came_before() -> None:
    """At the very instant, after it, and between the two times that the clock shows 02:30."""
    zone, rule = ZoneInfo("Europe/Berlin"), parse("30 2 * * *")
    spring, autumn = instant("2027-03-28 01:00"), instant("2027-10-31 01:00")
    assert list(instants(rule, zone, spring, spring + 3600)) == [spring]
    assert list(instants(rule, zone, spring + 1, spring + 3600)) == []
    assert list(instants(rule, zone, autumn - 1800, autumn + 7200)) == [autumn - 1800]
    assert list(instants(rule, zone, autumn - 1799, autumn + 7200)) == []


def test_with_a_star_for_minute_or_hour_the_clock_is_followed() -> None:
    """cron(8): "Jobs which are specified with wildcards are run based on the new time immediately"."""
    assert times("*/30 2 * * *", "Europe/Berlin", "2027-03-28", "2027-03-29") == []
    assert len(times("*/30 2 * * *", "Europe/Berlin", "2027-10-31", "2027-11-01")) == 4
    assert len(times("@hourly", "Europe/Berlin", "2027-03-28", "2027-03-29")) == 23
    assert len(times("0 */1 * * *", "Europe/Berlin", "2027-10-31", "2027-11-01")) == 25


def test_a_clock_that_moves_by_more_than_three_hours_has_been_set_right() -> None:
    """cron(8): nothing is made up for. Apia left out 30 December 2011."""
    assert times("0 12 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01") == [
        "2011-12-29 12:00 -10",
        "2011-12-31 12:00 +14",
    ]


def test_an_hour_skipped_at_midnight_belongs_to_the_day_before_and_after() -> None:
    """In Beirut and Havana the clock jumps from 24:00 to 01:00."""
    assert times("30 0 * * *", "Asia/Beirut", "2027-03-27", "2027-03-29 12:00")[1] == "2027-03-28 01:00 EEST"
    assert times("0 0 28 3 *", "Asia/Beirut", "2027-01-01", "2027-12-31") == ["2027-03-28 01:00 EEST"]


# --- against others


def fields() -> st.SearchStrategy[str]:
    """Expressions that both we and cronsim take."""

    @st.composite
    def one(draw: st.DrawFn, number: int) -> str:
        field = FIELDS[number]
        value = st.integers(field.low, field.high)
        kind = draw(st.sampled_from(("star", "number", "range", "step", "list", "name")))
        low, high = sorted((draw(value), draw(value)))
        step = draw(st.integers(1, field.high - field.low))
        forms = {
            "star": "*",
            "number": str(low),
            "range": f"{low}-{high}",
            "step": draw(st.sampled_from((f"*/{step}", f"{low}-{high}/{step}" if low < high else str(low)))),
            "list": ",".join(str(draw(value)) for _ in range(draw(st.integers(2, 4)))),
            "name": draw(st.sampled_from(NAMES.get(number, (str(low),)))),
        }
        return forms[kind]

    return st.tuples(*(one(number) for number in range(5))).map(" ".join)


@cache
def jumps(name: str) -> list[int]:
    """When the zone's clock jumps in these years."""
    zone = ZoneInfo(name)

    def ahead(at: int) -> timedelta | None:
        return datetime.fromtimestamp(at, zone).utcoffset()

    days = range(instant(f"{YEARS[0]}-01-01"), instant(f"{YEARS[1]}-01-01"), DAY)
    changed = [(one, other) for one, other in pairwise(days) if ahead(one) != ahead(other)]
    return [
        bisect_left(range(other), 1, lo=one, key=lambda at: ahead(at) != ahead(one)) for one, other in changed
    ]


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, int]:
    """A zone, and a noon in ten years, most of them just before or after a jump of its clock. At noon no clock jumps."""
    name = draw(st.sampled_from(ZONES))
    near = draw(st.sampled_from([*jumps(name)] * 2 or [0]))
    anywhere = draw(st.integers(instant(f"{YEARS[0]}-01-01"), instant(f"{YEARS[1]}-01-01")))
    chosen = near if near and draw(st.integers(0, 2)) else anywhere
    day = datetime.fromtimestamp(chosen - draw(st.integers(0, 1)) * DAY, ZoneInfo(name))
    return name, int(day.replace(hour=12, minute=0, second=0, microsecond=0).timestamp())


@settings(max_examples=120, deadline=None)
@given(fields(), moments())
def test_cronsim_agrees(expression: str, moment: tuple[str, int]) -> None:
    """The next 6 times are those of cronsim, which follows Debian's cron too. On purpose we refuse what it adds to cron's language
    (L, #, six fields, "5/10") and expressions that never come.
    """
    name, start = moment
    try:
        theirs = CronSim(expression, datetime.fromtimestamp(start - 1, ZoneInfo(name)))
        rule = parse(expression)
    except Exception as error:  # they must both say so
        assert "no month of it has such a day" in str(error) or "Bad day-of-month" in str(error)
        with pytest.raises(WrongError):
            parse(expression)
        return
    expected = [int(each.timestamp()) for each in islice(theirs, 6)]
    found = list(islice(instants(rule, ZoneInfo(name), start, expected[-1] + 1), 7))
    assert [shown(each, name) for each in expected] == [shown(each, name) for each in found]
    assert following(rule, ZoneInfo(name), start) == expected[0]


def slow(rule: Rule, zone: tzinfo, start: int, end: int) -> list[int]:
    """The oracle: minute by minute, what a clock on the wall shows; what it has shown already or leaves out as cron(8) says."""

    def comes(wall: datetime) -> bool:
        return (
            wall.month in rule.months
            and rule.on(wall.date())
            and wall.hour * 3600 + wall.minute * 60 in rule.times
        )

    found = []
    minute = timedelta(minutes=1)
    ahead = datetime.fromtimestamp(start, zone).replace(tzinfo=None)
    for at in range(start, end, 60):
        wall = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
        due = comes(wall) and (rule.follows or wall >= ahead)
        while ahead < wall and not rule.follows:
            due = due or comes(ahead)
            ahead += minute
        ahead = max(ahead, wall + minute)
        if due:
            found.append(at)
    return found


@settings(max_examples=40, deadline=None)
@given(fields().filter(lambda text: cron.wrong((text,)) is None), moments())
def test_looking_at_every_minute_comes_to_the_same(expression: str, moment: tuple[str, int]) -> None:
    """From a noon over a day and a half, in most of which the clock jumps."""
    name, start = moment
    rule = parse(expression)
    end = start + 36 * 3600
    found = list(instants(rule, ZoneInfo(name), start, end))
    assert [shown(each, name) for each in slow(rule, ZoneInfo(name), start, end)] == [
        shown(each, name) for each in found
    ]


@settings(max_examples=40, deadline=None)
@given(fields().filter(lambda text: cron.wrong((text,)) is None), moments(), st.integers(0, 2 * DAY))
def test_where_one_begins_to_look_changes_nothing(
    expression: str, moment: tuple[str, int], later: int
) -> None:
    """The times of a part of a stretch are those of the whole that lie in it."""
    name, start = moment
    rule, end = parse(expression), start + 3 * DAY
    whole = list(instants(rule, ZoneInfo(name), start, end))
    assert list(instants(rule, ZoneInfo(name), start + later, end)) == [
        each for each in whole if each >= start + later
    ]


# --- how far it looks


class Counting(tzinfo):
    """A zone that counts how often its clock is looked at."""

    looks = 0

    def utcoffset(self, dt: datetime | None) -> timedelta:
        self.looks += 1
        return timedelta(hours=1)

    def tzname(self, dt: datetime | None) -> str:
        return "one hour"

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(0)


def test_the_next_leap_day_is_found_without_a_walk() -> None:
    """Six years ahead: days of other months are passed over, and the clock is looked at around the one day only (90 us; 2026-11-23)."""
    zone = Counting()
    found = following(parse("0 0 29 2 *"), zone, instant("2097-01-01"))
    assert shown(found or 0, "Europe/Berlin") == "2104-02-29 00:00 CET"
    assert zone.looks < 50


def test_the_rarest_of_all_days_is_found() -> None:
    """The 29th of February is a Sunday every 28 years, and over 2100 it takes 40."""
    found = following(parse("0 0 29 2 */7"), UTC, instant("2088-03-01"))
    assert shown(found or 0, "UTC") == "2128-02-29 00:00 UTC"


def test_a_day_that_does_not_exist_comes_by_its_weekday() -> None:
    """By its number never, but with a weekday each of those."""
    assert times("0 0 31 2 mon", "UTC", "2027-01-01", "2027-02-09")[0] == "2027-02-01 00:00 UTC"


# --- the schedule

HOST = Host(TreeFiles("/nowhere"), Clock(), live=False)


def spans(options: Options, begin: str, end: str, zone: str = "UTC") -> list[Span]:
    return list(cron.spans(HOST, options, instant(begin, zone), instant(end, zone), ZoneInfo(zone)))


def test_the_machine_is_up_from_each_time_on_for_as_long_as_it_is_to_stay() -> None:
    """With the expression as the admin wrote it."""
    assert spans(Options(at=("30  2 * * *",), stay=1800.0), "2026-11-23", "2026-11-24") == [
        Span(instant("2026-11-23 02:30"), instant("2026-11-23 03:00"), UP, detail="30 2 * * *")
    ]


def test_a_time_that_began_before_still_holds_and_one_that_is_over_does_not() -> None:
    """Spans touch the time that is asked about; they are not cut."""
    options = Options(at=("30 2 * * *",), stay=1800.0)
    assert [each.start for each in spans(options, "2026-11-23 02:59", "2026-11-24")] == [
        instant("2026-11-23 02:30")
    ]
    assert spans(options, "2026-11-23 03:00", "2026-11-24 02:30") == []


def test_no_time_holds_no_times() -> None:
    """Also where it ends before it begins."""
    assert times("* * * * *", "UTC", "2026-11-23", "2026-11-23") == []
    assert times("* * * * *", "UTC", "2026-11-23", "2026-11-20") == []


def test_times_that_meet_are_one() -> None:
    """A week of "every minute" is one span."""
    every = spans(Options(at=("* * * * *",)), "2026-11-23", "2026-11-30")
    assert len(every) == 1
    assert len(spans(Options(at=("0,10 * * * *",), stay=600.0), "2026-11-23 00:00", "2026-11-23 02:00")) == 2
    assert len(spans(Options(at=("0,11 * * * *",), stay=600.0), "2026-11-23 01:00", "2026-11-23 02:00")) == 2


def test_it_may_allow_a_nap_or_demand_that_the_machine_is_off() -> None:
    """With the deepest stage for naps."""
    found = spans(Options(at=("@daily",), means=NAP, deepest="ease"), "2026-11-23 00:05", "2026-11-23 00:06")
    assert [(each.says, each.deepest) for each in found] == [(NAP, "ease")]
    found = spans(Options(at=("@daily",), means=OFF), "2026-11-23 00:05", "2026-11-23 00:06")
    assert [each.says for each in found] == [OFF]
    with pytest.raises(ValueError, match='write means = "nap"'):
        Options(at=("@daily",), deepest="ease")


def test_its_own_zone_goes_before_the_machines() -> None:
    """02:30 in Tokyo is 18:30 in Berlin on the day before."""
    options = Options(at=("30 2 * * *",), zone="Asia/Tokyo")
    assert [each.start for each in spans(options, "2026-11-23", "2026-11-24", "Europe/Berlin")] == [
        instant("2026-11-23 18:30", "Europe/Berlin")
    ]
    assert cron.watched(options) == ("/usr/share/zoneinfo/Asia/Tokyo",)
    assert cron.watched(Options(at=("@daily",))) == ("/etc/localtime",)


def test_a_zone_that_has_vanished_is_a_schedule_that_cannot_tell() -> None:
    """A package of time zones may go while the daemon runs."""
    options = Options(at=("@daily",), zone="Europe/Atlantis")
    with pytest.raises(ScheduleError, match="there is no time zone"):
        spans(options, "2026-11-23", "2026-11-24")
    assert not cron.probe(HOST, options)


def test_the_probe_says_when_it_comes_next() -> None:
    """So that an admin sees at once what was written."""
    options = Options(at=("0 0 29 2 *", "@yearly"), zone="Europe/Berlin")
    host = Host(TreeFiles("/nowhere"), Clock(), live=False)
    now = datetime.fromtimestamp(host.clock.wall(), UTC)
    answer = cron.probe(host, options)
    assert answer
    assert answer.detail == f"2 expressions, next on {datetime(now.year + 1, 1, 1):%a %Y-%m-%d} 00:00"


@settings(max_examples=50, deadline=None)
@given(fields().filter(lambda text: cron.wrong((text,)) is None), moments(), st.integers(1, 2 * DAY))
def test_at_each_time_and_until_the_end_of_its_stay_the_machine_is_up(
    expression: str, moment: tuple[str, int], stay: int
) -> None:
    """And at no other time."""
    name, start = moment
    rule, zone, end = parse(expression), ZoneInfo(moment[0]), moment[1] + 2 * DAY
    found = list(stays(rule, zone, start, end, stay))
    came = [each for each in instants(rule, zone, start - stay, end) if each + stay > start]
    starts = [since for since, _ in found]
    assert all(each + stay <= found[bisect_right(starts, each) - 1][1] for each in came)
    assert {*starts} <= {*came}
    assert all(one[1] < other[0] for one, other in pairwise(found)), name
