"""Cron's expressions: read as cron(8) reads them, and when they come, also where a clock is put on or back.

Owns five fields or a nickname (``@daily``), and the search. What is said of the instants is the business of who asks.

Debian's cron is the rule: day of month *or* day of week where neither begins with ``*``, else both; 0 and 7 are Sunday. A job whose minute
and hour do not begin with ``*`` runs once where the clock shows its time twice, and right after the jump where it skips it; others follow the
clock; and where it moves by more than three hours all of them do (cron(8)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, tzinfo
from math import ceil, floor

from powernap.core.value import dataclass
from powernap.schedules._names import DAYS, MONTHS, WrongError
from powernap.schedules._wall import DAY, FIRST, LAST, east, stretches

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
RANGE = re.compile(r"(?:\*|([A-Za-z0-9]+)(-[A-Za-z0-9]*)?)(?:/([A-Za-z0-9]*))?", re.ASCII)
EPOCH = date(1970, 1, 1).toordinal()
CORRECTION = 3 * 3600
"""Seconds. A clock that moves by more has been set right: nothing is made up for, nothing left out (cron(8))."""
AGE = 41 * 366
"""Days between two 29ths of February on the same weekday, at most (1888 to 1928, and over 2100)."""
MOST = 300
"""Digits of a number; Python reads none of more than 4,300."""
LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five: its name for people, its limits, the names that may stand for numbers from ``low`` on, and a sample."""

    name: str
    low: int
    high: int
    names: tuple[str, ...]
    sample: str


FIELDS = (
    Field("minute", 0, 59, (), "*/15"),
    Field("hour", 0, 23, (), "8-18"),
    Field("day of month", 1, 31, (), "1,15"),
    Field("month", 1, 12, tuple(name[:3].lower() for name in MONTHS), "jan-mar"),
    Field("day of week", 0, 7, tuple(name[:3].lower() for name in (DAYS[6], *DAYS[:6])), "mon-fri"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """An expression.

    :param times: seconds since midnight, in order. :param weekdays: 0 is Monday.
    :param either: a day may match by its number or its weekday; else by both.
    :param follows: it follows the clock wherever that jumps, since its minute or hour begins with ``*``.
    """

    times: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    follows: bool

    def on(self, day: date) -> bool:
        """Whether it comes on a day of one of its months."""
        numbered, named = day.day in self.days, day.weekday() in self.weekdays
        return numbered or named if self.either else numbered and named


# --- reading


def parse(text: str, *, strict: bool = True) -> Rule:
    """The expression; :class:`WrongError` says what is wrong, and what to write.

    :param strict: refuse what cron takes, but not as meant: what stands behind a range ("1-5/2/3"), ranges that end before they begin, steps
        that lead nowhere, days that never come.
    """
    words = NICKNAMES.get(text.strip(), text).split()
    try:
        if len(words) != len(FIELDS):
            raise WrongError(_count(words))
        values = [_values(word, field, strict) for word, field in zip(words, FIELDS, strict=True)]
        rule = _rule(words, values)
        if strict and not _comes(rule):
            raise WrongError("no month of it has such a day; write a day of month that there is")
        return rule
    except WrongError as error:
        raise WrongError(f'"{" ".join(text.split())}": {error}') from None


def _count(words: list[str]) -> str:
    """What is wrong where there are not five fields."""
    if words == ["@reboot"]:
        return "it comes at no time of the clock, and a machine that boots is up; delete it"
    if words and words[0].startswith("@"):
        return f"there is no such nickname; write one of {', '.join(NICKNAMES)}"
    fields = ", ".join(field.name for field in FIELDS)
    return (
        f'these are {len(words)} fields and cron has five: {fields}; write, for example, "30 2 * * mon-fri"'
    )


def _values(word: str, field: Field, strict: bool) -> set[int]:
    """``1-5,10,*/20``. What follows a range and is no comma, cron skips."""
    found: set[int] = set()
    at = -1
    while at < 0 or word[at : at + 1] == ",":
        part = RANGE.match(word, at + 1)
        if not part:
            raise _wrong(word, field)
        found |= _range(part, field, strict)
        at = part.end()
    if strict and at < len(word):
        raise _wrong(word, field)
    return found


def _range(part: re.Match[str], field: Field, strict: bool) -> set[int]:
    first, last, _ = part.groups()
    low = _number(first, field) if first else field.low
    high = _number(last[1:] or part[0], field) if last else low if first else field.high
    by = _step(part, field)
    if strict:
        _check(part, field, low, high, by)
    return set(range(low, high + 1, by))


def _step(part: re.Match[str], field: Field) -> int:
    first, last, step = part.groups()
    if step is None:
        return 1
    if first and not last:
        raise WrongError(
            f'the {field.name} "{part[0]}" has a step but no end; write "{first}-{field.high}/{step or 2}"'
        )
    if not step.isdigit() or len(step) > MOST or not int(step):
        raise WrongError(f'the {field.name} "{part[0]}" has no proper step; write, for example, "*/5"')
    return int(step)


def _check(part: re.Match[str], field: Field, low: int, high: int, by: int) -> None:
    """What cron takes and does not do."""
    if low > high:
        sunday = field.high == 7 and high == 0
        meant = _from_to(low, field.high) + ("" if sunday else f",{_from_to(field.low, high)}")
        raise WrongError(f'the {field.name} "{part[0]}" ends before it begins; write "{meant}"')
    if by > max(1, field.high - field.low):
        raise WrongError(
            f'the {field.name} "{part[0]}" never takes its step; write "{low}" if that is meant, else several expressions'
        )


def _from_to(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _number(word: str, field: Field) -> int:
    if word.lower() in field.names:
        return field.low + field.names.index(word.lower())
    if not word.isdigit() or len(word) > MOST or not field.low <= int(word) <= field.high:
        raise _wrong(word, field)
    return int(word)


def _wrong(word: str, field: Field) -> WrongError:
    names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    return WrongError(
        f'"{word}" is no {field.name}; write {field.low} to {field.high}{names}, such as "{field.sample}"'
    )


def _rule(words: list[str], values: list[set[int]]) -> Rule:
    minutes, hours, days, months, weekdays = values
    stars = [word.startswith("*") for word in words]
    return Rule(
        times=tuple(hour * 3600 + minute * 60 for hour in sorted(hours) for minute in sorted(minutes)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset((day - 1) % 7 for day in weekdays),
        either=not (stars[2] or stars[4]),
        follows=stars[0] or stars[1],
    )


def _comes(rule: Rule) -> bool:
    """Whether some month of it is long enough for one of its days."""
    longest = max(LONGEST.get(month, 31) for month in rule.months)
    return rule.either or min(rule.days) <= longest


# --- searching


def days(rule: Rule, first: int, last: int) -> Iterator[int]:
    """The days (since 1970-01-01) from the first until before the last on which it comes; months that are not its are passed over."""
    day = date.fromordinal(first + EPOCH)
    end = last + EPOCH
    while day.toordinal() < end:
        if day.month not in rule.months:
            day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
            continue
        if rule.on(day):
            yield day.toordinal() - EPOCH
        day = date.fromordinal(day.toordinal() + 1)


def _shown(rule: Rule, begin: int, end: int) -> Iterator[int]:
    """What a clock shows when it comes, from ``begin`` until before ``end``; both on that clock, in seconds since 1970-01-01 00:00."""
    for day in days(rule, begin // DAY, (end - 1) // DAY + 1):
        for time in rule.times:
            if begin <= day * DAY + time < end:
                yield day * DAY + time


def instants(rule: Rule, zone: tzinfo, start: float, end: float) -> Iterator[int]:
    """When it comes, from ``start`` until before ``end``, in order.

    As cron does it: a virtual clock that is not put back and leaves nothing out; what it has to make up for comes at once, and once.
    """
    first, last = max(floor(start) - DAY, FIRST), min(ceil(end), LAST)
    if first >= last:
        return
    pieces = list(stretches(zone, first, last))
    virtual = first + pieces[0][1]
    for (since, ahead), until in zip(pieces, [*(since for since, _ in pieces[1:]), last], strict=True):
        here = since + ahead
        if rule.follows or abs(here - virtual) > CORRECTION:
            virtual = here
        if next(_shown(rule, virtual, here), None) is not None:
            virtual = here + 1  # what comes at the very instant of the jump has come with it
            if since >= start:
                yield since
        for shown in _shown(rule, max(virtual, here, ceil(start) + ahead), until + ahead):
            yield shown - ahead
        virtual = until + ahead


def following(rule: Rule, zone: tzinfo, after: float) -> int | None:
    """When it comes next, at ``after`` or later; ``None``: never. Looks at the days first, and at the zone's clock only around those."""
    today = (floor(after) + east(zone, floor(after))) // DAY
    for day in days(rule, today - 1, min(today + AGE, LAST // DAY)):
        found = next(instants(rule, zone, max(after, (day - 1) * DAY), (day + 3) * DAY), None)
        if found is not None:
            return found
    return None


def stays(rule: Rule, zone: tzinfo, start: float, end: float, stay: float) -> Iterator[tuple[float, float]]:
    """From each instant for ``stay`` seconds, as far as that touches the time between; what meets or overlaps is one."""
    held: tuple[float, float] | None = None
    for instant in instants(rule, zone, floor(start - stay) + 1, end):
        if held and instant > held[1]:
            yield held
            held = None
        held = (held[0] if held else float(instant), instant + stay)
    if held:
        yield held
