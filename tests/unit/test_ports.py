"""Ports and ranges of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.ports import MOST, port_ranges, show_ports, within, wrong_port, wrong_ports

PORT = st.integers(1, 65535)


def test_ranges_are_sorted_and_joined() -> None:
    """What overlaps or touches becomes one range: the kernel's filter stays short."""
    assert port_ranges(["8005-8010", "22", "8000-8004", "23"]) == ((22, 23), (8000, 8010))


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "22-", "-22", "30-20", "ssh", "²2", "1-2-3", "999999999999", "22,23"]
)
def test_what_is_no_port_says_what_to_write(text: str) -> None:
    """Each refusal names the text and an example."""
    with pytest.raises(
        ValueError, match='is not a port; write a number from 1 to 65535 or a range, such as "22"'
    ):
        port_ranges([text])


def test_too_many_ranges_are_refused() -> None:
    """A filter's jumps have an end."""
    assert "at most 64" in (wrong_ports(tuple(str(port) for port in range(2, 2 * MOST + 4, 2))) or "")
    assert wrong_ports(tuple(str(port) for port in range(2, 2 * MOST + 2, 2))) is None


def test_option_checks() -> None:
    """A good port has nothing wrong with it, and no port neither."""
    assert (wrong_port(22), wrong_port(None), wrong_ports(("1-65535",))) == (None, None, None)
    assert "70000" in (wrong_port(70000) or "")
    assert "-1" in (wrong_port(-1) or "")


def test_shown() -> None:
    """As a sentence needs it."""
    assert [
        show_ports(((22, 22),)),
        show_ports(((22, 22), (80, 90))),
        show_ports(((80, 90),)),
        show_ports(()),
    ] == [
        "port 22",
        "ports 22, 80-90",
        "ports 80-90",
        "any port",
    ]


@given(st.lists(st.tuples(PORT, PORT).map(sorted), max_size=20), PORT)
def test_joining_changes_no_membership(pairs: list[list[int]], port: int) -> None:
    """A port is in the joined ranges if and only if it was in one of those written."""
    joined = port_ranges(f"{low}-{high}" for low, high in pairs)
    assert within(port, joined) == (not pairs or any(low <= port <= high for low, high in pairs))
