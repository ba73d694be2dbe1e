"""Figures as Markdown, as text and as a drawing. Pure: nothing is measured or read here."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from html import escape

EDGES = (0.5, 1, 2, 3, 5, 10, 20, 50, 100, 1000)
"""Milliseconds at which the bars of a histogram end; the last bar is everything longer."""
WIDTH = 40


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def number(value: float | None) -> str:
    """As many digits as are worth reading: ``0``, ``0.06``, ``1.4``, ``27``, ``4,512``; ``-`` for what was not measured."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) < 0.005:
        return f"{value:.1g}"
    digits = 2 if abs(value) < 1 else 1 if abs(value) < 20 else 0
    return f"{value:,.{digits}f}"


def times(peer: float | None, ours: float | None, floor: float) -> str:
    """How many times less than the peer. Where ours is nothing, or less than can be measured, "over" the ratio to ``floor``."""
    if not peer or ours is None:
        return "-"
    if ours < floor:
        return f"over {number(peer / floor)}"
    return number(peer / ours)


def quartiles(values: Sequence[float]) -> str:
    """Median, 95 % and maximum."""
    if not values:
        return "-"
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]
    return f"{number(statistics.median(ordered))} / {number(high)} / {number(ordered[-1])}"


def bins(values: Iterable[float]) -> list[tuple[str, int]]:
    """How many values (milliseconds) lie below each edge and not below the one before."""
    counts = [0] * (len(EDGES) + 1)
    for value in values:
        counts[next((at for at, edge in enumerate(EDGES) if value < edge), len(EDGES))] += 1
    lows = ("0", *map(str, EDGES))
    names = [f"{low}-{high}" for low, high in zip(lows, map(str, EDGES), strict=False)] + [f"{lows[-1]}-"]
    return list(zip(names, counts, strict=True))


def histogram(values: Sequence[float]) -> str:
    """Bars of text, from the first to the last that is not empty."""
    found = bins(values)
    filled = [at for at, (_, count) in enumerate(found) if count]
    if not filled:
        return "(nothing measured)\n"
    most = max(count for _, count in found)
    shown = found[filled[0] : filled[-1] + 1]
    return "".join(
        f"{name:>9} ms {count:4} {'#' * math.ceil(WIDTH * count / most)}\n" for name, count in shown
    )


def drawing(groups: Mapping[str, Sequence[float]]) -> str:
    """The histograms as one SVG, a row of bars for each group, readable on light and dark."""
    step, tall, left = 46, 90, 8
    parts, top = [], 0
    for title, values in groups.items():
        found = bins(values)
        most = max((count for _, count in found), default=1) or 1
        parts.append(f'<text x="{left}" y="{top + 16}" font-weight="bold">{escape(title)}</text>')
        for at, (name, count) in enumerate(found):
            x, height = left + at * step, round((tall - 46) * count / most)
            base = top + tall - 14
            parts.append(
                f'<rect x="{x}" y="{base - height}" width="{step - 6}" height="{height}" fill="#3a7ca5"/>'
            )
            parts.append(f'<text x="{x}" y="{base + 11}">{name}</text>')
            if count:
                parts.append(f'<text x="{x}" y="{base - height - 3}">{count}</text>')
        top += tall + 12
    width = left * 2 + step * (len(EDGES) + 1)
    style = 'font-family="sans-serif" font-size="10" fill="#888"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" {style}>\n{body}\n</svg>\n'


def between(document: str, name: str, text: str) -> str:
    """The document with ``text`` between its markers of this name, which are added at the end where there are none."""
    begin, end = f"<!-- {name}: written by bench, do not edit -->", f"<!-- /{name} -->"
    block = f"{begin}\n\n{text.strip()}\n\n{end}"
    if begin not in document:
        return document.rstrip("\n") + f"\n\n{block}\n"
    return re.sub(re.escape(begin) + r".*?" + re.escape(end), lambda _: block, document, flags=re.DOTALL)
