"""core/past.py: what a history's entries come to, also where the daemon was killed, the clock set, or somebody else slept the machine."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.core.energy import Energy
from powernap.core.past import ABSENT, ASLEEP, AWAKE, HEARD, Past, Source, Spell, read

AFTER = {"ease": 300.0, "park": 900.0}


def entry(event: str, time: float, **facts: Any) -> dict[str, Any]:
    return {"event": event, "time": time, "at": time, **facts}


def past(*entries: dict[str, Any], now: float = 10_000.0) -> tuple[Past, list[Spell], list[float]]:
    """The sums, the spells and the gaps."""
    spells: list[Spell] = []
    gaps: list[float] = []
    return read(entries, Past(AFTER, spells.append, gaps.append), now), spells, gaps


NIGHT = (
    entry("started", 0.0),
    entry("entered", 1000.0, stage="ease"),
    entry("entered", 1600.0, stage="park"),
    entry("activity", 5000.0, stage="park"),
    entry("left", 5001.0, stage="park", seconds=4001.0),
)


def test_time_is_told_apart_by_state() -> None:
    """Awake, down the ladder, and awake again until now."""
    found, spells, _ = past(*NIGHT)
    assert {(AWAKE, False): 5999.0, ("ease", False): 600.0, ("park", False): 3401.0} == found.lengths
    assert [AWAKE, "ease", "park", AWAKE] == [spell.state for spell in spells]
    assert (1, 0, 0) == (found.naps, found.interrupted, found.sleeps)
    assert (0.0, 5) == (found.first, found.entries)


def test_a_gap_begins_before_its_first_stage_and_ends_with_activity() -> None:
    """The stage was entered after 300 idle seconds; putting back is no part of it."""
    assert [4300.0] == past(*NIGHT)[2]


def test_a_nap_that_was_asked_for_is_no_idle_gap() -> None:
    """Nobody knows how long it had been idle; the next one by itself is a gap again."""
    asked = (
        entry("asked", 99, stage="ease", detail="root"),
        entry("entered", 100, stage="ease"),
        entry("left", 200),
    )
    found, _, gaps = past(*asked, entry("entered", 1000, stage="ease"), entry("left", 1100))
    assert ([400.0], 2) == (gaps, found.naps)
    assert [400.0] == past(
        asked[0], entry("started", 100), entry("entered", 1000, stage="ease"), entry("left", 1100)
    )[2]


def test_a_nap_that_ends_within_a_minute_was_interrupted() -> None:
    """59 seconds; 61 are not."""
    found, _, _ = past(
        entry("entered", 0, stage="ease"),
        entry("left", 59),
        entry("entered", 100, stage="ease"),
        entry("left", 161),
    )
    assert (2, 1) == (found.naps, found.interrupted)


def test_what_would_have_been_is_kept_apart() -> None:
    """In watch mode nothing was saved and nothing slept."""
    found, _, gaps = past(
        entry("entered", 1000, stage="ease", watching=True),
        entry("sleep", 1010, stage="ease"),
        entry("left", 1030, watching=True),
    )
    assert {("ease", True): 30.0, (AWAKE, False): 8970.0} == found.lengths
    assert (0, 1, 0, 1) == (found.naps, found.woulds, found.interrupted, found.would_interrupted)
    assert [330.0] == gaps


def test_sleep_ends_with_resume() -> None:
    """Whoever woke it: the gap is over."""
    found, _, gaps = past(
        entry("entered", 1000, stage="ease"),
        entry("sleep", 2000, stage="suspend", detail="suspend"),
        entry("resumed", 5000, detail="slept 2999s, woken by the alarm"),
    )
    assert 3000.0 == found.lengths[ASLEEP, False]
    assert (1, 1, [4300.0]) == (found.sleeps, found.naps, gaps)


def test_each_night_is_a_nap_of_its_own() -> None:
    """Whether or not something had to be put back after it."""
    night = (entry("entered", 0, stage="ease"), entry("sleep", 10), entry("resumed", 20, detail="slept 10s"))
    again = [{**each, "time": each["time"] + 100} for each in night]
    found, _, _ = past(*night, *again, entry("left", 130, seconds=1))
    assert (2, 2, 0) == (found.naps, found.sleeps, found.interrupted)


def test_somebody_elses_sleep_is_taken_out_of_the_stage() -> None:
    """Only its end is told, and how long it was; one without a length is only counted."""
    found, _, _ = past(
        entry("entered", 1000, stage="ease"),
        entry("resumed", 5000, detail="slept 3000s"),
        entry("left", 5100),
    )
    assert (1000.0 + 100.0, 3000.0) == (found.lengths["ease", False], found.lengths[ASLEEP, False])
    assert 1 == past(entry("resumed", 5000, detail="?"))[0].sleeps


def test_a_sleep_that_failed_is_none() -> None:
    """It stays up; the word alone changes nothing."""
    found, _, _ = past(
        entry("started", 0),
        entry("sleep", 100),
        entry("sleep-failed", 101),
        entry("sleep-failed", 200),
        now=300,
    )
    assert {(AWAKE, False): 299.0, (ASLEEP, False): 1.0} == found.lengths
    assert 0 == found.sleeps


def test_a_killed_daemon_saw_nothing_more() -> None:
    """After its last word nothing is known until it starts again; a nap without an end is no interrupted one and no gap."""
    found, _, gaps = past(
        entry("entered", 100, stage="ease"), entry("note", 150), entry("started", 1000), now=1100
    )
    assert {("ease", False): 50.0, (ABSENT, False): 850.0, (AWAKE, False): 100.0} == found.lengths
    assert (0, []) == (found.interrupted, gaps)


def test_a_stopped_daemon_is_not_running() -> None:
    """And a machine that it switched off was off until the next start."""
    found, _, _ = past(entry("started", 0), entry("stopped", 100), entry("started", 300), now=400)
    assert {(AWAKE, False): 200.0, (ABSENT, False): 200.0} == found.lengths
    off, _, _ = past(
        entry("started", 0), entry("sleep", 100, detail="power-off"), entry("started", 900), now=1000
    )
    assert 800.0 == off.lengths[ASLEEP, False]


def test_metered_energy_goes_to_its_stage() -> None:
    """Measured, not estimated; what is not a number is not energy."""
    found, _, _ = past(
        entry("energy", 1, stage="ease", joules=50, seconds=10),
        entry("energy", 2, stage="ease", joules=60.0, seconds=10),
        entry("energy", 3, joules=5.0, seconds=1),
        entry("energy", 4, joules="many", seconds=1),
    )
    assert {"ease": Energy(110.0, 20.0), AWAKE: Energy(5.0, 1.0)} == found.used


def test_another_meters_energy_is_not_added() -> None:
    """Processors alone, then the whole machine: what counts is the latter, with its name and what it rests on."""
    rapl = {"meter": "rapl", "scope": "package", "basis": "measured"}
    acpi = {"meter": "acpi", "scope": "platform", "basis": "estimate"}
    found, _, _ = past(
        entry("energy", 1, stage="ease", joules=50, seconds=10, **rapl),
        entry("energy", 2, joules=90, seconds=10, **acpi),
        entry("energy", 3, joules=10, seconds=10, **acpi),
    )
    assert ({AWAKE: Energy(100.0, 20.0)}, Source(**acpi)) == (found.used, found.source)


def test_a_gap_began_when_the_entry_says() -> None:
    """Its stage may have had another time by then, chosen by the daemon; and a nap that somebody asked for came sooner."""
    told = (
        entry("entered", 1000, stage="ease", idle_s=123.5),
        entry("left", 1100),
        entry("asked", 2000, stage="ease"),
        entry("entered", 2001, stage="ease", idle_s=11),
        entry("entered", 2601, stage="park", idle_s=611),
        entry("activity", 2700),
        entry("left", 2701),
        entry("entered", 5000, stage="ease", idle_s="long"),
        entry("left", 5001),
    )
    assert [223.5, 710.0, 301.0] == past(*told)[2]


def test_a_gap_is_counted_once() -> None:
    """Regression: where idle time was as long as it was after what ended a nap (a window, an old version's lease), both gaps began with it."""
    _, _, gaps = past(
        entry("entered", 1000, stage="ease", idle_s=300),
        entry("activity", 1100),
        entry("left", 1101),
        entry("entered", 1200, stage="ease", idle_s=500),
        entry("woken", 1300),
        entry("left", 1301),
    )
    assert [400.0, 200.0] == gaps


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["entered", "activity", "woken", "left", "resumed", "stopped", "started", "asked"]
            ),
            st.floats(-1e3, 1e4),
            st.floats(0, 1e5),
        )
    )
)
def test_the_gaps_are_never_more_than_the_time_that_passed(happened: list[tuple[str, float, float]]) -> None:
    """Also where the clock was set back, and for `powernap wake`: no second is in two of them."""
    entries, at = [entry("started", 0.0)], 0.0
    for event, later, idle in happened:
        at = max(0.0, at + later)
        entries.append(entry(event, at, stage="ease", idle_s=min(idle, at), detail="1s"))
    passed = max(each["time"] for each in entries)
    assert sum(past(*entries, now=2e6)[2]) <= passed + 1e-6


def test_the_time_that_is_asked_about_begins_in_the_state_before_it() -> None:
    """A nap that began before it is in the hours and none of its naps; its gap and its sleep end within it."""
    spells: list[Spell] = []
    gaps: list[float] = []
    begun = Past(AFTER, spells.append, gaps.append, since=3000.0)
    found = read([*NIGHT, entry("entered", 6000, stage="ease"), entry("left", 6010)], begun, 10_000.0)
    assert {("park", False): 2001.0, (AWAKE, False): 4989.0, ("ease", False): 10.0} == found.lengths
    assert (3000.0, 4, 1, 1) == (found.first, found.entries, found.naps, found.interrupted)
    assert Spell("park", 3000.0, 5001.0) == spells[0]
    assert [4300.0, 310.0] == gaps


def test_what_ended_before_it_is_not_counted() -> None:
    """Neither naps nor sleeps nor gaps nor energy; without an entry since then the state lasts through it."""
    gaps: list[float] = []
    before = (
        entry("entered", 10, stage="ease", watching=True),
        entry("left", 20),
        entry("entered", 500, stage="ease", idle_s=3),
        entry("energy", 600, joules=5.0, seconds=1),
        entry("resumed", 700, detail="slept 10s"),
        entry("entered", 980, stage="park"),
    )
    found = read(before, Past(AFTER, gap=gaps.append, since=1000.0), 3000.0)
    assert {("park", False): 2000.0} == found.lengths
    assert (0, 0, 0, 0, 0) == (found.naps, found.woulds, found.sleeps, found.entries, found.would_interrupted)
    assert ({}, []) == (found.used, gaps)
    ended = read([*before, entry("left", 1010)], Past(AFTER, since=1000.0), 3000.0)
    assert 0 == ended.interrupted


def test_a_history_that_begins_within_it_begins_there() -> None:
    """Nothing is known of the time before."""
    found = read([entry("started", 2000)], Past(since=1000.0), 3000.0)
    assert (2000.0, {(AWAKE, False): 1000.0}) == (found.first, found.lengths)


@pytest.mark.parametrize("time", [None, "noon", True])
def test_an_entry_without_an_instant_is_passed_over(time: object) -> None:
    """A torn or foreign line."""
    found, spells, _ = past({"event": "left", "time": time})
    assert (None, []) == (found.first, spells)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            entry,
            st.sampled_from([*HEARD, "note"]),
            st.floats(0, 1e6),
            stage=st.sampled_from(["ease", "park"]),
            watching=st.booleans(),
            detail=st.sampled_from(["", "12s", "1e9s"]),
            idle_s=st.sampled_from([None, 0, 7.5, 1e9]),
        )
    ),
    st.sampled_from([float("-inf"), 5e5]),
)
def test_whatever_the_entries_say_the_times_add_up(entries: list[dict[str, Any]], since: float) -> None:
    """Also where the clock was set back: every second from the first entry to now is in one state, and in no other."""
    spells: list[Spell] = []
    gaps: list[float] = []
    found = read(entries, Past(AFTER, spells.append, gaps.append, since=since), 2e6)
    if found.first is not None:
        assert sum(found.lengths.values()) == pytest.approx(2e6 - found.first)
        assert all(one.end == other.begin for one, other in pairwise(spells))
    assert all(gap >= 0 for gap in gaps)
    assert found.interrupted <= found.naps
