"""The admin's exceptions: they have an end, outlive a reboot, and a damaged file is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.core.timetable import UP, Exempt, Span
from powernap.daemon import exceptions
from powernap.daemon.exceptions import KEPT, OVER_MAX, Exceptions, Extended
from powernap.host.files import TreeFiles

FILES = TreeFiles("/")
INSTANTS = st.floats(0, 4e9)
TEXTS = st.text(max_size=5)
BOTH = st.builds(
    Exceptions,
    st.lists(st.builds(Exempt, INSTANTS, INSTANTS, TEXTS, TEXTS), max_size=4).map(tuple),
    st.lists(st.builds(Extended, INSTANTS, INSTANTS, TEXTS, TEXTS), max_size=4).map(tuple),
)


@settings(deadline=None)
@given(BOTH)
def test_another_life_has_the_same(tmp_path_factory: pytest.TempPathFactory, found: Exceptions) -> None:
    """Whatever they are."""
    path = str(tmp_path_factory.mktemp("exceptions") / "state" / "exceptions.json")
    exceptions.save(path, found)
    assert exceptions.load(FILES, path) == found


@settings(deadline=None)
@given(BOTH, INSTANTS)
def test_those_that_are_over_are_none(found: Exceptions, now: float) -> None:
    """One that ends at this instant is over."""
    left = found.since(now)
    assert all(
        end > now for end in [each.end for each in left.skipped] + [each.end for each in left.extended]
    )
    assert len(left.skipped) == sum(each.end > now for each in found.skipped)
    assert left.since(now) == left


@given(BOTH, TEXTS.filter(lambda name: name not in {"", "extended"}))
def test_without_those_of_one_schedule_the_others_stand(found: Exceptions, name: str) -> None:
    """Those of all schedules too; by its name what is extended is taken back, and without a name all."""
    left = found.without(name)
    assert left == Exceptions(tuple(each for each in found.skipped if each.schedule != name), found.extended)
    assert found.without("extended").extended == ()
    assert found.without("") == Exceptions()


def test_of_those_that_are_over_the_latest_are_kept_for_a_day() -> None:
    """Should the clock be set back; those that stand are kept all."""
    now = 1e9
    over = [Extended(0, now - each) for each in (0, 1, KEPT - 1, KEPT, KEPT + 1, *range(2, 2 * OVER_MAX))]
    left = Exceptions((Exempt(0, now + 1),), tuple(over)).tidied(now)
    assert left.skipped == (Exempt(0, now + 1),)
    assert sorted(now - each.end for each in left.extended) == [*range(OVER_MAX)]
    few = Exceptions((Exempt(0, now - 1),), tuple(over[:5]))
    assert few.tidied(now) == Exceptions(few.skipped, tuple(over[:3]))


def test_extended_is_up_and_says_who_and_why() -> None:
    """With a reason, and without one."""
    found = Exceptions((), (Extended(1, 2, "a deadline", "alice"), Extended(3, 4, who="bob")))
    assert found.spans() == [
        Span(1, 2, UP, "extended", "a deadline (alice)"),
        Span(3, 4, UP, "extended", "extended (bob)"),
    ]


def test_what_a_user_postponed_and_still_stands_is_lengthened() -> None:
    """What is over, what is another user's and what is an admin's stays as it is."""
    over, other = Extended(1, 2, "", "ann", 1.0), Extended(3, 9, "", "bob", 1.0)
    admins, mine = Extended(3, 9, "", "ann"), Extended(4, 6, "a", "ann", 2.0)
    found = Exceptions((), (over, other, admins, mine)).postpone(Extended(5, 8, "b", "ann", 4.0))
    assert found.extended == (over, other, admins, Extended(4, 8, "b", "ann", 4.0))
    again = Exceptions((), (mine,)).postpone(Extended(5, 8, "b", "ann"))
    assert again.extended == (mine, Extended(5, 8, "b", "ann"))


def test_what_is_postponed_says_so() -> None:
    """Where no reason was given."""
    [span] = Exceptions((), (Extended(1, 2, "", "ann", 1.0),)).spans()
    assert span.detail == "postponed (ann)"


def test_a_length_that_is_none_is_no_exception(tmp_path: Path) -> None:
    """As with every number in that file."""
    path = tmp_path / "exceptions.json"
    one = {"start": 1.0, "end": 2.0, "postponed": "long"}
    path.write_text(json.dumps({"skipped": [], "extended": [one, {**one, "postponed": 1.0}]}))
    assert exceptions.load(FILES, str(path)).extended == (Extended(1.0, 2.0, postponed=1.0),)


GOOD: dict[str, Any] = {"start": 1.0, "end": 2.0, "schedule": "office", "who": "alice"}


WRONG: list[tuple[str, Any]] = [
    ("start", "x"), ("end", None), ("end", []), ("end", float("nan")), ("end", float("inf")), ("schedule", 7), ("who", {}),
]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "7", "{}", '{"skipped": 7, "extended": []}', '{"skipped": [7], "extended": []}',
        '{"skipped": [{}], "extended": []}', '{"skipped": [{"start": 1, "end": 2, "more": 3}], "extended": []}', '{"skipped": []}',
        *(json.dumps({"skipped": [{**GOOD, key: value}], "extended": []})
          for key, value in WRONG),
    ],
)  # fmt: skip
def test_a_damaged_file_is_no_exception(tmp_path: Path, content: str) -> None:
    """The schedules hold as they are written, and nothing breaks later."""
    path = tmp_path / "exceptions.json"
    path.write_text(content)
    assert exceptions.load(FILES, str(path)) == Exceptions()


def test_what_is_proper_among_damaged_ones_stands(tmp_path: Path) -> None:
    """One without an end takes no other with it."""
    path = tmp_path / "exceptions.json"
    path.write_text(json.dumps({"skipped": [GOOD, {**GOOD, "end": "x"}], "extended": []}))
    assert exceptions.load(FILES, str(path)) == Exceptions((Exempt(1.0, 2.0, "office", "alice"),))


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    """Not even a directory."""
    assert exceptions.load(FILES, str(tmp_path / "no" / "exceptions.json")) == Exceptions()
