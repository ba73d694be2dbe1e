"""What ``powernap schedule`` knows: the configuration, the machine's zone, what the daemon says, and what the schedules answer.

Needs neither daemon nor root. Without the daemon, exceptions and the alarm are not known, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from powernap.cli import client
from powernap.config.load import load
from powernap.config.model import Config
from powernap.core.timetable import Exempt, Period, Span
from powernap.core.value import dataclass
from powernap.daemon import timetables
from powernap.daemon.exceptions import Exceptions, Extended
from powernap.daemon.places import Places
from powernap.daemon.timetables import Answers
from powernap.host import zones
from powernap.host.host import Host

EXTENDED = "extended"
"""Stands for a schedule's name where an exception says that the machine is up (daemon/exceptions.py)."""
DRAFT = "powernapd is not asked about a configuration that is named by --config"


@dataclass(frozen=True)
class Known:
    """:param running: the daemon's answer to ``schedule``, empty without one; then ``absent`` says why."""

    config: Config
    local: zones.Local
    now: float
    host: Host
    running: Mapping[str, Any] = field(default_factory=dict)
    absent: str = ""

    @property
    def exceptions(self) -> Exceptions:
        """Those that the daemon knows."""
        return Exceptions(
            tuple(
                Exempt(each["start"], each["end"], each["schedule"], each["who"])
                for each in self.running.get("skipped", ())
            ),
            tuple(
                Extended(each["start"], each["end"], each["why"], each["who"])
                for each in self.running.get("extended", ())
            ),
        )


@dataclass(frozen=True)
class Told:
    """What is said of a stretch of time, and what it comes to."""

    answers: Answers
    spans: list[Span]
    periods: list[Period]


def known(path: str | None = None, state: str = Places.state, *, needed: bool = False) -> Known:
    """Look. ``ConfigErrors`` where the configuration has faults.

    :param path: of a configuration that is not the running daemon's.
    :param state: where the copies of calendars are.
    :param needed: without the daemon nothing can be done: ``DaemonError``.
    """
    running, files, absent = ({}, [path], DRAFT) if path else asked(needed=needed)
    config = load(*files, trusted=False)
    host = Host(state=state)
    return Known(config, zones.local(host.files), host.clock.wall(), host, running, absent)


def asked(*, needed: bool) -> tuple[Mapping[str, Any], list[str], str]:
    """What the daemon says, the files of its configuration, and why it does not answer."""
    files: list[str] = []
    try:
        files = client.ask("status", refresh=False)["config"]
        return client.ask("schedule"), files, ""
    except client.DaemonError as error:
        if needed:
            raise
        return {}, files, error.message


def tell(about: Known, start: float, end: float) -> Told:
    """Ask the schedules of that time."""
    schedules = about.config.schedules.values()
    answers = timetables.ask(about.host, schedules, start, end, about.local.zone)
    return again(about, answers, about.exceptions)


def again(about: Known, answers: Answers, but: Exceptions) -> Told:
    """The same answers with other exceptions."""
    spans = timetables.together(answers, about.config.schedules.values(), but.skipped, but.spans())
    return Told(answers, spans, timetables.timetable(answers, spans, about.config.stages))


def wakes(about: Known, schedule: str) -> bool:
    """The machine is woken for it."""
    known = about.config.schedules.get(schedule)
    return schedule == EXTENDED or (known is not None and known.wake)


def where(config: Config, schedule: str) -> str:
    """``FILE:LINE`` of a schedule's section, or of what of it is given; empty where nothing is."""
    section = f"schedule.{schedule}"
    keys = [f"{section}.type", *(key for key in config.origins if key.startswith(f"{section}."))]
    given = [config.origins.get(section, ""), *(config.origins.get(key, "") for key in keys)]
    return next((place for place in given if place not in {"", "default"}), "")
