"""Jobs of at(1): the machine must be up when one is to run.

Read are the names in at's spool, which say it all: queue, number, and minute since the epoch. Jobs of ``batch`` and of queues with capital
letters run once the load is low, so at that time or later. A job that is late, since the machine was off, runs when atd starts: it
counts from the boot on. When it has ended at tells nobody, so the machine stays up for ``stay``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import UP, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable
from powernap.schedules import ScheduleError
from powernap.schedules._options import staying

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.files import Files
    from powernap.host.host import Host

SPOOLS = ("/var/spool/cron/atjobs", "/var/spool/at", "/var/spool/atjobs")
"""Of Debian, of Red Hat, of SUSE."""
NAME = re.compile(r"([a-zA-Z=])([0-9a-f]{5})([0-9a-f]{8})", re.ASCII)
"""Queue (``=``: it is running), number, minute: ``%c%5lx%8lx`` with zeros (at 3.2.5, at.c)."""
RUNNING = "="


def _letters(queues: tuple[str, ...]) -> str | None:
    for queue in queues:
        if not re.fullmatch("[a-zA-Z]", queue, re.ASCII):
            return f'"{queue}" is no queue; write single letters, such as ["a", "b"]'
    return None


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    queues: tuple[str, ...] = option(
        (), example='["a", "c"]', check=_letters, help="Which queues: letters (`at -q`); without it, all."
    )
    stay: float = staying(600.0, "How long the machine is kept up for a job.")


@dataclass(frozen=True, slots=True)
class Job:
    """A job that waits or runs. ``at`` is in seconds since the epoch."""

    queue: str
    number: int
    at: int

    @property
    def shown(self) -> str:
        """In words of an admin."""
        state = ", running" if self.queue == RUNNING else f", queue {self.queue}" * (self.queue != "a")
        return f"at job {self.number}{state}"


def parse(name: str) -> Job | None:
    """A file's name; ``None`` when it is no job's (``.SEQ``, ``.lockfile``, ``spool``)."""
    found = NAME.fullmatch(name)
    return Job(found[1], int(found[2], 16), int(found[3], 16) * 60) if found else None


def _jobs(files: Files, options: Options) -> list[Job]:
    """All in the queues that count. A running job's queue is not told, so it counts."""
    found = (parse(name) for spool in SPOOLS for name in files.names(spool))
    return [job for job in found if job and (not options.queues or job.queue in {*options.queues, RUNNING})]


def probe(host: Host, options: Options) -> Availability:
    """Is there a spool?"""
    if not any(map(host.files.exists, SPOOLS)):
        return unavailable("there is no at here", "install the package at")
    try:
        return available(f"{many(len(_jobs(host.files, options)), 'job')} of at")
    except OSError as error:
        return unavailable(f"{error.filename} cannot be read ({error.strerror})", "run as root")


def spans(host: Host, options: Options, start: float, end: float, local: tzinfo) -> Iterator[Span]:  # noqa: ARG001 - the contract's
    """From each job's minute on, or from the boot when that came later."""
    try:
        jobs = _jobs(host.files, options)
    except OSError as error:
        raise ScheduleError(f"{error.filename} cannot be read ({error.strerror})", "run as root") from None
    booted = host.clock.wall() - host.clock.boottime()
    for job in jobs:
        since = max(float(job.at), booted)
        if since < end and since + options.stay > start:
            yield Span(since, since + options.stay, UP, detail=job.shown)


def watched(options: Options) -> tuple[str, ...]:  # noqa: ARG001 - the contract's
    """The spool: a file comes with a job and goes with it."""
    return SPOOLS
