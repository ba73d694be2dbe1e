"""Windows of the week in local time: the machine must be up, may nap, or must be off.

A window is days, then times, then a time zone, each of which may be left out::

    Mon-Fri 07:30-18:00 Europe/Berlin
    Sat,Sun 10:00-12:00,14:00-16:30
    daily 22:00-06:00
    Sun

Days are ``Mon`` to ``Sun`` or their full names in any case: one, several (``Sat,Sun``), from and to (``Mon-Fri``; ``Fri-Mon`` goes over
Sunday), or ``daily``, which is also what no days mean (``Mon..Fri``, as systemd has it, is taken too). Times go from 00:00 to 24:00; the second one is the first that no longer belongs to
it. ``22:00-06:00`` goes over midnight and belongs to the day on which it begins: with ``Fri`` it ends on Saturday at 06:00. No times are the
whole day. The zone is one of the IANA's; without it the window is in the section's ``zone``, else in the machine's own.

A window holds at every instant at which a clock on the wall of its zone shows a time within it. So the hour that is left out in spring shortens
it, and one that comes twice in autumn holds twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import NAP, OFF, UP, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import zones
from powernap.host.availability import Availability, available, unavailable
from powernap.schedules import ScheduleError
from powernap.schedules._names import WrongError, is_weekday, weekday
from powernap.schedules._options import zone_of
from powernap.schedules._wall import DAY, Wall
from powernap.schedules._wall import weekday as weekday_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.host import Host

EXAMPLE = "Mon-Fri 07:30-18:00"
EVERY_DAY = frozenset(range(7))
TIME = re.compile(r"(\d\d?):(\d\d)", re.ASCII)
LOOSE_TIME = re.compile(r"(\d\d?)(?:[:.hH](\d\d)?)?(?::\d\d)?([AaPp][Mm])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """A window of the week.

    :param days: on which it begins, 0 is Monday. :param times: from and to, in seconds since that day's midnight; up to two days.
    :param zone: empty: none was written. :param text: as written.
    """

    days: frozenset[int]
    times: tuple[tuple[int, int], ...]
    zone: str
    text: str


def parse(text: str) -> Window:
    """The window; :class:`WrongError` says what is wrong, and what to write. Whether its zone exists is asked later."""
    plain = re.sub(r"\s*(?:\u2013|([-,;]))\s*", lambda sign: sign[1] or "-", text).strip()
    words = plain.split()
    try:
        if ";" in plain:
            raise WrongError('";" separates nothing here; write ","')
        if not words:
            raise WrongError(f'it says no days and no times; write, for example, "{EXAMPLE}"')
        days = EVERY_DAY if words[0][0].isdigit() else _days(words.pop(0))
        times = _times(words.pop(0)) if words and words[0][0].isdigit() else ((0, DAY),)
        return Window(days, times, _zone(words), plain)
    except WrongError as error:
        raise WrongError(f'"{plain}": {error}') from None


def _days(word: str) -> frozenset[int]:
    """``Mon-Fri``, ``Sat,Sun``, ``daily``."""
    if word.lower() == "daily":
        return EVERY_DAY
    found: set[int] = set()
    for part in word.replace("..", "-").split(","):
        if not part:
            raise WrongError('there is a comma too many; write days as in "Sat,Sun"')
        first, dash, last = part.partition("-")
        begin, end = weekday(first), weekday(last if dash else first)
        if dash and begin == end:
            raise WrongError(f'"{part}" may be one day or seven; write "{first}" or "daily"')
        found |= {(begin + day) % 7 for day in range((end - begin) % 7 + 1)}
    return frozenset(found)


def _times(word: str) -> tuple[tuple[int, int], ...]:
    """``07:30-12:00,22:00-06:00``."""
    return tuple(_from_to(part) for part in word.split(","))


def _from_to(part: str) -> tuple[int, int]:
    first, dash, last = part.partition("-")
    if not part:
        raise WrongError('there is a comma too many; write times as in "08:00-12:00,13:00-17:00"')
    if is_weekday(first):
        raise WrongError(
            f'"{part}" stands after times; write two windows: ["{EXAMPLE}", "{part.title()} 10:00-12:00"]'
        )
    if not dash:
        raise WrongError(f'"{part}" is one time; write from and to, such as "07:30-18:00"')
    begin, end = _time(first), _time(last)
    if begin == DAY:
        raise WrongError('a window cannot begin at 24:00; write "00:00" and the next day')
    if begin == end:
        raise WrongError(f'"{part}" ends when it begins; write "00:00-24:00" if you mean the whole day')
    return begin, end if end > begin else end + DAY


def _time(word: str) -> int:
    """Seconds since midnight."""
    found = TIME.fullmatch(word)
    if found and (seconds := _seconds(int(found[1]), int(found[2]))) >= 0:
        return seconds
    raise WrongError(f'"{word}" is not a time of day; {_time_meant(word)}')


def _seconds(hour: int, minute: int) -> int:
    """Since midnight; -1 when there is no such time. 24:00 is the end of a day."""
    proper = (hour <= 23 and minute <= 59) or (hour, minute) == (24, 0)
    return hour * 3600 + minute * 60 if proper else -1


def _time_meant(word: str) -> str:
    """What is written by such as "7.30", "18" and "6pm"."""
    found = LOOSE_TIME.fullmatch(word)
    if found:
        hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").lower()
        hour = hour % 12 + 12 * (half == "pm") if half else hour
        if _seconds(hour, minute) >= 0:
            return f'write "{hour:02}:{minute:02}"'
    return 'write hours and minutes, from "00:00" to "24:00"'


def _zone(words: list[str]) -> str:
    """What is left after days and times."""
    if not words:
        return ""
    name, *rest = words
    if name[0].isdigit() or is_weekday(re.split("[-,]", name)[0]) or name.lower() == "daily":
        raise WrongError(f'"{name}" is out of place; write days, joined by commas, then times: "{EXAMPLE}"')
    if rest:
        raise WrongError(f'"{rest[0]}" after the time zone is too much; delete it')
    return name


def wrong(texts: tuple[str, ...]) -> str | None:
    """What is wrong with a list of windows, for an option's check."""
    try:
        for window in map(parse, texts):
            complaint = zones.wrong(window.zone)
            if complaint:
                return f'"{window.text}": {complaint}'
    except WrongError as error:
        return str(error)
    return None


HOW = """\
Days, then times, then a time zone; each may be left out. Several are a list.

  Mon-Fri 07:30-18:00 Europe/Berlin   in office hours on Berlin's clock, wherever the machine is
  Sat,Sun 10:00-12:00,14:00-16:30     twice on each of two days
  daily 22:00-06:00                   over midnight
  Fri 22:00-06:00                     from Friday evening until Saturday morning
  07:30-18:00                         every day
  Sun                                 the whole day
  Fri-Mon                             four whole days"""


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    up: tuple[str, ...] = option(
        (),
        example="Mon-Fri 07:30-18:00 Europe/Berlin",
        check=wrong,
        help="When the machine must be up.",
        how=HOW,
    )
    nap: tuple[str, ...] = option(
        (),
        example="daily 22:00-06:00",
        check=wrong,
        help="When it may nap, at most down to `deepest`; without `deepest` that changes nothing.",
        how=HOW,
    )
    off: tuple[str, ...] = option((), example="Sat,Sun", check=wrong, help="When it must be off.", how=HOW)
    deepest: str = option("", example="ease", help="With `nap`: the deepest stage then; without it, all.")
    zone: str = zone_of("windows that name none")

    def __post_init__(self) -> None:
        if not (self.up or self.nap or self.off):
            raise ValueError(f'it says nothing; write, for example, up = "{EXAMPLE}"')
        if self.deepest and not self.nap:
            raise ValueError(
                '"deepest" says how deep a nap may be, and no nap is given; write nap = "daily 22:00-06:00"'
            )


def _all(options: Options) -> Iterator[tuple[str, Window]]:
    """Each window and what it says."""
    for says, texts in ((UP, options.up), (NAP, options.nap), (OFF, options.off)):
        for text in texts:
            yield says, parse(text)


def probe(host: Host, options: Options) -> Availability:
    """Are its time zones known here?"""
    try:
        count = sum(1 for _ in _all(options))
        named = {window.zone or options.zone for _, window in _all(options)}
        for name in named:
            zones.named(name or "UTC")
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        return unavailable(what, remedy)
    own = zones.local(host.files) if "" in named else None
    shown = sorted(name or (own.name if own else "") for name in named)
    return available(
        f"{many(count, 'window')} in the time of {', '.join(shown)}"
        + (f": {own.reason}" if own and own.reason else "")
    )


def spans(host: Host, options: Options, start: float, end: float, local: tzinfo) -> Iterator[Span]:  # noqa: ARG001 - the contract's
    """Each window on each of its days."""
    walls: dict[str, Wall] = {}
    try:
        for says, window in _all(options):
            name = window.zone or options.zone
            if name not in walls:
                walls[name] = Wall(zones.named(name) if name else local, start, end)
            deepest = options.deepest if says == NAP else ""
            yield from _shown(window, walls[name], says, deepest)
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        raise ScheduleError(what, remedy) from None


def _shown(window: Window, wall: Wall, says: str, deepest: str) -> Iterator[Span]:
    for day in wall.days():
        if weekday_of(day) not in window.days:
            continue
        for begin, end in window.times:
            for since, until in wall.spans(day * DAY + begin, day * DAY + end):
                yield Span(since, until, says, detail=window.text, deepest=deepest)


def watched(options: Options) -> tuple[str, ...]:
    """The rules of its time zones, which a new version of tzdata brings, and which zone is the machine's."""
    named = {window.zone or options.zone for _, window in _all(options)}
    return zones.files_of(named)
