"""cli/arguments.py: what is typed becomes a value, or a sentence with an example."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from powernap.cli import arguments


def test_good_ones() -> None:
    """As an admin writes them."""
    assert 5400.0 == arguments.length("1h 30min")
    assert 7 == arguments.count("7")
    assert "rsync" == arguments.program("rsync")
    assert 65535 == arguments.port("65535")


@pytest.mark.parametrize(
    ("take", "text", "says"),
    [
        (arguments.length, "10", "30min"),
        (arguments.length, "0s", "no time at all"),
        (arguments.count, "-1", "above 0"),
        (arguments.count, "0", "above 0"),
        (arguments.program, "/usr/bin/rsync", "without its directory"),
        (arguments.program, "", "is empty"),
        (arguments.port, "0", "1 to 65535"),
        (arguments.port, "65536", "1 to 65535"),
        (arguments.port, "http", "1 to 65535"),
    ],
)
def test_bad_ones(take: type, text: str, says: str) -> None:
    """Each says what would be good."""
    with pytest.raises(ArgumentTypeError, match=says):
        take(text)
