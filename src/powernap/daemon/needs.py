"""From the timetable to what the machine must do about it: what the core is told now, and when the machine is needed next. Pure.

Owns the passage from the wall clock, in which schedules speak, to ``CLOCK_BOOTTIME``, in which decisions are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from powernap.config.model import Off as Going
from powernap.core.plan import Off, Plan, Window
from powernap.core.timetable import NAP, OFF, UP, Period, Span
from powernap.core.value import dataclass


@dataclass(frozen=True)
class Need:
    """The machine must be awake from ``at`` on (seconds since the epoch).

    :param schedule: who says so; ``detail``: in words.
    """

    at: float
    schedule: str
    detail: str


@dataclass(frozen=True)
class Ahead:
    """How much earlier than it is needed the machine is to be there, in seconds.

    :param up: so long before it must be up it is kept up, so that it does not go down once more.
    :param off: for what is left of *off*, should it be no more than this, it is not worth it.
    """

    up: float
    off: float


def next_need(
    found: Iterable[Period], now: float, wakes: Callable[[str], bool], sleeps: Callable[[str], bool]
) -> Need | None:
    """The first instant after ``now`` at which a machine that sleeps through until then must be awake.

    That is where it must be up, where a time of *off* ends, and where it may nap, but in no stage that sleeps. In a time in which it
    must be awake anyway, only a statement that begins counts: whoever sent it to sleep then knew of the others.

    :param wakes: whether the machine is woken for a schedule. :param sleeps: whether a stage is, or lies below, one that sleeps.
    """

    def waking(period: Period) -> list[Span]:
        needed = period.says == UP or (period.says == NAP and not sleeps(period.deepest))
        return [span for span in period.because if needed and wakes(span.schedule)]

    for before, period in pairwise(found):
        if period.start <= now:
            continue
        known = waking(before)
        for span in waking(period):
            if not known or span.start == period.start:
                return Need(period.start, span.schedule, span.detail)
        if before.says == OFF and period.says != OFF:
            ended = next((span for span in before.because if wakes(span.schedule)), None)
            if ended is not None:
                return Need(period.start, ended.schedule, f"the end of {ended.detail}")
    return None


def plan(
    found: Iterable[Period], now: float, offset: float, going: Going, ahead: Ahead, unknown: Mapping[str, str]
) -> Plan:
    """What the core is told.

    :param offset: the wall clock less ``CLOCK_BOOTTIME``.
    :param unknown: schedules of which it is not known what they say now, and why: the machine stays up.
    """
    periods = [period for period in found if period.end > now]
    spans = {
        span: None
        for period in periods
        if period.says == UP and period.start <= now + ahead.up
        for span in period.because
    }
    up = [Window(span.schedule, _why(span, now), span.end - offset) for span in spans]
    up += [Window(name, reason) for name, reason in unknown.items()]
    napping = bool(periods) and periods[0].says == NAP
    return Plan(
        tuple(up),
        periods[0].deepest if napping else "",
        periods[0].because[0].schedule if napping else "",
        _off(periods, now, offset, going, ahead.off),
    )


def _why(span: Span, now: float) -> str:
    return f"the schedule keeps it up: {span.detail}" if span.start <= now else f"needed soon: {span.detail}"


def _off(periods: Sequence[Period], now: float, offset: float, going: Going, least: float) -> Off | None:
    """The first time of *off* that is long enough. Its start does not change while it lasts: what came before it does not matter then."""
    force = going.in_use == "off"
    for run in _runs(periods):
        first, end = run[0], run[-1].end - least
        start = first.start if first.start > now else min(span.start for span in first.because)
        if end > max(start, now):
            quiet = 0.0 if force else going.quiet
            return Off(first.because[0].schedule, start - offset, end - offset, quiet, force)
    return None


def _runs(periods: Sequence[Period]) -> list[list[Period]]:
    """The times of *off*, each whole, whoever says so in it."""
    found: list[list[Period]] = []
    for period in periods:
        if period.says != OFF:
            continue
        if found and found[-1][-1].end == period.start:
            found[-1].append(period)
        else:
            found.append([period])
    return found
