"""How long it takes from the alarm until the machine is ready, learned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.daemon.leads import (
    BOOT,
    DEFAULT,
    JITTER,
    KEPT,
    LONGEST,
    MARGIN,
    PLAUSIBLE,
    SLEEP,
    Leads,
    load,
)
from powernap.host.files import TreeFiles

FILES = TreeFiles("/")


def leads(path: Path) -> Leads:
    """Kept in a file."""
    return Leads(FILES, str(path / "state" / "lead-times.json"))


def test_until_something_is_known_it_is_careful() -> None:
    """Firmware takes minutes."""
    known = Leads(FILES, "")
    assert (known.lead(SLEEP), known.lead(BOOT)) == (DEFAULT[SLEEP], DEFAULT[BOOT])


def test_the_second_longest_of_the_last_eight_counts_and_a_quarter_more(tmp_path: Path) -> None:
    """What was slow twice is not forgotten by a quick start, but after eight; what was so once is an accident."""
    known = leads(tmp_path)
    for seconds in (40.0, 45.0, *range(1, KEPT - 1)):
        known.learn(BOOT, float(seconds))
    slow = known.lead(BOOT)
    known.learn(BOOT, 3.0)

    assert slow == 40.0 * MARGIN + JITTER
    assert known.lead(BOOT) == (KEPT - 2) * MARGIN + JITTER
    assert known.lead(SLEEP) == DEFAULT[SLEEP]


def test_one_sample_does_not_teach_what_is_implausible() -> None:
    """Regression: a machine that somebody started half an hour after a failed alarm was woken half an hour early, eight times."""
    known = Leads(FILES, "")
    known.learn(BOOT, 1700.0)
    assert known.lead(BOOT) == PLAUSIBLE[BOOT] * MARGIN + JITTER
    known.learn(BOOT, 60.0)
    assert known.lead(BOOT) == PLAUSIBLE[BOOT] * MARGIN + JITTER
    known.learn(BOOT, 50.0)
    assert known.lead(BOOT) == 60.0 * MARGIN + JITTER
    slow = Leads(FILES, "")
    for _ in range(3):
        slow.learn(BOOT, 900.0)
    assert slow.lead(BOOT) == 900.0 * MARGIN + JITTER


def test_what_the_alarm_did_not_start_teaches_nothing(tmp_path: Path) -> None:
    """Before it rang, long after it, or at no time at all."""
    known = leads(tmp_path)
    for seconds in (-0.1, LONGEST[SLEEP] + 1, float("nan"), float("inf")):
        known.learn(SLEEP, seconds)
    assert known.lead(SLEEP) == DEFAULT[SLEEP]
    assert not Path(known.path).exists()


def test_another_life_knows_it(tmp_path: Path) -> None:
    """Both figures, from the file."""
    known = leads(tmp_path)
    known.learn(SLEEP, 4.0)
    known.learn(BOOT, 60.0)
    again = leads(tmp_path)
    assert (again.lead(SLEEP), again.lead(BOOT)) == (known.lead(SLEEP), known.lead(BOOT))


def test_where_nothing_can_be_written_it_is_known_until_the_end(tmp_path: Path) -> None:
    """The error is told, the figure counts."""
    (tmp_path / "file").write_text("")
    known = Leads(FILES, str(tmp_path / "file" / "lead-times.json"))
    with pytest.raises(OSError, match="file"):
        known.learn(SLEEP, 4.0)
    assert known.lead(SLEEP) == 4.0 * MARGIN + JITTER


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "7", '"x"', "null", '{"suspend": 3}', '{"suspend": {}}', '{"suspend": [[]]}', '{"suspend": ["x"]}',
     '{"suspend": [NaN, Infinity, -1, 1e9]}', '{"boot": []}'],
)  # fmt: skip
def test_a_damaged_file_teaches_nothing(tmp_path: Path, content: str) -> None:
    """And breaks nothing."""
    path = tmp_path / "lead-times.json"
    path.write_text(content)
    assert load(FILES, str(path)) == {}
    assert Leads(FILES, str(path)).lead(SLEEP) == DEFAULT[SLEEP]


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([SLEEP, BOOT, "version"]), inner),
        max_leaves=8,
    )
)  # fmt: skip
def test_whatever_stands_there_a_lead_is_a_proper_time(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    """Never longer than the longest that is believed."""
    path = tmp_path_factory.mktemp("leads") / "lead-times.json"
    path.write_text(json.dumps(document))
    known = Leads(FILES, str(path))
    for how in (SLEEP, BOOT):
        assert 0 <= known.lead(how) <= LONGEST[how] * MARGIN + JITTER
