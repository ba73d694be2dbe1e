"""Automatic idle times: within their limits always, learned from this machine's own gaps, and kept over a restart."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper import Keeper, config, kept, until
from powernap.config.model import AUTO, Stage
from powernap.core.deadlines import verdict
from powernap.core.events import (
    Due,
    Event,
    Heard,
    LeaseEnded,
    LeaseTaken,
    NapAsked,
    Reconfigured,
    Resumed,
    Scheduled,
    WakeAsked,
)
from powernap.core.ladder import MonitorRule, Settings
from powernap.core.ladder import Stage as CoreStage
from powernap.core.machine import start, step
from powernap.core.plan import Plan, Window
from powernap.core.reading import Reading
from powernap.core.verdict import Lease
from powernap.daemon import measured
from powernap.daemon.facts import why
from powernap.daemon.measured import Saving
from powernap.daemon.thresholds import AGAIN, NAME, UNMEASURED, Thresholds, between, price
from powernap.host.files import TreeFiles

EASE = Stage("ease", AUTO, 0.0, ("cpu-clock",), least=10.0, most=3600.0)
BED = Stage("bed", AUTO, 30.0, (), "suspend", least=600.0, most=7200.0)


def thresholds(*stages, files=None, directory=""):
    """Of a ladder."""
    return Thresholds(config(stages=stages), files or TreeFiles("/nonexistent"), str(directory))


def live(automatic, gaps, began=0.0, busy=5.0):
    """The machine has these idle times, each ended by a few seconds of use; how often another wait was chosen."""
    now, chosen = began, 0
    for gap in gaps:
        automatic.note(now, now)
        now += gap
        chosen += automatic.note(None, now)
        now += busy
    return chosen


@pytest.mark.parametrize(
    ("stage", "savings", "paid", "known"),
    [
        (EASE, {}, UNMEASURED, False),
        (EASE, {"cpu-clock": Saving("saves", 4.0, 0.1, 40.0)}, 10.0, True),
        (EASE, {"cpu-clock": Saving("saves", 4.0, 0.1, None)}, 0.0, True),
        (EASE, {"cpu-clock": Saving("does not", -1.0, 0.1, 40.0)}, float("inf"), True),
        (EASE, {"cpu-park": Saving("saves", 4.0, 0.1, 40.0)}, UNMEASURED, False),
        (BED, {}, 45.0, False),
    ],
)
def test_the_price_of_a_stage_is_what_was_measured_of_all_its_actions(stage, savings, paid, known):
    """Energy there and back over the power saved; what was not measured is a guess, and says so."""
    found = price(stage, savings)
    assert (found.paid, found.known) == (paid, known)


def test_without_any_history_it_is_the_break_even_time_within_the_limits():
    """A stage that must not come before ten minutes does not, however well it pays."""
    assert thresholds(EASE, BED).waits == {"ease": 300.0, "bed": 600.0}


@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(AUTO), st.floats(1, 1e5)),
            st.floats(1, 1e4),
            st.floats(0, 1e4),
            st.floats(0, 60),
            st.floats(0, 1e6),
        ),
        max_size=5,
    )
)
def test_each_stage_comes_after_the_one_before_it_and_its_warning(rows):
    """Whatever was chosen, in every ladder that the configuration takes."""
    ladder, waits, begun = [], {}, 0.0
    for number, (after, least, more, warn, chosen) in enumerate(rows):
        stage = Stage(str(number), after, warn, least=least, most=least + more)
        latest = stage.most if after == AUTO else after
        if latest <= begun + warn + 2.0:
            continue
        begun = max(least, begun + warn + 1.0) if after == AUTO else after
        ladder.append(stage)
        waits[stage.name] = chosen
    found = between(ladder, waits)
    assert list(found) == [stage.name for stage in ladder]
    for before, stage in zip([None, *ladder], ladder, strict=False):
        begun = found[before.name] if before else 0.0
        if stage.after == AUTO:
            assert found[stage.name] >= max(stage.least, begun + stage.warn)
        else:
            assert found[stage.name] == stage.after


def test_a_machine_whose_idle_times_are_long_or_short_learns_to_nap_at_once():
    """Five hours of pauses of a minute and rests of an hour: waiting for five minutes in each rest saves nothing."""
    automatic = thresholds(EASE)
    assert live(automatic, [60.0, 60.0, 3600.0] * 12) >= 1
    assert 60.0 <= automatic.waits["ease"] < 100.0


def test_a_choice_stands_for_an_hour():
    """Each new one climbs the ladder from its foot."""
    automatic = thresholds(EASE)
    automatic.chosen_at = 0.0
    assert live(automatic, [60.0] * 40) == 0
    assert automatic.chosen_at == 0.0
    live(automatic, [60.0] * 40, began=AGAIN)
    assert automatic.chosen_at >= AGAIN


def test_a_pulse_ends_a_gap_too():
    """It has no length: idle time begins anew at once."""
    automatic = thresholds(EASE)
    for now in (0.0, 100.0, 100.5, 300.0):
        automatic.note(now, now)
    assert automatic.learned["ease"].gaps == (100.0, 199.5)


def test_what_was_learnt_of_an_idle_time_is_not_learnt_again():
    """A window of the schedule ended a gap, and then idle time was as long as it was. Regression: both gaps began where idle time did."""
    automatic = thresholds(EASE)
    for idle_since, now in (
        (0.0, 0.0),
        (None, 100.0),
        (0.0, 150.0),
        (None, 150.5),
        (0.0, 160.0),
        (300.0, 300.0),
    ):
        automatic.note(idle_since, now)
    assert automatic.learned["ease"].gaps == (100.0, 50.5, 149.5)


MACHINE = Settings(
    stages=(CoreStage("ease", 10.0),),
    monitors=(("keys", MonitorRule(hold=3.0)), ("work", MonitorRule())),
    min_awake=5.0,
)
HAPPENS: dict[str, Callable[[float], Event]] = {
    "nothing": Due,
    "key": lambda now: Heard(now, Reading("keys", now, last=now)),
    "key of late": lambda now: Heard(now, Reading("keys", now, last=now - 2.0)),
    "work": lambda now: Heard(now, Reading("work", now, active=True, told=True)),
    "no work": lambda now: Heard(now, Reading("work", now)),
    "hold": lambda now: LeaseTaken(now, Lease("make", "root", "make", now)),
    "hold for a while": lambda now: LeaseTaken(now, Lease("make", "root", "make", now, now + 20.0)),
    "made": lambda now: LeaseEnded(now, "make"),
    "window": lambda now: Scheduled(now, Plan((Window("office"),))),
    "window for a while": lambda now: Scheduled(now, Plan((Window("office", until=now + 20.0),))),
    "window closes": lambda now: Scheduled(now, Plan()),
    "wake": lambda now: WakeAsked(now, "root"),
    "nap": lambda now: NapAsked(now, "root"),
    "resumed": lambda now: Resumed(now, 1.0),
    "reload": lambda now: Reconfigured(now, MACHINE),
}


def learnt(*happened):
    """The gaps that the daemon would cut, as it does after each event, and how much time had passed after all of them."""
    automatic, gaps, now = thresholds(EASE), [], 0.0
    state, _ = start(MACHINE, now)
    for name in ("keys", "work"):
        state, _ = step(state, Heard(now, Reading(name, now)))
    for seconds, what in ((0.0, "nothing"), *happened):
        now += seconds
        state, _ = step(state, HAPPENS[what](now))
        judged, known = verdict(state, now), automatic.learned["ease"]
        automatic.note(None if judged.blockers else judged.idle_since, now)
        if automatic.learned["ease"] is not known:
            gaps.append(automatic.learned["ease"].gaps[-1])
    return gaps, now


def test_a_lease_and_a_wake_end_one_gap_and_begin_another():
    """What was held is no gap; waking has no length."""
    assert learnt((12.0, "hold"), (4.0, "made"), (14.0, "wake"), (20.0, "work")) == ([12.0, 14.0, 20.0], 50.0)
    assert learnt((12.0, "hold for a while"), (24.0, "nothing"), (6.0, "work")) == ([12.0, 10.0], 42.0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 2.0, 7.0, 25.0, 400.0]), st.sampled_from(sorted(HAPPENS))))
)
def test_the_gaps_are_never_more_than_the_time_that_passed(happened):
    """Whatever ends idle time, and whether or not it begins anew after that: no second is learnt from twice."""
    gaps, passed = learnt(*happened)
    assert sum(gaps) <= passed


def test_what_was_learnt_is_kept(tmp_path):
    """Over a restart, and at another price too."""
    automatic = thresholds(EASE, directory=tmp_path)
    live(automatic, [60.0, 60.0, 3600.0] * 12)
    automatic.save()
    again = thresholds(EASE, directory=tmp_path)
    assert again.waits == pytest.approx(automatic.waits, abs=1.0)
    assert len(again.learned["ease"].gaps) == 36
    assert [NAME] == [each.name for each in tmp_path.iterdir()]
    automatic.save()  # nothing new: the file stays as it is


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"version": 2}',
        '{"version": 1, "stages": []}',
        '{"version": 1, "stages": {"ease": {"gaps": ["x"]}}}',
    ],
)
def test_a_broken_file_is_as_none(tmp_path, content):
    """What was learnt can be learnt again."""
    (tmp_path / NAME).write_text(content)
    assert thresholds(EASE, directory=tmp_path).waits == {"ease": 300.0}


def test_a_directory_that_takes_nothing_costs_nothing_else(tmp_path):
    """The daemon goes on, and has learnt."""
    (tmp_path / "file").touch()
    automatic = thresholds(EASE, directory=tmp_path / "file")
    live(automatic, [60.0, 60.0, 3600.0] * 12)
    automatic.save()
    assert automatic.unsaved


def test_measurements_of_this_machine_are_used(tmp_path):
    """As `powernap measure` left them."""
    root = tmp_path / "root"
    for path, text in {"etc/machine-id": "ab\n", "proc/sys/kernel/osrelease": "6.1\n"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    files = TreeFiles(str(root))
    actions = {"cpu-clock": {"verdict": "saves", "saved_w": 2.0, "spread_w": 0.1, "transition_most_j": 60.0}}
    document = measured.merge(
        measured.parse(""), measured.identity(files), {"meter": "acpi", "actions": actions}
    )
    measured.save(str(tmp_path / measured.NAME), document)
    automatic = thresholds(EASE, files=files, directory=tmp_path)
    assert automatic.waits == {"ease": 30.0}
    assert automatic.text() == "ease after 30s"
    assert thresholds(BED).text() == "bed after 10min (not measured)"


@kept(conf=config("work", stages=(Stage("ease", AUTO, 0.0, ("quiet",), least=0.05, most=0.08),)))
async def test_the_daemon_naps_after_the_chosen_time(keeper: Keeper) -> None:
    """And what it chose is what `why` shows; a better choice is taken while it runs, and told."""
    assert why(keeper.node)["first_stage"] == {"stage": "ease", "after_s": 0.08}
    await keeper.reach("napping")
    thresholds = keeper.node.thresholds
    assert thresholds
    numbers = itertools.count()
    thresholds.note = lambda idle_since, now: next(numbers) == 0  # type: ignore[method-assign]
    thresholds.waits = {"ease": 0.06}
    keeper.fakes["work"].tell(active=True)
    await until(lambda: keeper.said("chosen"))
    assert why(keeper.node)["first_stage"] == {"stage": "ease", "after_s": 0.06}
    keeper.fakes["work"].tell()
    await keeper.reach("napping")


@kept(conf=config("work", stages=(Stage("ease", AUTO, 0.0, ("quiet",), least=0.05, most=0.08),)))
async def test_a_reload_keeps_what_was_learnt(keeper: Keeper) -> None:
    """And a configuration without automatic stages needs none of it."""
    first = keeper.node.thresholds
    keeper.node.reload(keeper.node.config)
    assert keeper.node.thresholds is not first
    keeper.node.reload(config("work"))
    assert keeper.node.thresholds is None


def test_the_file_is_what_json_readers_take(tmp_path):
    """Version, and of each stage the price, the credit and the gaps."""
    automatic = thresholds(EASE, directory=tmp_path)
    live(automatic, [60.0])
    automatic.save()
    document = json.loads((tmp_path / NAME).read_text())
    assert document == {"version": 1, "stages": {"ease": {"paid": 300.0, "credit": 360.0, "gaps": [60.0]}}}
