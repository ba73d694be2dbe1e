"""Port numbers and ranges of them, as an admin writes them and as kernel filters take them.

Owns the text form ("22", "8000-8010"). Filters are built from it in sock_diag.py, tcp_events.py and packets.py.
"""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
"""First and last port, both included."""

MOST = 64
"""More ranges than this are refused: a classic BPF jump reaches 255 instructions, and each range takes two."""


def port_ranges(texts: Iterable[str]) -> tuple[Range, ...]:
    """Ranges of ``"22"`` and ``"8000-8010"``, sorted, overlapping and adjacent ones joined; ``ValueError`` says what to write."""
    joined: list[Range] = []
    for low, high in sorted(_range(text) for text in texts):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    if len(joined) > MOST:
        raise ValueError(
            f"{len(joined)} separate port ranges; write at most {MOST}, such as one range around them"
        )
    return tuple(joined)


def _range(text: str) -> Range:
    low, dash, high = text.partition("-")
    numbers = [part.strip() for part in ((low, high) if dash else (low, low))]
    if all(part.isascii() and part.isdigit() and len(part) <= 5 for part in numbers):
        first, last = int(numbers[0]), int(numbers[1])
        if 1 <= first <= last <= 65535:
            return first, last
    raise ValueError(
        f'"{text}" is not a port; write a number from 1 to 65535 or a range, such as "22" or "8000-8010"'
    )


def wrong_port(port: int | None) -> str | None:
    """What is wrong with one port number, for an option's check."""
    return None if port is None else wrong_ports((str(port),))


def wrong_ports(texts: tuple[str, ...]) -> str | None:
    """What is wrong with a list of ports, for an option's check."""
    try:
        port_ranges(texts)
    except ValueError as error:
        return str(error)
    return None


def show_ports(ranges: tuple[Range, ...]) -> str:
    """``"port 22"``, ``"ports 80, 8000-8010"``; ``"any port"`` of no range."""
    if not ranges:
        return "any port"
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in ranges]
    return ("port " if len(texts) == 1 and "-" not in texts[0] else "ports ") + ", ".join(texts)


def within(port: int, ranges: tuple[Range, ...]) -> bool:
    """Whether a port is in one of the ranges; every port is in none of them given."""
    return not ranges or any(low <= port <= high for low, high in ranges)
