"""Text for a terminal: aligned columns, and colour only where somebody looks and NO_COLOR is not set."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
Cell = str | tuple[str, str]
"""Text, or text and its style."""


def coloured(stream: TextIO) -> bool:
    """Whether to colour: a terminal that says what it is and is not dumb, and nobody asked for none (no-color.org)."""
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}
    )


def paint(text: str, style: str, *, colour: bool) -> str:
    """The text in a style."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colour and style and text else text


def show(text: str) -> str:
    """Somebody else's words on one line, without control characters that could drive the terminal."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in text)


def columns(
    rows: Sequence[Sequence[Cell]], *, indent: str = "  ", gap: str = "  ", stream: TextIO | None = None
) -> str:
    """Rows with aligned columns; the last one runs free."""
    colour = coloured(stream or sys.stdout)
    split = [
        [(show(cell[0]), cell[1]) if isinstance(cell, tuple) else (show(cell), "") for cell in row]
        for row in rows
    ]
    width = [
        max((len(row[i][0]) for row in split if i < len(row) - 1), default=0)
        for i in range(max(map(len, split), default=0))
    ]
    lines = []
    for row in split:
        cells = [
            paint(text, style, colour=colour) + " " * (width[i] - len(text))
            for i, (text, style) in enumerate(row)
        ]
        lines.append((indent + gap.join(cells)).rstrip())
    return "\n".join(lines)
