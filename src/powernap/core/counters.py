"""Cumulative counters of the kernel, compared look by look.

Owns how two looks become rates: counters that wrap, start again or go backwards, and looks that come too close together. Does not
own reading them, nor what rate is too much (:mod:`powernap.core.threshold`).

The kernel adds up, so one look at the end of an idle window says as much as one each second (research/overhead.md, section 6):
nothing samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from powernap.core.value import dataclass

MINIMUM = 1.0
"""Seconds over which a rate is formed at least: over less, one 4 KiB write 1 ms ago would be 4 MB/s."""

Growth = Callable[[int | None, int], int]


@dataclass(frozen=True, slots=True)
class Look:
    """What the counters said at one instant (``CLOCK_BOOTTIME`` seconds)."""

    at: float
    values: Mapping[str, int]


def from_zero(before: int | None, after: int) -> int:
    """Growth of a counter that starts at zero with its device and may be 32 bits wide (``unsigned long`` on a 32-bit kernel).

    A smaller value has wrapped if the old one was in the upper half of 32 bits; else the device went and came back, and all it
    counts is new. Where that guess is wrong the growth is too large, so the machine stays awake once more.
    """
    if before is None:
        return after
    if after >= before:
        return after - before
    return after + 2**32 - before if 2**31 <= before < 2**32 else after


def never_back(before: int | None, after: int) -> int:
    """Growth of a counter that outlives what it counts: the time of a processor that was away and returns counts from its base.

    What was not there before has not grown: its counter is as old as the machine. Small steps back (the kernel corrects itself) are
    no growth.
    """
    return 0 if before is None else max(0, after - before)


def rates(before: Look, after: Look, growth: Growth = from_zero) -> dict[str, float]:
    """Growth per second of each counter in ``after``, over the whole interval but never over less than :data:`MINIMUM`.

    So a rate above a limit is always proven: within the first second it takes as much as a whole second at the limit would.
    """
    seconds = max(MINIMUM, after.at - before.at)
    return {name: growth(before.values.get(name), value) / seconds for name, value in after.values.items()}


def conclusive(before: Look, after: Look, rate: float, limit: float) -> bool:
    """Whether the interval supports a verdict: it is long enough, or its growth alone exceeds the limit.

    If not, the base is to be kept and the last verdict repeated.
    """
    return after.at - before.at >= MINIMUM or rate > limit
