"""Who uses the machine, and since when is it idle: readings, leases and windows in, reasons out."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.ladder import MonitorRule, Rule, Settings
from powernap.core.plan import Plan, Window
from powernap.core.reading import Reading
from powernap.core.verdict import (
    Blocker,
    Evidence,
    Lease,
    Verdict,
    failure_counts_until,
    judge,
    lasted_until,
    standing,
)

NOW = 100.0
RULES = {
    "any": (Rule("any", ("a", "b"), every=False),),
    "all": (Rule("all", ("a", "b"), every=True),),
    "none": (),
}
READINGS = {
    "unanswered": None,
    "idle": Reading("", 90.0),
    "pulse": Reading("", 90.0, last=80.0, reason="a key"),
    "recent": Reading("", 90.0, last=95.0),
    "hold": Reading("", 90.0, active=True, since=70.0, who=("alice",), reason="runs"),
    "told": Reading("", 90.0, active=True, since=60.0, who=("bob",), told=True),
    "failed": Reading("", 90.0, failed=True, since=50.0, reason="no answer", remedy="mend it", told=True),
}


def judged(rule=None, *, rules="none", evidence=None, now=NOW, **readings):
    """The verdict on monitors whose readings are named in READINGS, or given."""
    given_readings = {name: READINGS[r] if isinstance(r, str) else r for name, r in readings.items()}
    taken = tuple((name, rule or MonitorRule()) for name in given_readings)
    known = {name: dataclasses.replace(r, monitor=name) for name, r in given_readings.items() if r}
    evidence = evidence or Evidence(began=10.0)
    settings = Settings(monitors=taken, rules=RULES[rules])
    return judge(settings, dataclasses.replace(evidence, readings=known), now)


def names(verdict):
    return [blocker.name for blocker in verdict.blockers]


def test_nobody_there_means_idle_since_it_began():
    """And since the latest activity where there was some."""
    assert judged(a="idle") == Verdict((), 10.0)
    assert judged(a="idle", b="pulse") == Verdict((), 80.0)


@pytest.mark.parametrize("reading", ["unanswered", "hold", "told", "failed"])
def test_awake_when_unsure(reading):
    """No answer and a failed one count like activity, and idle time does not run."""
    verdict = judged(a=reading, b="idle")
    assert (names(verdict), verdict.idle_since) == (["a"], NOW)


def test_a_blocker_says_who_why_since_when_and_what_would_help():
    """That is what `why` shows."""
    assert judged(a="hold").blockers == (Blocker("monitor", "a", "runs", since=70.0, who=("alice",)),)
    assert judged(a="failed").blockers == (
        Blocker("monitor", "a", "no answer", since=50.0, remedy="mend it", failed=True),
    )
    assert judged(a=Reading("", 90.0, failed=True)).blockers[0].since == 90.0


def test_activity_counts_for_hold_seconds_longer():
    """Until then the machine is in use, and idle time runs from there."""
    hold = MonitorRule(hold=30.0)
    assert judged(hold, a="pulse").blockers == (Blocker("monitor", "a", "a key", 80.0, 110.0, told=True),)
    assert judged(hold, a="pulse", now=110.0) == Verdict((), 110.0)


def test_a_failure_counts_for_as_long_as_its_limit():
    """And idle time runs from its end; not from the latest answer, which may have been much before or after."""
    bound = MonitorRule(error_limit=45.0)
    assert names(judged(bound, a="failed", now=94.9)) == ["a"]
    assert judged(bound, a="failed") == Verdict((), 95.0)
    assert failure_counts_until(Reading("", 90.0, failed=True), MonitorRule()) == float("inf")
    assert failure_counts_until(Reading("", 90.0, failed=True), bound) == 135.0


def test_a_failure_that_is_ignored_leaves_what_was_known():
    """Regression: the hold of the activity before it was forgotten."""
    ignored = MonitorRule(on_error_active=False, hold=30.0)
    failed = Reading("", 90.0, failed=True, last=80.0)
    assert judged(ignored, a="failed") == Verdict((), 10.0)
    assert names(judged(ignored, a=failed)) == ["a"]
    assert judged(ignored, a=failed, now=111.0) == Verdict((), 110.0)


# ---------------------------------------------------------------- leases, windows, resume


def test_leases_and_windows_block():
    """Until their ends, where they have one; an event will tell it."""
    evidence = Evidence(
        10.0,
        leases={"x": Lease("x", "root", "backup", 50.0, 120.0), "y": Lease("y", "eve", "demo", 60.0)},
        plan=Plan(
            (Window("office", until=130.0), Window("night", "the backup"), Window("past", until=100.0))
        ),
    )
    verdict = judged(a="pulse", evidence=evidence)
    assert names(verdict) == ["x", "y", "office", "night"]
    assert verdict.blockers[0] == Blocker("lease", "x", "backup", 50.0, 120.0, told=True, who=("root",))
    assert verdict.ends is None
    assert not verdict.look_again


@pytest.mark.parametrize(
    ("leases", "released", "idle_since"),
    [
        ([], float("-inf"), 80.0),
        ([], 70.0, 80.0),
        ([], 90.0, 90.0),
        ([95.0], 90.0, 95.0),  # over, and no step has taken it away yet
        ([85.0, 95.0], 97.0, 97.0),
        ([100.0], 90.0, NOW),
    ],
)
def test_idle_time_begins_anew_at_the_latest_end_of_a_lease(leases, released, idle_since):
    """Or where there was activity later."""
    taken = {str(until): Lease(str(until), "root", "make", 50.0, until) for until in leases}
    verdict = judged(a="pulse", evidence=Evidence(10.0, leases=taken, released=released))
    assert verdict == Verdict((), idle_since)


def test_when_a_window_is_over_idle_time_is_as_long_as_it_was():
    """It is no activity."""
    assert judged(a="pulse", evidence=Evidence(10.0, plan=Plan((Window("past", until=100.0),)))) == Verdict(
        (), 80.0
    )


@pytest.mark.parametrize(("until", "end"), [(None, NOW), (100.1, NOW), (100.0, 100.0), (70.0, 70.0)])
def test_a_lease_lasts_until_its_end_or_now(until, end):
    """Whichever is first."""
    assert lasted_until(Lease("x", "root", "make", 50.0, until), NOW) == end


def test_after_a_resume_the_machine_stays_up():
    """For min_awake, by itself."""
    verdict = judged(a="idle", evidence=Evidence(90.0, awake_until=150.0))
    assert (names(verdict), verdict.ends) == (["min_awake"], 150.0)
    assert not judged(a="idle", evidence=Evidence(90.0, awake_until=100.0)).blockers


@pytest.mark.parametrize(("until", "stands"), [(None, True), (100.1, True), (100.0, False), (-1.0, False)])
def test_what_has_an_end_stands_until_it(until, stands):
    """And not at it."""
    assert standing(until, NOW) is stands


# ---------------------------------------------------------------- when to look again


def blocked(*ends):
    """A verdict on blockers: "told", "untold" or an instant."""
    return Verdict(
        tuple(
            Blocker("monitor", "x", "", until=e if isinstance(e, float) else None, told=e != "untold")
            for e in ends
        ),
        0.0,
    )


@pytest.mark.parametrize(
    ("ends", "look_again", "at"),
    [
        ((), False, None),
        (("untold",), True, None),
        (("untold", "untold"), True, None),
        (("told",), False, None),
        (("told", "untold"), False, None),
        (("told", 120.0), False, None),
        ((120.0, 150.0), False, 150.0),
        ((120.0, "untold"), False, 120.0),
    ],
)
def test_somebody_looks_again_only_where_nothing_tells(ends, look_again, at):
    """While one end will be told, all others can wait for it; else the last certain end comes first."""
    assert (blocked(*ends).look_again, blocked(*ends).ends) == (look_again, at)


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("a", "b", "any_of", "all_of"),
    [
        ("idle", "idle", (False, 10.0), (False, 10.0)),
        ("pulse", "idle", (False, 80.0), (False, 10.0)),
        ("pulse", "recent", (False, 95.0), (False, 80.0)),
        ("hold", "idle", (True, NOW), (False, 10.0)),
        ("hold", "pulse", (True, NOW), (False, 80.0)),
        ("hold", "told", (True, NOW), (True, NOW)),
        ("failed", "hold", (True, NOW), (True, NOW)),
        # Whether they were active together at 80 nobody knows, so they were.
        ("unanswered", "pulse", (True, NOW), (False, 80.0)),
    ],
)
def test_monitors_together(a, b, any_of, all_of):
    """Any of them, or all of them at once."""
    for rules, (busy, idle) in (("any", any_of), ("all", all_of)):
        verdict = judged(rules=rules, a=a, b=b)
        assert (bool(verdict.blockers), verdict.idle_since) == (busy, idle)


def test_a_rule_speaks_for_its_members():
    """With all their names, reasons and remedies, and the earliest since."""
    assert judged(rules="all", a="failed", b="hold", c="told").blockers == (
        Blocker("rule", "all", "a: no answer; b: runs", 50.0, who=("alice",), remedy="mend it", failed=True),
        Blocker("monitor", "c", "", 60.0, told=True, who=("bob",)),
    )


@pytest.mark.parametrize(
    ("a", "b", "any_of", "all_of"),
    [
        ("told", "told", (None, True), (None, True)),
        # An event will tell the end of one: an any-of stands at least until then. Regression: it was polled.
        ("told", "hold", (None, True), (None, False)),
        ("hold", "hold", (None, False), (None, False)),
        ("pulse", "recent", (125.0, True), (110.0, True)),
        ("pulse", "told", (None, True), (110.0, True)),
        ("pulse", "hold", (None, False), (110.0, True)),
        ("pulse", "failed", (None, False), (110.0, True)),
    ],
)
def test_when_a_rule_ends(a, b, any_of, all_of):
    """Any-of with the last of its parts, all-of with the first; `until` only where it is certain."""
    for rules, expected in (("any", any_of), ("all", all_of)):
        (blocker,) = judged(MonitorRule(hold=30.0), rules=rules, a=a, b=b).blockers
        assert (blocker.until, blocker.told) == expected


@pytest.mark.parametrize("every", [False, True])
def test_a_rule_without_members_is_never_active(every):
    """Regression: an empty all-of raised ValueError."""
    settings = Settings(rules=(Rule("empty", (), every),))
    assert judge(settings, Evidence(10.0), NOW) == Verdict((), 10.0)


@given(
    readings=st.lists(st.sampled_from(sorted(READINGS)), min_size=2, max_size=2),
    rules=st.sampled_from(sorted(RULES)),
    later=st.floats(0, 50),
)
def test_more_time_never_makes_an_idle_machine_busy_or_idle_time_shorter(readings, rules, later):
    """Blockers end by time but never begin by it, and the instant that idle time counts from does not move on an idle machine."""
    hold = MonitorRule(hold=20.0, error_limit=60.0)
    before = judged(hold, rules=rules, a=readings[0], b=readings[1])
    after = judged(hold, rules=rules, a=readings[0], b=readings[1], now=NOW + later)
    assert len(after.blockers) <= len(before.blockers)
    if not before.blockers and rules != "all":
        assert after.idle_since == before.idle_since
