"""``powerwaked --plan``: when each machine is needed and woken next, and what came of the last time. Needs no daemon, and no right."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from typing import Any

from powernap.config.inventory import HostConfig, Inventory
from powernap.config.problems import ConfigErrors
from powernap.core.timetable import FREE, Period
from powernap.core.units import show_duration
from powernap.daemon import timetables
from powernap.daemon.asking import REACHES
from powernap.daemon.leads import Leads
from powernap.host import calendars, zones
from powernap.host.host import Host
from powernap.schedules import ScheduleError
from powernap.wakeproxy import wanted
from powernap.wakeproxy.places import Places

OK, FAULTS = 0, 2


def show(inventory: Inventory, places: Places, *, as_json: bool) -> int:
    """All machines, by name."""
    document = document_of(inventory, places, Host(state=places.state))
    if as_json:
        print(json.dumps(document, indent=2))
        return OK
    for line in text(document, sys.stdout.encoding):
        print(line)
    return OK


def refuse(error: ConfigErrors) -> int:
    """The inventory has faults: the first, as a document."""
    first = error.problems[0]
    where = f"{first.file}:{first.line}" if first.line else first.file
    print(json.dumps({"version": 1, "error": f"{where}: {first.message}", "remedy": first.remedy}))
    return FAULTS


def document_of(inventory: Inventory, places: Places, machine: Host) -> dict[str, Any]:
    """Described in docs/others.md."""
    known = _status(places.status)
    now = machine.clock.wall()
    return {
        "version": 1,
        "time": now,
        "config": list(inventory.files),
        "powerwaked": bool(known),
        "at_once": inventory.together.at_once,
        "apart_s": inventory.together.apart,
        "hosts": [_host(each, known.get(name, {}), places, machine, now) for name, each in sorted(inventory.hosts.items())],
        "notes": [*map(str, inventory.notes), *_hidden(inventory, places)],
    }  # fmt: skip


def _hidden(inventory: Inventory, places: Places) -> list[str]:
    """What only root sees: copies of calendars are their readers' own."""
    schedules = [each for host in inventory.hosts.values() for each in host.schedules.values()]
    if not places.state or not any(each.type == "ical" for each in schedules):
        return []
    try:
        os.listdir(os.path.join(places.state, calendars.DIRECTORY))
    except PermissionError:
        return ["what powerwaked has read of calendars is not for everybody: sudo powerwaked --plan shows it"]
    except OSError:
        return []
    return []


def _status(path: str) -> dict[str, Any]:
    """What the running daemon wrote; nothing where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            hosts = json.load(file)["hosts"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return hosts if isinstance(hosts, dict) else {}


def _host(
    config: HostConfig, known: dict[str, Any], places: Places, machine: Host, now: float
) -> dict[str, Any]:
    periods, troubles = _periods(config, machine, now)
    need = _next(config, periods, now)
    path = f"{places.state}/lead-times/{config.name}.json" if places.state else ""
    lead = float(known.get("lead_s", wanted.lead(config.target, Leads(machine.files, path))))
    return {
        "name": config.name,
        "address": config.target.address,
        "confirm": config.target.confirm,
        "methods": [each.type for each in config.methods],
        "lead_s": lead,
        "now": periods[0].says,
        "need": need and {"at": need.at, "schedule": need.schedule, "detail": need.detail},
        "wake_at": need and need.at - lead,
        "state": str(known.get("state", "")),
        "since": known.get("since"),
        "detail": str(known.get("detail", "")),
        "remedy": str(known.get("remedy", "")),
        "troubles": [
            {"schedule": name, "reason": each.reason, "remedy": each.remedy}
            for name, each in troubles.items()
        ],
    }


def _periods(config: HostConfig, machine: Host, now: float) -> tuple[list[Period], dict[str, ScheduleError]]:
    """Its timetable as far as its next need, and the schedules that cannot tell."""
    schedules, local = config.schedules.values(), zones.local(machine.files).zone
    periods: list[Period] = []
    troubles: dict[str, ScheduleError] = {}
    for reach in REACHES:
        answers = timetables.ask(machine, schedules, now, now + reach, local)
        told = {name: (spans, answers.ends.get(name, answers.end)) for name, spans in answers.spans.items()}
        periods = wanted.timetable(schedules, told, now, answers.end)
        troubles = dict(answers.troubles)
        if _next(config, periods, now):
            break
    return periods, troubles


def _next(config: HostConfig, periods: list[Period], now: float) -> wanted.Want | None:
    return wanted.coming(periods, now, lambda name: config.schedules[name].wake)


# ------------------------------------------------------------ for people


def text(document: dict[str, Any], encoding: str | None = "utf-8") -> list[str]:
    """A table, and below it what is wrong and what to do about it."""
    rows: list[tuple[str, ...]] = [("MACHINE", "STATE", "MUST BE", "NEEDED NEXT", "WOKEN AT", "BECAUSE")]
    rows += [_row(each) for each in document["hosts"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    for each in document["hosts"]:
        if each["state"] == "not-up":
            lines.append(f"{each['name']} is not up since {_at(each['since'])}: {each['detail']}")
            lines.append(f"  -> {each['remedy']}")
        for trouble in each["troubles"]:
            remedy = f" -> {trouble['remedy']}" if trouble["remedy"] else ""
            lines.append(f"{each['name']}: {trouble['schedule']} cannot tell: {trouble['reason']}{remedy}")
    if not document["hosts"]:
        lines = ["no machine is in the inventory; write [host.NAME] in /etc/powernap/hosts.d/NAME.toml"]
    elif not document["powerwaked"]:
        lines.append("powerwaked is not running: nobody is woken (systemctl enable --now powerwaked)")
    lines += [f"note: {note}" for note in document["notes"]]
    return [line.encode(encoding or "ascii", "replace").decode(encoding or "ascii") for line in lines]


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    need = each["need"]
    state = (each["name"], each["state"] or "not asked", "" if each["now"] == FREE else each["now"])
    if need is None:
        return *state, "never", "", ""
    lead = f"{_at(each['wake_at'])} ({show_duration(round(each['lead_s']))} before)"
    return *state, _at(need["at"]), lead, f"{need['schedule']} ({need['detail']})"


def _at(instant: float | None) -> str:
    """In this machine's zone."""
    return "" if instant is None else f"{datetime.fromtimestamp(instant).astimezone():%a %d %b %H:%M}"
