"""Energy from what a meter tells: counters that wrap, and power samples.

Owns the arithmetic between two samples. What cannot be told (a gap that is too long, a counter that began anew)
is left out and counted as missing; it is never guessed. Energy is joules, power watts, instants are seconds of ``CLOCK_BOOTTIME``.
"""

from __future__ import annotations

import math

from powernap.core.value import dataclass

WRAP_SHARE = 0.25
"""Of the time in which a counter goes round once: a longer gap is refused, since it may have gone round unseen."""


@dataclass(frozen=True, slots=True)
class Count:
    """One counter.

    :param joules: what it shows. :param span: it begins again from 0 after this much; 0: it does not.
    :param ceiling: watts that what it counts cannot exceed for long; 0: not known. It bounds the time of one round, and tells a counter
        that began anew (suspend does that to RAPL) from one that went round.
    """

    joules: float
    span: float = 0.0
    ceiling: float = 0.0

    @property
    def patience(self) -> float:
        """Seconds between two looks that are still sure to be less than a round."""
        return WRAP_SHARE * self.span / self.ceiling if self.span and self.ceiling else math.inf


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a meter: either the power now, or counters of energy, each in the same place in every sample."""

    at: float
    watts: float | None = None
    counts: tuple[Count, ...] = ()


@dataclass(frozen=True, slots=True)
class Energy:
    """:param joules: used in the ``seconds`` that are known; :param missing: seconds of which nothing is known."""

    joules: float = 0.0
    seconds: float = 0.0
    missing: float = 0.0

    @property
    def watts(self) -> float | None:
        """The mean power; ``None`` where nothing is known."""
        return self.joules / self.seconds if self.seconds > 0 else None

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.joules + other.joules, self.seconds + other.seconds, self.missing + other.missing)


def between(one: Sample, other: Sample, gap: float) -> Energy:
    """The energy used from one sample to the next.

    :param gap: seconds that may lie between two samples of power; what happened in a longer time is not known. Counters have a limit
        of their own (:attr:`Count.patience`).
    """
    length = other.at - one.at
    if length <= 0:
        return Energy()
    if one.watts is not None and other.watts is not None:
        joules = (one.watts + other.watts) / 2 * length if length <= gap else None
    else:
        joules = _counted(one.counts, other.counts, length)
    return Energy(missing=length) if joules is None else Energy(joules, length)


def _counted(before: tuple[Count, ...], after: tuple[Count, ...], length: float) -> float | None:
    """Joules of all counters together; ``None`` when one of them cannot be told, or there is none."""
    if not before or len(before) != len(after):
        return None
    used = [_advance(one, other, length) for one, other in zip(before, after, strict=True)]
    return None if None in used else math.fsum(each for each in used if each is not None)


def _advance(before: Count, after: Count, length: float) -> float | None:
    """Joules of one counter, which may have gone round once."""
    if length > min(before.patience, after.patience):
        return None
    used = after.joules - before.joules
    if used < 0:
        used += after.span
    # without a span a smaller count is one that began anew
    plausible = not after.ceiling or used <= after.ceiling * length + after.span * 1e-3
    return used if used >= 0 and plausible else None


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate, made of what was measured at another time: ``value`` give or take ``band``, in the same unit."""

    value: float
    band: float
