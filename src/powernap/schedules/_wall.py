"""A clock on the wall of a time zone: at which instants does it show a certain time?

The one rule: something that is said of local times holds at *every* instant at which the clock shows one of them. So where the clock jumps
ahead, what was said of the times left out is void; where it is put back, what was said of the times shown twice holds twice. Nothing
here knows summer time: a zone that changes its standard offset or leaves out a day is the same case.

Local time is counted in seconds from 1970-01-01 00:00 on that clock, days from that day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from math import ceil, floor

DAY = 86400
FIRST, LAST = -62135596800 + 9 * DAY, 253402300800 - 9 * DAY
"""The instants that ``datetime`` can tell in any zone: the years 1 to 9999."""
MARGIN = 4 * DAY
"""More than a piece of two days can last while the clock jumps by one (Manila 1844, Apia 2011)."""


def east(zone: tzinfo, instant: int) -> int:
    """Seconds by which the zone's clock is ahead of UTC at an instant."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    return offset.days * DAY + offset.seconds if offset else 0


def stretches(zone: tzinfo, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Since when the clock is how far ahead, in order; the first is ``start``.

    ``zoneinfo`` does not tell its transitions, so the offset is asked for each day and bisected where two differ. No zone has ever changed and
    changed back within one (the shortest is four days: Freetown 1939; tzdata 2025b).
    """
    here, offset = start, east(zone, start)
    yield here, offset
    while here < end:
        there = min(here + DAY, end)
        if east(zone, there) != offset:
            there = here + 1 + bisect_left(range(here + 1, there), 1, key=_differs(zone, offset))
            offset = east(zone, there)
            yield there, offset
        here = there


def _differs(zone: tzinfo, offset: int) -> Callable[[int], int]:
    return lambda instant: east(zone, instant) != offset


class Wall:
    """A zone's clock, looked at between two instants (seconds since the epoch)."""

    def __init__(self, zone: tzinfo, start: float, end: float) -> None:
        self.start, self.end = start, end
        first, last = (min(max(edge, FIRST), LAST) for edge in (floor(start) - MARGIN, ceil(end) + MARGIN))
        self._since: list[int] = []
        self._east: list[int] = []
        for since, offset in stretches(zone, first, last):
            self._since.append(since)
            self._east.append(offset)
        self._until = [*self._since[1:], last]

    def days(self) -> range:
        """The days on which something may begin that shows between the two instants, as long as it ends at latest on the day after."""
        first = floor(self.start) + min(self._east)
        return range(first // DAY - 1, (ceil(self.end) + max(self._east)) // DAY + 1)

    def spans(self, begin: int, end: int) -> Iterator[tuple[float, float]]:
        """When the clock shows a local time from ``begin`` until before ``end``, as far as that touches the time looked at; whole, not cut."""
        found: list[tuple[int, int]] = []
        for first, last in self._shown(begin, end):
            if found and found[-1][1] == first:
                first, _ = found.pop()
            found.append((first, last))
        for first, last in found:
            if first < self.end and last > self.start:
                yield float(first), float(last)

    def _shown(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The same, for each stretch of one offset."""
        at = max(0, bisect_right(self._since, begin - DAY) - 1)
        while at < len(self._since) and self._since[at] < end + DAY:
            first = max(self._since[at], begin - self._east[at])
            last = min(self._until[at], end - self._east[at])
            if first < last:
                yield first, last
            at += 1


def weekday(day: int) -> int:
    """0 is Monday; 1970-01-01 was a Thursday."""
    return (day + 3) % 7
