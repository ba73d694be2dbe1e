"""Calendars for tests: those in data/calendars, with what they come to written out by hand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from powernap.host.host import Host
from powernap.ical.__main__ import answer
from powernap.schedules._ical_upkeep import AHEAD, BEHIND, _keep
from powernap.schedules.ical import Options

DATA = Path(__file__).parent / "data" / "calendars"
PROGRAMS = sorted(path.stem for path in DATA.glob("*.ics"))


@dataclass(frozen=True)
class Expected:
    """What a calendar comes to between two instants on a machine in a zone: starts, ends and titles, sorted."""

    start: float
    end: float
    zone: ZoneInfo
    events: list[tuple[str, str, str]]


def content(program: str) -> bytes:
    """A calendar as that program wrote it."""
    return (DATA / f"{program}.ics").read_bytes()


def expected(program: str) -> Expected:
    """What stands beside it."""
    first, *lines = (DATA / f"{program}.expected").read_text().splitlines()
    words = first.split()
    events = [line.split(" ", 2) for line in lines if not line.startswith("#")]
    return Expected(
        instant(words[2]),
        instant(words[4]),
        ZoneInfo(words[-1]),
        sorted((utc(instant(start)), utc(instant(end)), title) for start, end, title in events),
    )


def instant(text: str) -> float:
    """Epoch seconds of a time with its offset."""
    return datetime.fromisoformat(text).timestamp()


def utc(when: float) -> str:
    """An instant that people can read in a failure."""
    return datetime.fromtimestamp(when, ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%MZ")


def calendar(*events: str, zone: str = "") -> bytes:
    """A calendar of these events, each its lines without BEGIN and END."""
    parts = [f"BEGIN:VEVENT\nUID:{number}\n{text.strip()}\nEND:VEVENT" for number, text in enumerate(events)]
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//test//EN",
        *zone.split("\n"),
        *parts,
        "END:VCALENDAR",
    ]
    return "\r\n".join("\n".join(line for line in lines if line).split("\n")).encode() + b"\r\n"


def answered(given: bytes, start: float, end: float) -> BytesIO:
    """What the reader says of a calendar, asked here instead of in a process of its own."""
    told = BytesIO()
    answer({"start": start, "end": end}, BytesIO(given), told)
    told.seek(0)
    return told


def read_into(host: Host, options: Options, given: bytes) -> str:
    """Make a calendar the last good copy of a schedule, as a refresh does; answers with what is wrong with it."""
    now = host.clock.wall()
    return _keep(host, options, answered(given, now - BEHIND, now + AHEAD))
