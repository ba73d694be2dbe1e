"""After how long an idle time does a nap pay? The break-even rule, and how this machine's own idle gaps improve it.

A *gap* is a time without activity, in seconds, of which nobody knows at its beginning how long it will be. Waiting costs the power that a nap
would save; napping costs the energy of one way there and back. All costs here are counted in *seconds of the saving*: a gap that is waited
through costs its length, a nap costs the break-even time B = transition energy / power saved (ski rental; Karlin et al. 1994,
"Competitive Randomized Algorithms for Nonuniform Problems").

- The *clairvoyant* choice, which knows the gap, costs ``min(gap, B)``. Nobody can do better.
- Waiting exactly B before the nap costs at most twice that, for any gap; no fixed wait has a better bound.
- Another wait may be far better on the gaps that this machine has, and is worse than twice for some gap. :func:`choose` takes it only as far as
  earlier gaps have paid for it: ``credit`` is B (one nap's worth, once) and twice the clairvoyant cost so far, less our own cost so far. One
  gap can use up at most ``abs(B - wait)`` of it. So the sum stays within twice the clairvoyant sum and B for *any* sequence of gaps, also
  when habits change. (Without that first B nothing would ever be learnt of long gaps: waiting B through them uses twice exactly.)

Owns no clock and no file. What must not be risked (a shorter wait than users bear) is ``least``, which counts as a price of the nap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from itertools import accumulate

from powernap.core.value import dataclass

REMEMBERED = 512
"""Gaps that are kept: about two weeks of a machine with 40 gaps a day; 16 KiB."""
FEWEST = 8
"""Gaps without which nothing is known."""
CLEARLY = 0.95
"""Of the break-even time's cost over the known gaps: a wait that is not at least so much better is luck, and left."""
CREDIT_LIMIT = 20.0
"""Break-even times of credit that are kept at most. It bounds what a change of habits can cost after a long good time."""


def break_even(transition_j: float, saved_w: float, least: float = 0.0) -> float:
    """Seconds of saving that pay for one nap; infinite where nothing is saved.

    :param transition_j: joules of going there and back, beyond what the two states draw. :param saved_w: watts saved while there.
    :param least: seconds of saving that a nap must be worth anyway: what it costs people (a slow first second), disks (a spin-up) or logs.
    """
    if saved_w <= 0:
        return float("inf")
    return max(transition_j / saved_w, least, 0.0)


def cost(gap: float, wait: float, paid: float) -> float:
    """What a gap costs when the nap begins after ``wait``, with the break-even time ``paid``."""
    return gap if gap <= wait else wait + paid


def clairvoyant(gap: float, paid: float) -> float:
    """What it costs who knows how long it will be."""
    return min(gap, paid)


# --- learning


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of this machine's gaps.

    :param gaps: the latest ones, oldest first. :param credit: seconds of saving that may be risked.
    """

    credit: float
    gaps: tuple[float, ...] = ()


def begin(paid: float) -> Learned:
    """Nothing is known, and one nap's worth may be risked."""
    return Learned(paid)


def learn(learned: Learned, gap: float, wait: float, paid: float) -> Learned:
    """After a gap in which :func:`choose` had said ``wait``."""
    earned = 2 * clairvoyant(gap, paid) - cost(gap, wait, paid)
    credit = min(learned.credit + earned, CREDIT_LIMIT * paid)
    return Learned(credit, (*learned.gaps, gap)[-REMEMBERED:])


def reprice(learned: Learned, old: float, new: float) -> Learned:
    """After the break-even time was measured anew: the credit is worth no more naps than before, and no more seconds."""
    share = new / old if old not in (0.0, float("inf")) else 1.0
    return Learned(min(learned.credit, learned.credit * share, CREDIT_LIMIT * new), learned.gaps)


def choose(learned: Learned, paid: float, soonest: float = 0.0) -> float:
    """The wait before the next nap: the one that would have been best over the known gaps, among those that the credit allows.

    The break-even time itself while too little is known, or no other is clearly better.

    :param soonest: never less than this, which people bear, or below which no gap is known. Where it is above the break-even time the bound
        cannot be kept, and nothing more is risked.
    """
    safe = max(paid, soonest)
    if paid == float("inf") or len(learned.gaps) < FEWEST:
        return safe
    credit = max(0.0, learned.credit)
    low, high = max(soonest, paid - credit, 0.0), max(safe, paid + credit)
    known = sorted(learned.gaps)
    sums = [0.0, *accumulate(known)]
    # Between two known gaps the cost only grows with the wait: the best one is at a gap, or the shortest that is allowed.
    inside = known[bisect_right(known, low) : bisect_right(known, high)]
    prices = {wait: _sum(known, sums, wait, paid) for wait in (low, *inside)}
    best = min(prices, key=lambda wait: (prices[wait], abs(wait - safe)))
    return best if prices[best] < CLEARLY * _sum(known, sums, safe, paid) else safe


def _sum(known: Sequence[float], sums: Sequence[float], wait: float, paid: float) -> float:
    """What all known gaps cost together: those up to ``wait`` their length, the others the wait and a nap."""
    short = bisect_right(known, wait)
    return sums[short] + (len(known) - short) * (wait + paid)


# --- looking back


@dataclass
class Comparison:
    """Costs of several ways to choose over the same gaps, as they come: nothing is kept of a gap but its costs.

    :param paid: the break-even time. :param fixed: waits to compare with, by name. :param soonest: as :func:`choose` has it.
    :param bound: what becomes of a choice that a configuration limits.
    :ivar wait: what was chosen for the latest gap. :ivar costs: seconds of saving by name; ``chosen`` and ``clairvoyant`` among them. :ivar naps: how many times each would have napped.
    """

    paid: float
    fixed: Mapping[str, float] = field(default_factory=dict)
    soonest: float = 0.0
    bound: Callable[[float], float] = float
    learned: Learned | None = None
    wait: float = 0.0
    costs: dict[str, float] = field(default_factory=dict)
    naps: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def add(self, gap: float) -> None:
        """The next gap."""
        learned = self.learned or begin(self.paid)
        self.wait = self.bound(choose(learned, self.paid, self.soonest))
        self.learned = learn(learned, gap, self.wait, self.paid)
        self.count += 1
        for name, each in {"chosen": self.wait, "break-even": self.paid, **self.fixed}.items():
            self._note(name, cost(gap, each, self.paid), naps=gap > each)
        self._note("clairvoyant", clairvoyant(gap, self.paid), naps=gap > self.paid)

    def _note(self, name: str, price: float, *, naps: bool) -> None:
        self.costs[name] = self.costs.get(name, 0.0) + price
        self.naps[name] = self.naps.get(name, 0) + naps

    @property
    def ratio(self) -> float:
        """The chosen waits against the clairvoyant ones; at most 2."""
        best = self.costs.get("clairvoyant", 0.0)
        return self.costs["chosen"] / best if best else 1.0


def compare(
    gaps: Iterable[float],
    paid: float,
    fixed: Mapping[str, float],
    soonest: float = 0.0,
    bound: Callable[[float], float] = float,
) -> Comparison:
    """All gaps of a history."""
    found = Comparison(paid, fixed, soonest, bound)
    for gap in gaps:
        found.add(gap)
    return found
