"""When is a measured value activity: above a limit, for long enough, until it is clearly below.

Owns the rule; does not own what is measured nor what follows.
"""

from __future__ import annotations

from powernap.core.value import dataclass

HYSTERESIS = 0.8
"""Share of the limit below which activity ends, so that a value which hovers at the limit is one activity and not fifty."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit on a measured value.

    :param above: activity begins when the value is above it.
    :param sustained: and has been for so many seconds.
    :param below: activity ends when the value is below it; without one, below 80 % of ``above``.
    """

    above: float
    sustained: float = 0.0
    below: float | None = None

    @property
    def floor(self) -> float:
        """Where activity ends; never above where it begins."""
        return self.above * HYSTERESIS if self.below is None else min(self.below, self.above)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a value stands: ``since`` when it has been above without a break (seconds), and whether that is activity."""

    since: float | None = None
    active: bool = False


def judge(threshold: Threshold, before: Crossing, measured: float, start: float, now: float) -> Crossing:
    """Where the value stands now.

    :param measured: the value, true of the interval from ``start`` to ``now`` (equal for a value of an instant).
    """
    if measured < threshold.floor or (not before.active and measured <= threshold.above):
        return Crossing()
    since = start if before.since is None else before.since
    return Crossing(since, before.active or now - since >= threshold.sustained)


def wording(crossing: Crossing, limit: str, floor: str) -> str:
    """The limit as an admin reads it behind a measured value: ``limit 10%``, or where activity goes on, what would end it."""
    if crossing.active:
        return f"limit {limit}, quiet again below {floor}"
    if crossing.since is not None:
        return f"limit {limit}, not yet for long enough"
    return f"limit {limit}"
