"""What schedules weigh: one powernapd after the other, with more and more of them. ``python -m bench.overhead --only schedules``."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from bench.arena import apart, cgroup, memory
from bench.report import say
from bench.subjects import config, powernapd
from bench.tables import markdown

STAY = "1h"
ROUNDS, SETTLE = 3, 2.0
"""Daemons for each row, and seconds that each has after its schedules are asked."""
TEXT = f"the median of {ROUNDS} daemons each, which have asked them all; the reader of calendars is a process of its own"
CRON = """
[schedule.backup]
type = "cron"
at = ["30 2 * * *", "0 8-18/2 * * mon-fri"]
"""
WINDOWS = """
[schedule.office]
type = "windows"
up = "Mon-Fri 07:30-18:00 Europe/Berlin"
unless = ["holidays"]
[schedule.night]
type = "windows"
off = "daily 23:00-06:00"
[schedule.holidays]
type = "dates"
days = ["12-24..01-01", "easter-2", "easter+1"]
"""
LOCAL = """
[schedule.nightly]
type = "cron-jobs"
jobs = ["backup"]
[schedule.once]
type = "at-jobs"
[schedule.timers]
type = "systemd-timers"
wake_system = true
[schedule.shutdown]
type = "shutdowns"
"""
CALENDAR = """
[schedule.calendar]
type = "ical"
source = "{file}"
"""
EVENTS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//PowerNap//bench//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
SUMMARY:Deployment
DTSTART;TZID=Europe/Berlin:20260105T090000
DTEND;TZID=Europe/Berlin:20260105T110000
RRULE:FREQ=WEEKLY;BYDAY=MO,WE
END:VEVENT
END:VCALENDAR
"""
CONFIGURATIONS = {
    "no schedule": "",
    "cron": CRON,
    "windows, dates and cron": WINDOWS + CRON,
    "all local kinds": WINDOWS + CRON + LOCAL,
    "all local kinds and a calendar's file": WINDOWS + CRON + LOCAL + CALENDAR,
}


@dataclass(frozen=True)
class Weight:
    """MiB of a daemon with these schedules, once they are asked; what a reader of calendars takes is its own."""

    schedules: str
    rss: float
    pss: float


def measure(directory: Path) -> list[Weight]:
    """One after the other."""
    directory.mkdir(parents=True)
    (directory / "calendar.ics").write_text(EVENTS.replace("\n", "\r\n"))
    return [_median(name, text, directory) for name, text in CONFIGURATIONS.items()]


def _median(name: str, text: str, directory: Path) -> Weight:
    say(f"the weight of schedules: {name}")
    found = [_weigh(text, directory) for _ in range(ROUNDS)]
    return Weight(name, *map(statistics.median, zip(*found, strict=True)))


def _weigh(text: str, directory: Path) -> tuple[float, float]:
    place = directory / str(len(list(directory.iterdir())))
    whole = config(STAY) + text.format(file=directory / "calendar.ics")
    with cgroup("scheduled") as group, powernapd(place, group, whole, before=apart()) as daemon:
        if text:
            daemon.until(lambda: daemon.ask("schedule")["need"] is not None)
        if "[schedule.calendar]" in text:
            daemon.until((place / "state" / "calendars").is_dir)
        daemon.until(lambda: len((group / "cgroup.procs").read_text().split()) == 1)
        time.sleep(SETTLE)
        return memory(group)


def table(weights: list[Weight]) -> str:
    """A row for each."""
    rows = [[each.schedules, f"{each.rss:.1f}", f"{each.pss:.1f}"] for each in weights]
    return markdown(["powernapd with", "RSS MiB", "PSS MiB"], rows)
