"""What others wrote is fit for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.schedules._plain import MOST, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("30 2 * * * backup", "30 2 * * * backup"),
        ("Größe …", "Größe …"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eexe", "\\u202eexe"),
        ("\udc80", "\\udc80"),
        ("x" * (MOST + 1), "x" * (MOST - 1) + "…"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(text: str, shown: str) -> None:
    """C0 and C1, what turns the writing round, bytes that are no text; and it has an end."""
    assert plain(text) == shown


@given(st.text())
def test_whatever_it_is_it_can_be_printed(text: str) -> None:
    """And encoded."""
    assert plain(text).isprintable()
    plain(text).encode()
