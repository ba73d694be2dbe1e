"""``powernap status``: where the machine is on its ladder, every monitor, what is changed, and what the daemon itself costs."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import client, why
from powernap.cli.output import show_json
from powernap.cli.paint import Cell, columns
from powernap.core.units import many, show_duration


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "status",
        help="of the running daemon: stage, monitors, what is changed",
        description="Where the machine is on its ladder, every monitor with its latest answer, what is changed now, and the daemon's own cost.",
    )
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    answer = client.ask("status")
    if args.json:
        return show_json(answer)
    print(text(answer))
    return 0


def text(answer: dict[str, Any]) -> str:
    """The document as a person reads it."""
    own = answer["daemon"]
    lines = [f"powernap {answer['powernap']} on {answer['host']}: {why.text(answer)}", "", "monitors"]
    lines.append(
        columns([of_monitor(monitor) for monitor in answer["monitors"]]) if answer["monitors"] else "  none"
    )
    lines += ["", "ladder"]
    lines.append(
        columns([of_stage(stage, answer["stage"]) for stage in answer["stages"]])
        if answer["stages"]
        else "  no stages"
    )
    if answer["changed"]:
        lines += [
            "",
            "changed now",
            columns([[c["action"], c["target"], f"{c['old']} -> {c['new']}"] for c in answer["changed"]]),
        ]
    if answer["left_out"]:
        lines += ["", "left out", columns([[left["action"], left["reason"]] for left in answer["left_out"]])]
    if answer["conflicts"]:
        lines += [
            "",
            "other tools on the same knobs",
            columns([[c["tool"], c["owns"], c["remedy"]] for c in answer["conflicts"]]),
        ]
    lines += [
        "",
        f"powernapd: pid {own['pid']}, {own['cpu_s']:.2f}s of CPU, woken {many(own['wakeups'], 'time')} by events",
    ]
    return "\n".join(lines)


def of_monitor(monitor: dict[str, Any]) -> list[Cell]:
    """One monitor's line."""
    if monitor["failed"]:
        word: Cell = ("failed", "red")
    else:
        word = ("active", "yellow") if monitor["active"] else ("quiet", "green")
    last = (
        f"last {show_duration(monitor['last_s'])} ago"
        if monitor["last_s"] is not None and not monitor["active"]
        else ""
    )
    remedy = f" -> {monitor['remedy']}" if monitor["remedy"] else ""
    return [monitor["name"], word, last, monitor["source"], monitor["reason"] + remedy]


def of_stage(stage: dict[str, Any], current: str | None) -> list[Cell]:
    """One rung's line."""
    mark = "*" if stage["name"] == current else " "
    does = ", ".join(stage["actions"]) or stage["sleep"] or "nothing"
    warned = f"warned {show_duration(stage['warn_s'])} before" if stage["warn_s"] else ""
    after = "by schedule" if stage["after_s"] is None else f"after {show_duration(stage['after_s'])}"
    return [f"{mark} {stage['name']}", after, warned, does]
