"""The configured schedules asked and put together: what they say of a stretch of time, and who could not tell.

Serves the daemon, which acts on it, and ``powernap schedule``, which shows it. Instants are seconds since the epoch, UTC.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import field
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, cast

from powernap.config.kinds import SCHEDULES, KindError
from powernap.core.timetable import UP, Exempt, Period, Span, periods, without
from powernap.core.value import dataclass
from powernap.host import zones
from powernap.host.inotify import on_disk
from powernap.schedules import ScheduleError, ScheduleModule
from powernap.schedules._plain import plain

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.config.model import ScheduleConfig, Stage
    from powernap.host.host import Host

SPANS_MAX, AT_ONCE_MAX = 10_000, 100
"""Statements of one schedule: a job each hour for 400 days are 9,600. With these limits a timetable takes less than a second."""
DAY = 86400.0
"""Seconds: a schedule that says more is asked about less, but no less than this."""
BEYOND = "what it says from then on is not known"
REASON = 1000
"""Characters of why one cannot tell."""
BROKEN = 3600.0
"""Seconds after which one that does not even tell when its copy is due is asked again."""


@dataclass(frozen=True)
class Answers:
    """What each schedule said of the time from ``start`` to ``end``.

    :ivar troubles: the schedules that could not tell, and why. :ivar ends: until when, of those who told of less.
    """

    start: float
    end: float
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    troubles: Mapping[str, ScheduleError] = field(default_factory=dict)
    ends: Mapping[str, float] = field(default_factory=dict)


class TooMuchError(ScheduleError):
    """It says more than can be taken; of less time it may say less."""


def module(schedule: ScheduleConfig) -> ScheduleModule:
    """What carries it out, also of another package. Raises ``KindError`` where that is gone."""
    return cast("ScheduleModule", SCHEDULES.module(schedule.type))


def ask(host: Host, schedules: Iterable[ScheduleConfig], start: float, end: float, local: tzinfo) -> Answers:
    """Ask all of them. One that breaks is in trouble; the others answer. One that says too much is asked about less: half, a quarter, at least a day."""
    spans: dict[str, tuple[Span, ...]] = {}
    troubles: dict[str, ScheduleError] = {}
    ends: dict[str, float] = {}
    for each in schedules:
        try:
            spans[each.name], until = _fitting(host, each, start, end, local)
            if until < end:
                ends[each.name] = until
        except ScheduleError as error:
            troubles[each.name] = _trouble(error.reason, error.remedy, soon=error.soon)
        except KindError as error:
            troubles[each.name] = _trouble(error.message, error.remedy)
        except Exception as error:
            troubles[each.name] = _trouble(
                f"{type(error).__name__}: {error}", "please report this with `powernap snapshot`"
            )
    return Answers(start, end, spans, troubles, ends)


def _trouble(reason: str, remedy: str, *, soon: bool = False) -> ScheduleError:
    """Both may quote what others wrote."""
    return ScheduleError(plain(reason, REASON), plain(remedy, REASON), soon=soon)


def _fitting(
    host: Host, schedule: ScheduleConfig, start: float, end: float, local: tzinfo
) -> tuple[tuple[Span, ...], float]:
    while True:
        try:
            found = module(schedule).spans(host, schedule.options, start, end, local)
            return bounded(_signed(span, schedule.name) for span in found), end
        except TooMuchError:
            if end - start <= DAY:
                raise
            end = start + max(DAY, (end - start) / 2)


def _signed(span: Span, name: str) -> Span:
    return dataclasses.replace(span, schedule=name, detail=plain(span.detail))


def bounded(found: Iterable[Span]) -> tuple[Span, ...]:
    """No more than the daemon's loop can put together in passing: others than root may write calendars, crontabs and jobs of at(1)."""
    spans = tuple(islice(found, SPANS_MAX + 1))
    if len(spans) > SPANS_MAX or _at_once(spans) > AT_ONCE_MAX:
        raise TooMuchError(
            f"it says more than can be taken ({SPANS_MAX} statements, {AT_ONCE_MAX} at the same time)",
            "let it name fewer events or jobs",
        )
    return spans


def _at_once(spans: Iterable[Span]) -> int:
    edges = sorted(edge for span in spans for edge in ((span.start, 1), (span.end, -1)))
    return max(accumulate(change for _, change in edges), default=0)


def watched(host: Host, schedule: ScheduleConfig) -> list[str]:
    """The files that its answer rests on, as the kernel knows them. One that cannot say so cannot answer either, and that is told."""
    try:
        own = module(schedule).watched(schedule.options)
    except Exception:
        own = ()
    return [on_disk(host.files, path) for path in dict.fromkeys((zones.LOCALTIME, *own))]


def due(host: Host, schedule: ScheduleConfig) -> float:
    """Seconds until what it keeps a copy of is to be renewed."""
    try:
        kept: Any = module(schedule)
        return float(kept.due(host, schedule.options)) if hasattr(kept, "due") else math.inf
    except Exception:
        return BROKEN  # what it keeps cannot be read then, and that is told


def together(
    answers: Answers,
    schedules: Iterable[ScheduleConfig],
    exempt: Iterable[Exempt] = (),
    extended: Iterable[Span] = (),
) -> list[Span]:
    """All that is said in the end.

    What an admin skips is not said. Then each schedule is silent while one that it names in ``unless`` says something; one that is silenced
    itself says nothing, and silences nobody. What an admin extends is said all the same. Of the time of which one did not tell, nobody knows,
    and the machine is needed.
    """
    known = {each.name: each for each in schedules}
    holes = tuple(exempt)
    said: dict[str, list[Span]] = {}

    def says(name: str) -> list[Span]:
        if name not in said:
            # What stands there meanwhile is for a circle, which the configuration refuses.
            told, until = answers.spans.get(name, ()), answers.ends.get(name, answers.end)
            beyond = [Span(until, answers.end, UP, name, BEYOND)] if until < answers.end else []
            said[name] = without([*told, *beyond], holes)
            loud = [span for other in known[name].unless if other in known for span in says(other)]
            said[name] = _silenced(said[name], loud) if loud else said[name]
        return said[name]

    return [*(span for name in known for span in says(name)), *extended]


def _silenced(spans: Iterable[Span], loud: Iterable[Span]) -> list[Span]:
    """Without the times in which others speak: those are put together first, and only the ones that touch a span cut it."""
    edges: list[list[float]] = []
    for other in sorted(loud, key=lambda span: span.start):
        if edges and other.start <= edges[-1][1]:
            edges[-1][1] = max(edges[-1][1], other.end)
        else:
            edges.append([other.start, other.end])
    starts, ends = [edge[0] for edge in edges], [edge[1] for edge in edges]
    found: list[Span] = []
    for span in spans:
        touching = edges[bisect_right(ends, span.start) : bisect_left(starts, span.end)]
        found += without([span], [Exempt(start, end) for start, end in touching])
    return found


def timetable(answers: Answers, spans: Iterable[Span], stages: Iterable[Stage]) -> list[Period]:
    """The periods of the time that was asked about."""
    depth = {stage.name: number for number, stage in enumerate(stages)}
    return periods(spans, answers.start, answers.end, depth)
