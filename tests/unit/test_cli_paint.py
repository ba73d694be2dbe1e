"""cli/paint.py: columns that align, and colour only where somebody sees it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.cli.paint import coloured, columns, paint, show


class Terminal(io.StringIO):
    """Somebody looks."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": ""}, False),
        ({}, False),
    ],
)
def test_colour_is_for_terminals_that_can(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool
) -> None:
    """NO_COLOR when set and not empty; a terminal that does not say what it is gets none."""
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert expected is coloured(Terminal())
    assert not coloured(io.StringIO())


def test_columns_align_and_the_last_runs_free() -> None:
    """A long last cell widens nothing."""
    text = columns([["a", "yes", "long " * 20], ["longer", "no", "x"]], stream=io.StringIO())
    assert ["  a       yes  " + ("long " * 20).rstrip(), "  longer  no   x"] == text.split("\n")


def test_colour_does_not_shift_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """The escapes have no width, and an empty cell has no escapes."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = columns([[("ab", "red"), "x"], [("", "bold"), "y"]], stream=Terminal())
    assert "  \x1b[31mab\x1b[0m  x\n      y" == text
    assert "" == columns([], stream=Terminal())


def test_paint_without_style_or_colour_is_the_text() -> None:
    """Nothing is added where nothing is meant."""
    assert ["x", "x", ""] == [
        paint("x", "", colour=True),
        paint("x", "red", colour=False),
        paint("", "red", colour=True),
    ]


@given(st.text())
def test_somebody_elses_words_stay_on_one_line_and_drive_no_terminal(text: str) -> None:
    """Process names, reasons of leases, output of commands: printable characters only, as many as there were."""
    shown = show(text)
    assert shown.isprintable()
    assert len(text) == len(shown)
    assert 1 == len(columns([["name", text]], stream=io.StringIO()).split("\n"))
