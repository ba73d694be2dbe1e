"""What ``powernap schedule`` knows: the configuration, the machine's zone, what the daemon says, and what the schedules answer.

Needs neither daemon nor root. Without the daemon, exceptions and the alarm are not known, and that is said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from powernap.cli import client
from powernap.cli.schedule_time import full, until
from powernap.config.load import load
from powernap.config.model import Config
from powernap.core.timetable import UP, Exempt, Period, Span, without
from powernap.core.value import dataclass
from powernap.daemon import timetables
from powernap.daemon.exceptions import Exceptions, Extended
from powernap.daemon.places import Places
from powernap.daemon.timetables import Answers
from powernap.host import zones
from powernap.host.host import Host
from powernap.schedules import ScheduleError

EXTENDED = "extended"
"""Stands for a schedule's name where an exception says that the machine is up (daemon/exceptions.py)."""
DRAFT = "powernapd is asked only where no configuration is named"
MOST = 50_000
"""Statements of one schedule that are looked at; those of a job every five minutes for half a year. A week of them takes 0.1 s of CPU, all of them 4 s."""
AS_ROOT = "run as root"
"""The remedy where only root may read what a schedule goes by."""
LAST, UNKNOWN = "as it said last", "cannot tell"
"""Where in a schedule a statement stands that powernapd has from before, or makes because nothing is known."""


@dataclass(frozen=True)
class Known:
    """:param running: the daemon's answer to ``schedule``, empty without one; then ``absent`` says why."""

    config: Config
    local: zones.Local
    now: float
    host: Host
    running: Mapping[str, Any] = field(default_factory=dict)
    absent: str = ""

    def full(self, at: float) -> str:
        """An instant, as people read it here and now."""
        return full(at, self.local.zone, self.now)

    def until(self, at: float, since: float) -> str:
        """The end of what began then."""
        return until(at, since, self.local.zone, self.now)

    @property
    def exceptions(self) -> Exceptions:
        """Those that the daemon knows."""
        return Exceptions(
            tuple(
                Exempt(each["start"], each["end"], each["schedule"], each["who"])
                for each in self.running.get("skipped", ())
            ),
            tuple(
                Extended(
                    each["start"],
                    each["end"],
                    each["why"],
                    each["who"],
                    each.get("postponed", 0.0),
                    each.get("off_until", 0.0),
                )
                for each in self.running.get("extended", ())
            ),
        )


@dataclass(frozen=True)
class Told:
    """What is said of a stretch of time, and what it comes to.

    :param unknown: the schedules of which nothing is known, and why: the machine stays up from now on, until they can tell (daemon/asking.py).
    """

    answers: Answers
    spans: list[Span]
    periods: list[Period]
    unknown: Mapping[str, str] = field(default_factory=dict)


def known(path: str | None = None, state: str | None = None, *, needed: bool = False) -> Known:
    """Look. ``ConfigErrors`` where the configuration has faults.

    :param path: of a configuration that is not the running daemon's.
    :param state: where the copies of calendars are; that of the daemon, unless said.
    :param needed: without the daemon nothing can be done: ``DaemonError``.
    """
    running, files, absent, theirs = ({}, [path], DRAFT, "") if path else asked(needed=needed)
    config = load(*files, trusted=False)
    host = Host(state=state or theirs or Places.state)
    return Known(config, zones.local(host.files), host.clock.wall(), host, running, absent)


def asked(*, needed: bool) -> tuple[Mapping[str, Any], list[str], str, str]:
    """What the daemon says, the files of its configuration, why it does not answer, and its directory for what outlives a boot."""
    files: list[str] = []
    state = ""
    try:
        status = client.ask("status", refresh=False)
        files, state = status["config"], os.path.dirname(status.get("daemon", {}).get("history", ""))
        return client.ask("schedule"), files, "", state
    except client.DaemonError as error:
        if needed:
            raise
        return {}, files, error.message, state


def tell(about: Known, start: float, end: float) -> Told:
    """Ask the schedules of that time."""
    schedules = about.config.schedules.values()
    answers = timetables.ask(about.host, schedules, start, end, about.local.zone)
    return again(about, as_powernapd(about, whole(about, answers)), about.exceptions)


def whole(about: Known, answers: Answers) -> Answers:
    """Of those that say more than powernapd takes at once the rest too: it asks again in time, and is never without an answer."""
    spans, ends = dict(answers.spans), dict(answers.ends)
    for name, reached in answers.ends.items():
        found = dict.fromkeys(spans[name])
        while reached < answers.end and len(found) < MOST:
            more = timetables.ask(
                about.host, [about.config.schedules[name]], reached, answers.end, about.local.zone
            )
            if name not in more.spans:
                break
            found |= dict.fromkeys(more.spans[name])
            reached = more.ends.get(name, answers.end)
        spans[name], ends[name] = tuple(found), reached
    return replace(answers, spans=spans, ends=ends)


def as_powernapd(about: Known, answers: Answers) -> Answers:
    """Of those that cannot tell powernapd what it goes by, which is what they told it last, if anything."""
    spans, troubles, ends = dict(answers.spans), dict(answers.troubles), dict(answers.ends)
    for each in about.running.get("troubles", ()):
        name = each["schedule"]
        if name not in about.config.schedules:
            continue
        soon = name in troubles and troubles[name].soon and troubles[name].reason == each["reason"]
        troubles[name] = ScheduleError(each["reason"], each["remedy"], soon=soon)
        last = about.running.get("told_last", {}).get(name)
        if last is None:
            spans.pop(name, None)
        else:
            found = (
                Span(one["start"], one["end"], one["says"], name, LAST, one["deepest"])
                for one in last["spans"]
            )
            spans[name] = tuple(one for one in found if one.start < answers.end and one.end > answers.start)
            ends[name] = last["end"]
    return replace(answers, spans=spans, troubles=troubles, ends=ends)


def again(about: Known, answers: Answers, but: Exceptions) -> Told:
    """The same answers with other exceptions."""
    schedules = about.config.schedules.values()
    unknown = {
        name: error.reason
        for name, error in answers.troubles.items()
        if name not in answers.spans and not error.soon and not only_here(about, name, error)
    }
    spans = timetables.together(answers, schedules, but.skipped, but.spans())
    since = max(about.now - about.now % 60, answers.start)
    kept_up = [Span(since, answers.end, UP, name, UNKNOWN) for name in unknown if since < answers.end]
    spans += without(kept_up, but.skipped)
    return Told(answers, spans, timetables.timetable(answers, spans, about.config.stages), unknown)


def only_here(about: Known, name: str, error: ScheduleError) -> bool:
    """Powernapd can tell, or could: who asks may read less than it."""
    if about.running:
        return name not in {each["schedule"] for each in about.running.get("troubles", ())}
    return error.remedy == AS_ROOT and os.geteuid() != 0


def wakes(about: Known, told: Told, schedule: str) -> bool:
    """The machine is woken for it. Of whom nothing is known, nobody knows when."""
    known = about.config.schedules.get(schedule)
    return schedule == EXTENDED or (known is not None and known.wake and schedule not in told.unknown)


def where(config: Config, schedule: str) -> str:
    """``FILE:LINE`` of a schedule's section, or of what of it is given; empty where nothing is."""
    section = f"schedule.{schedule}"
    keys = [f"{section}.type", *(key for key in config.origins if key.startswith(f"{section}."))]
    given = [config.origins.get(key, "") for key in (*keys, section)]
    return next((place for place in given if place not in {"", "default"}), "")
