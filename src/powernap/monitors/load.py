"""Work queues up: the load average, tasks that run, are ready to run, or wait for a disk.

Owns /proc/loadavg and a limit that may depend on the number of processors. That number is the one the machine had when the monitor was opened:
PowerNap 2 asked for those online, so that switching off cores lowered its own limit and woke it again.

The load average decays slowly (the 1-minute one falls by 63 % a minute) and counts tasks that hang on a dead network disk. ``cpu`` is
quicker and plainer; this one is for those who know their machine by its load.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.threshold import Crossing, Threshold, judge, wording
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.cpus import CPU, read_cpulist

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host
    from powernap.monitors import Context

EVENTS = False
LOADAVG = "/proc/loadavg"
AVERAGES = ("1min", "5min", "15min")
LIMIT = re.compile(r"(?P<number>\d+(?:\.\d+)?)?\s*(?P<each>n?)")


def parse_limit(text: str, processors: int) -> float:
    """A limit as an admin writes it: ``"1.5"``, ``"n"`` (the number of processors), ``"0.5n"``. ``ValueError`` for other text."""
    match = LIMIT.fullmatch(text.strip())
    if not match or not text.strip():
        raise ValueError(
            f'"{text}" is not a load; write a number such as "1.5", or "n" or "0.5n" for a load per processor'
        )
    return float(match["number"] or 1) * (processors if match["each"] else 1)


def wrong_limit(text: str) -> str | None:
    """What is wrong with a limit, for the configuration."""
    try:
        parse_limit(text, 1)
    except ValueError as problem:
        return str(problem)
    return None


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    above: str = option(
        "0.5",
        example="0.5n",
        check=wrong_limit,
        help="Load above which the machine is in use; `n` stands for the number of processors.",
    )
    average: str = option("1min", choices=AVERAGES, help="Which of the kernel's three averages.")
    for_: float = option(
        0.0, unit="duration", example="5min", help="How long it must be above the limit before it counts."
    )
    below: str | None = option(
        None,
        example="0.4n",
        check=wrong_limit,
        help="Load below which activity ends; without it, 80 % of `above`.",
    )


def parse(loadavg: str) -> dict[str, float]:
    """The three averages of /proc/loadavg (proc_loadavg(5))."""
    return dict(zip(AVERAGES, map(float, loadavg.split()[:3]), strict=True))


def online(files: Files) -> int:
    """Processors online now, at least one."""
    return max(1, len(read_cpulist(files, f"{CPU}/online")))


def probe(host: Host, options: Options) -> Availability:
    """Can /proc/loadavg be read?"""
    try:
        load = parse(host.files.read(LOADAVG))[options.average]
    except (OSError, ValueError) as problem:
        return unavailable(f"{LOADAVG} cannot be read ({problem})", "mount /proc")
    return available(f"load {load:g} on {many(online(host.files), 'processor')}")


def open(context: Context, options: Options) -> LoadMonitor:  # noqa: A001 - the name every monitor has
    """Fix the limit."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return LoadMonitor(context, options)


class LoadMonitor:
    """Compares the kernel's average with a limit that stays what it was."""

    source = LOADAVG

    def __init__(self, context: Context, options: Options) -> None:
        self._context, self._options = context, options
        processors = online(context.host.files)
        below = None if options.below is None else parse_limit(options.below, processors)
        self._threshold = Threshold(parse_limit(options.above, processors), options.for_, below)
        self._crossing = Crossing()
        self._last: float | None = None

    def check(self, now: float) -> Reading:
        """The average now. It is a pulse: when the work ends nobody tells."""
        load = parse(self._context.host.files.read(LOADAVG))[self._options.average]
        self._crossing = judge(self._threshold, self._crossing, load, now, now)
        if self._crossing.active:
            self._last = now
        limit = wording(self._crossing, f"{self._threshold.above:g}", f"{self._threshold.floor:g}")
        return Reading(
            self._context.name,
            now,
            reason=f"{self._options.average} load average {load:g} ({limit})",
            last=self._last,
            measured=load,
            limit=self._threshold.above,
            unit="load",
        )

    def close(self) -> None:
        """Nothing is held open."""
