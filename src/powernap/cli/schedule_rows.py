"""The week as rows of characters: a row a day, the wall's 24 hours across. Owns the marks and their legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from itertools import groupby

from powernap.cli.paint import paint, show
from powernap.cli.schedule_days import DAY, Day, days, pieces
from powernap.core.timetable import FREE, NAP, OFF, UP, Period
from powernap.core.units import show_duration
from powernap.core.value import dataclass

What = tuple[str, str]
"""What a period says, and the deepest stage that it allows."""
LABEL = 12
"""Characters before the hours."""
PER_HOUR = (4, 2, 1)
"""Characters an hour, as the width allows: the edges of windows lie on quarters, halves and whole hours."""
EVERY = 3
"""Hours between two numbers of the scale."""
COLOURS = {UP: "yellow", NAP: "green", OFF: "red", FREE: "dim"}
RANK = (UP, OFF, NAP, FREE)


@dataclass(frozen=True)
class Marks:
    """The characters. Of those for naps the last is for all stages, and those before it for fewer."""

    up: str
    off: str
    free: str
    nap: tuple[str, ...]
    now: str

    @property
    def text(self) -> str:
        """All of them."""
        return self.up + self.off + self.free + "".join(self.nap) + self.now


BLOCKS = Marks("█", "▁", "·", ("▓", "▒", "░"), "▲")
ASCII = Marks("#", "_", ".", ("=", "-", "~"), "^")


def marks(encoding: str | None, *, plain: bool = False) -> Marks:
    """Blocks where the output can have them.

    :param plain: nobody wants more than letters.
    """
    try:
        BLOCKS.text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return ASCII if plain else BLOCKS


def said(what: What) -> str:
    """In words."""
    says, deepest = what
    return {NAP: f"may nap, at most {deepest}" if deepest else "may nap"}.get(says, says)


def order(periods: Iterable[Period], stages: Sequence[str]) -> list[What]:
    """What occurs: up, then naps from the shallowest, then free and off."""
    found = {(each.says, each.deepest) for each in periods}
    place = {UP: 0, NAP: 1, FREE: 2, OFF: 3}
    depth = {name: number for number, name in enumerate(stages)}
    return sorted(found, key=lambda what: (place[what[0]], depth.get(what[1], len(depth)), what[1]))


def mark_of(what: What, ordered: Sequence[What], signs: Marks) -> str:
    """The character for it."""
    says, deepest = what
    if says != NAP:
        return {UP: signs.up, OFF: signs.off}.get(says, signs.free)
    limited = [each for each in ordered if each[0] == NAP and each[1]]
    return signs.nap[min(limited.index(what), len(signs.nap) - 2)] if deepest else signs.nap[-1]


@dataclass(frozen=True)
class Picture:
    """:param stages: the names of the ladder's stages, from the shallowest; :param width: characters of a line."""

    periods: Sequence[Period]
    zone: tzinfo
    now: float
    stages: Sequence[str] = ()
    width: int = 80
    signs: Marks = BLOCKS
    colour: bool = False

    @property
    def per_hour(self) -> int:
        """Characters an hour."""
        return next((each for each in PER_HOUR if LABEL + 24 * each < self.width), PER_HOUR[-1])

    def draw(self) -> list[str]:
        """The lines."""
        ordered = order(self.periods, self.stages)
        lines = [self.scale()]
        for day in days(self.zone, self.periods[0].start, self.periods[-1].end):
            lines += [self.row(day, ordered), *self.present(day)]
        return [*lines, *self.legend(ordered)]

    def scale(self) -> str:
        """The hours."""
        numbers = (f"{hour:<{EVERY * self.per_hour}}" for hour in range(0, 25, EVERY))
        return (" " * LABEL + "".join(numbers)).rstrip()

    def row(self, day: Day, ordered: Sequence[What]) -> str:
        """A day: a character for each part of an hour, none where the clock shows no such time."""
        parts = [self.run(what, len(list(run)), ordered) for what, run in groupby(self.cells(day))]
        note = f"  {day.note}" if day.note else ""
        return f"{day.label:<{LABEL}}{''.join(parts)}{note}".rstrip()

    def run(self, what: What | None, length: int, ordered: Sequence[What]) -> str:
        """Neighbours that are the same."""
        if what is None:
            return " " * length
        return paint(mark_of(what, ordered, self.signs) * length, COLOURS[what[0]], colour=self.colour)

    def cells(self, day: Day) -> list[What | None]:
        """What each character stands for."""
        length = DAY / 24 / self.per_hour
        shares: list[dict[What, float]] = [{} for _ in range(24 * self.per_hour)]
        for each in pieces(day, self.periods):
            what = each.period.says, each.period.deepest
            for number in range(int(each.low // length), min(len(shares), int(-(-each.high // length)))):
                part = min(each.high, (number + 1) * length) - max(each.low, number * length)
                shares[number][what] = shares[number].get(what, 0.0) + part
        return [chosen(share) for share in shares]

    def present(self, day: Day) -> list[str]:
        """A line that points at the present instant, below its day."""
        shown = day.shows(self.now)
        if shown is None:
            return []
        present = f"{datetime.fromtimestamp(self.now, self.zone):%H:%M}"
        column = LABEL + int(shown / DAY * 24 * self.per_hour)
        text = f"{self.signs.now} now, {present}"
        if column + len(text) <= self.width:
            return [" " * column + text]
        text = f"now, {present} {self.signs.now}"
        return [" " * (column + 1 - len(text)) + text]

    def legend(self, ordered: Sequence[What]) -> list[str]:
        """What the characters mean."""
        names: dict[str, list[str]] = {}
        for what in ordered:
            text = "free: the ladder alone decides" if what[0] == FREE else said(what)
            names.setdefault(mark_of(what, ordered, self.signs), []).append(text)
        parts = [f"{mark} {' or '.join(texts)}" for mark, texts in names.items()]
        length = show_duration(3600 / self.per_hour)
        return [
            "",
            show("  " + "   ".join(parts)),
            f"  a character is {length}, and shows what holds for most of it, or up if that is in it",
        ]


def chosen(share: dict[What, float]) -> What | None:
    """What a character shows of the things that hold in its time: any *up*, else what holds longest."""
    if not share:
        return None
    up = next((what for what in share if what[0] == UP), None)
    return up or min(share, key=lambda what: (-round(share[what]), RANK.index(what[0]), what[1]))
