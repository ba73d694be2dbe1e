"""Processes of a given program, or whose command line matches a regex, read or write more than a limit.

Owns the rate over the interval between two looks. Bytes are the larger of two counts of /proc/PID/io (proc_pid_io(5)): what the process
asked of read(2) and write(2) (``rchar`` + ``wchar``: page cache, pipes, terminals and sockets included) and what went to and from storage
on its behalf (``read_bytes`` + ``write_bytes``: mapped files included). Taking the larger counts nothing twice. Not counted by the kernel:
send(2) and recv(2) (watch those with ``tcp`` or ``network``), and what a process moved that came and went between two looks.
"""

from __future__ import annotations

from dataclasses import replace

from powernap.core.counters import MINIMUM
from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.units import show_size
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.host import Host
from powernap.host.process_choice import (
    arguments_option,
    program_option,
    refuse_both,
    regex_option,
    user_option,
    wanted,
)
from powernap.host.processes import Process, Search
from powernap.monitors import Context

EVENTS = False
UNCOUNTED = unavailable("this kernel does not count process I/O", "needs CONFIG_TASK_IO_ACCOUNTING=y")
TICK = 0.01
"""Seconds in which the kernel tells when a process began."""
GUARD_TIME = 30.0
"""Seconds for which an unchanged last process id spares the search; the counters are read each time."""
RIGHTS = "run powernapd as root or with CAP_SYS_PTRACE, or watch only processes of its own user"


@dataclass(frozen=True)
class Options:
    """What to watch."""

    program: str = program_option("nfsd and other kernel threads too")
    arguments: str = arguments_option()
    regex: str = regex_option()
    user: str = user_option()
    above: float = option(
        10240.0, unit="byte_rate", help="Reading and writing more than this is activity.", example="10KiB/s"
    )

    def __post_init__(self) -> None:
        refuse_both(self)


def probe(host: Host, options: Options) -> Availability:
    """Works where the kernel counts (CONFIG_TASK_IO_ACCOUNTING) and the processes' counters may be read."""
    if uncounted(host):
        return UNCOUNTED
    try:
        search = Search(host, wanted(host, options))
        found = search.all()
        for process in found:
            read_bytes_moved(host, process)
    except UnavailableError as error:
        return error.availability
    return available(f"{len(found)} of {search.count} processes match now")


def uncounted(host: Host) -> bool:
    """Whether the kernel does not count; a recorded machine has no process of ours to tell."""
    return host.live and not host.files.exists("/proc/self/io")


def open(context: Context, options: Options) -> ProcessIoMonitor:  # noqa: A001 - the contract's word
    """Begin to count. A kernel without counters is refused: no counter read as no process would say that nobody works."""
    host = context.host
    if uncounted(host):
        raise UnavailableError(UNCOUNTED)
    search = Search(host, wanted(host, options))
    return ProcessIoMonitor(context, search, options.above)


def parse_io(text: str) -> int:
    """Bytes moved so far, of /proc/PID/io; ``ValueError`` when fields are missing."""
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    try:
        return max(
            int(fields["rchar"]) + int(fields["wchar"]),
            int(fields["read_bytes"]) + int(fields["write_bytes"]),
        )
    except KeyError as error:
        raise ValueError(f"no {error} in a process's io") from error


def read_bytes_moved(host: Host, process: Process) -> int | None:
    """Bytes moved so far, ``None`` when the process is gone; ``UnavailableError`` when its counters are not ours to read."""
    try:
        return parse_io(host.files.read(f"/proc/{process.pid}/io"))
    except PermissionError as error:
        detail = f"the counters of {process.name}[{process.pid}] may not be read"
        raise UnavailableError(unavailable(detail, RIGHTS)) from error
    except (OSError, ValueError):
        return None


class ProcessIoMonitor:
    """Counters of the processes at the previous look, by process id and start."""

    def __init__(self, context: Context, search: Search, limit: float) -> None:
        self.context, self.search, self.limit = context, search, limit
        self.base: dict[Process, int] = {}
        self.base_at: float | None = None
        self.verdict = Reading(context.name, 0.0, reason="first look: nothing to compare with yet")

    @property
    def source(self) -> str:
        """How, and what it costs."""
        return f"/proc/PID/io; the search among {self.search.count} processes takes about {self.search.cost * 1e3:.1f} ms"

    def check(self, now: float) -> Reading:
        """The rate since the previous look; less than a second after it the same verdict, unless it is too much already."""
        counts = self.counts(now)
        if self.base_at is None:
            self.base, self.base_at = counts, now
            return replace(self.verdict, at=now)
        elapsed = max(MINIMUM, now - self.base_at)
        moved = {process: count - self.before(process, count) for process, count in counts.items()}
        if now - self.base_at < MINIMUM and sum(moved.values()) <= self.limit * elapsed:
            return replace(self.verdict, at=now)
        self.verdict = self.judge(now, moved, elapsed)
        self.base, self.base_at = counts, now
        return self.verdict

    def counts(self, now: float) -> dict[Process, int]:
        """Bytes moved so far by each process that matches."""
        read = {
            process: read_bytes_moved(self.context.host, process)
            for process in self.search.all_if_forked(now, GUARD_TIME)
        }
        return {process: count for process, count in read.items() if count is not None}

    def before(self, process: Process, count: int) -> int:
        """What to compare with: all that a new process moved is new; of an old one that matches only now nothing is known."""
        if process in self.base:
            return self.base[process]
        return 0 if process.started + TICK >= (self.base_at or 0.0) else count

    def judge(self, now: float, moved: dict[Process, int], elapsed: float) -> Reading:
        """Compare the rate with the limit and name the busiest process."""
        rate = sum(moved.values()) / elapsed
        active = rate > self.limit
        reason, who = "no such process", ""
        if moved:
            busiest = max(moved, key=lambda process: moved[process])
            who, most = self.search.describe(busiest), moved[busiest] / elapsed
            together = f"{len(moved)} processes move {show_size(rate)}/s, {who} {show_size(most)}/s of it"
            reason = together if len(moved) > 1 else f"{who} moves {show_size(rate)}/s"
        return Reading(
            self.context.name,
            now,
            reason=reason,
            last=now if active else self.verdict.last,
            measured=rate,
            limit=self.limit,
            unit="byte_rate",
            who=(who,) if active else (),
        )

    def close(self) -> None:
        """Nothing is held."""
