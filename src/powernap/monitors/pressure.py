"""Somebody waits for processor, memory or disk: pressure stall information (PSI), told by the kernel.

Owns PSI triggers and totals (Documentation/accounting/psi.rst). Pressure is contention: it appears when a machine that has been clocked down is
too slow for its work, and is silent on a machine that is busy but has room. It is a good way out of a stage; whether the machine is idle, ``cpu`` knows
better.

The kernel's semantics, all seen here on 6.18:
- a trigger tells at most once per window; only ``EPOLLPRI`` means anything, the descriptor is always readable;
- asking *is* taking: poll(2), ``EPOLL_CTL_ADD`` and an epoll watched by another epoll all clear the event. So what happened while
  nobody listened is asked once, before listening again;
- without CAP_SYS_RESOURCE a window must be a multiple of 2 s, since Linux 6.4; before, no window was allowed;
- a trigger of a control group that has gone raises ``EPOLLERR`` for ever.
"""

from __future__ import annotations

import errno
import os
import re
import select
from typing import TYPE_CHECKING

from powernap.core.counters import Look, never_back, rates
from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.ears import Ear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.host import Host
    from powernap.monitors import Context

EVENTS = True
RESOURCES = ("cpu", "memory", "io")
TOTAL = re.compile(r"^(some|full) .*avg10=([0-9.]+) .*total=(\d+)$", re.MULTILINE)
UNPRIVILEGED_WINDOW = 2.0
LONGEST_WINDOW = 10.0


def wrong_window(seconds: float) -> str | None:
    """What the kernel would refuse."""
    return (
        None
        if 0.5 <= seconds <= LONGEST_WINDOW
        else 'the kernel takes windows from 0.5 to 10 seconds; write "2s"'
    )


def wrong_share(share: float) -> str | None:
    """What the kernel would refuse."""
    return (
        None if 0 < share <= 1 else 'the share of the window must be above 0% and at most 100%; write "15%"'
    )


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    resource: str = option("cpu", choices=RESOURCES, help="What is waited for.")
    stall: str = option(
        "some",
        choices=("some", "full"),
        help="Count when some tasks wait, or only when all that could run do.",
    )
    above: float = option(
        0.15,
        unit="ratio",
        example="15%",
        check=wrong_share,
        help="Share of the window spent waiting at which the kernel tells.",
    )
    window: float = option(
        2.0,
        unit="duration",
        example="2s",
        check=wrong_window,
        help="Time over which the kernel measures; without CAP_SYS_RESOURCE it is rounded up to a multiple of 2 s.",
    )
    cgroup: str | None = option(
        None,
        unit="path",
        example="/sys/fs/cgroup/system.slice/nginx.service",
        help="Only the tasks of this control group (v2), not the whole machine.",
    )


@dataclass(frozen=True, slots=True)
class Stall:
    """One line of a pressure file: microseconds waited since boot, and the average share of the last 10 s."""

    total: int
    average: float


def parse(pressure: str) -> dict[str, Stall]:
    """The lines ``some`` and ``full``, of which a kernel may have only the first (cpu before Linux 5.13)."""
    return {kind: Stall(int(total), float(average) / 100) for kind, average, total in TOTAL.findall(pressure)}


def path(options: Options) -> str:
    """The file that tells."""
    return (
        f"{options.cgroup}/{options.resource}.pressure"
        if options.cgroup
        else f"/proc/pressure/{options.resource}"
    )


def probe(host: Host, options: Options) -> Availability:
    """Does the kernel measure pressure?"""
    try:
        stalls = parse(host.files.read(path(options)))
    except OSError as problem:
        if options.cgroup and not host.files.exists(options.cgroup) and host.files.exists("/proc/pressure"):
            return available(f"nothing runs in {options.cgroup} now; watched when something does")
        return refused(problem, options)
    if options.stall not in stalls:
        return unavailable(f'this kernel has no "{options.stall}" in {path(options)}', 'set stall = "some"')
    share = stalls[options.stall].average
    return available(
        f"{options.resource} pressure {share * 100:.3g}% now" + ("" if host.live else ", recorded machine")
    )


def refused(problem: OSError, options: Options) -> Availability:
    """Why there is no pressure file, and what would help."""
    if problem.errno == errno.EOPNOTSUPP:
        return unavailable(
            "pressure measurement is switched off in this kernel",
            "boot with psi=1 on the kernel command line",
        )
    if options.cgroup:
        remedy = "check the path; the group must be a version 2 group of a kernel that booted with psi=1"
        return unavailable(f"{path(options)} cannot be read ({problem.strerror})", remedy)
    return unavailable(
        f"this kernel has no {path(options)}",
        "boot with psi=1; the kernel needs CONFIG_PSI (Linux 4.20 or later)",
    )


def windows(seconds: float) -> Iterator[float]:
    """The wanted window, then the one that needs no capability."""
    yield seconds
    multiple = min(LONGEST_WINDOW, -(-seconds // UNPRIVILEGED_WINDOW) * UNPRIVILEGED_WINDOW)
    if multiple != seconds:
        yield multiple


def arm(file: str, stall: str, share: float, window: float) -> int:
    """A descriptor that raises ``EPOLLPRI`` when tasks waited that share of the window. ``OSError`` as the kernel gave it."""
    fd = os.open(file, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(fd, f"{stall} {round(share * window * 1e6)} {round(window * 1e6)}\0".encode())
    except OSError:
        os.close(fd)
        raise
    return fd


def taken(fd: int) -> int:
    """What happened while nobody listened, and forget it: ``POLLPRI``, ``POLLERR`` when the group has gone, or 0."""
    poll = select.poll()
    poll.register(fd, select.POLLPRI)
    return next((events for _, events in poll.poll(0)), 0)


def open(context: Context, options: Options) -> PressureMonitor:  # noqa: A001 - the name every monitor has
    """Set the trigger where the kernel lets us; else each look compares totals."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return PressureMonitor(context, options)


class PressureMonitor:
    """Deaf after hearing: the trigger stays set in the kernel, which remembers for us whether it fired, but wakes nobody."""

    def __init__(self, context: Context, options: Options) -> None:
        self._context, self._options = context, options
        self._fd: int | None = None
        self._ear = Ear(None, -1, self._heard)
        self._last: float | None = None
        self._base: Look | None = None
        self._window = options.window
        self.source = "totals at each look"
        self._set()
        self._ear.arm()

    def check(self, now: float) -> Reading:
        """Listen again, then look: what the trigger remembers, else what the totals say of the time since the last look."""
        fired = self._remembered()
        self._ear.arm()
        try:
            stall = self._stall()
        except FileNotFoundError:
            if not self._options.cgroup:
                raise
            self._base = None
            return Reading(
                self._context.name, now, last=self._last, reason=f"nothing runs in {self._options.cgroup}"
            )
        share = self._share(now, stall)
        if fired or share >= self._options.above:
            self._last = now
        return self._reading(now, share)

    @property
    def events(self) -> bool:
        """Whether a trigger is set; without one only a look tells."""
        return self._fd is not None

    def close(self) -> None:
        """Unset the trigger."""
        self._ear.close()
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def _set(self) -> None:
        """Set the trigger, with the wanted window or one that needs no right; without any the totals must do."""
        if not self._context.host.live or not self._context.host.ears:
            return
        for window in windows(self._options.window):
            try:
                self._fd = arm(path(self._options), self._options.stall, self._options.above, window)
            except OSError as problem:
                self.source = f"totals at each look (no trigger: {problem.strerror})"
                continue
            self._ear = Ear(self._context.host.ears, self._fd, self._heard, priority=True)
            self._window, self.source = window, f"trigger, window {show_duration(window)}"
            return

    def _heard(self) -> None:
        """Told once; a trigger whose group has gone tells nothing."""
        self._ear.deafen()
        if self._fd is None or taken(self._fd) & select.POLLERR:
            return
        now = self._context.host.clock.boottime()
        self._last = now
        self._context.tell(self._reading(now, None))

    def _remembered(self) -> bool:
        """Whether the trigger fired unheard. One of a group that has gone is set anew: the group may be back."""
        if self._fd is None:
            self._set()
            return False
        events = taken(self._fd)
        if events & select.POLLERR:
            self.close()
            self._set()
            return False
        return bool(events & select.POLLPRI)

    def _stall(self) -> Stall:
        return parse(self._context.host.files.read(path(self._options)))[self._options.stall]

    def _share(self, now: float, stall: Stall) -> float:
        """Share of the time since the last look; of the last 10 s at the first."""
        look = Look(now, {"total": stall.total})
        base, self._base = self._base, look
        return stall.average if base is None else rates(base, look, never_back)["total"] / 1e6

    def _reading(self, now: float, share: float | None) -> Reading:
        limit = f"{self._options.above * 100:.3g}% of {show_duration(self._window)}"
        tasks = "all tasks" if self._options.stall == "full" else "some tasks"
        where = f" in {os.path.basename(self._options.cgroup)}" if self._options.cgroup else ""
        measured = (
            f"for over {limit}"
            if share is None
            else f"{share * 100:.3g}% of the time since the last look (limit {limit})"
        )
        return Reading(
            self._context.name,
            now,
            reason=f"{tasks}{where} waited for {self._options.resource} {measured}",
            last=self._last,
            measured=share,
            limit=self._options.above,
            unit="ratio",
        )
