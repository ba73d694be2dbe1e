"""The documents of ``powernap schedule``, described in docs/json.md: facts in, nothing shown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from math import inf
from typing import Any

from powernap.cli.schedule_time import both
from powernap.cli.schedule_week import EXTENDED, Known, Told, only_here, wakes, where
from powernap.core.timetable import OFF, UP, Period, Span
from powernap.daemon.timetables import module

JOINED = 1.0
"""Seconds: occasions of a conflict that are no further apart are one."""
JOBS = frozenset({"at-jobs", "cron", "cron-jobs", "shutdowns", "systemd-timers"})
"""Types that tell of something that happens at an instant: in a time of *off* the machine is woken for it, which is what they are for."""


def document_of(about: Known, told: Told) -> dict[str, Any]:
    """All facts of some days."""
    zone, answers = about.local.zone, told.answers
    return {
        "version": 1,
        "host": os.uname().nodename,
        "zone": about.local.name,
        "zone_trouble": about.local.reason,
        "mode": about.config.mode,
        "config": list(about.config.files),
        **both("now", about.now, zone),
        **both("start", answers.start, zone),
        **both("end", answers.end, zone),
        "schedules": schedules(about),
        "periods": [period(about, each) for each in told.periods],
        "conflicts": [each for each in conflicts(about, told) if not woken(about, told, each["up"])],
        "woken": [each for each in conflicts(about, told, about.now) if woken(about, told, each["up"])],
        "off_refused": off_refused(about, told.periods),
        "troubles": troubles(about, told),
        "notes": notes(about, told),
        **running(about),
    }


def schedules(about: Known) -> list[dict[str, Any]]:
    """Those that are configured."""
    return [
        {
            "name": each.name,
            "type": each.type,
            "wake": each.wake,
            "unless": list(each.unless),
            "where": where(about.config, each.name),
        }
        for each in about.config.schedules.values()
    ]


def period(about: Known, found: Period) -> dict[str, Any]:
    """What holds for a time, and who says so."""
    return {
        **both("start", found.start, about.local.zone),
        **both("end", found.end, about.local.zone),
        "says": found.says,
        "deepest": found.deepest,
        "because": [span(about, each) for each in found.because],
        "overruled": [span(about, each) for each in found.overruled],
    }


def span(about: Known, said: Span) -> dict[str, Any]:
    """One statement of a schedule; of an exception, ``schedule`` is ``extended``."""
    return {
        "schedule": said.schedule,
        "detail": said.detail,
        "says": said.says,
        "deepest": said.deepest,
        "unit": said.unit,
        **both("start", said.start, about.local.zone),
        **both("end", said.end, about.local.zone),
    }


def conflicts(about: Known, told: Told, since: float = -inf) -> list[dict[str, Any]]:
    """Where one schedule wants it off and another up: each pair once, with its first occasion that is not over at ``since``. An exception is meant, and no conflict; nor
    is one of which nothing is known.
    """
    found: dict[tuple[str, str], list[list[float]]] = {}
    for each in told.periods:
        if each.says != UP or each.end <= since:
            continue
        losers = {said.schedule for said in each.overruled if said.says == OFF}
        winners = {said.schedule for said in each.because} - {EXTENDED, *told.unknown}
        for pair in ((low, high) for high in sorted(winners) for low in sorted(losers)):
            times = found.setdefault(pair, [])
            if times and each.start - times[-1][1] <= JOINED:
                times[-1][1] = each.end
            else:
                times.append([each.start, each.end])
    return [
        {
            "off": loser,
            "up": winner,
            "times": len(times),
            **both("start", times[0][0], about.local.zone),
            **both("end", times[0][1], about.local.zone),
        }
        for (loser, winner), times in found.items()
    ]


def woken(about: Known, told: Told, name: str) -> bool:
    """For what it tells the machine is woken out of *off*: no contradiction."""
    known = about.config.schedules.get(name)
    return known is not None and known.type in JOBS and wakes(about, told, name)


def off_refused(about: Known, periods: Iterable[Period]) -> str:
    """Why this machine would not go off, where something says so from now on: powernapd refuses it then. Empty where nothing speaks against it."""
    if not any(each.says == OFF and each.end > about.now for each in periods):
        return ""
    from powernap.cli import schedule_way_back  # noqa: PLC0415 - most have no *off*

    return schedule_way_back.refusal(about.config, about.host)


def troubles(about: Known, told: Told) -> list[dict[str, Any]]:
    """The schedules that could not tell: the daemon, or only us (it may read more); and those that rest on an old copy."""
    theirs = {each["schedule"]: each for each in about.running.get("troubles", ())}
    soon = {name for name, error in told.answers.troubles.items() if error.soon}
    ours = {
        name: {"schedule": name, "reason": error.reason, "remedy": error.remedy, "since": None}
        for name, error in told.answers.troubles.items()
    }
    old = {
        name: {"schedule": name, "reason": copy.reason, "remedy": "", "since": copy.since}
        for name, copy in copies(about, told).items()
        if copy.since
    }
    return [
        {
            "schedule": name,
            "reason": each["reason"],
            "remedy": each["remedy"],
            **both("since", each["since"], about.local.zone),
            "only_here": name not in {*theirs, *old} and only_here(about, name, told.answers.troubles[name]),
            "keeps_up": name in told.unknown and not about.exceptions.silenced(name, about.now),
        }
        for name, each in {**ours, **old, **theirs}.items()
        if name not in soon
    ]


def copies(about: Known, told: Told) -> dict[str, Any]:
    """How up to date those are that answer from a copy (``State`` of schedules/_ical_upkeep.py)."""
    found = {}
    for each in about.config.schedules.values():
        state = getattr(module(each), "state", None) if each.name in told.answers.spans else None
        if state is not None:
            found[each.name] = state(about.host, each.options)
    return found


def notes(about: Known, told: Told) -> list[dict[str, str]]:
    """What is not in the picture: of a calendar nobody has read yet all; what a copy leaves out, or takes otherwise than it is written."""
    return [
        *unread(about, told),
        *(
            {"schedule": name, "note": note}
            for name, copy in copies(about, told).items()
            for note in copy.notes
        ),
    ]


def unread(about: Known, told: Told) -> Iterator[dict[str, str]]:
    """Those that powernapd reads first of all."""
    reads = "is reading it" if about.running else "reads it as soon as it has this configuration"
    for name, error in told.answers.troubles.items():
        if error.soon:
            note = f"{error.reason}, so what it says is missing here; powernapd {reads}"
            yield {"schedule": name, "note": note}


def running(about: Known) -> dict[str, Any]:
    """What only the daemon knows."""
    zone, said = about.local.zone, about.running
    alarm, need, lead = (said.get(key) for key in ("alarm", "need", "lead"))
    return {
        "powernapd": bool(said),
        "absent": about.absent,
        "skipped": [
            {"schedule": each["schedule"], "who": each["who"], **edges(about, each)}
            for each in said.get("skipped", ())
        ],
        "extended": [
            {
                "why": each["why"],
                "who": each["who"],
                "postponed": bool(each.get("postponed") or each.get("off_until")),
                **edges(about, each),
            }
            for each in said.get("extended", ())
        ],
        "alarm": alarm and {"rtc": alarm["rtc"], **both("at", alarm["at"], zone)},
        "need": need
        and {"schedule": need["schedule"], "detail": need["detail"], **both("at", need["at"], zone)},
        "lead": lead and {"suspend_s": lead["suspend"], "boot_s": lead["boot"]},
    }


def edges(about: Known, each: dict[str, Any]) -> dict[str, Any]:
    """From when until when."""
    return {**both("start", each["start"], about.local.zone), **both("end", each["end"], about.local.zone)}
