"""Instants as an admin writes and reads them: ``Sat 22:00``, ``12-24 03:00``, ``+3h``. Instants are seconds since the epoch, UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo

from powernap.config.problems import nearest
from powernap.core.units import UnitError, duration
from powernap.core.value import dataclass
from powernap.host import zones

FORMS = (
    'write, for example, "2026-12-24 03:00", "12-24 03:00", "03:00", "tomorrow 03:00", "Sat 22:00" or "+3h"; '
    "a time zone may follow"
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FIXED = {"today": 0, "tomorrow": 1}
ISO = re.compile(r"\d{4}-\d\d-\d\d(T| \d\d:\d\d.*(Z|[+-]\d\d))", re.IGNORECASE)
"""With the letter between, or with an offset behind."""
DATE = re.compile(r"(?:(\d{4})-)?(\d{1,2})-(\d{1,2})", re.ASCII)
CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
LAST = 253_000_000_000.0
"""Late in the year 9987: ``datetime`` ends with 9999, and some days are added to an instant."""
FAR = 183 * 86400.0
"""Seconds from which on a day is shown with its year."""


class TimeError(ValueError):
    """The text is no instant: what is wrong, and what to write."""


class _CauseError(ValueError):
    """Which part of it is none: "why; what to write", the latter only where that is known better than in general."""


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
    except (_CauseError, UnitError, zones.ZoneError) as error:
        cause, _, remedy = str(error).partition("; ")
        raise TimeError(f'"{text}" is not a time: {cause}; {remedy or FORMS}') from None
    except (ValueError, OverflowError):
        raise TimeError(f'"{text}" is not a time; {FORMS}') from None
    if not 0 <= found.at < LAST:
        raise TimeError(f'"{text}" is before 1970 or too far ahead; {FORMS}')
    return found


def _instant(words: str, zone: tzinfo, now: float) -> Instant:
    """The same; what it is not is a ``ValueError``."""
    if words.lower() == "now":
        return Instant(now)
    if words.startswith("+"):
        return Instant(now + duration(words[1:]))
    if ISO.match(words):
        found = datetime.fromisoformat(words)
        return next(_shown(found, zone)) if found.tzinfo is None else Instant(found.timestamp())
    parts = words.split()
    if len(parts) > 1 and parts[-1][0].isalpha() and not _is_day(parts[-1]):
        zone = _zone(parts.pop())
    clocks = [part for part in parts if CLOCK.fullmatch(part)]
    others = [part for part in parts if part not in clocks]
    today = datetime.fromtimestamp(now, zone).date()
    days = _days(others[0] if others else "", today)
    if len(others) > 1 or len(clocks) > 1 or not parts:
        more = [*others[1:], *clocks[1:]]
        raise _CauseError(f'"{more[0]}" is no time of day') if more else ValueError(words)
    clock = _clock(clocks[0] if clocks else "0:00")
    return _first([_midnight(day) + clock for day in days], zone, now)


def _zone(name: str) -> tzinfo:
    if name.lower() in {"am", "pm"}:
        raise _CauseError(f'hours go to 24 and know no "{name}"; write, for example, "15:00"')
    return zones.named(name)


def _first(found: list[datetime], zone: tzinfo, now: float) -> Instant:
    """The next one; where only one day is meant, that one, also if it is over."""
    if len(found) == 1:
        return next(_shown(found[0], zone))
    coming = (each for local in found for each in _shown(local, zone) if each.at > now)
    return next(coming)


def _clock(text: str) -> timedelta:
    """Since midnight; 24:00 is the end of a day."""
    hour, minute, second = (int(part) for part in (*text.split(":"), "0")[:3])
    since = timedelta(hours=hour, minutes=minute, seconds=second)
    if since > timedelta(days=1) or minute > 59 or second > 59:
        raise _CauseError(f'there is no "{text}"; write a time from "00:00" to "24:00"')
    return since


def _is_day(word: str) -> bool:
    return word.lower() in FIXED or _weekday(word) is not None


def _days(word: str, today: date) -> list[date]:
    """Those that a word can mean, in order: one, or several of which the next is meant."""
    if found := DATE.fullmatch(word):
        return _dates(word, *found.groups(), today=today)
    if word.lower() in FIXED:
        return [today + timedelta(days=FIXED[word.lower()])]
    number = _weekday(word) if word else None
    if word and number is None:
        near = nearest(word, [*FIXED, *(day.title() for day in DAYS), *(day[:3].title() for day in DAYS)])
        raise _CauseError(f'"{word}" is no day' + (f'; did you mean "{near}"?' if near else ""))
    coming = [today + timedelta(days=ahead) for ahead in range(9)]
    return [day for day in coming if number is None or day.weekday() == number]


def _dates(word: str, year: str | None, month: str, of_month: str, *, today: date) -> list[date]:
    """A date; without a year those of the coming ones, as far as they have it: a 29th of February may be eight years away."""
    years = [int(year)] if year else range(today.year, today.year + 9)
    found = [each for one in years if (each := _date(one, int(month), int(of_month)))]
    if found:
        return found
    turned = int(month) > 12 and _date(2000, int(of_month), int(month)) is not None
    before = f"{year}-" if year else ""
    meant = f'; the month comes first: "{before}{int(of_month):02}-{int(month):02}"' if turned else ""
    raise _CauseError(f'there is no day "{word}"{meant}')


def _date(year: int, month: int, of_month: int) -> date | None:
    try:
        return date(year, month, of_month)
    except ValueError:
        return None


def _weekday(word: str) -> int | None:
    """0 is Monday; ``None`` for what is no day."""
    named = [number for number, day in enumerate(DAYS) if len(word) > 2 and day.startswith(word.lower())]
    return named[0] if named else None


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


def day(at: float, zone: tzinfo, now: float | None = None) -> str:
    """``Mon 23 Nov``; with the year where that is far from now."""
    far = now is not None and abs(at - now) > FAR
    return f"{datetime.fromtimestamp(at, zone):{'%a %d %b %Y' if far else '%a %d %b'}}"


def clock(at: float, zone: tzinfo) -> str:
    """``07:30``; with seconds where there are some, and with the offset where the clock shows it twice."""
    local = datetime.fromtimestamp(at, zone)
    text = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    twice = (local.replace(fold=0).utcoffset() or timedelta()) > (
        local.replace(fold=1).utcoffset() or timedelta()
    )
    return f"{text} ({offset(local)})" if twice else text


def full(at: float, zone: tzinfo, now: float | None = None) -> str:
    """``Mon 23 Nov 07:30``; with the year where that is far from now."""
    return f"{day(at, zone, now)} {clock(at, zone)}"


def until(at: float, since: float, zone: tzinfo, now: float | None = None) -> str:
    """The end of what began then: without the day where it is the same one."""
    began, ends = (datetime.fromtimestamp(each, zone) for each in (since, at))
    if ends.date() == began.date():
        return clock(at, zone)
    if ends.date() == began.date() + timedelta(days=1) and ends.time() == time():
        return "24:00"
    return full(at, zone, now)
