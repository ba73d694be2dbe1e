"""Whatever a monitor answers, the core gets a reading that makes sense."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.core.reading import Reading
from powernap.daemon.answers import REASON_MAX, WHO_MAX, clean, of_error, sound
from powernap.host.availability import UnavailableError, unavailable

NOW = 1000.0
ANYTHING: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


INSTANT = st.floats(0, 2 * NOW)


@given(
    st.builds(Reading, *[ANYTHING] * 13)
    | st.builds(Reading, st.text(), INSTANT, last=INSTANT, since=INSTANT, measured=st.floats())
    | ANYTHING
)
def test_any_answer_becomes_a_sound_reading(answer: Any) -> None:
    """No instant that is none or to come, no number that JSON lacks, no text that a terminal obeys, nothing without bound."""
    reading = sound("m", answer, NOW)

    assert reading.monitor == "m"
    for instant in (reading.at, reading.last, reading.since):
        assert instant is None or (isfinite(instant) and instant <= NOW)
    assert {True, False} >= {reading.active, reading.failed, reading.told}
    assert len(reading.reason) <= REASON_MAX
    assert reading.reason.isprintable()
    assert len(reading.who) <= WHO_MAX
    assert all(name.isprintable() for name in reading.who)
    json.dumps(asdict(reading), allow_nan=False)


def test_a_good_answer_stays_as_it_is() -> None:
    """What is sound is not touched."""
    good = Reading("m", 999.0, True, "alice types", 998.0, 990.0, 3.0, 1.0, "B/s", ("alice",), told=True)

    assert good == sound("m", good, NOW)


def test_one_name_is_not_a_row_of_letters() -> None:
    """`who="alice"` is one name."""
    assert sound("m", Reading("m", NOW, who="alice"), NOW).who == ("alice",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "reason", "remedy"),
    [
        (UnavailableError(unavailable("no tool", "install it")), "no tool", "install it"),
        (OSError(2, "No such file or directory", "/x"), "[Errno 2] No such file or directory: '/x'", ""),
        (KeyError("a\nb"), "KeyError: 'a\\nb'", ""),
    ],
)
def test_an_exception_is_a_failed_reading(error: Exception, reason: str, remedy: str) -> None:
    """With the sentence and the remedy it carries."""
    reading = of_error("m", NOW, error)

    assert (True, reason, remedy) == (reading.failed, reading.reason, reading.remedy)


def test_control_characters_are_shown_as_question_marks() -> None:
    """A program's name cannot move an admin's cursor, nor begin a line of ours."""
    assert clean("a\x1b[2J\nb\udc80") == "a?[2J?b?"
