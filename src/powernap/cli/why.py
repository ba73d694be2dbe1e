"""``powernap why``: each thing that keeps the machine awake, since when, and what will happen next."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import client
from powernap.cli.output import show_json
from powernap.cli.paint import Cell, columns
from powernap.core.units import show_duration


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "why",
        help="what keeps it awake, since when, and what happens next",
        description="Each process, user and address that keeps this machine awake, since when, and what happens next. "
        "Exit status 0: something keeps it awake; 1: nothing does.",
    )
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    answer = client.ask("why")
    if args.json:
        show_json(answer)
    else:
        print(text(answer))
    return 0 if answer["blockers"] else 1


def text(answer: dict[str, Any]) -> str:
    """The document as a person reads it."""
    lines = [state(answer)]
    if answer["blockers"]:
        lines.append(columns([row(blocker) for blocker in answer["blockers"]]))
    lines += [f"left alone by {left['action']}: {left['reason']}" for left in answer["left_out"]]
    lines.append(coming(answer))
    return "\n".join(lines)


def state(answer: dict[str, Any]) -> str:
    """Where the machine is on the ladder."""
    phase = answer["phase"]
    if answer["stage"]:
        what = f"in stage {answer['stage']} ({phase})"
    else:
        what = {"halted": "halted: a sleep-wake loop was detected"}.get(phase, "awake")
    mode = ", watching only: nothing is changed" if answer["mode"] == "watch" else ""
    idle = "" if answer["blockers"] else f", idle for {show_duration(answer['idle_s'])}"
    return f"{what}{idle}{mode}"


def row(blocker: dict[str, Any]) -> list[Cell]:
    """One line of the table."""
    since = f"for {show_duration(blocker['for_s'])}" if blocker["for_s"] is not None else ""
    if blocker["ends_in_s"] is not None:
        since = f"{since} ends in {show_duration(max(0.0, blocker['ends_in_s']))}".strip()
    name: Cell = (blocker["name"], "red" if blocker["failed"] else "bold")
    remedy = f" -> {blocker['remedy']}" if blocker["remedy"] else ""
    return [name, since, blocker["reason"] + remedy]


def coming(answer: dict[str, Any]) -> str:
    """What happens next, and when."""
    following, first = answer["next"], answer["first_stage"]
    if answer["phase"] == "halted":
        return "next: nothing, until `powernap wake`"
    if following:
        if following["refused"]:
            again = show_duration(following["in_s"])
            return (
                f"next: stage {following['stage']} is refused: {following['refused']}; tried again in {again}"
            )
        does = ", ".join(following["actions"]) or following["sleep"] or "nothing"
        would = "would enter" if answer["mode"] == "watch" else "enters"
        return f"next: {would} stage {following['stage']} in {show_duration(following['in_s'])} if nobody comes ({does})"
    if answer["blockers"] and first:
        after = show_duration(first["after_s"])
        if all(each.get("kind") == "window" for each in answer["blockers"]):
            # Idle time goes on meanwhile: a schedule is no activity.
            return (
                f"next: stage {first['stage']}, once all of these have ended and it has been idle for {after}"
            )
        return f"next: stage {first['stage']}, {after} after all of these have ended"
    return (
        "next: nothing; it is in the last stage of its ladder"
        if first
        else "next: nothing; the ladder has no stages"
    )
