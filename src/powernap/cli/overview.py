"""Bare ``powernap``: what this machine can do, what keeps it awake, and what would happen next. Needs no root, daemon or config."""

from __future__ import annotations

import argparse
import os
from typing import Any

from powernap import __version__
from powernap.cli import client, glance, why
from powernap.cli.output import fail, show_json
from powernap.cli.paint import Cell, columns
from powernap.config.load import load
from powernap.config.model import Config
from powernap.config.problems import ConfigErrors
from powernap.config.sources import DEFAULT_FILE
from powernap.core.units import many, show_duration
from powernap.host.availability import Availability

LIVE = "/"
PULSE = 1.0
"""Seconds: activity that is no older is happening."""
FEW = 3
"""Actions without anything to do here that are worth a row each."""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "overview",
        help="what this machine can do, what keeps it awake, what would happen next (the same as no COMMAND)",
        description="What this machine can do (each no with its reason and remedy), what keeps it awake, and what would happen next. "
        "Needs no root, no daemon and no configuration, and changes nothing.",
    )
    parser.add_argument(
        "--root",
        default=LIVE,
        metavar="DIR",
        help="look at a recorded machine: a directory of `powernap snapshot`",
    )
    parser.add_argument(
        "--all", action="store_true", help="a row also for each action that has nothing to do on this machine"
    )
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    return parser


def run(args: argparse.Namespace) -> int:
    """Look and show."""
    if not os.path.isdir(args.root):
        return fail(f"{args.root} is not a directory", "unpack the snapshot first", 2, as_json=args.json)
    running = daemon() if args.root == LIVE else None
    config, trouble = in_force(running)
    document = document_of(config, trouble, args.root, running)
    if args.json:
        return show_json(document)
    print(text(document, everything=args.all))
    return 0


def in_force(running: dict[str, Any] | None = None) -> tuple[Config, str]:
    """The configuration, and what is wrong with it; a faulty one is stood in for by the shipped default.

    :param running: what the running daemon says; then the configuration is that of its files.
    """
    files = running["config"] if running else []
    try:
        return load(*files, trusted=False), ""
    except ConfigErrors as error:
        default = load(DEFAULT_FILE, trusted=False)
        if running and not all(os.access(file, os.R_OK) for file in files):
            return default, ""  # a try of root's, say: its monitors and stages are told by itself
        faults = many(len(error.problems), "fault")
        instead = "powernapd goes on with the one it has" if running else "this is about the shipped default"
        return default, f"the configuration has {faults} (`powernap config check`); {instead}"


def document_of(
    config: Config, trouble: str, root: str = LIVE, running: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The facts behind the screen; described in docs/json.md. Beside a daemon its monitors and its ladder are shown, not a look of ours."""
    stages = running["stages"] if running else of_stages(config)
    used = {name for stage in stages for name in stage["actions"]}
    answers = glance.available_actions(glance.recorded(root), config)
    return {
        "version": 1,
        "powernap": __version__,
        "host": os.uname().nodename if root == LIVE else root,
        "recorded": root != LIVE,
        "root": os.geteuid() == 0,
        "config": running["config"] if running else list(config.files),
        "trouble": trouble,
        "mode": running["mode"] if running else config.mode,
        "daemon": running,
        "actions": [
            {"name": found.name, "type": found.type, **of_answer(answer), "used": found.name in used}
            for found, answer in answers
        ],
        "monitors": [of_watched(each, config) for each in running["monitors"]]
        if running
        else [of_seen(seen) for seen in glance.look(config.monitors.values(), root)],
        "stages": [{key: each[key] for key in ("name", "after_s", "actions", "sleep")} for each in stages],
    }


def of_stages(config: Config) -> list[dict[str, Any]]:
    """The ladder, as ``status`` says it."""
    return [
        {"name": s.name, "after_s": s.after, "actions": list(s.actions), "sleep": sleep_state(s.sleep)}
        for s in config.stages
    ]


def sleep_state(configured: str) -> str | None:
    """As ``status`` says it: no sleep is null."""
    return None if configured == "none" else configured


def daemon() -> dict[str, Any] | None:
    """What the running daemon says, or ``None`` when none runs."""
    try:
        return client.ask("status")
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
        "last_s": None
        if reading is None or reading.last is None
        else round(max(0.0, reading.at - reading.last), 3),
        "on_error": seen.config.on_error,
    }


def of_watched(monitor: dict[str, Any], config: Config) -> dict[str, Any]:
    """One monitor of the running daemon, in the form of one that we looked through ourselves."""
    known = config.monitors.get(monitor["name"])
    told = ("name", "type", "remedy", "source", "events", "active", "failed", "reason", "who", "last_s")
    return {
        **{key: monitor[key] for key in told},
        "usable": True,
        "detail": monitor["source"],
        "on_error": known.on_error if known else "active",
    }


# ---------------------------------------------------------------- as a person reads it


def text(document: dict[str, Any], *, everything: bool = False) -> str:
    """The screen: no line without a reason, one or two next steps.

    :param everything: a row also for each action that has nothing to do here.
    """
    lines = [headline(document)]
    if document["trouble"]:
        lines.append(f"  attention  {document['trouble']}")
    rows = section("can do", of_actions(document["actions"], everything=everything))
    rows += section("watches", [of_monitor(m) for m in document["monitors"]])
    rows += section("awake by", awake(document))
    rows += section("next", following(document))
    return "\n".join([*lines, columns(rows)])


def headline(document: dict[str, Any]) -> str:
    """Which machine, and whether anything is touched."""
    running = document["daemon"]
    if document["recorded"]:
        state = "a recorded machine"
    elif running is None:
        state = "powernapd is not running: nothing is watched or changed"
    else:
        state = why.state(running)
    return f"powernap {document['powernap']} on {document['host']}, {state}"


def section(title: str, rows: list[list[Cell]]) -> list[list[Cell]]:
    """Rows below a title in the first column."""
    return [[(title if i == 0 else "", "bold"), *row] for i, row in enumerate(rows)]


def answer_cells(entry: dict[str, Any]) -> list[Cell]:
    """Yes or no, and why."""
    word: Cell = ("yes", "green") if entry["usable"] else ("no", "yellow")
    remedy = f"  -> {entry['remedy']}" if entry["remedy"] and not entry["usable"] else ""
    return [word, entry["detail"] + remedy]


def of_actions(actions: list[dict[str, Any]], *, everything: bool) -> list[list[Cell]]:
    """A row each. Those that cannot, for which nothing can be done and which nobody asked for, share the last one."""
    idle = [a for a in actions if not (everything or a["usable"] or a["remedy"] or a["used"])]
    if len(idle) <= FEW:
        idle = []
    rows = [of_action(a) for a in actions if a not in idle]
    if idle:
        names = ", ".join(a["name"] for a in idle)
        said = f"nothing here for {names}  -> `powernap --all` tells why"
        rows.append([f"{len(idle)} others", ("no", "yellow"), said])
    return rows


def of_action(action: dict[str, Any]) -> list[Cell]:
    """One action's row."""
    plain = action["used"] or not action["usable"]
    detail = action["detail"] if plain else f"{action['detail']}; not in the ladder"
    return [action["name"], *answer_cells({**action, "detail": detail})]


def blind(monitor: dict[str, Any]) -> bool:
    """It cannot see: the daemon would count it as activity, unless ``on_error`` says otherwise."""
    return not monitor["usable"] or monitor["failed"]


def of_monitor(monitor: dict[str, Any]) -> list[Cell]:
    """One monitor's row: by which source it sees, and what."""
    if blind(monitor):
        why = monitor["reason"] if monitor["usable"] else monitor["detail"]
        return [monitor["name"], *answer_cells({**monitor, "usable": False, "detail": why})]
    how = "by event" if monitor["events"] else "at each look"
    return [monitor["name"], ("yes", "green"), f"{how}: {monitor['source'] or monitor['detail']}"]


def awake(document: dict[str, Any]) -> list[list[Cell]]:
    """What keeps the machine awake: the daemon knows best; without it, one look."""
    running, rows = document["daemon"], []
    if running is not None:
        rows = [cells(b["name"], b["reason"]) for b in running["blockers"]]
        return rows or [cells("nothing", f"idle for {show_duration(running['idle_s'])}")]
    rows = [cells(m["name"], m["reason"]) for m in document["monitors"] if happening(m)]
    # An ordinary user is blind where root's daemon is not: that says nothing about this machine. Nor does a copy of it.
    if document["root"] and not document["recorded"]:
        rows += [
            cells(m["name"], "cannot see; when unsure, it counts as activity")
            for m in document["monitors"]
            if blind(m) and m["on_error"] == "active"
        ]
    return rows or [cells("nothing", latest(document["monitors"]))]


def happening(monitor: dict[str, Any]) -> bool:
    """It lasts, or is at this very instant (a rate above its limit)."""
    return monitor["active"] or (monitor["last_s"] is not None and monitor["last_s"] < PULSE)


def latest(monitors: list[dict[str, Any]]) -> str:
    """When somebody was last here, where that is known. One look tells no rate: that takes two."""
    known = [m for m in monitors if m["last_s"] is not None]
    if not known:
        return "nobody was seen at this look (rates need two: `powernap try`)"
    last = min(known, key=lambda m: float(m["last_s"]))
    return (
        f"the last activity seen was {show_duration(last['last_s'])} ago ({last['name']}: {last['reason']})"
    )


def cells(name: str, reason: str) -> list[Cell]:
    """A row without a yes or no."""
    return [name, "", reason]


def following(document: dict[str, Any]) -> list[list[Cell]]:
    """What would happen, and one or two things to type."""
    rows: list[list[Cell]] = []
    if document["daemon"] is not None:
        rows.append(cells("ladder", why.coming(document["daemon"]).removeprefix("next: ")))
    elif document["stages"]:
        first = document["stages"][0]
        does = ", ".join(first["actions"]) or first["sleep"]
        rows.append(cells(f"{show_duration(first['after_s'])} idle", f'stage "{first["name"]}": {does}'))
    else:
        rows.append(cells("nothing", "the ladder has no stages"))
    if document["recorded"]:
        return rows
    if document["daemon"] is not None:
        rows.append(cells("powernap why", "what keeps it awake, since when"))
    elif document["root"]:
        rows.append(cells("powernap try", "the real thing for a minute, undone at the end"))
    else:
        rows.append(
            cells("powernap try", "the real thing for a minute; with sudo it also acts, and undoes it")
        )
    return rows
