"""What others than the admin may have written (crontabs, titles, names of units), fit to be shown: a terminal obeys control characters."""

from __future__ import annotations

MOST = 300
"""Characters: titles of calendars have 200."""


def plain(text: str, most: int = MOST) -> str:
    """On one line, with control characters escaped as Python does it, and cut where it is too long."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return cut if cut.isprintable() else "".join(map(_escaped, cut))


def _escaped(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
