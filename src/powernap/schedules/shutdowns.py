"""A shutdown that somebody scheduled with shutdown(8): the machine must be up to carry it out.

systemd-logind does it, not PowerNap: at 22:00 after ``shutdown -h 22:00``, if the machine is awake then. Asleep it would miss the time, and
go down the moment somebody wakes it the next morning. So the machine is up from ``lead`` before, in time for the warnings, and until systemd has had
time to stop everything. That it is off afterwards is not said: only the one who scheduled it knows for how long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import UP, Span
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable
from powernap.schedules import ScheduleError

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.files import Files
    from powernap.host.host import Host

SYSTEMD = "/run/systemd/system"
DIRECTORY = "/run/systemd/shutdown"
SCHEDULED = f"{DIRECTORY}/scheduled"
GRACE = 300.0
"""Seconds that systemd gets to begin and to stop units: each may take 90 s by default (systemd-system.conf(5), DefaultTimeoutStopSec)."""
WORDS = {"poweroff": "power-off", "halt": "halt", "reboot": "reboot", "kexec": "reboot by kexec"}


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    lead: float = option(
        600.0, unit="duration", example="15min", help="How long before the shutdown the machine is up."
    )


@dataclass(frozen=True, slots=True)
class Shutdown:
    """A scheduled one: when (seconds since the epoch), and what logind calls it (``poweroff``)."""

    at: float
    mode: str

    @property
    def shown(self) -> str:
        """In words of an admin."""
        return f"{WORDS.get(self.mode, self.mode or 'shutdown')} by shutdown(8)"


def parse(content: str) -> Shutdown | None:
    """What logind noted; ``None`` when it says that it is no real one (``MODE=dry-poweroff``); ``ValueError`` without a time.

    Of ``shutdown -k`` logind 252 writes ``MODE=poweroff`` (measured): then the machine is up for nothing, which harms nobody.
    """
    found = dict(line.partition("=")[::2] for line in content.splitlines())
    mode, microseconds = found.get("MODE", ""), found.get("USEC", "")
    if mode.startswith("dry-"):
        return None
    if not re.fullmatch("[0-9]{1,18}", microseconds):
        raise ValueError("it says no time")
    return Shutdown(int(microseconds) / 1e6, mode)


def _scheduled(files: Files) -> Shutdown | None:
    """``OSError`` or ``ValueError`` when it cannot be told."""
    try:
        return parse(files.read(SCHEDULED))
    except FileNotFoundError:
        return None


def probe(host: Host, options: Options) -> Availability:  # noqa: ARG001 - the contract's
    """Does systemd keep the time of a shutdown here?"""
    if not host.files.exists(SYSTEMD):
        return unavailable("systemd does not run here, and no other shutdown(8) tells its time")
    try:
        found = _scheduled(host.files)
    except (OSError, ValueError) as error:
        return unavailable(f"{SCHEDULED} cannot be read ({error})", "`shutdown -c` deletes it")
    return available(found.shown if found else "no shutdown is scheduled")


def spans(host: Host, options: Options, start: float, end: float, local: tzinfo) -> Iterator[Span]:  # noqa: ARG001 - the contract's
    """At most one."""
    try:
        found = _scheduled(host.files)
    except (OSError, ValueError) as error:
        raise ScheduleError(f"{SCHEDULED} cannot be read ({error})", "`shutdown -c` deletes it") from None
    if found and found.at - options.lead < end and found.at + GRACE > start:
        yield Span(found.at - options.lead, found.at + GRACE, UP, detail=found.shown)


def watched(options: Options) -> tuple[str, ...]:  # noqa: ARG001 - the contract's
    """The file: logind writes the file anew each time, and makes the directory with the first."""
    return (SCHEDULED, DIRECTORY)
