"""How news joins what was known before."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.evidence import (
    end_lease,
    follow,
    forget_ended,
    hear,
    reconfigure,
    resume,
    take_lease,
)
from powernap.core.ladder import MonitorRule, Rule, Settings
from powernap.core.reading import Reading
from powernap.core.verdict import Evidence, Lease, judge

COUNTS, BOUND, IGNORED = MonitorRule(), MonitorRule(error_limit=20.0), MonitorRule(on_error_active=False)
SETTINGS = Settings(monitors=(("m", COUNTS), ("n", COUNTS)))


def m(at, **reading):
    """A reading of the one monitor of these tests."""
    return Reading("m", float(at), **reading)


def after(*readings, rule=COUNTS):
    """What is known after all of them."""
    known = None
    for reading in readings:
        known = follow(known, reading, rule)
    assert known
    return known


def test_the_first_reading_is_all_that_is_known():
    """As it is."""
    first = m(5, active=True, since=3.0, last=4.0)
    assert after(first) is first


def test_activity_that_is_known_stays_known():
    """A monitor need not remember what it said."""
    assert after(m(5, last=4.0), m(6)).last == 4.0
    assert after(m(5, last=4.0), m(6, last=2.0)).last == 4.0
    assert after(m(5, last=4.0), m(6, last=5.5)).last == 5.5


@pytest.mark.parametrize(
    ("hold", "end", "until"),
    [
        ({}, {}, 60.0),  # nobody knows: until the look that found it gone
        ({}, {"last": 40.0}, 40.0),  # the monitor knows
        ({}, {"last": 2.0}, 60.0),  # it only remembers something else
        ({"last": 5.0}, {"last": 5.0}, 60.0),
        ({"told": True}, {"last": 40.0}, 40.0),
        ({"told": True}, {"last": 5.0}, 5.0),  # it ended at once, and its end was told
        ({"told": True}, {"last": 2.0}, 5.0),
        ({"told": True}, {}, 60.0),
    ],
)
def test_a_hold_lasts_until_it_is_known_to_have_ended(hold, end, until):
    """Regression: it counted only until the last look that saw it, so a stage could come a window too early."""
    assert after(m(5, active=True, **hold), m(60, **end)).last == until


def test_a_hold_that_goes_on_needs_no_last():
    """It counts by itself."""
    assert after(m(5, active=True), m(60, active=True)).last is None


@pytest.mark.parametrize(
    ("rule", "until"),
    [(COUNTS, 60.0), (BOUND, 25.0), (IGNORED, None)],
)
def test_a_failure_lasts_as_its_rule_says(rule, until):
    """Until the answer, until its limit, or not at all."""
    assert after(m(5, failed=True), m(30, failed=True), m(60), rule=rule).last == until


def test_a_failure_of_which_the_monitor_knows_better_lasts_as_long_as_it_says():
    """The kernel counted while nobody could read."""
    assert after(m(5, failed=True), m(60, last=30.0)).last == 30.0


def test_a_failure_keeps_the_instant_at_which_it_began():
    """Regression: one that failed from its first reading began anew with each."""
    assert after(m(5, failed=True), m(30, failed=True), m(60, failed=True)).since == 5.0
    assert after(m(1), m(5, failed=True), m(30, failed=True)).since == 5.0
    assert after(m(5, failed=True), m(6), m(30, failed=True)).since == 30.0
    assert after(m(5, failed=True, since=2.0)).since == 2.0


def test_a_hold_that_fails_is_over_where_failures_are_ignored():
    """It lasted until then; where they count, the failure goes on for it."""
    assert after(m(5, active=True), m(30, failed=True), rule=IGNORED).last == 30.0


def test_an_overtaken_answer_adds_what_it_knows_and_undoes_nothing():
    """A slow check is answered after an event that is newer."""
    assert after(m(10, active=True, told=True), m(5)).active
    assert after(m(10), m(5, last=4.0)) == m(10, last=4.0)
    # It stood at 5 and not at 10: when it ended nobody knows.
    assert after(m(10), m(5, active=True)).last == 10.0
    # Regression: what was known of other activity was taken for the end of this.
    assert after(m(1, last=1.0), m(2, last=6.0), m(10), m(5, active=True)).last == 10.0
    assert after(m(10, failed=True), m(5, failed=True)).since == 5.0


moments = st.integers(0, 50).map(float)


@given(
    st.lists(
        st.builds(
            lambda at, ago, kind: m(at, last=None if ago is None else at - ago, **kind),
            moments,
            st.none() | st.integers(0, 9),
            st.sampled_from([{}, {"active": True}, {"active": True, "told": True}, {"failed": True}]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([COUNTS, BOUND]),
)
def test_news_never_makes_known_activity_unknown(readings, rule):
    """Whatever order they come in: the newest decides what stands, and no instant of activity is lost."""
    known = after(*readings, rule=rule)
    newest = max(readings, key=lambda r: r.at)
    assert known.at == newest.at
    told = [r.last for r in readings if r.last is not None]
    assert not told or (known.last is not None and known.last >= max(told))


# ---------------------------------------------------------------- everything that is known


def test_what_is_old_or_nobody_s_is_dropped():
    """From before a sleep, or from a monitor that is no more."""
    known = Evidence(0.0, fresh=10.0)
    assert hear(known, SETTINGS, m(9.9, active=True)) is known
    assert hear(known, SETTINGS, Reading("gone", 11.0)) is known
    assert hear(known, SETTINGS, m(10)).readings == {"m": m(10)}


def test_leases_come_go_and_are_replaced():
    """By their names."""
    first, again = Lease("x", "root", "why", 0.0, 50.0), Lease("x", "root", "why", 0.0, 70.0)
    known = take_lease(take_lease(Evidence(0.0), first, 0.0), again, 0.0)
    assert known.leases == {"x": again}
    assert end_lease(end_lease(known, "x", 20.0), "x", 30.0).leases == {}


def test_what_is_over_is_forgotten():
    """A daemon that runs for years does not collect expired leases."""
    known = take_lease(Evidence(0.0), Lease("x", "root", "why", 0.0, 50.0), 0.0)
    assert forget_ended(known, 49.0) is known
    assert forget_ended(known, 50.0) == Evidence(0.0, released=50.0)


def test_the_latest_end_of_a_lease_is_kept():
    """Given back, over, or replaced by another; an earlier one that is taken away later changes nothing."""
    known = Evidence(0.0)
    for name, until in (("open", None), ("short", 30.0), ("long", 90.0)):
        known = take_lease(known, Lease(name, "root", "why", 0.0, until), 0.0)
    assert known.released == float("-inf")
    assert forget_ended(known, 35.0).released == 30.0
    assert end_lease(known, "short", 35.0).released == 30.0
    assert end_lease(known, "long", 40.0).released == 40.0
    assert end_lease(end_lease(known, "long", 40.0), "short", 45.0).released == 40.0
    assert end_lease(known, "gone", 40.0).released == float("-inf")
    assert end_lease(known, "open", 50.0).released == 50.0
    assert take_lease(known, Lease("open", "root", "why", 0.0, 5.0), 50.0).released == 50.0
    assert take_lease(known, Lease("short", "root", "why", 0.0, 99.0), 50.0).released == 30.0


def test_a_resume_begins_a_new_idle_time():
    """And holds off."""
    known = resume(Evidence(0.0, readings={"m": m(5)}), 100.0, 30.0)
    assert known == Evidence(100.0, 100.0, 130.0, {"m": m(5)})


@pytest.mark.parametrize(
    ("readings", "monitors", "began"),
    [
        ({"m": m(5, last=40.0)}, ("m",), 40.0),
        ({"m": m(5, last=40.0)}, ("m", "new"), 40.0),
        ({"m": m(5, last=40.0)}, ("new",), 3.0),
        ({"m": m(5, active=True)}, ("m",), 100.0),
        ({}, ("m",), 3.0),
    ],
)
def test_another_configuration_keeps_idle_time_and_asks_everybody(readings, monitors, began):
    """As far as its monitors know it; and no old answer outlives the monitor that gave it."""
    settings = Settings(monitors=tuple((name, COUNTS) for name in monitors))
    known = reconfigure(Evidence(3.0, readings=readings), settings, 100.0)
    assert (known.began, known.fresh, known.readings) == (began, 100.0, {})
    assert [b.name for b in judge(settings, known, 100.0).blockers] == list(monitors)


def test_another_configuration_s_rules_count_only_among_monitors_that_have_answered():
    """A rule with a new member says nothing yet of the time before."""
    both = (Rule("both", ("m", "n"), every=True),)
    settings = dataclasses.replace(SETTINGS, rules=both)
    busy = {"m": m(5, active=True), "n": Reading("n", 5.0, last=40.0)}
    assert reconfigure(Evidence(3.0, readings=busy), settings, 100.0).began == 40.0
    assert reconfigure(Evidence(3.0, readings={"m": m(5, last=7.0)}), settings, 100.0).began == 7.0
