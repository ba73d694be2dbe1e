"""The last good copy of each calendar, and since when there has been no newer one.

Owns the files in ``calendars`` of the daemon's state directory, 0700: of each calendar ``KEY.events``, as the reader gave it (a head, a line of JSON for each event in
order of their starts, the calendar's own bytes), and ``KEY.json``, how the latest attempts went. Both are replaced whole. An answer is
taken over line by line and only as what it must be: the reader has no privileges, and what it says is checked as a stranger's.
"""

from __future__ import annotations

import contextlib
import json
import os
from binascii import crc32
from collections.abc import Iterator
from typing import Any, BinaryIO

from powernap.core.value import dataclass
from powernap.host import documents

VERSION = 1
DIRECTORY = "calendars"
HEAD, LINE = 65536, 16384
"""Bytes of the first line and of any other: a title of 200 characters and 16 categories of 50, each up to 12 bytes in JSON."""
EVENTS, SIZE = 20_000, 10 << 20
"""At most so many events, and bytes of the calendar itself."""
LATEST = 3e11
"""Seconds since the epoch that an instant may be away from it: events without an end are written to last until the year 9999."""
PIECE = 65536


class AnswerError(Exception):
    """What the reader said is not what it must say."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a copy holds.

    :param start: and ``end``: the time for which events were worked out.
    :param etag: and ``modified``: what the server said of it.
    :param notes: what an admin should know: events that are left out.
    """

    start: float = 0.0
    end: float = 0.0
    count: int = 0
    size: int = 0
    etag: str = ""
    modified: str = ""
    notes: tuple[str, ...] = ()
    trouble: str = ""
    same: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``start`` and ``end`` are epoch seconds, or text for the wall clock of whoever looks."""

    start: float | str
    end: float | str
    summary: str
    free: bool
    private: bool
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempts:
    """How the latest went. Instants are the wall clock's, 0 for never.

    :param since: of the first that failed without a good one after it; 0 while all is well. :param fails: how many that were.
    :param origin: of a file: what it was when it was read, so that a change is seen.
    """

    tried: float = 0.0
    good: float = 0.0
    since: float = 0.0
    fails: int = 0
    reason: str = ""
    origin: str = ""


def key(*parts: str) -> str:
    """A file's name of a source, which may hold a secret. (Not by hashlib: OpenSSL weighs 3.5 MiB in the daemon.)"""
    text = "\n".join(parts).encode()
    return f"{crc32(text):08x}{crc32(text[::-1]):08x}{len(text):x}"


def attempts(state: str, name: str) -> Attempts:
    """As they were remembered; none where there is nothing or nonsense."""
    try:
        with open(_path(state, name, "json"), encoding="utf-8") as file:
            held = json.load(file)
        if held.pop("version") != VERSION:
            return Attempts()
        kinds = {"tried": float, "good": float, "since": float, "fails": int, "reason": str, "origin": str}
        return Attempts(**{word: kind(held[word]) for word, kind in kinds.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Attempts()


def remember(state: str, name: str, made: Attempts) -> None:
    """``OSError`` where it cannot be written."""
    document = {
        "tried": made.tried,
        "good": made.good,
        "since": made.since,
        "fails": made.fails,
        "reason": made.reason,
        "origin": made.origin,
    }
    make(state)
    documents.replace(_path(state, name, "json"), {"version": VERSION, **document}, 0o600)


def make(state: str) -> None:
    """The directory, for root alone."""
    os.makedirs(os.path.join(state, DIRECTORY), mode=0o700, exist_ok=True)


def _path(state: str, name: str, kind: str) -> str:
    return os.path.join(state, DIRECTORY, f"{name}.{kind}")


# --- reading


def head(state: str, name: str) -> Head | None:
    """Of the copy; ``None`` where there is none."""
    try:
        with open(_path(state, name, "events"), "rb") as file:
            return parse_head(file.readline(HEAD))
    except (OSError, AnswerError):
        return None


def events(state: str, name: str) -> Iterator[Event]:
    """Of the copy, in order of their starts; ``OSError`` and :class:`AnswerError` where it cannot be read."""
    with open(_path(state, name, "events"), "rb") as file:
        for _ in range(parse_head(file.readline(HEAD)).count):
            yield parse_event(file.readline(LINE))


@contextlib.contextmanager
def original(state: str, name: str) -> Iterator[BinaryIO]:
    """The calendar itself, as it was read."""
    with open(_path(state, name, "events"), "rb") as file:
        for _ in range(parse_head(file.readline(HEAD)).count):
            file.readline(LINE)
        yield file


def parse_head(line: bytes) -> Head:
    """The first line of an answer or a copy; :class:`AnswerError`."""
    try:
        held = json.loads(line)
        if held["version"] != VERSION:
            raise AnswerError("the reader is of another version")
        return Head(
            start=_instant(held.get("start", 0.0)),
            end=_instant(held.get("end", 0.0)),
            count=_number(held["count"], EVENTS),
            size=_number(held["size"], SIZE),
            etag=_words(held.get("etag", ""), 1000),
            modified=_words(held.get("modified", ""), 100),
            notes=tuple(_words(note, 1000) for note in held.get("notes", [])[:20]),
            trouble=_words(held.get("trouble", ""), 1000),
            same=held.get("same") is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise AnswerError("the reader's answer is not understood") from None


def parse_event(line: bytes) -> Event:
    """Any other line; :class:`AnswerError`."""
    try:
        held = json.loads(line)
        return Event(
            _when(held["start"]),
            _when(held["end"]),
            _words(held["summary"], 300),
            held["free"] is True,
            held["private"] is True,
            tuple(_words(name, 300) for name in held["categories"][:16]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise AnswerError("the reader's answer is not understood") from None


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError
    return value


def _instant(value: Any) -> float:
    if type(value) not in {int, float} or not abs(value) <= LATEST:
        raise ValueError
    return float(value)


def _when(value: Any) -> float | str:
    """Epoch seconds, or the time on a wall: ``2026-11-23T09:00:00``."""
    if not isinstance(value, str):
        return _instant(value)
    from datetime import datetime  # noqa: PLC0415 - most events have an instant

    if datetime.fromisoformat(value).tzinfo is not None or len(value) != 19:
        raise ValueError
    return value


def _words(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise ValueError
    return value


# --- writing


def keep(state: str, name: str, answer: BinaryIO) -> Head:
    """Make an answer the last good copy; :class:`AnswerError` and ``OSError`` leave the old one.

    What has been checked is what is written: the reader may still hold its end of the answer open.
    """
    make(state)
    path = _path(state, name, "events")
    fresh = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            found = _copy(answer, file)
            file.flush()
            os.fsync(fd)
        os.replace(fresh, path)
        _settle(os.path.dirname(path))
        return found
    except (OSError, AnswerError):
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def _copy(answer: BinaryIO, file: BinaryIO) -> Head:
    line = answer.readline(HEAD)
    found = parse_head(line)
    file.write(line)
    for _ in range(found.count):
        line = answer.readline(LINE)
        parse_event(line)
        file.write(line)
    rest = found.size
    while rest and (piece := answer.read(min(PIECE, rest))):
        file.write(piece)
        rest -= len(piece)
    if rest or answer.read(1):
        raise AnswerError("the reader's answer is cut off")
    return found


def _settle(directory: str) -> None:
    """The new name is on the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
