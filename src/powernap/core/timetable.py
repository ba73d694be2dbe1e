"""What schedules say of each instant, made into one timetable: spans in, periods out. Pure.

Schedules may contradict each other. One order decides, whatever order they were written in: **up beats off, off beats nap, nap beats nothing**;
of several that allow to nap, the shallowest stage holds. So a machine that anybody wants up is up. An admin's exception for tonight comes before
all: what is skipped is taken out, what is extended says *up*.

The answer depends on nothing but what is said of an instant: not on the order of the spans, nor on which time is asked about.

Instants are seconds since the epoch, UTC; what a clock on the wall shows is the business of who makes the spans.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import pairwise

from powernap.core.value import dataclass

UP, NAP, OFF, DAYS = "up", "nap", "off", "days"
"""Must be awake; may nap, down to a stage; must be off; says nothing by itself, and is named by the ``unless`` of others."""
FREE = "free"
"""No schedule says anything: the ladder alone decides."""


@dataclass(frozen=True, slots=True)
class Span:
    """One statement of one schedule: from ``start`` until before ``end``.

    :param says: ``up``, ``nap``, ``off`` or ``days``.
    :param schedule: its section's name.
    :param detail: where it comes from, in words of an admin: ``Mon-Fri 07:30-18:00``, ``backup.timer``, ``Team meeting``.
    :param deepest: of ``nap``: the deepest stage, empty for all of them.
    :param unit: the systemd unit whose work it is for: once that has run, the rest of the span is void.
    """

    start: float
    end: float
    says: str
    schedule: str = ""
    detail: str = ""
    deepest: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Exempt:
    """An admin's exception: a schedule (all of them where ``schedule`` is empty) says nothing between these instants."""

    start: float
    end: float
    schedule: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """What holds between two instants.

    :param says: ``up``, ``nap``, ``off`` or ``free``.
    :param because: the spans that say so; ``overruled``: those that say something else.
    """

    start: float
    end: float
    says: str
    deepest: str = ""
    because: tuple[Span, ...] = ()
    overruled: tuple[Span, ...] = ()


def without(spans: Iterable[Span], exempt: Iterable[Exempt]) -> list[Span]:
    """The spans with what is exempt cut out of them."""
    found = list(spans)
    for hole in exempt:
        found = [part for span in found for part in _cut(span, hole)]
    return found


def _cut(span: Span, hole: Exempt) -> list[Span]:
    named = hole.schedule in {"", span.schedule}
    if not named or hole.end <= max(hole.start, span.start) or span.end <= hole.start:
        return [span]
    return [
        _between(span, start, end)
        for start, end in ((span.start, hole.start), (hole.end, span.end))
        if start < end
    ]


def _between(span: Span, start: float, end: float) -> Span:
    return Span(start, end, span.says, span.schedule, span.detail, span.deepest, span.unit)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Statements that go on are one: the seven days of "every day, all day" touch, and nothing changes at midnight.

    Those of a unit stay apart, because each is void once its unit has run.
    """
    found: list[Span] = []
    for span in sorted(spans, key=_kind):
        last = found[-1] if found else None
        if last and not span.unit and _kind(last)[:-2] == _kind(span)[:-2] and span.start <= last.end:
            found[-1] = _between(last, last.start, max(last.end, span.end))
        else:
            found.append(span)
    return found


def _kind(span: Span) -> tuple[str, str, str, str, str, float, float]:
    return span.says, span.schedule, span.detail, span.deepest, span.unit, span.start, span.end


def periods(spans: Iterable[Span], start: float, end: float, depth: Mapping[str, int]) -> list[Period]:
    """The whole time between two instants, without gaps; neighbours differ. Empty where ``start`` is not before ``end``.

    :param depth: how deep each stage is, by name. A stage that is not among them counts as deepest: it forbids nothing.
    """
    said = joined(span for span in spans if span.says != DAYS and span.start < span.end)
    standing = sorted((span for span in said if span.start < end and span.end > start), key=_order)
    inside = {edge for span in standing for edge in (span.start, span.end) if start < edge < end}
    edges = sorted({start, end} | inside) if start < end else []
    found: list[Period] = []
    opened: list[Span] = []
    waiting = deque(standing)
    for since, until in pairwise(edges):
        opened = [span for span in opened if span.end > since]
        while waiting and waiting[0].start <= since:
            opened.append(waiting.popleft())
        found.append(_decide(tuple(opened), since, until, depth))
    return found


def _order(span: Span) -> tuple[float, float, str, str, str, str, str]:
    return span.start, span.end, span.says, span.schedule, span.detail, span.deepest, span.unit


def _decide(opened: tuple[Span, ...], start: float, end: float, depth: Mapping[str, int]) -> Period:
    """The one documented order."""
    says = next((says for says in (UP, OFF, NAP) if any(span.says == says for span in opened)), FREE)
    decisive = [span for span in opened if span.says == says]
    deepest = ""
    if says == NAP:
        bottom = max(depth.values(), default=0) + 1
        allowed = min(depth.get(span.deepest, bottom) for span in decisive)
        decisive = [span for span in decisive if depth.get(span.deepest, bottom) == allowed]
        deepest = min(span.deepest for span in decisive)
    chosen = {id(span) for span in decisive}
    overruled = tuple(span for span in opened if id(span) not in chosen)
    return Period(start, end, says, deepest if deepest in depth else "", tuple(decisive), overruled)


def at(found: Iterable[Period], instant: float) -> Period | None:
    """The period that holds then."""
    return next((period for period in found if period.start <= instant < period.end), None)
