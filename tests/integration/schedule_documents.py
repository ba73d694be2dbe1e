"""What `powernap schedule --json` and its verbs print, for the tables of docs/json.md."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calendars import calendar, read_into
from fakedaemon import FakeDaemon
from powernap.config.load import load
from powernap.host.host import Host
from unit.test_cli_commands import conversation

SCHEDULES = """
[[stage]]
name = "ease"
after = "1h"
actions = ["kernel-quiet"]
[monitor.load]
[schedule.office]
type = "windows"
up = "daily 06:00-18:00"
unless = ["closed"]
[schedule.night]
type = "windows"
off = "daily 12:00-09:00"
nap = "daily 09:00-12:00"
[schedule.closed]
type = "dates"
days = "2026-12-24"
[schedule.backup]
type = "cron"
at = "30 20 * * *"
[schedule.broken]
type = "dates"
file = "/nonexistent/dates"
[schedule.team]
type = "ical"
source = "/nonexistent/team.ics"
"""
ODD = "DTSTART:20261124T100000Z\nRRULE:FREQ=SOMETIMES\nSUMMARY:Odd"


def scheduled(place: Path, printed: Callable[..., Any]) -> dict[str, list[Any]]:
    """Beside a daemon that knows of exceptions and an alarm, and without one."""
    config = place / "schedules.toml"
    config.write_text(SCHEDULES)
    read_into(Host(state=str(place)), load(str(config)).schedules["team"].options, calendar(ODD))
    now = time.time()
    stretch = {"start": now - 60, "end": now + 3600, "who": "root"}
    told = {
        "version": 1,
        "skipped": [{**stretch, "schedule": "office"}],
        "extended": [{**stretch, "why": "patch day"}],
        "alarm": {"rtc": "rtc0", "at": now + 7000},
        "need": {"at": now + 7200, "schedule": "office", "detail": "x"},
        "troubles": [{"schedule": "broken", "reason": "x", "remedy": "y", "since": now - 600}],
        "lead": {"suspend": 5, "boot": 120},
        "told_last": {"broken": {"end": now + 1e7, "spans": []}},
    }
    script = conversation([], status={"config": [str(config)]}, schedule=told)
    draft = ("--config", str(config), "--state", str(place))
    with FakeDaemon(script) as daemon:
        weeks = [printed("schedule", socket=daemon.path), printed("schedule", *draft)]
        tests = [
            printed("schedule", "test", "--at", "now", socket=daemon.path),
            *(printed("schedule", *draft, "test", "--at", f"2026-12-{day} 07:00") for day in (23, 24)),
        ]
        exceptions = [
            printed("schedule", "skip", "night", "--for", "3d", socket=daemon.path),
            printed("schedule", "restore", socket=daemon.path),
        ]
    statements = [
        each
        for found in (*weeks[0]["periods"], *weeks[1]["periods"], *tests)
        for key in ("because", "overruled", "silent")
        for each in found.get(key, ())
    ]
    verbs = ", ".join(f"powernap schedule {verb} --json" for verb in ("skip", "extend", "restore"))
    return {
        "powernap schedule --json": weeks,
        "powernap schedule test --json": tests,
        verbs: exceptions,
        "Statements": statements,
    }
