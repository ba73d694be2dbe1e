"""Does a change save power? Windows with and without it in turns, their difference, its spread, and the verdict.

Owns the order of the windows, which of them count, and the sentence "saves", "does not" or "cannot tell". Power is watts.

Each window with a change is compared with the mean of the windows without any just before and just after it, so that a machine that
slowly warms up (a straight line) favours neither side. The spread is the sample standard deviation of these differences, one a round, and
never less than half of the smallest step that the meter shows. A difference within twice the spread is not believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, median, stdev

from powernap.core.energy import Energy
from powernap.core.value import dataclass

SAVES, DOES_NOT, CANNOT_TELL = "saves", "does not", "cannot tell"
SURE = 2.0
"""Spreads within which a difference is chance. With three rounds, chance alone passes in 4 of 100 cases (Student's t, 2 degrees of freedom,
one-sided: the mean's own error is 1/sqrt(3) of the spread)."""
WORTH_WATTS, WORTH_SHARE = 0.05, 0.001
"""A change that surely saves less than this (watts; share of the machine's power) does not pay."""
STRAY, STRAY_SHARE = 0.1, 0.5
"""A window is disturbed when it had this many more processors at work than the quietest of its kind, and this share more."""
ENOUGH = 2
"""Rounds without which there is no spread."""


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of measuring.

    :param name: the change in force; empty: none. :param watts: the mean; ``None``: the meter could not tell.
    :param busy: processors at work in the mean (1.0: one of them all the time).
    :param settling: used from the switch until the window began, which is left out of it.
    """

    name: str
    watts: float | None
    busy: float = 0.0
    settling: Energy = Energy()


@dataclass(frozen=True, slots=True)
class Verdict:
    """:param saved: watts in the mean, negative when it costs; :param spread: give or take; both over ``rounds`` comparisons."""

    word: str
    without: float | None = None
    having: float | None = None
    saved: float | None = None
    spread: float | None = None
    rounds: int = 0


def order(names: Sequence[str], rounds: int) -> Iterator[str]:
    """What is in force in each window: none first and last and between any two; the names in turns, so that none is always late."""
    yield ""
    for number in range(rounds):
        turn = number % max(1, len(names))
        for name in [*names[turn:], *names[:turn]]:
            yield name
            yield ""


def is_disturbed(window: Window, quietest: float) -> bool:
    """Whether something else used the machine, compared with the quietest window of the same kind."""
    return window.busy > quietest + max(STRAY, STRAY_SHARE * quietest)


def disturbed(windows: Sequence[Window]) -> list[bool]:
    """For each window. They are compared within their kind: slower processors are longer at the same work."""
    quietest: dict[str, float] = {}
    for window in windows:
        quietest[window.name] = min(window.busy, quietest.get(window.name, math.inf))
    return [is_disturbed(window, quietest[window.name]) for window in windows]


def differences(windows: Sequence[Window], name: str) -> list[tuple[float, float]]:
    """(without, with) in watts for each window of ``name`` that counts, in the order of :func:`order`.

    Disturbed windows and those that the meter could not tell are left out; one good neighbour is enough to compare with.
    """
    bad = disturbed(windows)
    good = [None if spoilt else window.watts for window, spoilt in zip(windows, bad, strict=True)]
    found = []
    for at, window in enumerate(windows):
        beside = [
            watts
            for near in (at - 1, at + 1)
            if 0 <= near < len(windows) and not windows[near].name and (watts := good[near]) is not None
        ]
        watts = good[at]
        if window.name == name and watts is not None and beside:
            found.append((fmean(beside), watts))
    return found


def judge(pairs: Sequence[tuple[float, float]], step: float = 0.0) -> Verdict:
    """The verdict on (without, with) pairs.

    :param step: the smallest difference that the meter shows, in watts.
    """
    if len(pairs) < ENOUGH:
        return Verdict(CANNOT_TELL, rounds=len(pairs))
    without, having = fmean(one for one, _ in pairs), fmean(other for _, other in pairs)
    saved = [one - other for one, other in pairs]
    spread, mean = max(stdev(saved), step / 2), fmean(saved)
    worth = max(WORTH_WATTS, WORTH_SHARE * abs(without))
    if mean > SURE * spread and mean >= worth:
        word = SAVES
    elif mean < -SURE * spread or mean + SURE * spread < worth:
        word = DOES_NOT
    else:
        word = CANNOT_TELL
    return Verdict(word, without, having, mean, spread, len(pairs))


# --- what going there and back costs


@dataclass(frozen=True, slots=True)
class Passage:
    """Energy of one way there and back, beyond what the two states themselves draw, in joules.

    :param known: it stands out from the spread; else only ``most`` says something: it is surely less than that.
    """

    joules: float
    spread: float
    known: bool

    @property
    def most(self) -> float:
        """The largest value that is still likely; never negative."""
        return max(0.0, self.joules + SURE * self.spread)


def extras(windows: Sequence[Window], name: str) -> list[float]:
    """For each time there and back, the joules used while settling beyond what the state drew afterwards.

    A meter that shows means of the last seconds shows as much too much on the way there as too little on the way back.
    """
    bad = disturbed(windows)
    found = []
    for at, window in enumerate(windows[:-1]):
        back = windows[at + 1]
        if window.name != name or back.name or bad[at] or bad[at + 1]:
            continue
        there, again = _extra(window), _extra(back)
        if there is not None and again is not None:
            found.append(there + again)
    return found


def _extra(window: Window) -> float | None:
    settling = window.settling
    if window.watts is None or settling.missing or not settling.seconds:
        return None
    return settling.joules - window.watts * settling.seconds


def passage(extra: Sequence[float]) -> Passage | None:
    """From the extra energy of each way there and back (joules); ``None`` with fewer than two.

    The median, because one time in which the machine did something else at this very moment must not decide.
    """
    if len(extra) < ENOUGH:
        return None
    middle, spread = median(extra), stdev(extra)
    return Passage(middle, spread, known=middle > SURE * spread and middle > 0)
