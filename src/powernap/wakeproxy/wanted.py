"""What another machine must be awake for, by its timetable: now, and next. Pure; instants are seconds since the epoch.

A schedule that cannot tell wakes nobody. Keeping a machine awake when unsure costs some watts; a network that is down must not start a hundred
of them that nobody asked for (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING

from powernap.core.timetable import OFF, UP, Period, Span
from powernap.core.value import dataclass
from powernap.daemon import timetables
from powernap.daemon.leads import BOOT, FEW, JITTER, MARGIN, Leads
from powernap.daemon.needs import next_need
from powernap.daemon.timetables import Answers

if TYPE_CHECKING:
    from powernap.config.inventory import Target
    from powernap.config.model import ScheduleConfig

Wakes = Callable[[str], bool]
"""Whether a machine is woken for a schedule."""


@dataclass(frozen=True, slots=True)
class Want:
    """The machine is needed from ``at`` on; once ``until`` has come it is too late for that.

    :param schedule: who says so; ``detail``: in words. :param after_off: because a time of *off* ends, and not because it must be up.
    :param said: until when the schedule says it.
    """

    at: float
    until: float
    schedule: str
    detail: str
    after_off: bool = False
    said: float = -inf

    @property
    def key(self) -> tuple[str, float]:
        """The same need, however often the schedules are asked."""
        return self.schedule, self.at

    def goes_on_as(self, other: Want) -> bool:
        """The other is the same statement: of one that lasts, a schedule that is asked in the midst of it tells the rest."""
        same = (self.schedule, self.detail) == (other.schedule, other.detail)
        return same and self.at <= other.at <= self.said

    def __str__(self) -> str:
        return f"{self.schedule} ({self.detail})"


def known(
    schedules: Iterable[ScheduleConfig], told: Mapping[str, tuple[Sequence[Span], float]]
) -> dict[str, tuple[Span, ...]]:
    """What may be acted on of what each has told, as far as until then: a statement that begins where nobody knows whether a schedule silences it
    that it names in ``unless`` is none.
    """
    every = {each.name: each for each in schedules}

    def reach(name: str) -> float:
        others = (reach(other) for other in every[name].unless if other in every)
        return min((told[name][1] if name in told else -inf, *others))

    found: dict[str, tuple[Span, ...]] = {}
    for name, (spans, _) in told.items():
        end = min((reach(other) for other in every[name].unless if other in every), default=inf)
        found[name] = tuple(span for span in spans if span.start < end)
    return found


def timetable(
    schedules: Collection[ScheduleConfig],
    told: Mapping[str, tuple[Sequence[Span], float]],
    now: float,
    end: float,
) -> list[Period]:
    """Of what may be acted on of that."""
    answers = Answers(now, end, known(schedules, told))
    return timetables.timetable(answers, timetables.together(answers, schedules), ())


def lead(target: Target, leads: Leads) -> float:
    """Seconds: so much earlier than it is needed it is woken. The longest of the last eight counts: whether it sleeps or is off is not known here,
    and who sleeps four nights of the week is off at its end. It is no accident, since none is tried for longer than `boot`, or than what is known.
    Of fewer than three times the next may well be a longer one: then it is `boot` at least.
    """
    times = leads.known.get(BOOT, ())
    learned = max(times, default=0.0) * MARGIN + JITTER
    return learned if len(times) >= FEW else max(target.boot, learned)


def standing(found: Sequence[Period], now: float, wakes: Wakes) -> list[Want]:
    """What it must be awake for at this instant, in the order in which it began."""
    present = next((period for period in found if period.start <= now < period.end), None)
    if present is None or present.says != UP:
        return []
    until = _until(found, now)
    spans = sorted((span for span in present.because if wakes(span.schedule)), key=lambda each: each.start)
    return [Want(span.start, until, span.schedule, span.detail, said=span.end) for span in spans]


def coming(found: Sequence[Period], now: float, wakes: Wakes) -> Want | None:
    """What it is needed for next. Where it may nap, it need not be awake: which of its stages sleep is its own business."""
    need = next_need(found, now, wakes, lambda _stage: True)
    if need is None:
        return None
    after_off = not any(period.start <= need.at < period.end and period.says == UP for period in found)
    return Want(need.at, _until(found, need.at), need.schedule, need.detail, after_off)


def off(found: Sequence[Period], now: float) -> Want | None:
    """The time of *off* that holds at this instant, or comes next."""
    period = next((period for period in found if period.end > now and period.says == OFF), None)
    if period is None:
        return None
    first = min(period.because, key=lambda each: each.start)
    return Want(first.start, period.end, first.schedule, first.detail)


def _until(found: Sequence[Period], at: float) -> float:
    """Where it need not be up any more: the end of *up*; after a time of *off*, the next one."""
    rest = [period for period in found if period.end > at]
    up = rest[0].says == UP
    return next(
        (period.start for period in rest if (period.says != UP if up else period.says == OFF)),
        rest[-1].end,
    )
