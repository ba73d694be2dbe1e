"""The report's picture: hours in each state, one column a day, as an SVG that stands for itself and is readable in light and dark.

Owns shapes and colours. Drawn by hand, without scripts, fonts or anything that is fetched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 84, 48
LABELS = 12
"""Dates below the columns, at most."""
STYLE = """
  svg { font: 13px system-ui, sans-serif; }
  .paper { fill: #ffffff; } .ink { fill: #1f2328; } .faint { fill: #59636e; } .rule { stroke: #d1d9e0; stroke-width: 1; }
  .s0 { fill: #c9a227; } .s1 { fill: #58a6c7; } .s2 { fill: #2f6f9f; } .s3 { fill: #274b7a; } .s4 { fill: #7a5ea8; } .s5 { fill: #4f3b78; } .none { fill: #c8ced4; }
  .would { fill-opacity: 0.45; stroke-width: 1; stroke-dasharray: 3 2; }
  .would.s1 { stroke: #58a6c7; } .would.s2 { stroke: #2f6f9f; } .would.s3 { stroke: #274b7a; } .would.s4 { stroke: #7a5ea8; } .would.s5 { stroke: #4f3b78; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } .ink { fill: #e6edf3; } .faint { fill: #9198a1; } .rule { stroke: #3d444d; }
    .s0 { fill: #d9b544; } .s1 { fill: #79c0e0; } .s2 { fill: #4f94c9; } .s3 { fill: #6a8fd0; } .s4 { fill: #a98be0; } .s5 { fill: #8a6fd1; } .none { fill: #484f58; }
    .would.s1 { stroke: #79c0e0; } .would.s2 { stroke: #4f94c9; } .would.s3 { stroke: #6a8fd0; } .would.s4 { stroke: #a98be0; } .would.s5 { stroke: #8a6fd1; }
  }
"""


@dataclass(frozen=True)
class Layer:
    """A state in the picture: its class of colour, what the legend calls it."""

    name: str
    style: str


@dataclass(frozen=True)
class Column:
    """One day, or several: its label, its length in hours, and the hours by layer."""

    label: str
    span: float
    hours: Mapping[str, float]


def draw(title: str, subtitle: str, layers: Sequence[Layer], columns: Sequence[Column]) -> str:
    """The whole document."""
    tallest = max((column.span for column in columns), default=24.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="ink" x="{LEFT}" y="26" font-size="17" font-weight="600">{escape(title)}</text>',
        f'<text class="faint" x="{LEFT}" y="46">{escape(subtitle)}</text>',
        *legend(layers),
        *scale(tallest),
        *bars(layers, columns, tallest),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def legend(layers: Sequence[Layer]) -> list[str]:
    """Squares with names, in a row."""
    parts, x = [], float(LEFT)
    for layer in layers:
        parts.append(f'<rect class="{layer.style}" x="{x:.0f}" y="58" width="12" height="12" rx="2"/>')
        parts.append(f'<text class="ink" x="{x + 17:.0f}" y="69">{escape(layer.name)}</text>')
        x += 36 + 7.2 * len(layer.name)
    return parts


def scale(tallest: float) -> list[str]:
    """Lines across with the hours."""
    step = max(1.0, math.ceil(tallest / 4))
    parts = []
    hours = 0.0
    while hours <= tallest + 1e-9:
        y = floor_of(hours, tallest)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="faint" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{hours:g} h</text>'
        )
        hours += step
    return parts


def bars(layers: Sequence[Layer], columns: Sequence[Column], tallest: float) -> list[str]:
    """The columns, the first layer at the foot."""
    parts = []
    room = (WIDTH - LEFT - RIGHT) / max(1, len(columns))
    width = min(48.0, room * 0.72)
    every = math.ceil(len(columns) / LABELS)
    for number, column in enumerate(columns):
        middle = LEFT + room * (number + 0.5)
        foot = 0.0
        for layer in layers:
            hours = column.hours.get(layer.name, 0.0)
            if hours <= 0:
                continue
            top, low = floor_of(foot + hours, tallest), floor_of(foot, tallest)
            tip = f"{column.label}: {layer.name} {hours:.1f} h"
            parts.append(
                f'<rect class="{layer.style}" x="{middle - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{max(0.5, low - top):.1f}">'
                f"<title>{escape(tip)}</title></rect>"
            )
            foot += hours
        if number % every == 0:
            y = HEIGHT - BOTTOM + 20
            parts.append(
                f'<text class="faint" x="{middle:.1f}" y="{y}" text-anchor="middle">{escape(column.label)}</text>'
            )
    return parts


def floor_of(hours: float, tallest: float) -> float:
    """The height of so many hours, from the top of the picture."""
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, hours / max(tallest, 1e-9))
