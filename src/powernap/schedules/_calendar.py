"""Days of the calendar by rule: a date, the same one every year, Easter, the last Monday of May; and ranges of them. Pure.

Days are counted from 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from powernap.core.value import dataclass

EPOCH = date(1970, 1, 1).toordinal()
YEARS = range(2, 9998)
"""Those whose neighbours ``datetime`` knows too."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day, or one of every year.

    :param kind: ``once``, ``yearly``, ``easter`` or ``nth``.
    :param year: of ``once``. :param month: 1 is January. :param day: of the month.
    :param week: of ``nth``: 1 to 5, 0 is the last. :param weekday: 0 is Monday.
    :param after: of ``easter``: days after Easter Sunday.
    """

    kind: str
    year: int = 0
    month: int = 0
    day: int = 0
    week: int = 0
    weekday: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """Days from ``first`` to ``last``, which are the same for a single one.

    :param wraps: it begins in one year and ends in the next.
    """

    first: Day
    last: Day
    text: str
    wraps: bool = False


def easter(year: int) -> int:
    """Easter Sunday of the Gregorian calendar, by the anonymous algorithm (Nature, 20 April 1876; Meeus, Astronomical Algorithms, ch. 8)."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    leaps, rest = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - moon + 15) % 30
    sunday = (32 + 2 * rest + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (golden + 11 * epact + 22 * sunday) // 451
    number, day = divmod(epact + sunday - 7 * late + 114, 31)
    return date(year, number, day + 1).toordinal() - EPOCH


def on(day: Day, year: int) -> int | None:
    """Which day it is in a year; ``None`` when that year has none such."""
    if day.kind == "easter":
        return easter(year) + day.after
    if day.kind == "nth":
        return _nth(day, year)
    try:
        return date(day.year or year, day.month, day.day).toordinal() - EPOCH
    except ValueError:
        return None


def _nth(day: Day, year: int) -> int | None:
    """The nth weekday of a month."""
    first = date(year, day.month, 1)
    offset = (day.weekday - first.weekday()) % 7
    days = (date(year + day.month // 12, day.month % 12 + 1, 1) - first).days
    step = 7 * (day.week - 1) if day.week else (days - 1 - offset) // 7 * 7
    return first.toordinal() - EPOCH + offset + step if offset + step < days else None


def edge(day: Day, year: int, after: int) -> int:
    """The same for a range, which may begin or end with a February 29 that is not there: ``after`` is 1 where it begins, 0 where it ends."""
    found = on(day, year)
    return date(year, 2, 28).toordinal() - EPOCH + after if found is None else found


def days(rule: Rule, among: range) -> Iterator[int]:
    """The days of a rule among those."""
    if not among:
        return
    if rule.first.kind == "once":
        years = range(rule.first.year, rule.first.year + 1)
    else:
        first, last = (
            date.fromordinal(min(max(day + EPOCH, 1), date.max.toordinal())).year
            for day in (among[0], among[-1])
        )
        years = range(max(first - 1, YEARS[0]), min(last + 1, YEARS[-1]) + 1)
    for year in years:
        yield from _in(rule, year, among)


def _in(rule: Rule, year: int, among: range) -> Iterator[int]:
    """Those of the rule that begin in one year."""
    if rule.first == rule.last:
        day = on(rule.first, year)
        found = range(0) if day is None else range(day, day + 1)
    else:
        found = range(edge(rule.first, year, 1), edge(rule.last, year + rule.wraps, 0) + 1)
    yield from range(max(found.start, among.start), min(found.stop, among.stop))
