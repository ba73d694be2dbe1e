"""A calendar: a file or an address in iCalendar format (RFC 5545), as calendar programs publish it.

Each event says what ``means`` says, from its start to its end; recurrences, their exceptions, moved and cancelled ones are as those programs show
them, tasks do not count. Whole days and times without a zone are in the section's ``zone``, else in the machine's own.
A calendar is read by a process of its own without privileges (:mod:`powernap.host.calendar_reader`), at the latest every ``every``; what it
came to is kept for 400 days ahead. When it cannot be had or is broken, the last good copy stands, and it is said since when.

Here nothing is parsed, and :func:`spans` reads nothing but that copy. Who owns the daemon's time calls :func:`refresh` whenever :func:`due` says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import DAYS, NAP, OFF, UP, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import calendars, zones
from powernap.host.availability import Availability, available, unavailable
from powernap.host.inotify import on_disk
from powernap.schedules import Doubt, ScheduleError, _ical_source, named
from powernap.schedules._ical_source import INSTALL, is_file, is_open, key, remedy, shown
from powernap.schedules._ical_upkeep import State, due, origin, refresh, state
from powernap.schedules._options import check_deepest, deepening, zone_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.calendars import Event
    from powernap.host.host import Host

DAY = 86400.0
__all__ = [
    "Options",
    "State",
    "doubts",
    "due",
    "key",
    "origin",
    "probe",
    "refresh",
    "shown",
    "spans",
    "state",
    "watched",
]

LIBRARIES = ("icalendar", "recurring_ical_events")


@dataclass(frozen=True)
class Options:
    """Where the calendar is, and what it says."""

    source: str = option(
        help="The calendar: the path of an .ics file, or its address (https, webcal).",
        example="https://cloud.example.org/remote.php/dav/public-calendars/abc?export",
        check=_ical_source.wrong,
    )
    means: str = option(
        UP,
        choices=(UP, NAP, OFF, DAYS),
        help="What an event says: the machine must be up, may nap, must be off, or nothing but that this is one of the days that others name.",
    )
    deepest: str = deepening()
    only: str = option(
        "", unit="regex", example="^Servers?:", help="Only events with this in their titles; without it, all."
    )
    categories: tuple[str, ...] = option(
        (), example='["Servers"]', help="Only events in one of these categories; without it, all."
    )
    transparent: bool = option(
        True,
        help="Whether events that are shown as free, as holidays mostly are, count too.",
        example="false",
    )
    zone: str = zone_of("whole days and of times that name none")
    every: float = option(
        3600.0, unit="duration", example="6h", help="How often an address is asked for a newer one."
    )
    secret_file: str = option(
        "",
        unit="path",
        example="/etc/powernap/calendar.secret",
        help="User, password or private address, as lines of `name = value`; mode 0600.",
    )
    cacert: str = option(
        "",
        unit="path",
        example="/etc/ssl/certs/company.pem",
        help="Certificates that the server's is checked against; without it, the system's.",
    )

    def __post_init__(self) -> None:
        check_deepest(self.means, self.deepest)
        if is_file(self.source) and (self.secret_file or self.cacert):
            raise ValueError("a file needs no secret_file and no cacert; leave them out")
        if self.means != UP and is_open(self.source):
            raise ValueError(
                'whoever is between here and that server could switch this machine off; write https://, or means = "up"'
            )
        if self.every < 60:
            raise ValueError('no server is asked more than once a minute; write every = "1min" or more')


def probe(host: Host, options: Options) -> Availability:
    """Whether it could be read here; it is not."""
    from importlib.machinery import PathFinder  # noqa: PLC0415 - it looks, and imports nothing

    if not host.live:
        return unavailable("a recorded machine reads no calendars")
    missing = [name for name in LIBRARIES if PathFinder.find_spec(name) is None]
    if missing:
        return unavailable(f"the library {missing[0].replace('_', '-')} is not installed", INSTALL)
    return _source(host, options)


def _source(host: Host, options: Options) -> Availability:
    """Whether there is something to read, now or from before."""
    try:
        if not is_file(options.source):
            _ical_source.wanted(options, None, 0.0)
    except ScheduleError as error:
        return unavailable(error.reason, error.remedy)
    copied = bool(host.state) and calendars.head(host.state, key(options)) is not None
    if is_file(options.source) and not copied and not os.path.isfile(on_disk(host.files, options.source)):
        return unavailable(f"{options.source} is not there", "export the calendar to it, or correct its path")
    return available(shown(options))


def watched(options: Options) -> tuple[str, ...]:
    """The file; and the rules of the time zone."""
    own = (options.source,) if is_file(options.source) else ()
    return own + zones.files_of({options.zone})


def doubts(host: Host, options: Options) -> Iterator[Doubt]:
    """Titles and categories that no event of the copy has."""
    try:
        known = bool(host.state) and calendars.head(host.state, key(options)) is not None
        events = list(calendars.events(host.state, key(options))) if known else []
    except (OSError, calendars.AnswerError):
        return  # who asks what it says is told
    count = many(len(events), "event")
    if events and not any(re.search(options.only, event.summary) for event in events):
        what = f'of its {count} none has "{options.only}" in the title'
        yield Doubt("only", what, "correct it, or leave it out to take all")
    there = {name.casefold(): name for event in events for name in event.categories}
    for name in options.categories:
        if events and name.casefold() not in there:
            those = f"there are {named(sorted(there.values()))}" if there else "none of them is in one"
            yield Doubt("categories", f'of its {count} none is in the category "{name}"', those)


# --- what it says


def spans(host: Host, options: Options, start: float, end: float, local: tzinfo) -> Iterator[Span]:
    """Its events in that time, from the last good copy; ``ScheduleError`` where there is none, or none that reaches so far ahead."""
    head = calendars.head(host.state, key(options)) if host.state else None
    if head is None:
        raise _never(host, options)
    if start >= head.end:
        raise ScheduleError(
            f"{shown(options)}: the last good copy is too old to tell", state(host, options).reason
        )
    try:
        zone = zones.named(options.zone) if options.zone else local
        yield from _spans(calendars.events(host.state, key(options)), options, start, end, zone)
    except (OSError, calendars.AnswerError, ValueError) as error:
        raise ScheduleError(f"{shown(options)}: its copy cannot be read ({error})") from None


def _never(host: Host, options: Options) -> ScheduleError:
    made = calendars.attempts(host.state, key(options)) if host.state else calendars.Attempts()
    if not host.state:
        return ScheduleError(f"{shown(options)}: there is no directory in which a copy could be kept")
    kept = os.path.join(host.state, calendars.DIRECTORY)
    if os.path.isdir(kept) and not os.access(kept, os.R_OK | os.X_OK):
        return ScheduleError(f"{shown(options)}: its copy cannot be read (Permission denied)", "run as root")
    if not made.reason:
        return ScheduleError(f"{shown(options)} has not been read yet", soon=True)
    return ScheduleError(f"{shown(options)} could never be read: {made.reason}", remedy(made.reason))


def _spans(
    events: Iterator[Event], options: Options, start: float, end: float, zone: tzinfo
) -> Iterator[Span]:
    only = re.compile(options.only)
    named = {name.casefold() for name in options.categories}
    for event in events:
        if _rough(event.start) - DAY >= end:
            return
        since, until = _edges(event, zone)
        if since >= end or until <= start:
            continue
        if event.free and not options.transparent:
            continue
        if named and named.isdisjoint(name.casefold() for name in event.categories):
            continue
        if only.search(event.summary):
            detail = "a private event" if event.private else event.summary or "an event without a title"
            yield Span(since, until, options.means, detail=detail, deepest=options.deepest)


def _edges(event: Event, zone: tzinfo) -> tuple[float, float]:
    """Where the clock leaves out its start, or both, it is as long as it would have been."""
    since, until = _instant(event.start, zone), _instant(event.end, zone)
    if until > since:
        return since, until
    return since, since + max(60.0, _rough(event.end) - _rough(event.start))


def _instant(when: float | str, zone: tzinfo) -> float:
    """A time that the clock leaves out is as far after the jump as it would have been; of one that it shows twice the first (RFC 5545, 3.3.5)."""
    if isinstance(when, float):
        return when
    from datetime import datetime  # noqa: PLC0415

    return datetime.fromisoformat(when).replace(tzinfo=zone).timestamp()


def _rough(when: float | str) -> float:
    """As the copy is ordered: within a day of the instant, whichever the zone."""
    from datetime import UTC  # noqa: PLC0415

    return _instant(when, UTC)
