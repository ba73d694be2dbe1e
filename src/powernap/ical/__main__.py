"""One calendar: asked for on standard input, told on standard output (see the package)."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
from typing import Any, BinaryIO

from powernap.ical import bounds

VERSION = 1
REQUEST = 4 << 20
"""Bytes of the line that says what is wanted; certificates may stand in it, and a system's are 0.3 MiB."""

EXAMPLE = b"""BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:An example
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:example
DTSTART;TZID=An example:19700101T000000
DURATION:PT1H
RRULE:FREQ=DAILY;UNTIL=19700103
CATEGORIES:EXAMPLE
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=Europe/Berlin:19700101T000000
EXDATE;TZID=W. Europe Standard Time:19700101T000000
END:VEVENT
END:VCALENDAR
"""


def main() -> int:
    """0 whatever comes of the calendar; 1 where this process could not be made harmless."""
    missing = load()
    try:
        bounds.become_nobody()
        bounds.confine()
    except (OSError, ValueError) as error:
        print(f"it cannot give up its privileges: {error}", file=sys.stderr)
        return 1
    with os.fdopen(os.dup(0), "rb") as given, os.fdopen(os.dup(1), "wb") as told:
        answer(json.loads(given.readline(REQUEST)), given, told, missing)
    return 0


def load() -> str:
    """The libraries, and what they load late, while their directory may be entered: nobody could not, if it is in root's home. Which is missing."""
    try:
        importlib.import_module("powernap.ical.fetch")
        "localhost".encode("idna")
        importlib.import_module("powernap.ical.expand").expand(EXAMPLE, 0.0, 86400.0)
    except ModuleNotFoundError as error:
        return f"the library {error.name} is not installed"
    return ""


def answer(request: dict[str, Any], given: BinaryIO, told: BinaryIO, missing: str = "") -> None:
    """Whatever happens, there is a first line."""
    head: dict[str, Any] = {"trouble": missing}
    lines: list[dict[str, Any]] = []
    content = b""
    try:
        if not missing:
            head, lines, content = work(request, given)
    except (Exception, bounds.TooMuchError) as error:
        head = {"trouble": sentence(error)}
    head |= {"version": VERSION, "count": len(lines), "size": len(content)}
    told.write(json.dumps(head).encode() + b"\n")
    told.writelines(json.dumps(line).encode() + b"\n" for line in lines)
    told.write(content)


def work(request: dict[str, Any], given: BinaryIO) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    """The head of the answer, an object for each event, and the calendar's bytes."""
    from powernap.ical.expand import expand  # noqa: PLC0415 - without the libraries it still answers, and says so

    etag, modified = str(request.get("etag", "")), str(request.get("modified", ""))
    if "fetch" in request:
        from powernap.ical.fetch import Wanted, fetch  # noqa: PLC0415 - a file needs no ssl

        page = fetch(Wanted(**request["fetch"]))
        if page.content is None:
            return {"same": True}, [], b""
        content, etag, modified = page.content, page.etag, page.modified
    else:
        content = given.read()
    found = expand(content, float(request["start"]), float(request["end"]))
    head = {
        "start": request["start"],
        "end": request["end"],
        "etag": etag,
        "modified": modified,
        "notes": found.notes,
    }
    return head, [dataclasses.asdict(event) for event in found.events], content


def sentence(error: BaseException) -> str:
    """For the admin. An error that nobody foresaw is named by its kind alone: its words may hold a stranger's."""
    if isinstance(error, MemoryError):
        return f"reading it takes more than {bounds.MEMORY >> 20} MiB of memory"
    if isinstance(error, bounds.TooMuchError) or type(error).__name__ in {"FetchError", "CalendarError"}:
        return str(error)
    return f"the reader failed ({type(error).__name__})"


if __name__ == "__main__":
    sys.exit(main())
