"""``powernap history``: what happened, and why."""

from __future__ import annotations

import argparse
import time
from typing import Any

from powernap.cli import arguments, client
from powernap.cli.output import show_json
from powernap.cli.paint import show
from powernap.daemon.words import sentence


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "history",
        help="what happened, and why",
        description="The latest decisions with their reasons, oldest first.",
    )
    parser.add_argument(
        "-n", "--count", type=arguments.count, default=50, metavar="N", help="how many (default 50)"
    )
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    parser.add_argument(
        "--events",
        action="store_true",
        help="print the flight recorder, a JSON line each, for a bug report (needs root)",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    if args.events:
        print("\n".join(client.ask("events")["events"]))
        return 0
    answer = client.ask("history", count=args.count)
    if args.json:
        return show_json(answer)
    print("\n".join(map(line, answer["entries"])) or "nothing has happened yet")
    return 0


def line(entry: dict[str, Any]) -> str:
    """One entry with its local time."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.get("time", 0)))
    return f"{when}  {show(sentence(entry))}"
