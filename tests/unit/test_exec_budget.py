"""Claims about how attentively unfiltered events are listened to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from powernap.host.exec_budget import BATCH, BATCH_ABOVE, EACH, PAUSE_ABOVE, PAUSED, Budget


def listen(rate: float, seconds: float) -> Budget:
    """Events come at a rate for some time; batches of 50 ms."""
    budget, now = Budget(0.0), 0.0
    while now < seconds and budget.mode != PAUSED:
        now += 0.05
        budget.spend(round(rate * 0.05), now)
    return budget


def test_few_events_are_heard_each():
    """Below a hundred a second nothing is delayed."""
    assert listen(60, 10).mode == EACH


def test_many_are_read_in_batches():
    """Some hundred a second are read in batches."""
    assert listen(500, 10).mode == BATCH


def test_a_storm_is_paused():
    """Five thousand a second are not read at all."""
    assert listen(5000, 10).mode == PAUSED


def test_calm_ends_batches():
    """After a storm, a calm second leads back."""
    budget = Budget(0.0, BATCH)
    assert [budget.spend(1, 0.5), budget.spend(1, 1.1)] == [BATCH, EACH]


def test_trial_decides():
    """What a trial hears decides how to go on."""
    assert [Budget(0.0, PAUSED).listened(events, 0.05, 1.0) for events in (0, 10, 100)] == [
        EACH,
        BATCH,
        PAUSED,
    ]


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0.001, 1.0)), max_size=60))
def test_never_over_budget(steps):
    """Whatever comes: no mode but the pause goes on after more than its events in one second."""
    budget, now = Budget(0.0), 0.0
    for events, delay in steps:
        now += delay
        mode, count = budget.mode, budget.count + events
        after = budget.spend(events, now)
        limit = PAUSE_ABOVE if mode == BATCH else BATCH_ABOVE
        if count > limit:
            assert after != mode
        if after == PAUSED:
            return
