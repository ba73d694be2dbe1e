"""Claims about which stages the bench of waking measures, and what it makes of the figures."""

from __future__ import annotations

from bench import wake
from bench.wake import NOTHING, Wakes

from lab import actions
from powernap.config.load import build


def test_every_action_alone_and_whole_stages():
    """The nap without any comes first; what takes processors away is in no stage with others."""
    found = wake.stages(actions.CASES)
    assert next(iter(found.items())) == (NOTHING, [])
    assert [names for names in found.values() if len(names) == 1] == [[name] for name in actions.CASES]
    whole = [names for names in found.values() if len(names) > 1]
    assert whole[:2] == [["cpu-clock", "kernel-quiet"], ["cpu-clock", "kernel-quiet", "cpu-park"]]
    assert {name for names in whole for name in names} == actions.CASES.keys() - {*wake.APART}


def test_no_stage_twice():
    """Of few actions the stages are the same, and are measured once."""
    assert list(wake.stages(["kernel-quiet", "cpu-clock"]).values()) == [
        [],
        ["cpu-clock", "kernel-quiet"],
        ["cpu-clock"],
        ["kernel-quiet"],
    ]


def test_every_stage_is_a_configuration():
    """Also the one without an action."""
    for names in wake.stages(actions.CASES).values():
        config = build([("lab.toml", wake.config(names))])
        assert config.stages[0].actions == tuple(names or [wake.ABSENT])
        assert {*names} <= {*config.actions}


def test_the_ratio_is_that_of_the_medians():
    """And nothing where one was not measured."""
    nothing, one = Wakes(NOTHING, [], key=[1.0, 2.0, 9.0]), Wakes("x", ["x"], 3, key=[8.0, 8.0, 1.0])
    assert wake.row(one, nothing) == ["x", "3", "8.0 / 8.0 / 8.0", "4.0", "-", "-", "-"]
    assert wake.table([nothing, one]).splitlines()[2].startswith("| no action | 0 |")


def test_bars_of_stages_only():
    """An action by itself is a line of the table."""
    facts = dict.fromkeys(("date", "machine", "kernel", "system", "python", "autosuspend"), "-")
    text = wake.section([Wakes(NOTHING, [], key=[40.0]), Wakes("cpu-park", ["cpu-park"], key=[80.0])], facts)
    assert "| cpu-park | 0 | 80 / 80 / 80 | 2.0 | - | - | - |" in text
    assert text.count("```text") == 1
