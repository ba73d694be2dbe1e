"""A counter monitor's verdict, look by look: from the rate between two looks to the reading.

Owns the order: is the interval long enough, is the rate activity, what does the reading say, which look is compared with next. Does not
own what is counted, how counts become the rate that is judged (:mod:`powernap.core.counters`), nor who caused it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from powernap.core.counters import Look, conclusive
from powernap.core.reading import Reading
from powernap.core.threshold import Crossing, Threshold, judge, wording
from powernap.core.units import show_duration
from powernap.core.value import dataclass


@dataclass(frozen=True, slots=True)
class Meter:
    """What a counter monitor knows between two looks.

    :param base: the look to compare the next one with.
    :param reading: the latest answer.
    :param show: a measured value as text, for the limit in the reason.
    """

    threshold: Threshold
    base: Look
    reading: Reading
    show: Callable[[float], str]
    crossing: Crossing = Crossing()


def begin(
    monitor: str, threshold: Threshold, base: Look, unit: str, show: Callable[[float], str], reason: str
) -> Meter:
    """Before anything was measured; ``reason`` says so."""
    return Meter(
        threshold, base, Reading(monitor, base.at, reason=reason, limit=threshold.above, unit=unit), show
    )


def measure(meter: Meter, look: Look, measured: float, reason: Callable[[str], str]) -> Meter:
    """The next state, whose ``reading`` is the answer at this look.

    Within the first second of an interval the base is kept and the previous answer repeated, unless the limit is exceeded already.

    :param measured: the rate since ``meter.base``.
    :param reason: the sentence, given its end: over which time, and how that compares with the limit.
    """
    if not conclusive(meter.base, look, measured, meter.threshold.above):
        return replace(meter, reading=replace(meter.reading, at=look.at))
    crossing = judge(meter.threshold, meter.crossing, measured, meter.base.at, look.at)
    limit = wording(crossing, meter.show(meter.threshold.above), meter.show(meter.threshold.floor))
    reading = replace(
        meter.reading,
        at=look.at,
        last=look.at if crossing.active else meter.reading.last,
        measured=measured,
        reason=reason(f"over the last {show_duration(look.at - meter.base.at)} ({limit})"),
    )
    return replace(meter, base=look, reading=reading, crossing=crossing)
