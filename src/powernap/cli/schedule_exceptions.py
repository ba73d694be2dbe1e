"""``powernap schedule skip|extend|restore``: tonight's exception, with an end. Asks the daemon, and says what is different by it."""

from __future__ import annotations

import argparse
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from powernap.cli import client
from powernap.cli.output import fail, show_json
from powernap.cli.paint import show
from powernap.cli.schedule_rows import said
from powernap.cli.schedule_text import called, named
from powernap.cli.schedule_time import both, instant
from powernap.cli.schedule_week import EXTENDED, Known, Told, again, known, tell
from powernap.config.problems import meant
from powernap.core.timetable import FREE, OFF, UP, Exempt, Period, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.daemon.exceptions import Exceptions, Extended

DAY = 86400.0
AHEAD = 8 * DAY
"""Seconds ahead in which what is to be skipped is looked for, and what changes by it."""
SAID = 3
"""Changes that the sentence names."""


class RefusalError(Exception):
    """It is not asked for: why, and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(frozen=True)
class Change:
    """A time in which something else holds than did."""

    start: float
    end: float
    was: Period
    now: Period


def run(args: argparse.Namespace) -> int:
    """0 done; 2 wrong usage; what the daemon says is raised, with its exit status."""
    if args.verb == "extend" and args.until is None and args.length is None:
        message, remedy = "an exception has an end, and none is given", "add `--for 2h` or `--until 22:00`"
        return fail(message, remedy, 2, as_json=args.json)
    about = known(state=args.state, needed=True)
    try:
        document = {"skip": skip, "extend": extend, "restore": restore}[args.verb](args, about)
    except RefusalError as refusal:
        return fail(refusal.message, refusal.remedy, 2, as_json=args.json)
    if args.json:
        return show_json(document)
    print(show(document["said"]))
    return 0


# ---------------------------------------------------------------- the three


def skip(args: argparse.Namespace, about: Known) -> dict[str, Any]:
    """A schedule says nothing until a time."""
    name, end = str(args.schedule), end_of(args, about)
    check_name(name, about)
    before = tell(about, about.now - DAY, max(end or 0.0, about.now) + AHEAD)
    end = end or end_of_speech(name, before, about)
    client.ask("schedule-skip", schedule=name, start=about.now, end=end)
    known = about.exceptions
    hole = Exempt(about.now, end, name)
    after = again(about, before.answers, Exceptions((*known.skipped, hole), known.extended))
    found = changes(before.periods, after.periods, about.now)
    parts = consequences(found, after, end, about) or [unchanged(after, about)]
    text = f"{name or 'every schedule'} is skipped until {about.full(end)}: {', '.join(parts)}"
    return document_of(about, "skip", end, found, text + then(after, end, about), name)


def extend(args: argparse.Namespace, about: Known) -> dict[str, Any]:
    """The machine is up until a time."""
    end = end_of(args, about) or about.now
    before = tell(about, about.now - DAY, end + DAY)
    client.ask("schedule-extend", start=about.now, end=end, why=args.why)
    known, more = about.exceptions, Extended(about.now, end, args.why)
    after = again(about, before.answers, Exceptions(known.skipped, (*known.extended, more)))
    found = changes(before.periods, after.periods, about.now)
    why = f" ({args.why})" if args.why else ""
    first = sorted(found, key=lambda each: each.was.says != OFF)[:SAID]
    otherwise = [f"{said(what(each.was))} {since(each.start, about)}" for each in first]
    otherwise += rest_of(len(found))
    rest = f"without this it would be {', '.join(otherwise)}" if otherwise else unchanged(before, about)
    return document_of(about, "extend", end, found, f"it is kept up until {about.full(end)}{why}: {rest}")


def restore(args: argparse.Namespace, about: Known) -> dict[str, Any]:
    """No exception stands any more, or none of one schedule."""
    name, stood = str(args.schedule), about.exceptions
    if name and not any(each.schedule == name for each in stood.skipped):
        check_name(name, about, EXTENDED)
    left = stood.without(name)
    count = size(stood) - size(left)
    client.ask("schedule-restore", schedule=name or None)
    before = tell(about, about.now - DAY, about.now + AHEAD)
    after = again(about, before.answers, left)
    found = changes(before.periods, after.periods, about.now)
    parts = consequences(found, after, before.answers.end, about) or [unchanged(after, about)]
    done = f"{many(count, 'exception')} {'is' if count == 1 else 'are'} taken back: {', '.join(parts)}"
    return document_of(about, "restore", None, found, done if count else nothing(name, stood), name)


def nothing(name: str, stood: Exceptions) -> str:
    """There was none."""
    of = f" of {name}" if name else ""
    every = any(not each.schedule for each in stood.skipped)
    whole = "; every schedule is skipped, which `powernap schedule restore` takes back" if every else ""
    return f"no exception{of} stood{whole}"


def size(stood: Exceptions) -> int:
    """How many."""
    return len(stood.skipped) + len(stood.extended)


def check_name(name: str, about: Known, *more: str) -> None:
    """There is such a schedule, or it is one of the other words."""
    names = [*about.config.schedules, *more]
    if not about.config.schedules:
        raise RefusalError(
            "no schedule is configured", "so there is nothing to skip; see `powernap schedule`"
        )
    if name and name not in names:
        raise RefusalError(
            f'no schedule is called "{name}"', meant(name, names, otherwise="the schedules are")
        )


def end_of(args: argparse.Namespace, about: Known) -> float | None:
    """When the exception is to end, if that was said."""
    if args.length is not None:
        return float(about.now + args.length)
    if args.until is None:
        return None
    end = instant(args.until, about.local.zone, about.now).at
    if end <= about.now:
        raise RefusalError(f"{about.full(end)} is over", "name a time that lies ahead")
    return end


def end_of_speech(name: str, told: Told, about: Known) -> float:
    """When what a schedule says now, or else next, ends. Of all schedules: what holds now, or else next."""
    if name:
        coming = sorted((s for s in told.spans if s.schedule == name and s.end > about.now), key=beginning)
    else:
        later = (each for each in told.periods if each.end > about.now)
        coming = next((list(scheduled(each)) for each in later if any(scheduled(each))), [])
    if not coming:
        message = (
            f"{name} says nothing in the next 8 days"
            if name
            else "no schedule says anything in the next 8 days"
        )
        raise RefusalError(message, "say until when it is to be skipped: `--until TIME`")
    begins = max(about.now, min(span.start for span in coming))
    end = max(joined(span, told.spans) for span in coming if span.start <= begins < span.end)
    if end >= told.answers.end:
        message = f"what {name} says" if name else "what holds"
        raise RefusalError(f"{message} now does not end in the next 8 days", "say until when: `--until TIME`")
    return end


def beginning(span: Span) -> float:
    """When it begins."""
    return span.start


def scheduled(period: Period) -> Iterable[Span]:
    """What of a period's reasons is a schedule's, and no exception."""
    return [span for span in period.because if span.schedule != EXTENDED]


def joined(span: Span, spans: Iterable[Span]) -> float:
    """The end of a statement that goes on in others of the same schedule: 22:00-24:00 and 00:00-06:00 are one."""
    end = span.end
    same = (each for each in spans if (each.schedule, each.says) == (span.schedule, span.says))
    for each in sorted(same, key=beginning):
        if each.start <= end:
            end = max(end, each.end)
    return end


# ---------------------------------------------------------------- what is different by it


def changes(before: Sequence[Period], after: Sequence[Period], since: float) -> list[Change]:
    """Where one timetable says something else than the other, from an instant on. Both are of the same time, in order and without gaps."""
    edges = {since, *(each.start for each in (*before, *after)), before[-1].end}
    found: list[Change] = []
    for start, end in pairwise(sorted(edge for edge in edges if edge >= since)):
        was, now = holding(before, start), holding(after, start)
        if what(was) == what(now):
            continue
        last = found[-1] if found else None
        if last and last.end == start and (what(last.was), what(last.now)) == (what(was), what(now)):
            found[-1] = Change(last.start, end, last.was, last.now)
        else:
            found.append(Change(start, end, was, now))
    return found


def holding(periods: Sequence[Period], instant: float) -> Period:
    """The period that holds then."""
    return periods[max(0, bisect_right(periods, instant, key=lambda period: period.start) - 1)]


def what(period: Period) -> tuple[str, str]:
    """What holds, whoever says so."""
    return period.says, period.deepest


def since(start: float, about: Known) -> str:
    """``now``, or ``from Tue 24 Nov 19:00``."""
    return "now" if start <= about.now else f"from {about.full(start)}"


def consequences(found: Sequence[Change], after: Told, end: float, about: Known) -> list[str]:
    """What follows, the first few times."""
    joined = runs(found, after.periods)
    return [consequence(each, others, end, about) for each, others in joined[:SAID]] + rest_of(len(joined))


def runs(found: Sequence[Change], periods: Sequence[Period]) -> list[tuple[Change, list[str]]]:
    """Those after which the same holds as one, with the schedules that say something else in between."""
    joined: list[tuple[Change, list[str]]] = []
    for each in found:
        last, others = joined[-1] if joined else (each, [])
        between = [one for one in periods if one.end > last.end and one.start < each.start]
        other = [one for one in between if what(one) != what(each.now)]
        if joined and what(last.now) == what(each.now) and all(one.because for one in other):
            names = dict.fromkeys([*others, *(span.schedule for one in other for span in one.because)])
            joined[-1] = Change(last.start, each.end, last.was, last.now), list(names)
        else:
            joined.append((each, []))
    return joined


def rest_of(count: int) -> list[str]:
    """How many are not named."""
    left = count - SAID
    return [f"and {left} more times that `--json` names" if left > 1 else "and once more"] * (left > 0)


def consequence(change: Change, others: Sequence[str], end: float, about: Known) -> str:
    """What follows from one change, but for what others say meanwhile."""
    words = {UP: "the machine stays up", OFF: "the machine may go off", FREE: "the ladder alone decides"}
    does = words.get(change.now.says) or f"the machine {said(what(change.now))}"
    until = f" until {about.full(change.end)}" if change.end < end else ""
    names = " and ".join(called(name) for name in others)
    but = f", but for what {names} say{'s' * (len(others) == 1)}" if others else ""
    return f"{does} {since(change.start, about)}{until}{but}"


def unchanged(told: Told, about: Known) -> str:
    """Why nothing follows."""
    now = holding(told.periods, about.now)
    unknown = [each.schedule for each in now.because if each.schedule in told.unknown]
    others = f", {named(now.because)} says {said(what(now))}" if now.because else ""
    if unknown:
        others = f", since {' and '.join(unknown)} cannot tell"
    return f"nothing changes by it{others}"


def then(told: Told, end: float, about: Known) -> str:
    """What comes first after the exception's end."""
    pairs = pairwise(told.periods)
    later = (each for before, each in pairs if each.start >= end and each.says != before.says)
    coming = next((each for each in later if each.says in {UP, OFF}), None)
    if coming is None:
        return ""
    does = "must be up" if coming.says == UP else "may go off"
    return f"; it {does} from {about.full(coming.start)}"


def document_of(
    about: Known, verb: str, end: float | None, found: Iterable[Change], text: str, schedule: str = ""
) -> dict[str, Any]:
    """Described in docs/json.md."""
    zone = about.local.zone
    return {
        "version": 1,
        "did": verb,
        "schedule": schedule,
        **both("end", end, zone),
        "changes": [
            {
                **both("start", each.start, zone),
                **both("end", each.end, zone),
                "was": each.was.says,
                "was_deepest": each.was.deepest,
                "says": each.now.says,
                "deepest": each.now.deepest,
            }
            for each in found
        ],
        "said": text,
    }
