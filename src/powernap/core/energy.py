"""Energy from what a meter tells: counters that wrap, power samples, and figures that say whether they were measured.

Owns the arithmetic between two samples and over many of them. What cannot be told (a gap that is too long, a counter that began anew)
is left out and counted as missing; it is never guessed. Energy is joules, power watts, instants are seconds of ``CLOCK_BOOTTIME``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

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


def integrate(samples: Iterable[Sample], gap: float) -> Energy:
    """The energy over all samples, in their order."""
    return sum((between(one, other, gap) for one, other in pairwise(samples)), Energy())


def within(samples: Iterable[Sample], begin: float, end: float, gap: float) -> Energy:
    """The energy between two instants. Where one lies between two samples, power is taken as even there; outside of all, it is missing."""
    total, covered = Energy(), 0.0
    for one, other in pairwise(samples):
        piece = between(one, other, gap)
        length = other.at - one.at
        share = max(0.0, min(end, other.at) - max(begin, one.at))
        if length > 0 and share > 0:
            part = share / length
            total += Energy(piece.joules * part, piece.seconds * part, piece.missing * part)
            covered += share
    return total + Energy(missing=max(0.0, end - begin - covered))


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


# --- figures


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and how sure it is: ``value`` give or take ``band``, in the same unit.

    :param measured: by a meter, then and there; else an estimate, made of what was measured at another time.
    """

    value: float
    band: float
    measured: bool

    @property
    def basis(self) -> str:
        """``measured`` or ``estimate``: the word that stands beside it wherever it is shown."""
        return "measured" if self.measured else "estimate"


def total(figures: Iterable[Figure]) -> dict[str, Figure]:
    """Sums by basis: measured and estimated figures are never added to one another. Bands of errors that share a cause add up."""
    return dict(_totals(list(figures)))


def _totals(figures: list[Figure]) -> Iterator[tuple[str, Figure]]:
    for measured in (True, False):
        those = [each for each in figures if each.measured is measured]
        if those:
            whole = Figure(
                math.fsum(each.value for each in those), math.fsum(each.band for each in those), measured
            )
            yield whole.basis, whole
