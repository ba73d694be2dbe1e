"""The picture of some days as an SVG that stands for itself and is readable in light and dark: a row a day, the wall's 24 hours across.

The more of the machine is on, the higher its bar: who sees no colours, or prints it, reads it too. Owns shapes; the colours are those of the report's picture. Drawn by hand, without scripts, fonts or anything that is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from powernap.cli.paint import show
from powernap.cli.picture import LEFT as LEGEND
from powernap.cli.picture import STYLE, Layer, legend
from powernap.cli.schedule_days import DAY, Day, Piece, days, pieces
from powernap.cli.schedule_facts import off_refused
from powernap.cli.schedule_rows import What, order, said
from powernap.cli.schedule_text import called as named_alone
from powernap.cli.schedule_text import named, spoken, title
from powernap.cli.schedule_week import Known, Told
from powernap.core.timetable import FREE, NAP, OFF, UP

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 136, 24, 108, 24
ROW, BAR = 34, 24
HOURS = WIDTH - LEFT - RIGHT
MORE = """
  .now { stroke: #cf222e; stroke-width: 2; } .never { fill: none; stroke: #9198a1; stroke-width: 1; stroke-dasharray: 2 3; }
  @media (prefers-color-scheme: dark) { .now { stroke: #ff7b72; } }
"""
COLOURS = {UP: "s0", OFF: "s5", FREE: "none"}
HEIGHTS = {UP: 1.0, NAP: 0.7, FREE: 0.45, OFF: 0.2}
"""Shares of a row."""
LINE = 20
NAPS = 3
"""Colours of naps: the deeper, the darker."""


def draw(about: Known, told: Told) -> str:
    """The whole document."""
    ordered = order(told.periods, [stage.name for stage in about.config.stages])
    found = days(about.local.zone, told.answers.start, told.answers.end)
    said_below = list(below(about, told))
    height = TOP + ROW * len(found) + BOTTOM + LINE * len(said_below)
    name = "When this machine is up"
    layers = [Layer(show(called(what)), style(what, ordered)) for what in ordered]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(name, quote=True)}">',
        f"<style>{STYLE}{MORE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        f'<text class="ink" x="{LEFT}" y="26" font-size="17" font-weight="600">{escape(name)}</text>',
        f'<text class="faint" x="{LEFT}" y="46">{escape(title(about, told))}</text>',
        f'<g transform="translate({LEFT - LEGEND})">',
        *legend(layers),
        "</g>",
        *scale(len(found)),
    ]
    for number, day in enumerate(found):
        parts += row(day, TOP + ROW * number, told, ordered, about)
    for number, text in enumerate(said_below, 1):
        y = TOP + ROW * len(found) + LINE * number
        parts.append(f'<text class="ink" x="{LEFT}" y="{y}">{escape(show(text))}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def below(about: Known, told: Told) -> Iterator[str]:
    """What the picture alone would keep from who looks at it."""
    watching = about.config.mode == "watch"
    if off_refused(about, told.periods):
        yield f'"off" {"would be" if watching else "is"} refused: `powernap schedule` says why'
    for name in told.unknown:
        yield f"{name} cannot tell, so the machine {'would stay' if watching else 'stays'} up from now on"


def called(what: What) -> str:
    """In the legend."""
    return "free: the ladder alone decides" if what[0] == FREE else said(what)


def style(what: What, ordered: Sequence[What]) -> str:
    """The class of its colour."""
    naps = [each for each in ordered if each[0] == NAP]
    return COLOURS.get(what[0]) or f"s{1 + min(NAPS, naps.index(what))}"


def across(shown: float) -> float:
    """Where a time of the wall's clock is, in seconds since midnight."""
    return LEFT + HOURS * shown / DAY


def scale(rows: int) -> list[str]:
    """Lines down with the hours."""
    parts = []
    for hour in range(0, 25, 3):
        x = across(hour * 3600)
        parts.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{TOP + ROW * rows}"/>')
        parts.append(
            f'<text class="faint" x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{hour:02}:00</text>'
        )
    return parts


def row(day: Day, top: float, told: Told, ordered: Sequence[What], about: Known) -> list[str]:
    """A day: its name, its bars, what its clock jumps over, and the present instant."""
    low = top + (ROW - BAR) / 2
    parts = [label(day, low + BAR / 2 + 4)]
    for piece in pieces(day, told.periods):
        what = piece.period.says, piece.period.deepest
        for begin, end, share, half in split(piece, day.twice):
            room = BAR * (0.5 if half else 1.0)
            height = room * HEIGHTS[what[0]]
            y = low + BAR * share + room - height
            parts.append(bar(style(what, ordered), begin, end, y, height, tip(piece, about)))
    parts += [bar("never", *each, low, BAR, f"{day.label}, {day.note}") for each in day.missing]
    shown = day.shows(about.now)
    if shown is not None:
        x = across(shown)
        words = escape(f"now, {about.full(about.now)}")
        parts.append(
            f'<line class="now" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{top + ROW:.1f}"><title>{words}</title></line>'
        )
    return parts


def label(day: Day, y: float) -> str:
    """Its name; of a day that has more or fewer hours, how many, and why."""
    hours = f'<tspan class="faint">{day.seconds / 3600:.3g}h</tspan> \u00b7 ' if day.note else ""
    why = f"<title>{escape(day.note)}</title>" if day.note else ""
    return f'<text class="ink" x="{LEFT - 8}" y="{y:.1f}" text-anchor="end">{why}{hours}{escape(day.label)}</text>'


def split(piece: Piece, twice: Sequence[tuple[float, float]]) -> list[tuple[float, float, float, bool]]:
    """Parts of a piece: from, to, how far down it begins, and whether it has half the height: hours that come twice lie above each other."""
    cuts = sorted(
        {piece.low, piece.high, *(edge for each in twice for edge in each if piece.low < edge < piece.high)}
    )
    found = []
    for begin, end in pairwise(cuts):
        half = any(low <= begin < high for low, high in twice)
        found.append((begin, end, 0.5 if half and piece.number else 0.0, half))
    return found


def bar(style: str, begin: float, end: float, y: float, height: float, text: str) -> str:
    """A rectangle that says what it is."""
    x, width = across(begin), max(0.5, HOURS * (end - begin) / DAY)
    return (
        f'<rect class="{style}" x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{height:.1f}">'
        f"<title>{escape(show(text))}</title></rect>"
    )


def tip(piece: Piece, about: Known) -> str:
    """What holds, from when to when, who says so, and what that overrules."""
    period = piece.period
    text = f"{about.full(period.start)} until {about.until(period.end, period.start)}: {called((period.says, period.deepest))}"
    if period.because:
        text += f", says {named(period.because)}"
    if period.overruled:
        losers = dict.fromkeys(f"{named_alone(each.schedule)} ({spoken(each)})" for each in period.overruled)
        text += f"; overrules {', '.join(losers)}"
    return text
