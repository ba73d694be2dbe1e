"""core/comparison.py: a saving is believed only when it stands out from chance, and drift favours neither side."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.comparison import (
    CANNOT_TELL,
    DOES_NOT,
    SAVES,
    Window,
    differences,
    disturbed,
    extras,
    judge,
    order,
    passage,
)
from powernap.core.energy import Energy


def run(power: dict[str, float], rounds: int = 3, drift: float = 0.0, noise: float = 0.0) -> list[Window]:
    """Windows of a machine that draws so much with each action, warms up, and flickers."""
    chance = random.Random(7)
    names = [name for name in power if name]
    return [
        Window(name, power[name] + drift * number + noise * chance.gauss(0, 1))
        for number, name in enumerate(order(names, rounds))
    ]


def test_windows_take_turns_and_begin_and_end_without() -> None:
    """So that each window with an action has a neighbour without on either side, and no action is always the first."""
    assert ["", "a", ""] == list(order(["a"], 1))
    assert ["", "a", "", "b", "", "b", "", "a", ""] == list(order(["a", "b"], 2))
    assert [""] == list(order([], 3))


def test_a_saving_that_stands_out_is_believed() -> None:
    """12 W of 142, give or take half a watt."""
    verdict = judge(differences(run({"": 142.0, "clock": 130.0}, noise=0.3), "clock"))
    assert SAVES == verdict.word
    assert 12.0 == pytest.approx(verdict.saved, abs=1.0)
    assert 3 == verdict.rounds


def test_an_action_that_changes_nothing_does_not_save() -> None:
    """A meter that shows exactly the same, twice."""
    assert DOES_NOT == judge(differences(run({"": 142.0, "quiet": 142.0}), "quiet")).word


def test_an_action_that_costs_does_not_save() -> None:
    """Cores switched off on some machines: 80 W more."""
    verdict = judge(differences(run({"": 99.0, "off": 180.0}, noise=0.5), "off"))
    assert DOES_NOT == verdict.word
    assert -81.0 == pytest.approx(verdict.saved, abs=2.0)


def test_a_difference_within_twice_the_spread_is_not_believed() -> None:
    """1 W saved where the machine flickers by several."""
    pairs = [(100.0, 96.0), (100.0, 100.5), (100.0, 99.5)]
    assert CANNOT_TELL == judge(pairs).word


def test_drift_favours_neither_side() -> None:
    """A machine that warms up by a watt each window: the neighbours' mean takes it out exactly."""
    verdict = judge(differences(run({"": 100.0, "a": 100.0}, drift=1.0), "a"))
    assert 0.0 == pytest.approx(verdict.saved)
    assert SAVES == judge(differences(run({"": 100.0, "a": 95.0}, drift=1.0), "a")).word


def test_a_meter_of_whole_watts_cannot_tell_what_is_less() -> None:
    """It shows the same although something may have been saved; and 5 W it can tell."""
    assert CANNOT_TELL == judge([(140.0, 140.0)] * 3, step=1.0).word
    assert SAVES == judge([(140.0, 135.0)] * 3, step=1.0).word


@pytest.mark.parametrize("pairs", [[], [(100.0, 50.0)]])
def test_one_round_tells_nothing(pairs: list[tuple[float, float]]) -> None:
    """There is no spread to compare with."""
    verdict = judge(pairs)
    assert (CANNOT_TELL, None, len(pairs)) == (verdict.word, verdict.saved, verdict.rounds)


def test_a_saving_too_small_to_matter_does_not_pay() -> None:
    """Sure, and 20 mW of 100 W."""
    assert DOES_NOT == judge([(100.0, 99.98)] * 3).word


def test_a_disturbed_window_is_left_out_and_its_neighbours_serve_alone() -> None:
    """Somebody compiled during the second window without; also when the first of a kind was the disturbed one."""
    windows = [
        Window("", 100.0, busy=0.1),
        Window("a", 90.0, busy=0.1),
        Window("", 150.0, busy=1.9),
        Window("a", 90.0, busy=0.1),
        Window("", 100.0, busy=0.1),
    ]
    assert [False, False, True, False, False] == disturbed(windows)
    assert [(100.0, 90.0), (100.0, 90.0)] == differences(windows, "a")
    assert [True, False, False, False, False] == disturbed([windows[2], *windows[:2], *windows[3:]])


def test_slower_processors_are_not_a_disturbance() -> None:
    """The same work takes three times as long at the lowest clock: windows are compared within their kind."""
    windows = [Window(name, 1.0, 0.9 if name else 0.3) for name in order(["a"], 2)]
    assert not any(disturbed(windows))


def test_a_window_that_the_meter_could_not_tell_is_left_out() -> None:
    """Also when all neighbours are blind."""
    windows = [Window("", None), Window("a", 90.0), Window("", None), Window("a", None), Window("", 100.0)]
    assert [] == differences(windows, "a")


@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=2, max_size=9),
    st.floats(0, 10),
)
def test_what_is_said_to_save_stands_out_by_twice_the_spread(
    pairs: list[tuple[float, float]], step: float
) -> None:
    """For any figures; and to swap the sides never leaves it saving."""
    verdict = judge(pairs, step)
    assert verdict.saved is not None
    assert verdict.spread is not None
    if verdict.word == SAVES:
        assert verdict.saved > 2 * verdict.spread
        assert DOES_NOT == judge([(b, a) for a, b in pairs], step).word


# --- going there and back


def way(there: float, back: float, watts: tuple[float, float] = (100.0, 90.0), **more: float) -> list[Window]:
    """One round whose switches used this much more than the states themselves, in ten seconds each."""
    return [
        Window("", watts[0]),
        Window("a", watts[1], settling=Energy(watts[1] * 10 + there, 10.0, **more)),
        Window("", watts[0], settling=Energy(watts[0] * 10 + back, 10.0, **more)),
    ]


def test_energy_of_a_passage_is_what_settling_took_beyond_the_states() -> None:
    """A disk that spins up: 150 J on the way back."""
    assert [155.0] == pytest.approx(extras(way(5.0, 150.0), "a"))


def test_the_lag_of_an_averaging_meter_cancels_out() -> None:
    """It shows 10 W too much for a second on the way there, and too little on the way back."""
    assert [0.0] == pytest.approx(extras(way(10.0, -10.0), "a"))


def test_a_passage_that_was_not_seen_whole_tells_nothing() -> None:
    """A gap in the settling, a disturbed window, no window after it, or no settling at all."""
    assert [] == extras(way(1.0, 1.0, missing=2.0), "a")
    assert [] == extras(way(1.0, 1.0)[:2], "a")
    assert [] == extras([Window("", 1.0), Window("a", 1.0), Window("", 1.0)], "a")
    assert [] == extras([*way(1.0, 1.0)[:2], Window("", None)], "a")
    loud = [Window(each.name, each.watts, 5.0, each.settling) for each in way(1.0, 1.0)]
    assert [] == extras([*loud, *[Window("", 1.0), Window("a", 1.0)]], "a")


def test_a_passage_stands_out_or_only_has_a_limit() -> None:
    """150 J each time; or noise, of which only the largest likely value is of use."""
    clear, noisy = passage([150.0, 152.0, 149.0]), passage([30.0, -40.0, 5.0])
    assert clear
    assert noisy
    assert clear.known
    assert 150.0 == clear.joules
    assert not noisy.known
    assert 5.0 < noisy.most
    assert passage([1.0]) is None
    below = passage([-50.0, -50.0])
    assert below
    assert (False, 0.0) == (below.known, below.most)
