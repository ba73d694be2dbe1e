"""Instants as an admin writes and reads them: ``Sat 22:00``, ``tomorrow 03:00``, ``+3h``. Instants are seconds since the epoch, UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo

from powernap.core.units import UnitError, duration
from powernap.core.value import dataclass

FORMS = 'write, for example, "2026-12-24 03:00", "03:00", "tomorrow 03:00", "Sat 22:00" or "+3h"'
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TIME = re.compile(r"(?:([a-z]+)\s*)??(?:(\d{1,2}):(\d\d)(?::(\d\d))?)?", re.IGNORECASE)
LAST = 253_000_000_000.0
"""Late in the year 9987: ``datetime`` ends with 9999, and some days are added to an instant."""


class TimeError(ValueError):
    """The text is no instant: what is wrong, and what to write."""


@dataclass(frozen=True)
class Instant:
    """:param note: which of two was taken, where the clock on the wall shows that time twice, or never."""

    at: float
    note: str = ""


def instant(text: str, zone: tzinfo, now: float) -> Instant:
    """What is meant. Without a date it is the next one; ``TimeError``."""
    words = " ".join(text.split())
    try:
        found = _instant(words, zone, now)
    except (ValueError, OverflowError) as error:
        reason = f" ({error})" if isinstance(error, UnitError) else ""
        raise TimeError(f'"{text}" is not a time{reason}; {FORMS}') from None
    if not 0 <= found.at < LAST:
        raise TimeError(f'"{text}" is before 1970 or too far ahead; {FORMS}')
    return found


def _instant(words: str, zone: tzinfo, now: float) -> Instant:
    """The same; what it is not is a ``ValueError``."""
    if words.lower() == "now":
        return Instant(now)
    if words.startswith("+"):
        return Instant(now + duration(words[1:]))
    match = TIME.fullmatch(words)
    if match and words:
        return _by_day(match, zone, now)
    day, _, clock = words.partition(" ")
    if clock == "24:00":
        return next(_shown(datetime.fromisoformat(day) + timedelta(days=1), zone))
    found = datetime.fromisoformat(words)
    return next(_shown(found, zone)) if found.tzinfo is None else Instant(found.timestamp())


def _by_day(match: re.Match[str], zone: tzinfo, now: float) -> Instant:
    """``03:00``, ``tomorrow 03:00``, ``Sat``."""
    word, hour, minute, second = match.groups()
    clock = timedelta(hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0))
    if clock > timedelta(days=1) or int(minute or 0) > 59 or int(second or 0) > 59:
        raise ValueError(match[0])
    today = datetime.fromtimestamp(now, zone).date()
    fixed = {"today": 0, "tomorrow": 1}.get((word or "").lower())
    if fixed is not None:
        return next(_shown(_midnight(today + timedelta(days=fixed)) + clock, zone))
    for ahead in range(9):
        day = today + timedelta(days=ahead)
        if word and day.weekday() != _weekday(word):
            continue
        for found in _shown(_midnight(day) + clock, zone):
            if found.at > now:
                return found
    raise ValueError(match[0])


def _weekday(word: str) -> int:
    """0 is Monday; ``ValueError`` for what is no day."""
    named = [number for number, day in enumerate(DAYS) if len(word) > 2 and day.startswith(word.lower())]
    if not named:
        raise ValueError(word)
    return named[0]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _shown(local: datetime, zone: tzinfo) -> Iterator[Instant]:
    """When the clock shows it: once, twice, or never; then the instant at which it would have, had it not jumped (PEP 495)."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = (each.utcoffset() or timedelta() for each in (first, second))
    clock = f"{local:%H:%M}"
    if before == after:
        yield Instant(first.timestamp())
    elif before < after:
        taken = datetime.fromtimestamp(first.timestamp(), zone)
        yield Instant(
            first.timestamp(),
            f"the clock jumps over {clock} on that day; taken as {taken:%H:%M} ({offset(taken)})",
        )
    else:
        yield Instant(
            first.timestamp(),
            f"the clock shows {clock} twice on that day; this is the first ({offset(first)}), "
            f"the second is {second.isoformat(timespec='minutes')}",
        )
        yield Instant(
            second.timestamp(),
            f"the clock shows {clock} twice on that day; this is the second ({offset(second)})",
        )


def offset(local: datetime) -> str:
    """``CEST, +02:00``, or only the offset of a zone whose times have no name."""
    name, east = local.tzname() or "", f"{local:%z}"
    east = f"{east[:3]}:{east[3:5]}"
    return east if name[:1] in {"", "+", "-"} else f"{name}, {east}"


# ---------------------------------------------------------------- shown


def day_start(at: float, zone: tzinfo, days: int = 0) -> float:
    """The first instant of the local day, or of one that many days later."""
    day = datetime.fromtimestamp(at, zone).date() + timedelta(days=days)
    return datetime.combine(day, time(), zone).timestamp()


def iso(at: float, zone: tzinfo) -> str:
    """ISO 8601 with the offset that the zone has then."""
    return datetime.fromtimestamp(at, zone).isoformat(timespec="seconds")


def both(name: str, at: float | None, zone: tzinfo) -> dict[str, float | str | None]:
    """For a document: the instant in seconds, and as text."""
    return {name: at, f"{name}_iso": "" if at is None else iso(at, zone)}


def day(at: float, zone: tzinfo) -> str:
    """``Mon 23 Nov``."""
    return f"{datetime.fromtimestamp(at, zone):%a %d %b}"


def clock(at: float, zone: tzinfo) -> str:
    """``07:30``; with seconds where there are some, and with the offset where the clock shows it twice."""
    local = datetime.fromtimestamp(at, zone)
    text = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    twice = (local.replace(fold=0).utcoffset() or timedelta()) > (
        local.replace(fold=1).utcoffset() or timedelta()
    )
    return f"{text} ({offset(local)})" if twice else text


def full(at: float, zone: tzinfo) -> str:
    """``Mon 23 Nov 07:30``."""
    return f"{day(at, zone)} {clock(at, zone)}"


def until(at: float, since: float, zone: tzinfo) -> str:
    """The end of what began then: without the day where it is the same one."""
    began, ends = (datetime.fromtimestamp(each, zone) for each in (since, at))
    if ends.date() == began.date():
        return clock(at, zone)
    if ends.date() == began.date() + timedelta(days=1) and ends.time() == time():
        return "24:00"
    return full(at, zone)
