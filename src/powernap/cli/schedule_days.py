"""Local days as a clock on the wall goes through them: 24 hours, or 23 or 25 where it is put forward or back.

Serves the picture in text and the drawn one: both have the wall's 24 hours across, whatever the day's length.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, timedelta, tzinfo
from itertools import islice, pairwise
from math import ceil, floor

from powernap.core.timetable import Period
from powernap.core.value import dataclass
from powernap.schedules._wall import stretches

DAY = 86400
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Pass:
    """A part of a day in which the clock runs without a jump.

    :param start: and ``end``: instants.
    :param shown: what the clock shows at ``start``: seconds since midnight.
    """

    start: float
    end: float
    shown: float

    @property
    def last(self) -> float:
        """What it would show at ``end``, had it not jumped."""
        return self.shown + self.end - self.start


@dataclass(frozen=True)
class Day:
    """A local day, in order of its passes."""

    date: date
    passes: tuple[Pass, ...]

    @property
    def label(self) -> str:
        """``Mon 23 Nov``."""
        return f"{self.date:%a %d %b}"

    @property
    def seconds(self) -> float:
        """Its length."""
        return sum(each.end - each.start for each in self.passes)

    @property
    def missing(self) -> list[tuple[float, float]]:
        """What the clock jumps over."""
        found, reached = [], 0.0
        for low, high in sorted((each.shown, each.last) for each in self.passes):
            if low > reached:
                found.append((reached, low))
            reached = max(reached, high)
        return [*found, *[(reached, float(DAY))] * (reached < DAY)]

    @property
    def twice(self) -> list[tuple[float, float]]:
        """What the clock shows twice."""
        return [
            (later.shown, earlier.last)
            for earlier, later in pairwise(self.passes)
            if later.shown < earlier.last
        ]

    @property
    def note(self) -> str:
        """Why it is no day like others; empty for one of 24 hours."""
        jumps = [f"there is no {_span(*each)}" for each in self.missing]
        jumps += [f"{_span(*each)} comes twice" for each in self.twice]
        return f"{self.seconds / 3600:.3g}h: {', '.join(jumps)}" if jumps else ""

    def shows(self, instant: float) -> float | None:
        """What the clock shows then, in seconds since midnight; ``None`` on another day."""
        found = (
            each.shown + instant - each.start for each in self.passes if each.start <= instant < each.end
        )
        return next(found, None)


def _span(low: float, high: float) -> str:
    return f"{_clock(low)}-{_clock(high)}"


def _clock(shown: float) -> str:
    minutes = round(shown) // 60
    return f"{minutes // 60:02}:{minutes % 60:02}"


def days(zone: tzinfo, start: float, end: float) -> list[Day]:
    """The days between two instants, the first and the last cut there. One that a zone left out is not among them."""
    first, last = floor(start), ceil(end)
    found: dict[int, list[Pass]] = {}
    since = [each for each in stretches(zone, first, last) if each[0] < last]
    ends = [*(at for at, _ in since[1:]), last]
    for (at, east), until in zip(since, ends, strict=True):
        for day in range((at + east) // DAY, (until + east - 1) // DAY + 1):
            low, high = max(at, day * DAY - east), min(until, (day + 1) * DAY - east)
            found.setdefault(day, []).append(Pass(low, high, low + east - day * DAY))
    return [Day(EPOCH + timedelta(days=day), tuple(passes)) for day, passes in sorted(found.items())]


@dataclass(frozen=True)
class Piece:
    """A part of a period within one pass of a day; ``low`` and ``high`` are what the clock shows."""

    period: Period
    low: float
    high: float
    number: int


def pieces(day: Day, periods: Sequence[Period]) -> Iterator[Piece]:
    """All parts of a day. ``number`` counts its passes.

    :param periods: in order, without gaps.
    """
    for number, each in enumerate(day.passes):
        first = max(0, bisect_right(periods, each.start, key=lambda period: period.start) - 1)
        for period in islice(periods, first, None):
            if period.start >= each.end:
                break
            low, high = (
                each.shown + at - each.start
                for at in (max(period.start, each.start), min(period.end, each.end))
            )
            if low < high:
                yield Piece(period, low, high, number)
