"""Hours in each state by day, for the picture. Owns local midnights, and how many days share a column when there are many."""

from __future__ import annotations

import math
from collections.abc import Sequence

from powernap.cli.machine_time import midnight, stamp
from powernap.cli.picture import Column, Layer, draw
from powernap.core.past import ABSENT, ASLEEP, AWAKE, Spell

DAY = 86400.0
COLUMNS = 60
"""Columns at most; beyond that, several days share one."""
STYLES = {AWAKE: "s0", ASLEEP: "s5", ABSENT: "none"}


class Days:
    """Sums by column: as many as the picture has, however long the history."""

    def __init__(self, begin: float, end: float) -> None:
        self.end = end
        self.each = max(1, math.ceil((end - begin) / DAY / COLUMNS))
        self.edges = [midnight(begin)]
        while self.edges[-1] < end:
            self.edges.append(midnight(self.edges[-1] + self.each * DAY + DAY / 2))
        self.hours: list[dict[str, float]] = [{} for _ in self.edges[1:]]

    def add(self, spell: Spell) -> None:
        """A spell, cut at the edges of the columns."""
        name = called(spell.state, would=spell.would)
        for number, (low, high) in enumerate(zip(self.edges, self.edges[1:], strict=False)):
            part = min(high, spell.end) - max(low, spell.begin)
            if part > 0:
                self.hours[number][name] = self.hours[number].get(name, 0.0) + part / 3600

    def draw(self, states: Sequence[str], headline: str) -> str:
        """The picture; states in the order given, from the foot."""
        names = dict.fromkeys(states)
        ordered = sorted(
            {name for hours in self.hours for name in hours},
            key=lambda name: (list(names).index(plain(name)) if plain(name) in names else 99, name),
        )
        layers = [
            Layer(name, style(name, [each for each in names if each not in STYLES])) for name in ordered
        ]
        columns = [
            Column(stamp(low, "%d %b"), (high - low) / 3600, hours)
            for low, high, hours in zip(self.edges, self.edges[1:], self.hours, strict=False)
        ]
        title = "Hours in each state" + (f", a column for {self.each} days" if self.each > 1 else "")
        return draw(title, headline, layers, columns)


def called(state: str, *, would: bool) -> str:
    """What the legend says."""
    return f"would be in {state}" if would else state


def plain(name: str) -> str:
    """The state's own name."""
    return name.removeprefix("would be in ")


def style(name: str, stages: Sequence[str]) -> str:
    """The class of its colour: stages get darker down the ladder."""
    state = plain(name)
    kind = STYLES.get(state) or f"s{1 + min(3, stages.index(state) if state in stages else 3)}"
    return f"{kind} would" if name != state else kind
