"""core/break_even.py: twice the clairvoyant cost at most, whatever comes; and much less on gaps as machines have them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core import break_even
from powernap.core.break_even import (
    FEWEST,
    REMEMBERED,
    Learned,
    begin,
    choose,
    clairvoyant,
    compare,
    cost,
    learn,
    reprice,
)

GAPS = st.lists(st.floats(0.0, 1e5), max_size=120)
PAID = st.floats(0.1, 1e4)


@pytest.mark.parametrize(
    ("transition", "saved", "least", "seconds"),
    [(1200.0, 10.0, 0.0, 120.0), (1200.0, 10.0, 300.0, 300.0), (0.0, 5.0, 0.0, 0.0), (-3.0, 5.0, 0.0, 0.0)],
)
def test_the_break_even_time_is_energy_over_power(
    transition: float, saved: float, least: float, seconds: float
) -> None:
    """1200 J and 10 W are two minutes; never less than a nap must be worth anyway."""
    assert seconds == break_even.break_even(transition, saved, least)


@pytest.mark.parametrize("saved", [0.0, -4.0])
def test_what_saves_nothing_never_pays(saved: float) -> None:
    """Then the wait is without end, and no gap costs more than its length."""
    paid = break_even.break_even(100.0, saved)
    assert math.inf == paid == choose(begin(paid), paid)
    assert 1e6 == cost(1e6, paid, paid) == clairvoyant(1e6, paid)


@given(st.floats(0.0, 1e6), PAID)
def test_waiting_for_the_break_even_time_is_within_twice_for_every_gap(gap: float, paid: float) -> None:
    """Each single one."""
    assert cost(gap, paid, paid) <= 2 * clairvoyant(gap, paid) + 1e-9


@given(GAPS, PAID, st.floats(0.0, 1.0))
def test_what_is_chosen_is_within_twice_for_any_sequence_of_gaps(
    gaps: list[float], paid: float, share: float
) -> None:
    """And one nap's worth, once: also when the gaps are made to mislead, and where a part of the waits is ruled out."""
    found = compare(gaps, paid, {}, soonest=share * paid)
    if gaps:
        assert found.costs["chosen"] <= 2 * found.costs["clairvoyant"] + paid * (1 + 1e-9)
        assert found.costs["clairvoyant"] <= min(found.costs.values()) + 1e-6


@given(st.lists(st.floats(1.0, 2000.0), min_size=1, max_size=20), PAID, st.integers(0, 60))
def test_an_adversary_who_sees_the_choice_gains_nothing(start: list[float], paid: float, rounds: int) -> None:
    """After a history of his making, each further gap ends just after the nap began: the worst there is."""
    learned, own, best = begin(paid), 0.0, 0.0
    for number in range(len(start) * 4 + rounds):
        wait = choose(learned, paid)
        gap = start[number % len(start)] if number < len(start) * 4 else math.nextafter(wait, math.inf)
        learned = learn(learned, gap, wait, paid)
        own, best = own + cost(gap, wait, paid), best + clairvoyant(gap, paid)
    assert own <= 2 * best + paid * (1 + 1e-6)


def history(kind: str, count: int = 600) -> list[float]:
    chance = random.Random(11)
    draw = {
        "nights and page loads": lambda: chance.choice([15.0, 40.0, 9000.0]),
        "long": lambda: chance.uniform(3000, 9000),
        "short": lambda: chance.uniform(1, 700),
        "cron every 5 min": lambda: chance.gauss(299, 2),
        "no memory": lambda: chance.expovariate(1 / 300),
    }[kind]
    return [max(0.0, draw()) for _ in range(count)]


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("nights and page loads", 0.65),
        ("long", 0.55),
        ("short", 0.75),
        ("cron every 5 min", 0.6),
        ("no memory", 0.95),
    ],
)
def test_it_learns_what_gaps_this_machine_has(kind: str, share: float) -> None:
    """Against waiting for the break-even time (260 s), over the same gaps, the learning included."""
    found = compare(history(kind), 260.0, {"10min": 600.0})
    assert found.costs["chosen"] <= share * found.costs["break-even"]
    assert found.ratio < 1.6


def test_a_change_of_habits_costs_no_more_than_was_saved_up() -> None:
    """Months of long gaps, then a gap that ends right after each nap begins."""
    gaps = [5000.0] * 300
    found = compare(gaps, 260.0, {})
    for _ in range(300):
        found.add(math.nextafter(choose(found.learned or begin(260.0), 260.0), math.inf))
    assert found.ratio <= 2.01


def test_a_few_gaps_teach_nothing() -> None:
    """Until there are eight, the rule without memory holds."""
    learned = Learned(1e9, (5000.0,) * (FEWEST - 1))
    assert 260.0 == choose(learned, 260.0)
    assert 0.0 == choose(Learned(1e9, (5000.0,) * FEWEST), 260.0)


def test_what_is_only_a_little_better_is_left_as_luck() -> None:
    """The break-even time has its bound without any credit."""
    assert 100.0 == choose(Learned(1e9, (99.0, 98.0) * 10), 100.0)


def test_never_sooner_than_people_bear() -> None:
    """Also where the break-even time itself is sooner, and where the debt is larger than the credit."""
    assert 60.0 == choose(Learned(1e9, (5000.0,) * 20), 260.0, soonest=60.0)
    assert 60.0 == choose(Learned(1e9, (5000.0,) * 20), 2.0, soonest=60.0)
    assert 60.0 == choose(Learned(-50.0, (10.0,) * 20), 2.0, soonest=60.0)


def test_memory_is_bounded() -> None:
    """The oldest gaps are forgotten, and credit does not grow for ever."""
    found = compare([100.0] * (REMEMBERED + 50), 260.0, {})
    assert found.learned
    assert REMEMBERED == len(found.learned.gaps)
    assert found.learned.credit <= 20 * 260.0


@pytest.mark.parametrize(
    ("old", "new", "credit"),
    [(100.0, 50.0, 50.0), (100.0, 400.0, 100.0), (0.0, 50.0, 100.0), (math.inf, 2.0, 40.0)],
)
def test_a_new_price_makes_no_credit(old: float, new: float, credit: float) -> None:
    """No more naps than before, no more seconds than before, and never more than the limit."""
    assert Learned(credit, (1.0,)) == reprice(Learned(100.0, (1.0,)), old, new)


def test_looking_back_counts_naps() -> None:
    """Each way over the same gaps; nothing to compare is a ratio of one."""
    found = compare([10.0, 500.0, 2000.0], 260.0, {"10min": 600.0})
    assert {"chosen": 2, "break-even": 2, "10min": 1, "clairvoyant": 2} == found.naps
    assert 10.0 + 500.0 + 860.0 == found.costs["10min"]
    assert 3 == found.count
    assert 260.0 == found.wait
    assert 1.0 == compare([0.0], 260.0, {}).ratio


def test_a_limit_holds_for_each_choice_and_for_what_is_learnt_of_it() -> None:
    """As if the limited wait had been chosen each time; the other ways do not know of it."""
    gaps = [30.0, 900.0, 45.0, 3000.0] * 10
    limited = compare(gaps, 260.0, {"10min": 600.0}, bound=lambda _: 100.0)
    free = compare(gaps, 260.0, {"10min": 600.0})
    assert 100.0 == limited.wait != free.wait
    assert (
        sum(cost(gap, 100.0, 260.0) for gap in gaps)
        == limited.costs.pop("chosen")
        != free.costs.pop("chosen")
    )
    assert limited.costs == free.costs
