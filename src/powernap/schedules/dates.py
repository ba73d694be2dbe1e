"""Whole days by date: holidays, company closures, a maintenance day; once or every year.

A day is one of::

    2026-12-24                    this day
    12-25                         every year (02-29: in leap years)
    easter   easter-2   easter+39 Easter Sunday by the Gregorian calendar, and days before and after it (Good Friday, Ascension)
    1st Mon of Sep   last Mon of May

or two of them with ``..`` between, the second one included: ``2026-12-24..2027-01-06``, ``12-24..01-06``, ``easter-2..easter+1``. Names of
days and months are English, three letters or in full, in any case. The ``file`` has one such line each; what follows a ``#`` is for people.

By itself a schedule of dates says nothing (``means = "days"``): it is there to be named in ``unless`` of others. With another ``means``
the machine must be up, may nap or must be off on these days. A day lasts from midnight to midnight on the clocks of its zone, which is not
always 24 hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import DAYS, NAP, OFF, UP, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import regular_file, zones
from powernap.host.availability import Availability, available, unavailable
from powernap.host.inotify import on_disk
from powernap.schedules import Doubt, ScheduleError
from powernap.schedules._calendar import YEARS, Day, Rule, days, edge, on
from powernap.schedules._names import WrongError, month, weekday
from powernap.schedules._options import check_deepest, deepening, each, zone_of
from powernap.schedules._wall import DAY, Wall

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.host import Host

SAMPLE = range(2000, 2400)
"""In these years Easter is on each of its 35 days, and the first 28 begin on each weekday, leap years too."""
ONCE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)", re.ASCII)
YEARLY = re.compile(r"(\d\d?)-(\d\d?)", re.ASCII)
EASTER = re.compile(r"easter(?:([+-])(\d{1,3}))?", re.ASCII | re.IGNORECASE)
NTH = re.compile(r"(1st|2nd|3rd|4th|5th|last) (\S+) of (\S+)", re.IGNORECASE)
DOTTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})?", re.ASCII)
LARGEST = 1 << 20
"""Bytes of a file of days."""
FORMS = 'write a day as "2026-12-24", "12-25", "easter-2" or "last Mon of May"'


def parse(text: str) -> Rule:
    """The days; :class:`WrongError` says what is wrong, and what to write."""
    plain = re.sub(r"\s*(\.\.|;)\s*", r"\1", " ".join(text.replace("\u2013", "-").split()))
    try:
        return _rule(plain)
    except WrongError as error:
        raise WrongError(str(error) if f'"{plain}"' in str(error) else f'"{plain}": {error}') from None


def _rule(plain: str) -> Rule:
    begin, dots, end = plain.partition("..")
    first = _day(begin)
    last = _day(end) if dots else first
    if not dots:
        return Rule(first, last, plain)
    if (first.kind == "once") != (last.kind == "once"):
        raise WrongError(
            "one end has a year and the other has none; write it at both, or at neither for every year"
        )
    if 5 in {first.week, last.week}:
        raise WrongError(
            'not every month has a 5th one, so a range cannot begin or end with it; write "last"'
        )
    return Rule(first, last, plain, _wraps(first, last, plain))


def _wraps(first: Day, last: Day, plain: str) -> bool:
    """Whether the range ends in the year after; always, or never."""
    if first.kind == "once":
        turned = {edge(last, last.year, 0) < edge(first, first.year, 1)}
    else:
        years = SAMPLE[:28] if "easter" not in {first.kind, last.kind} else SAMPLE
        turned = {edge(last, year, 0) < edge(first, year, 1) for year in years}
    if first.kind == "once" and True in turned:
        begin, _, end = plain.partition("..")
        raise WrongError(f'it ends before it begins; write "{end}..{begin}"')
    if len(turned) == 2:
        raise WrongError(
            "which of the two comes first is not the same in all years; write days whose order is"
        )
    return turned.pop()


def _day(text: str) -> Day:
    if found := ONCE.fullmatch(text):
        return _existing(Day("once", int(found[1]), int(found[2]), int(found[3])), text)
    if found := YEARLY.fullmatch(text):
        return _existing(Day("yearly", 0, int(found[1]), int(found[2])), text)
    if found := EASTER.fullmatch(text):
        after = int((found[1] or "") + (found[2] or "0"))
        if abs(after) > 200:
            raise WrongError(
                f'"{text}" is more than 200 days from Easter; write a day that is nearer, or a date'
            )
        return Day("easter", after=after)
    if found := NTH.fullmatch(text):
        week = 0 if found[1].lower() == "last" else int(found[1][0])
        return Day("nth", month=month(found[3]), week=week, weekday=weekday(found[2]))
    raise WrongError(f'"{text}" is not a day; {_meant(text)}')


def _existing(day: Day, text: str) -> Day:
    """The day, if the calendar has it in some year."""
    if on(day, 2000) is None or (day.kind == "once" and day.year not in YEARS):
        raise WrongError(f'there is no day "{text}"; {_turned(day) or FORMS}')
    return day


def _turned(day: Day) -> str:
    """Day and month in the other order, where that makes it right."""
    if day.month <= 12 or on(Day(day.kind, day.year, day.day, day.month), 2000) is None:
        return ""
    year = f"{day.year:04}-" if day.kind == "once" else ""
    return f'the month comes first: write "{year}{day.day:02}-{day.month:02}"'


def _meant(text: str) -> str:
    """What is written by a dotted date."""
    found = DOTTED.fullmatch(text)
    if found and on(Day("yearly", month=int(found[2]), day=int(found[1])), 2000) is not None:
        return f'write "{found[3] + "-" if found[3] else ""}{int(found[2]):02}-{int(found[1]):02}"'
    return FORMS


def lines(content: str, path: str) -> Iterator[Rule]:
    """The rules in a file; :class:`WrongError` with file and line."""
    for number, line in enumerate(content.removeprefix("\ufeff").splitlines(), 1):
        text = line.partition("#")[0].strip()
        try:
            if text:
                yield parse(text)
        except WrongError as error:
            raise WrongError(f"{path}:{number}: {error}") from None


# --- the schedule


wrong = each(parse)
"""What is wrong with a list of days, for an option's check."""


HOW = """\
A day, or two with ".." between: from and to, the second one included. In a file one a line; "#" begins a comment.

  2026-12-24                this day
  12-25                     every year
  easter-2                  Good Friday; easter, easter+1, easter+39 likewise
  last Mon of May           1st to 5th, or last, day of the week, month
  12-24..01-06              every year, here over New Year
  2026-12-24..2027-01-06    once"""


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    days: tuple[str, ...] = option(
        (),
        example='["12-25", "easter-2", "2026-12-24..2027-01-06"]',
        check=wrong,
        help="The days.",
        how=HOW,
    )
    file: str = option(
        "",
        unit="path",
        example="/etc/powernap/holidays",
        help="A file with one day or range a line, `#` begins a comment.",
        how=HOW,
    )
    means: str = option(
        DAYS,
        choices=(UP, NAP, OFF, DAYS),
        help="What is said of these days; `days`: nothing, they are for the `unless` of other schedules.",
    )
    deepest: str = deepening()
    zone: str = zone_of("the days")

    def __post_init__(self) -> None:
        if not (self.days or self.file):
            raise ValueError('it names no day; write, for example, days = ["12-25", "easter-2"]')
        check_deepest(self.means, self.deepest)


def _rules(host: Host, options: Options) -> list[Rule]:
    """All of them; ``WrongError`` or ``OSError`` of the file."""
    found = [parse(text) for text in options.days]
    if options.file:
        content = regular_file.text(on_disk(host.files, options.file), LARGEST)
        found += lines(content, options.file)
    return found


def probe(host: Host, options: Options) -> Availability:
    """Are file and time zone there?"""
    try:
        if options.zone:
            zones.named(options.zone)
        return available(many(len(_rules(host, options)), "rule"))
    except OSError as error:
        return unavailable(f"{options.file} cannot be read ({error.strerror})", "create it, or delete `file`")
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        return unavailable(what, remedy)


def doubts(host: Host, options: Options) -> Iterator[Doubt]:
    """No day of it is to come."""
    try:
        rules = _rules(host, options)
    except (OSError, ValueError):
        return  # probe says so
    key = "days" if options.days else "file"
    if not rules:
        yield Doubt(key, f"{options.file} names no day", "write one a line")
    elif all(rule.last.kind == "once" for rule in rules):
        latest = max(rules, key=lambda rule: edge(rule.last, rule.last.year, 0))
        if edge(latest.last, latest.last.year, 0) < host.clock.wall() // DAY - 1:
            yield Doubt(
                key,
                f"all of its days are over, the last was {latest.text.rpartition('..')[2]}",
                'add those to come; a day of every year has no year: "12-24"',
            )


def spans(host: Host, options: Options, start: float, end: float, local: tzinfo) -> Iterator[Span]:
    """Each day, from midnight to midnight."""
    try:
        rules = _rules(host, options)
        wall = Wall(zones.named(options.zone) if options.zone else local, start, end)
    except OSError as error:
        raise ScheduleError(f"{options.file} cannot be read ({error.strerror})", "create it again") from None
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        raise ScheduleError(what, remedy) from None
    for rule in rules:
        for day in days(rule, wall.days()):
            for since, until in wall.spans(day * DAY, (day + 1) * DAY):
                yield Span(since, until, options.means, detail=rule.text, deepest=options.deepest)


def watched(options: Options) -> tuple[str, ...]:
    """Its file, and what its zone's rules come from."""
    return (*((options.file,) if options.file else ()), *zones.files_of({options.zone}))
