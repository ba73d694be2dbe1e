"""What another machine must be awake for, by its timetable: now, and next. Pure; instants are seconds since the epoch.

A schedule that cannot tell wakes nobody. Keeping a machine awake when unsure costs some watts; a network that is down must not start a hundred
of them that nobody asked for (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from powernap.core.timetable import OFF, UP, Period
from powernap.core.value import dataclass
from powernap.daemon.needs import next_need

Wakes = Callable[[str], bool]
"""Whether a machine is woken for a schedule."""


@dataclass(frozen=True, slots=True)
class Want:
    """The machine is needed from ``at`` on; once ``until`` has come it is too late for that.

    :param schedule: who says so; ``detail``: in words.
    """

    at: float
    until: float
    schedule: str
    detail: str

    @property
    def key(self) -> tuple[str, float]:
        """The same need, however often the schedules are asked."""
        return self.schedule, self.at

    def __str__(self) -> str:
        return f"{self.schedule} ({self.detail})"


def standing(found: Sequence[Period], now: float, wakes: Wakes) -> list[Want]:
    """What it must be awake for at this instant, in the order in which it began."""
    present = next((period for period in found if period.start <= now < period.end), None)
    if present is None or present.says != UP:
        return []
    until = _until(found, now)
    spans = sorted((span for span in present.because if wakes(span.schedule)), key=lambda each: each.start)
    return [Want(span.start, until, span.schedule, span.detail) for span in spans]


def coming(found: Sequence[Period], now: float, wakes: Wakes) -> Want | None:
    """What it is needed for next. Where it may nap, it need not be awake: which of its stages sleep is its own business."""
    need = next_need(found, now, wakes, lambda _stage: True)
    return None if need is None else Want(need.at, _until(found, need.at), need.schedule, need.detail)


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
