"""Claims about what the bench makes of its figures."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from bench import gates, overhead, tables
from bench.overhead import POLLERS, SITUATIONS, SOURCES, Result
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.06, "0.06"),
        (1.4, "1.4"),
        (27.2, "27"),
        (4512.0, "4,512"),
        (None, "-"),
        (0.0004, "0.0004"),
    ],
)
def test_numbers_have_the_digits_worth_reading(value: float | None, text: str):
    """No more digits than were measured, and nothing is not the same as not measured."""
    assert tables.number(value) == text


@pytest.mark.parametrize(
    ("peer", "ours", "text"),
    [(100.0, 0.5, "200"), (100.0, 0.0, "over 5,000"), (None, 0.0, "-"), (100.0, None, "-"), (0.0, 0.1, "-")],
)
def test_a_ratio_to_nothing_is_given_against_the_target(peer: float | None, ours: float | None, text: str):
    """Where ours is too little to measure, the claim is no larger than what the target allows."""
    assert tables.times(peer, ours, 0.02) == text


@given(st.lists(st.floats(0, 5000)))
def test_every_value_is_in_one_bar(values: list[float]):
    """A histogram neither loses nor doubles a value."""
    assert len(values) == sum(count for _, count in tables.bins(values))


def test_a_histogram_shows_what_lies_between_its_ends():
    """Empty bars before the first and after the last are left out, those between are shown."""
    assert tables.histogram([0.7, 2.5, 2.6]).splitlines() == [
        "    0.5-1 ms    1 ####################",
        "      1-2 ms    0 ",
        "      2-3 ms    2 ########################################",
    ]
    assert tables.histogram([]) == "(nothing measured)\n"


def test_quartiles_name_the_worst():
    """Median, 95 % and maximum."""
    assert tables.quartiles([*range(1, 101)]) == "50 / 95 / 100"
    assert tables.quartiles([]) == "-"


def test_a_drawing_is_well_formed_and_names_its_groups():
    """Titles are text, whatever they hold."""
    drawn = ET.fromstring(tables.drawing({"a <b>": [1.5], "none": []}))
    assert {"a <b>", "none"} <= {node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")}


@given(st.text(), st.text(), st.text())
def test_only_what_is_between_the_markers_is_written(before: str, first: str, second: str):
    """Written twice is written once, and what stands around it stays."""
    once = tables.between(before.replace("<!--", ""), "it", first)
    twice = tables.between(once, "it", second)
    assert tables.between(before.replace("<!--", ""), "it", second) == twice
    assert tables.between(twice + "after\n", "it", second).endswith("after\n")


def test_a_table_of_results_has_every_subject_and_situation():
    """Each cell is CPU and wake-ups; what was not measured is a dash."""
    own, slow = SOURCES[""], POLLERS[30]
    results = [
        Result(own, "quiet", 0, 0, 0, 0, 0, 17.5, 11, look=3.1),
        Result(slow, "quiet", 3.1, 2, 0, 0, 7500, 21.4, 14.2),
        Result(own, "storm", 0.05, 12, 0, 0, 100, 17.5, 11),
    ]
    cost, ratio = overhead.cost_table(results), overhead.ratio_table(results)
    assert f"| {own} | 0 (0) | 0.05 (12.0) |" in cost
    assert f"| {slow} | 3.1 (2.0) | - |" in cost
    assert f"| than {slow} | over 155 | - |" in ratio
    assert "3.1" in overhead.rest_table(results)


def test_every_situation_has_a_name_in_words():
    """The legend of the table."""
    assert all(what.text for what in SITUATIONS.values())


def test_gates_hold_within_their_limit_only():
    """At the limit holds, beyond it fails, not measured does not hold; of several attempts the best counts."""
    found = gates.Gates()
    found.set("T1", 0)
    found.set("T9", 18.01)
    found.set("T12", 0.5)
    found.set("T12", 0.3)
    assert (found.holds("T1"), found.holds("T9"), found.holds("T12"), found.holds("T2")) == (
        True,
        False,
        True,
        False,
    )
    lines = gates.table(found)
    assert "| T9 | RSS, MiB | <= 18 | 18.0 | FAILED |" in lines
    assert "not checked" in lines
