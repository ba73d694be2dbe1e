"""A calendar kept up to date: read when it is due, and the last good copy kept while that fails.

Owns when and in which order. What is read and how is the reader's, what is kept and how :mod:`powernap.host.calendars`'.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, BinaryIO

from powernap.core.value import dataclass
from powernap.host import calendars, regular_file
from powernap.host.inotify import on_disk
from powernap.schedules import ScheduleError
from powernap.schedules._ical_source import is_file, key, remedy, shown, wanted

if TYPE_CHECKING:
    from powernap.host.calendars import Attempts, Head
    from powernap.host.host import Host
    from powernap.schedules.ical import Options

DAY = 86400.0
BEHIND, AHEAD, RENEWED = 31 * DAY, 400 * DAY, 7 * DAY
"""Seconds for which events are worked out, and after which that is done again although the calendar is the same."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0
"""Seconds after a failure, doubled with each further one."""


@dataclass(frozen=True, slots=True)
class State:
    """How up to date it is. Instants are the wall clock's, 0 for never.

    :param good: when it was last found good. :param since: since when it has been failing, 0 while it is not; ``reason``: why.
    :param notes: events that are left out, or taken otherwise than they are written.
    """

    good: float = 0.0
    since: float = 0.0
    reason: str = ""
    notes: tuple[str, ...] = ()


def state(host: Host, options: Options) -> State:
    """Whether it is up to date, and if not, since when and why."""
    if not host.state:
        return State()
    made = calendars.attempts(host.state, key(options))
    head = calendars.head(host.state, key(options))
    reason = "; ".join(filter(None, (made.reason, remedy(made.reason))))
    reason = f"{shown(options)}: {reason}" if reason else ""
    return State(made.good, made.since, reason, head.notes if head else ())


# --- keeping it up to date

_reading: dict[str, threading.Lock] = {}
"""Two schedules may share a calendar; one whose server is gone holds up no other."""
_started: dict[str, float] = {}
"""When each was read last, on ``CLOCK_BOOTTIME``: a file that changes all the time, or a disk that keeps nothing, is no reason to read without end."""


def due(host: Host, options: Options) -> float:
    """Seconds until :func:`refresh` should be called; 0: now. Ask again when it was, or when one of ``watched`` changed."""
    if not host.state:
        return inf
    wait = _wait(host, options, calendars.attempts(host.state, key(options)))
    floor = _started.get(key(options), -inf) + FIRST_PAUSE - host.clock.boottime()
    return max(0.0, wait, floor)


def _wait(host: Host, options: Options, made: Attempts) -> float:
    """The same, but for what may not be more often."""
    now, head = host.clock.wall(), calendars.head(host.state, key(options))
    if made.tried <= 0 or made.tried > now or (head is None and made.since <= 0):
        return 0.0
    if is_file(options.source) and origin(host, options) != made.origin:
        return 0.0
    if made.since > 0:
        return made.tried + min(FIRST_PAUSE * 2.0 ** min(made.fails - 1, 20), LONGEST_PAUSE) - now
    renewal = head.end - AHEAD + RENEWED - now if head else 0.0
    return renewal if is_file(options.source) else min(renewal, made.tried + options.every - now)


def refresh(host: Host, options: Options) -> State:
    """Read it again, and keep what came of it. Blocks for up to some minutes: not for the loop's thread. Never raises."""
    if not host.state:
        return State(reason=f"{shown(options)}: there is no directory in which a copy could be kept")
    with _reading.setdefault(key(options), threading.Lock()):
        _started[key(options)] = host.clock.boottime()
        before = calendars.attempts(host.state, key(options))
        now = host.clock.wall()
        was = origin(host, options) if is_file(options.source) else ""
        try:
            reason = _read(host, options, now)
        except (OSError, UnicodeError) as error:
            reason = f"it cannot be kept: {getattr(error, 'strerror', None) or error}"
        made = _made(before, now, was, reason)
        try:
            calendars.remember(host.state, key(options), made)
        except OSError as error:
            return State(
                made.good, made.since or now, f"{shown(options)}: it cannot be kept: {error.strerror}"
            )
    return state(host, options)


def _made(before: Attempts, now: float, was: str, reason: str) -> Attempts:
    if not reason:
        return calendars.Attempts(tried=now, good=now, origin=was)
    since = before.since if 0 < before.since <= now else now
    return calendars.Attempts(
        tried=now, good=before.good, since=since, fails=before.fails + 1, reason=reason, origin=was
    )


def origin(host: Host, options: Options) -> str:
    """What a file is now: a change of it is seen, also one that another file was put in its place."""
    try:
        found = os.stat(on_disk(host.files, options.source))
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def _read(host: Host, options: Options, now: float) -> str:
    """Why there is no new copy; empty where there is one, or the old one is the newest."""
    from powernap.host.calendar_reader import ReaderError  # noqa: PLC0415 - its subprocess is needed once an hour

    head = calendars.head(host.state, key(options))
    reason = ""
    for attempt in (_take, _renew):
        try:
            reason = attempt(host, options, now, head) or reason
        except (ScheduleError, ReaderError, calendars.AnswerError) as error:
            reason = reason or str(error)
    return reason


def _take(host: Host, options: Options, now: float, head: Head | None) -> str:
    """Of the source."""
    from powernap.host import calendar_reader  # noqa: PLC0415

    if not is_file(options.source):
        request = {"fetch": wanted(options, head, calendar_reader.NETWORK)}
        return _keep(host, options, calendar_reader.read(_range(now, request)))
    try:
        file = regular_file.opened(on_disk(host.files, options.source))
    except OSError as error:
        if error.strerror == regular_file.NO_FILE:
            return error.strerror
        return f"it cannot be opened: {error.strerror}"
    with file:
        try:
            return _keep(host, options, calendar_reader.read(_range(now, {}), file))
        except OSError as error:
            return f"it cannot be kept: {error.strerror}"


def _renew(host: Host, options: Options, now: float, head: Head | None) -> str:
    """Work out further ahead what is there, although it is the same or nothing newer can be had."""
    from powernap.host import calendar_reader  # noqa: PLC0415

    found = calendars.head(host.state, key(options))
    if head is None or found is None or now < found.end - AHEAD + RENEWED:
        return ""
    request = {"etag": head.etag, "modified": head.modified}
    with calendars.original(host.state, key(options)) as file:
        return _keep(host, options, calendar_reader.read(_range(now, request), file))


def _range(now: float, request: Mapping[str, object]) -> dict[str, object]:
    return {"start": now - BEHIND, "end": now + AHEAD, **request}


def _keep(host: Host, options: Options, answer: BinaryIO) -> str:
    with answer:
        head = calendars.parse_head(answer.readline(calendars.HEAD))
        if head.trouble or head.same:
            return head.trouble
        answer.seek(0)
        calendars.keep(host.state, key(options), answer)
        return ""
