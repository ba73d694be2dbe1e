"""Somebody computes: the share of processor time that is busy.

Owns the meaning of /proc/stat: user, nice, system and interrupt time are work; idle, iowait and steal are not (in steal the
hypervisor ran somebody else), and guest time is already counted in user time. Does not own who it was: naming the busiest process costs a
walk over all of them, which ``powernap why`` may do.

Time is measured against all processors that are present, not those online: parking or switching off cores must not lower the limit. PowerNap's
own time counts as everybody's; it is below 0.02 CPU-seconds an hour, 0.0006 % of one core (research/overhead.md, section 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.counters import Look, never_back, rates
from powernap.core.meter import begin, measure
from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.threshold import Threshold
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.cpus import CPU, read_cpulist

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host
    from powernap.monitors import Context

EVENTS = False
STAT = "/proc/stat"
TICKS = 100
"""Ticks per second in /proc/stat: USER_HZ, 100 on every architecture that Linux still has (include/asm-generic/param.h)."""


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    above: float = option(
        0.10, unit="ratio", example="10%", help="Share of processor time above which the machine is in use."
    )
    of: str = option(
        "machine",
        choices=("machine", "core"),
        help="Compare the share of all processors together, or that of the busiest single one.",
    )
    ignore_nice: bool = option(
        False,
        help="Do not count the time of processes with lowered priority (nice), such as background jobs.",
    )
    for_: float = option(
        0.0, unit="duration", example="1min", help="How long it must be above the limit before it counts."
    )
    below: float | None = option(
        None, unit="ratio", example="8%", help="Share below which activity ends; without it, 80 % of `above`."
    )


def parse(stat: str, *, ignore_nice: bool = False) -> dict[str, int]:
    """Busy ticks since boot of ``cpu`` (the machine) and of ``cpu0``, ``cpu1`` ... that are online (proc_stat(5))."""
    busy = {}
    for line in stat.splitlines():
        if not line.startswith("cpu"):
            break
        name, user, nice, system, _idle, _iowait, irq, softirq, *_ = line.split()
        busy[name] = int(user) + int(system) + int(irq) + int(softirq) + (0 if ignore_nice else int(nice))
    return busy


def present(files: Files) -> int:
    """How many processors the machine has, also those switched off now (Documentation/admin-guide/cputopology.rst)."""
    counted = len(read_cpulist(files, f"{CPU}/present"))
    return counted or max(1, len(parse(files.read(STAT))) - 1)


def probe(host: Host, options: Options) -> Availability:
    """Can /proc/stat be read?"""
    try:
        parse(host.files.read(STAT), ignore_nice=options.ignore_nice)
        return available(many(present(host.files), "processor"))
    except (OSError, ValueError) as problem:
        return unavailable(f"{STAT} cannot be read ({problem})", "mount /proc")


def open(context: Context, options: Options) -> CpuMonitor:  # noqa: A001 - the name every monitor has
    """Take the first look."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return CpuMonitor(context, options)


class CpuMonitor:
    """Compares processor time with that of the previous look."""

    source = STAT

    def __init__(self, context: Context, options: Options) -> None:
        self._context, self._options = context, options
        self._processors = present(context.host.files)
        threshold = Threshold(options.above, options.for_, options.below)
        base = self._look(context.host.clock.boottime())
        self._meter = begin(context.name, threshold, base, "ratio", percent, "cpu not measured yet")

    def check(self, now: float) -> Reading:
        """The busy share since the previous look; within its first second the previous answer, unless that second is used up."""
        look = self._look(now)
        name, share = self._busiest(look)
        self._meter = measure(self._meter, look, share, lambda end: f"{name} {percent(share)} busy {end}")
        return self._meter.reading

    def close(self) -> None:
        """Nothing is held open."""

    def _look(self, now: float) -> Look:
        return Look(now, parse(self._context.host.files.read(STAT), ignore_nice=self._options.ignore_nice))

    def _busiest(self, look: Look) -> tuple[str, float]:
        """What is compared, and its share of one."""
        ticks = rates(self._meter.base, look, never_back)
        if self._options.of == "machine":
            return "cpu", ticks["cpu"] / TICKS / self._processors
        name, most = max((item for item in ticks.items() if item[0] != "cpu"), key=lambda item: item[1])
        return name, most / TICKS


def percent(share: float) -> str:
    """0.034 is ``3.4%``; three digits tell enough."""
    return f"{share * 100:.3g}%"
