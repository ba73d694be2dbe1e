"""The configured schedules asked and put together: what they say of a stretch of time, and who could not tell.

Serves the daemon, which acts on it, and ``powernap schedule``, which shows it. Instants are seconds since the epoch, UTC.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import field
from itertools import accumulate, islice
from typing import TYPE_CHECKING, cast

from powernap.config.kinds import SCHEDULES, KindError
from powernap.core.timetable import Exempt, Period, Span, periods, without
from powernap.core.value import dataclass
from powernap.schedules import ScheduleError, ScheduleModule

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.config.model import ScheduleConfig, Stage
    from powernap.host.host import Host

SPANS_MAX, AT_ONCE_MAX = 10_000, 100
"""Statements of one schedule: a job each hour for 400 days are 9,600. With these limits a timetable takes less than a second."""


@dataclass(frozen=True)
class Answers:
    """What each schedule said of the time from ``start`` to ``end``.

    :ivar troubles: the schedules that could not tell, and why.
    """

    start: float
    end: float
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    troubles: Mapping[str, ScheduleError] = field(default_factory=dict)


def module(schedule: ScheduleConfig) -> ScheduleModule:
    """What carries it out, also of another package. Raises ``KindError`` where that is gone."""
    return cast("ScheduleModule", SCHEDULES.module(schedule.type))


def ask(host: Host, schedules: Iterable[ScheduleConfig], start: float, end: float, local: tzinfo) -> Answers:
    """Ask all of them. One that breaks is in trouble; the others answer."""
    spans: dict[str, tuple[Span, ...]] = {}
    troubles: dict[str, ScheduleError] = {}
    for each in schedules:
        try:
            found = module(each).spans(host, each.options, start, end, local)
            spans[each.name] = bounded(dataclasses.replace(span, schedule=each.name) for span in found)
        except ScheduleError as error:
            troubles[each.name] = error
        except KindError as error:
            troubles[each.name] = ScheduleError(error.message, error.remedy)
        except Exception as error:
            troubles[each.name] = ScheduleError(
                f"{type(error).__name__}: {error}", "please report this with `powernap snapshot`"
            )
    return Answers(start, end, spans, troubles)


def bounded(found: Iterable[Span]) -> tuple[Span, ...]:
    """No more than the daemon's loop can put together in passing: others than root may write calendars, crontabs and jobs of at(1)."""
    spans = tuple(islice(found, SPANS_MAX + 1))
    edges = sorted([(span.start, 1) for span in spans] + [(span.end, -1) for span in spans])
    most = max(accumulate(change for _, change in edges), default=0)
    if len(spans) > SPANS_MAX or most > AT_ONCE_MAX:
        raise ScheduleError(
            f"it says more than can be taken ({SPANS_MAX} statements, {AT_ONCE_MAX} at the same time)",
            "let it name fewer events or jobs",
        )
    return spans


def together(
    answers: Answers,
    schedules: Iterable[ScheduleConfig],
    exempt: Iterable[Exempt] = (),
    extended: Iterable[Span] = (),
) -> list[Span]:
    """All that is said in the end.

    What an admin skips is not said. Then each schedule is silent while one that it names in ``unless`` says something; one that is silenced
    itself says nothing, and silences nobody. What an admin extends is said all the same.
    """
    known = {each.name: each for each in schedules}
    holes = tuple(exempt)
    said: dict[str, list[Span]] = {}

    def says(name: str) -> list[Span]:
        if name not in said:
            # What stands there meanwhile is for a circle, which the configuration refuses.
            said[name] = without(answers.spans.get(name, ()), holes)
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
