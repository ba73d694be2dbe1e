"""Draws the transition table of ``powernap.core.machine`` into docs/state-machine.md: as Mermaid, as SVG, and as a table.

``python -m docs.build`` writes it. Nothing but the standard library: an ellipse for each phase at a place chosen here by hand, an arrow
for each change, drawn from the table.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from html import escape

from powernap.core.state import TABLE, Phase, Trigger

PAGE = "state-machine.md"
BEGIN, END = "<!-- {} begin: drawn by docs/state_diagram.py -->", "<!-- {} end -->"

PLACES = {
    Phase.AWAKE: (80, 130),
    Phase.CHECKING: (390, 110),
    Phase.WARNING: (880, 40),
    Phase.HALTED: (150, 340),
    Phase.LEAVING: (590, 260),
    Phase.ENTERING: (880, 250),
    Phase.NAPPING: (590, 600),
    Phase.SLEEPING: (880, 500),
}
"""Where each phase stands, in pixels, such that no label lies on another: awake above, deeper below."""
WIDTH, HEIGHT, RADIUS_X, RADIUS_Y = 960, 640, 72, 26
BEND = 30.0
"""Pixels that an arrow bends to its right, so that two between the same phases do not lie on each other."""


@dataclass(frozen=True)
class Arrow:
    """All changes from one phase to another."""

    start: Phase
    end: Phase
    triggers: tuple[Trigger, ...]

    @property
    def label(self) -> str:
        """What leads along it."""
        return " / ".join(trigger.value for trigger in self.triggers)


def arrows() -> list[Arrow]:
    """In the order of the table."""
    between: dict[tuple[Phase, Phase], list[Trigger]] = defaultdict(list)
    for start, changes in TABLE.items():
        for trigger, end in changes.items():
            between[start, end].append(trigger)
    return [Arrow(start, end, tuple(triggers)) for (start, end), triggers in between.items()]


def mermaid() -> str:
    """For GitHub, which draws it."""
    lines = [f"    {a.start.name} --> {a.end.name}: {a.label}" for a in arrows()]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.AWAKE.name}", *lines, "```"])


def table() -> str:
    """Phase by trigger; a dash where there is no change, which is a defect if it were asked for."""
    rows = [f"| | {' | '.join(phase.name for phase in Phase)} |", "|---" * (len(Phase) + 1) + "|"]
    for trigger in Trigger:
        ends = (TABLE[phase].get(trigger) for phase in Phase)
        rows.append(
            f"| `{trigger.name}`: {trigger.value} | {' | '.join(end.name if end else '-' for end in ends)} |"
        )
    return "\n".join(rows)


def svg() -> str:
    """For the manual, and for who reads without GitHub."""
    marker = (
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0,0 L10,5 L0,10 z"/></marker></defs>'
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="State machine"'
        ' font-family="sans-serif" font-size="13">'
    )
    parts = [
        head,
        marker,
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *(_line(arrow) for arrow in arrows()),
        *(_ellipse(phase) for phase in Phase),
        *(_label(arrow) for arrow in arrows()),
        "</svg>",
    ]
    return "\n".join(parts)


def _ellipse(phase: Phase) -> str:
    x, y = PLACES[phase]
    return (
        f'<ellipse cx="{x}" cy="{y}" rx="{RADIUS_X}" ry="{RADIUS_Y}" fill="#eef4fb" stroke="#234"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-weight="bold">{phase.name}</text>'
    )


def _line(arrow: Arrow) -> str:
    if arrow.start is arrow.end:
        x, y = PLACES[arrow.start]
        path = f"M{x - 22},{y + 25} C{x - 60},{y + 75} {x + 60},{y + 75} {x + 22},{y + 25}"
    else:
        bend = _bend(arrow)
        (x0, y0), (x1, y1) = _edge(arrow.start, bend), _edge(arrow.end, bend)
        path = f"M{x0:.0f},{y0:.0f} Q{bend[0]:.0f},{bend[1]:.0f} {x1:.0f},{y1:.0f}"
    return f'<path d="{path}" fill="none" stroke="#678" marker-end="url(#head)"/>'


def _bend(arrow: Arrow) -> tuple[float, float]:
    """The control point: the middle, moved to the arrow's right."""
    (x0, y0), (x1, y1) = PLACES[arrow.start], PLACES[arrow.end]
    length = math.hypot(x1 - x0, y1 - y0)
    return (x0 + x1) / 2 - (y1 - y0) / length * BEND * 2, (y0 + y1) / 2 + (x1 - x0) / length * BEND * 2


def _edge(phase: Phase, towards: tuple[float, float]) -> tuple[float, float]:
    """Where a line from the middle of the ellipse leaves it."""
    x, y = PLACES[phase]
    dx, dy = towards[0] - x, towards[1] - y
    scale = 1 / math.hypot(dx / RADIUS_X, dy / RADIUS_Y)
    return x + dx * scale, y + dy * scale


def _label(arrow: Arrow) -> str:
    x, y = PLACES[arrow.start]
    if arrow.start is arrow.end:
        lines, x, y = [arrow.label], x + 34, y + 66
        anchor = "start"
    else:
        (x1, y1), bend = PLACES[arrow.end], _bend(arrow)
        x, y = round((x + x1) / 4 + bend[0] / 2), round((y + y1) / 4 + bend[1] / 2)
        lines, anchor = [trigger.value for trigger in arrow.triggers], "middle"
    return "".join(
        f'<text x="{x}" y="{y + 4 + 15 * number}" text-anchor="{anchor}" fill="#234" stroke="white" stroke-width="4"'
        f' paint-order="stroke">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )


def drawn(page: str) -> str:
    """The page with everything between its markers drawn anew."""
    for name, draw in (("mermaid", mermaid), ("svg", svg), ("table", table)):
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE} has no place for the {name}: {begin} ... {end}")
        page = f"{before}{begin}\n{draw()}\n{end}{after}"
    return page
