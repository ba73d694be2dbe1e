"""Bare ``powernap``: what this machine can do, what keeps it awake, and what would happen next. Needs no root, daemon or config."""

from __future__ import annotations

import argparse
import os
from typing import Any

from powernap import __version__
from powernap.cli import client, glance
from powernap.cli.paint import Cell, columns
from powernap.config.load import load
from powernap.config.model import Config
from powernap.config.problems import ConfigErrors
from powernap.core.units import show_duration
from powernap.host.availability import Availability
from powernap.host.host import Host


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "overview",
        help="what this machine can do, what keeps it awake, what would happen next (the same as no COMMAND)",
        description="What this machine can do (each no with its reason and remedy), what keeps it awake, and what would happen next. "
        "Needs no root, no daemon and no configuration, and changes nothing.",
    )
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    return parser


def run(args: argparse.Namespace) -> int:
    """Look and show."""
    host = Host(ears=glance.DeafEars())
    try:
        config, trouble = load(trusted=False), ""
    except ConfigErrors as error:
        config, trouble = (
            load("/nonexistent/powernap", trusted=False),
            f"the configuration has {len(error.problems)} faults: `powernap config check`",
        )
    document = document_of(host, config, trouble)
    if args.json:
        from powernap.cli.main import show_json  # noqa: PLC0415 - main imports us

        return show_json(document)
    print(text(document))
    return 0


def document_of(host: Host, config: Config, trouble: str) -> dict[str, Any]:
    """The facts behind the screen; described in docs/json.md."""
    running = daemon()
    return {
        "version": 1,
        "powernap": __version__,
        "host": os.uname().nodename,
        "root": os.geteuid() == 0,
        "config": list(config.files),
        "trouble": trouble,
        "mode": config.mode,
        "daemon": running,
        "actions": [
            {
                "name": found.name,
                "type": found.type,
                **of_answer(answer),
                "used": any(found.name in s.actions for s in config.stages),
            }
            for found, answer in glance.available_actions(host, config)
        ],
        "monitors": [of_seen(seen) for seen in glance.look(host, config.monitors.values())],
        "stages": [
            {"name": s.name, "after_s": s.after, "actions": list(s.actions), "sleep": s.sleep}
            for s in config.stages
        ],
    }


def daemon() -> dict[str, Any] | None:
    """What the running daemon says, or ``None`` when none runs."""
    try:
        return client.ask("why")
    except client.DaemonError:
        return None


def of_answer(answer: Availability) -> dict[str, Any]:
    """An availability for programs."""
    return {"usable": answer.usable, "detail": answer.detail, "remedy": answer.remedy}


def of_seen(seen: glance.Seen) -> dict[str, Any]:
    """One monitor's line."""
    reading = seen.reading
    return {
        "name": seen.config.name,
        "type": seen.config.type,
        **of_answer(seen.answer),
        "source": seen.source,
        "events": seen.events,
        "active": bool(reading and reading.active),
        "failed": bool(reading and reading.failed),
        "reason": reading.reason if reading else "",
        "who": list(reading.who) if reading else [],
    }


# ---------------------------------------------------------------- as a person reads it


def text(document: dict[str, Any]) -> str:
    """The screen: no line without a reason, one or two next steps."""
    lines = [headline(document)]
    if document["trouble"]:
        lines.append(f"  attention   {document['trouble']}")
    rows = section("can do", [of_action(a) for a in document["actions"]])
    rows += section("watches", [of_monitor(m) for m in document["monitors"]])
    rows += section("awake by", awake(document))
    rows += section("next", following(document))
    return "\n".join([*lines, columns(rows)])


def headline(document: dict[str, Any]) -> str:
    """Which machine, and whether anything is touched."""
    running = document["daemon"]
    if running is None:
        state = "powernapd is not running: nothing is watched or changed"
    else:
        state = (
            "watching only: nothing is changed"
            if running["mode"] == "watch"
            else f"acting, {running['phase']}"
        )
    return f"powernap {document['powernap']} on {document['host']}, {state}"


def section(title: str, rows: list[list[Cell]]) -> list[list[Cell]]:
    """Rows below a title in the first column."""
    return [[(title if i == 0 else "", "bold"), *row] for i, row in enumerate(rows)]


def answer_cells(entry: dict[str, Any]) -> list[Cell]:
    """Yes or no, and why."""
    word: Cell = ("yes", "green") if entry["usable"] else ("no", "yellow")
    remedy = f"  -> {entry['remedy']}" if entry["remedy"] and not entry["usable"] else ""
    return [word, entry["detail"] + remedy]


def of_action(action: dict[str, Any]) -> list[Cell]:
    """One action's row."""
    detail = (
        action["detail"]
        if action["used"] or not action["usable"]
        else f"{action['detail']}; not in the ladder"
    )
    return [action["name"], *answer_cells({**action, "detail": detail})]


def of_monitor(monitor: dict[str, Any]) -> list[Cell]:
    """One monitor's row: by which source it sees, and what."""
    if not monitor["usable"] or monitor["failed"]:
        return [
            monitor["name"],
            *answer_cells({**monitor, "usable": False, "detail": monitor["detail"] or monitor["reason"]}),
        ]
    how = "by event" if monitor["events"] else "at each look"
    return [monitor["name"], ("yes", "green"), f"{how}: {monitor['source'] or monitor['detail']}"]


def awake(document: dict[str, Any]) -> list[list[Cell]]:
    """What keeps the machine awake: the daemon knows best; without it, one look."""
    if document["daemon"] is not None:
        found = [[b["name"], b["reason"]] for b in document["daemon"]["blockers"]]
    else:
        found = [[m["name"], m["reason"]] for m in document["monitors"] if m["active"]]
    rows: list[list[Cell]] = [[name, "", reason] for name, reason in found]
    return rows or [["nothing", "", "nobody was seen at this look"]]


def following(document: dict[str, Any]) -> list[list[Cell]]:
    """What would happen, and one or two things to type."""
    rows: list[list[Cell]] = []
    if document["stages"]:
        first = document["stages"][0]
        does = ", ".join(first["actions"]) or first["sleep"]
        rows.append([f"{show_duration(first['after_s'])} idle", "", f'stage "{first["name"]}": {does}'])
    if document["daemon"] is None:
        sudo = "" if document["root"] else "sudo "
        rows.append([f"{sudo}powernap try", "", "the real thing for a minute, undone at the end"])
    else:
        rows.append(["powernap why", "", "what keeps it awake, since when"])
    return rows
