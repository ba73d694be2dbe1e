"""A calendar's bytes made into the events of a range of time: recurrences worked out, single exceptions applied, zones resolved.

The rules are RFC 5545's, as ``icalendar`` and ``recurring-ical-events`` carry them out. Owns what those leave open: which components count, what cannot be
read, where it stops. What has an instant of its own becomes seconds since the epoch; what is meant by the wall clock of whoever looks
(floating times, whole days) stays text, ``2026-11-23T09:00:00``, and is resolved by who knows that zone.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from icalendar import Calendar, Component, vDDDTypes
from recurring_ical_events import CalendarQuery  # type: ignore[import-untyped]

from powernap.ical.bounds import TooMuchError

EVENTS = 20_000
"""Events within the range: fifty a day."""
STEPS = 200_000
"""Dates of one rule since it began: hourly for twenty years has 175,000."""
DAY = dt.timedelta(days=1)
WORDS, NAME, NAMES, NOTES = 200, 50, 16, 20
"""Characters of a title and of a category that are kept, categories of an event, and notes of a calendar."""


class CalendarError(Exception):
    """These bytes are no calendar; the message says what they are instead, and quotes nothing of them."""


@dataclass(frozen=True)
class Event:
    """One occurrence, from ``start`` until before ``end``: epoch seconds, or text for the wall clock of whoever looks."""

    start: float | str
    end: float | str
    summary: str = ""
    free: bool = False
    private: bool = False
    categories: tuple[str, ...] = ()


@dataclass
class Expansion:
    """The events in order of their starts, and what an admin should know of the others."""

    events: list[Event] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def expand(content: bytes, start: float, end: float) -> Expansion:
    """The events that touch the time between two instants, a day more on either side.

    ``CalendarError`` where it is none; ``TooMuchError`` where it holds more than anybody would want.
    """
    since = dt.datetime.fromtimestamp(start, dt.UTC) - DAY
    until = dt.datetime.fromtimestamp(end, dt.UTC) + DAY
    with warnings.catch_warnings(action="ignore"):  # a guessed zone is one more way to write a known one
        return _expand(parse(content), since, until)


def _expand(calendars: Iterable[Component], since: dt.datetime, until: dt.datetime) -> Expansion:
    found = Expansion()
    for series in gather(calendars):
        events: list[Event] = []
        try:
            for occurrence in occurrences(series, since, until):
                events.append(occurrence)
                if len(found.events) + len(events) > EVENTS:
                    raise TooMuchError(f"more than {EVENTS} events within {(until - since).days} days")
            found.notes += remarks(series)
            found.events += events
        except TooMuchError as error:
            raise TooMuchError(f"{title(series[0])}: {error}") from None
        except MemoryError:
            raise
        except Exception as error:  # what a library stumbles over in one event says nothing of others
            found.notes.append(f"{title(series[0])} is left out: {why(error)}")
    found.notes = found.notes[:NOTES]
    found.events.sort(key=place)
    return found


def parse(content: bytes) -> list[Component]:
    """The calendars in a stream (RFC 5545, 3.4); ``CalendarError`` where it holds none or is cut off."""
    head, tail = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n"), content[-200:].rstrip()
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise CalendarError("it is written in UTF-16; calendars are UTF-8 (RFC 5545, 3.1.4)")
    if not head.upper().startswith(b"BEGIN:VCALENDAR"):
        raise CalendarError(
            "it is a web page, no calendar"
            if head.startswith(b"<")
            else "it does not begin with BEGIN:VCALENDAR"
        )
    if not tail.upper().endswith(b"END:VCALENDAR"):
        raise CalendarError("it is cut off: END:VCALENDAR is missing at its end")
    try:
        found = Calendar.from_ical(content, multiple=True)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        if isinstance(error.__cause__, MemoryError):  # icalendar takes it for a fault of the text
            raise MemoryError from None  # noqa: TRY004 - it is one
        raise CalendarError(f"it is damaged ({type(error).__name__})") from None
    except RecursionError:
        raise CalendarError("its parts are nested too deeply") from None
    if not found or any(each.name != "VCALENDAR" for each in found):
        raise CalendarError("it is damaged: a part of it has no end")
    return list(found)


def gather(calendars: Iterable[Component]) -> list[list[Component]]:
    """Events that belong together: a series and its exceptions share a UID (RFC 5545, 3.8.4.7). Tasks, journals and busy times are no events."""
    series: dict[str, list[Component]] = {}
    for number, calendar in enumerate(calendars):
        for place_of, event in enumerate(each for each in calendar.subcomponents if each.name == "VEVENT"):
            series.setdefault(str(event.get("UID") or f"\n{number} {place_of}"), []).append(event)
    return list(series.values())


def occurrences(series: list[Component], since: dt.datetime, until: dt.datetime) -> Iterator[Event]:
    """What of a series touches that time and is not cancelled."""
    calendar = Calendar()
    for event in series:
        shorten(event, until)
        calendar.add_component(event)
    for each in CalendarQuery(calendar).series:
        for rule in each.recurrence.rrules if each.recurrence.has_core else ():
            count(rule, until)
        for occurrence in each.between(since, until):
            event = occurrence.as_component(keep_recurrence_attributes=True)
            if str(event.get("STATUS", "")).upper() != "CANCELLED":
                yield described(event, occurrence.start, occurrence.end)


def shorten(event: Component, until: dt.datetime) -> None:
    """An event that lasts "for ever", until the year 9999, ends long after the range: with its true length the library leaves what a date can be."""
    end = getattr(event.get("DTEND"), "dt", None)
    if isinstance(end, dt.date) and end.year > until.year + 1:
        event["DTEND"] = vDDDTypes(end.replace(year=until.year + 1, day=min(end.day, 28)))


def count(rule: Iterable[dt.datetime], until: dt.datetime) -> None:
    """``TooMuchError`` for a rule of more dates than any calendar program makes; they are remembered, so this is no second work."""
    last = until.replace(tzinfo=None) + DAY
    for steps, date in enumerate(rule):
        if date.replace(tzinfo=None) > last:
            return
        if steps >= STEPS:
            raise TooMuchError(f"it repeats more than {STEPS} times")


def described(event: Component, start: dt.date, end: dt.date) -> Event:
    """As it is told."""
    since, until = both(start, end)
    return Event(
        instant(since),
        instant(until),
        clean(str(event.get("SUMMARY", ""))),
        str(event.get("TRANSP", "")).upper() == "TRANSPARENT",
        str(event.get("CLASS", "")).upper() in {"PRIVATE", "CONFIDENTIAL"},
        names(event.get("CATEGORIES")),
    )


def both(start: dt.date, end: dt.date) -> tuple[dt.date, dt.date]:
    """The edges of an occurrence that are told. It ends at the same time on the clock as the first of its series, so a night in which clocks change is
    an hour shorter or longer. Where the clock leaves its start out, it is later by as much, all of it. One that ends as it begins is an instant: it
    counts for a minute.
    """
    if not isinstance(start, dt.datetime):
        return start, end if end > start else start + DAY
    if not isinstance(end, dt.datetime):
        end = dt.datetime.combine(end, dt.time(), start.tzinfo)
    if start.tzinfo and end.tzinfo:
        shown = start.astimezone(dt.UTC).astimezone(start.tzinfo)
        if shown.replace(tzinfo=None) != start.replace(tzinfo=None):
            start, end = shown, shown + (end - start)
    return start, end if end > start else start + dt.timedelta(minutes=1)


def instant(when: dt.date) -> float | str:
    """Epoch seconds; text where it has no zone."""
    if not isinstance(when, dt.datetime):
        return f"{when.isoformat()}T00:00:00"
    return when.timestamp() if when.tzinfo else when.replace(microsecond=0).isoformat()


def place(event: Event) -> float:
    """Where it stands in the order: wall clocks as if they were at Greenwich."""
    return rough(event.start)


def rough(when: float | str) -> float:
    """Within a day of the instant, whichever zone the wall clock is in."""
    return when if isinstance(when, float) else dt.datetime.fromisoformat(f"{when}+00:00").timestamp()


def names(value: Any) -> tuple[str, ...]:
    """Of one line of categories, or of several."""
    lines = value if isinstance(value, list) else [value] if value is not None else []
    return tuple(clean(str(name), NAME) for line in lines for name in getattr(line, "cats", [line]))[:NAMES]


def clean(text: str, most: int = WORDS) -> str:
    """On one line, without control characters, not too long."""
    shown = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * most]).split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def title(event: Component) -> str:
    """An event by its name, for a message."""
    private = str(event.get("CLASS", "")).upper() in {"PRIVATE", "CONFIDENTIAL"}
    return (
        "a private event"
        if private
        else f'"{clean(str(event.get("SUMMARY", ""))) or "an event without a title"}"'
    )


def remarks(series: Iterable[Component]) -> list[str]:
    """Events whose zone nobody knows: their times are taken as the machine's own."""
    found = []
    for event in series:
        start = event.get("DTSTART")
        zone = getattr(start, "params", {}).get("TZID", "")
        when = getattr(start, "dt", None)
        if zone and isinstance(when, dt.datetime) and when.tzinfo is None:
            name = clean(str(zone))
            found.append(f'{title(event)}: nobody knows the time zone "{name}"; the local one is taken')
    return found


def why(error: Exception) -> str:
    """Which part of an event could not be read; nothing of what stood there is quoted."""
    if isinstance(error, KeyError):
        return f"it has no {clean(str(error.args[0]))}" if error.args else "something is missing in it"
    return f"its times or its rule cannot be read ({type(error).__name__})"
