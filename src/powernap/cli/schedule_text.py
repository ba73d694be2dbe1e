"""The coming days as a person reads them: the picture, a table, and what deserves attention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from powernap.cli.paint import Cell, columns
from powernap.cli.schedule_rows import COLOURS, Picture, What, said
from powernap.cli.schedule_week import EXTENDED, Known, Told
from powernap.config.sources import DIRECTORY
from powernap.core.timetable import Period, Span
from powernap.core.units import show_duration

ROWS = 60
"""Rows of the table at most: a job every minute makes thousands."""
FEW = 3
"""Notes of calendars at most."""
EXAMPLE = f"""no schedule is configured: the ladder alone decides when this machine naps
To say when it must be up, write for example into {DIRECTORY}/conf.d/50-office.toml, then `powernap reload`:

  [schedule.office]
  type = "windows"
  up = "Mon-Fri 07:30-18:00"
"""


def week(about: Known, told: Told, document: dict[str, Any], picture: Picture, *, past: bool = False) -> str:
    """Everything.

    :param past: the table also has what is over.
    """
    if not about.config.schedules and not told.spans:
        rows = attention(about, document)
        return "\n".join([EXAMPLE.rstrip(), *([columns(rows)] if rows else [])])
    shown = [each for each in told.periods if past or each.end > about.now]
    parts = ["", table(about, told, shown), "", notes(about, document)]
    return "\n".join([title(about, told), "", *ahead(about, document), *picture.draw(), *parts]).rstrip()


def title(about: Known, told: Told) -> str:
    """Which days, in which zone."""
    first, last = (
        datetime.fromtimestamp(at, about.local.zone) for at in (told.answers.start, told.answers.end - 1)
    )
    names = f"{first:%a %d %b %Y}" + (f" to {last:%a %d %b %Y}" if first.date() != last.date() else "")
    return f"{names}, time of {about.local.name}"


# ---------------------------------------------------------------- the table


def table(about: Known, told: Told, shown: Sequence[Period]) -> str:
    """A row for each period."""
    rows: list[list[Cell]] = [["from", "until", "what", "says so", "overrules"]]
    rows += [row(about, told, each) for each in shown[:ROWS]]
    text = columns(rows)
    left = len(shown) - ROWS
    return text + (f"\n  and {left} more: `--days 1` or `--json` shows them" if left > 0 else "")


def row(about: Known, told: Told, period: Period) -> list[Cell]:
    """One period."""
    what: What = period.says, period.deepest
    ends = about.until(period.end, period.start)
    return [
        about.full(period.start),
        f"{ends} or later" if period.end == told.answers.end else ends,
        (said(what), COLOURS[period.says]),
        named(period.because) or "the ladder alone decides",
        ", ".join(dict.fromkeys(f"{called(each.schedule)} ({spoken(each)})" for each in period.overruled)),
    ]


def spoken(span: Span) -> str:
    """What a statement says."""
    return said((span.says, span.deepest))


def named(spans: Sequence[Span]) -> str:
    """Who says so, each once."""
    return ", ".join(dict.fromkeys(source(each.schedule, each.detail) for each in spans))


def called(schedule: str) -> str:
    """A schedule's name, or that it is none."""
    return "an exception" if schedule == EXTENDED else schedule


def source(schedule: str, detail: str) -> str:
    """A schedule and where in it that stands; or an exception of an admin's."""
    name = called(schedule)
    return f"{name}: {detail}" if detail else name


# ---------------------------------------------------------------- below it


def notes(about: Known, document: dict[str, Any]) -> str:
    """The next alarm, the exceptions that stand, jobs for which it is woken out of *off*, contradictions, and what deserves attention."""
    rows: list[list[Cell]] = [["next alarm", alarm(about, document)]]
    rows += [["skipped", skipped(about, each)] for each in document["skipped"]]
    rows += [
        ["postponed" if each["postponed"] else "extended", extended(about, each)]
        for each in document["extended"]
    ]
    rows += [["woken for", woken(about, each)] for each in document["woken"]]
    rows += [["conflict", conflict(about, each)] for each in document["conflicts"]]
    return columns([*rows, *attention(about, document)])


def ahead(about: Known, document: dict[str, Any]) -> list[str]:
    """What stands above the picture: what keeps the machine up against all schedules, and that *off* would be refused."""
    rows: list[list[Cell]] = [
        ["attention", trouble(about, each)] for each in document["troubles"] if each["keeps_up"]
    ]
    if document["off_refused"]:
        rows.append(["attention", refused(document["off_refused"], document["mode"])])
    return [columns(rows), ""] if rows else []


def refused(reason: str, mode: str) -> str:
    """*Off* will not be."""
    return f"it {'would' if mode == 'watch' else 'will'} not go off where a schedule says so: {reason}"


def attention(about: Known, document: dict[str, Any]) -> list[list[Cell]]:
    """What is wrong, a row each."""
    found = [trouble(about, each) for each in document["troubles"] if not each["keeps_up"]]
    found += [f"{each['schedule']}: {each['note']}" for each in document["notes"][:FEW]]
    left = len(document["notes"]) - FEW
    found += [f"and {left} more such: `--json` shows them"] * (left > 0)
    if document["zone_trouble"]:
        found.append(f"the machine's time zone is taken to be UTC: {document['zone_trouble']}")
    if about.config.schedules and document["mode"] == "watch":
        found.append('mode = "watch": powernapd says what it would do, and does nothing')
    return [["attention", each] for each in found]


def alarm(about: Known, document: dict[str, Any]) -> str:
    """When this machine will be woken, and for what."""
    rings, need = document["alarm"], document["need"]
    if not document["powernapd"]:
        return f"not known: {document['absent']}"
    what = f"{source(need['schedule'], need['detail'])} at {about.full(need['at'])}" if need else ""
    if rings:
        return (
            f"{rings['rtc']} rings {about.full(rings['at'])}"
            + (f", for {what}" if what else "")
            + lead(document)
        )
    if need:
        return f"none is set; the next that it must be up for is {what}"
    return "none: nothing that is known needs this machine to be woken"


def lead(document: dict[str, Any]) -> str:
    """How long before."""
    known = document["lead"] or {"suspend_s": 0, "boot_s": 0}
    parts = [
        f"{show_duration(known[key])} to {verb}"
        for key, verb in (("suspend_s", "resume"), ("boot_s", "boot"))
        if known[key]
    ]
    return f"; it takes {' and '.join(parts)}" if parts else ""


def span_of(about: Known, each: dict[str, Any]) -> str:
    """``until Tue 24 Nov 18:00``; with its beginning where that lies ahead."""
    begins = f"from {about.full(each['start'])} " if each["start"] > about.now else ""
    return f"{begins}until {about.full(each['end'])}"


def by(*words: str) -> str:
    """``(by root: patch day)``."""
    text = ": ".join(word for word in words if word)
    return f" (by {text})" if text else ""


def skipped(about: Known, each: dict[str, Any]) -> str:
    """An exception."""
    return f"{each['schedule'] or 'every schedule'} {span_of(about, each)}{by(each['who'])}"


def extended(about: Known, each: dict[str, Any]) -> str:
    """Another."""
    return f"up {span_of(about, each)}{by(each['who'], each['why'])}"


def conflict(about: Known, each: dict[str, Any]) -> str:
    """Two that contradict each other, once."""
    return f'"off" by {each["off"]} is overruled by "up" of {each["up"]}: {occasions(about, each)}'


def woken(about: Known, each: dict[str, Any]) -> str:
    """What begins in a time of *off*, once."""
    return f'{each["up"]}, also while {each["off"]} says "off": {occasions(about, each)}'


def occasions(about: Known, each: dict[str, Any]) -> str:
    """The first, and how many more."""
    when = f"{about.full(each['start'])} until {about.until(each['end'], each['start'])}"
    return f"{when}{more(each['times'] - 1)}"


def more(others: int) -> str:
    """``, and 4 more times``."""
    return f", and {others} more times" if others > 1 else ", and once more" if others else ""


def trouble(about: Known, each: dict[str, Any]) -> str:
    """A schedule that could not tell, and what follows."""
    since = "" if each["since"] is None else f" since {about.full(each['since'])}"
    remedy = f" -> {each['remedy']}" if each["remedy"] else ""
    if each["only_here"]:
        follows = "only here, powernapd can"
    elif each["keeps_up"]:
        follows = "nothing is known of it, so the machine stays up until it can"
    else:
        follows = "what it said last goes on"
    return f"{each['schedule']} cannot tell{since} ({follows}): {each['reason']}{remedy}"
