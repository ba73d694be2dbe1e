"""``powernap nap``: go down the ladder now, unless somebody is there."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import after, client, why
from powernap.cli.output import show_json


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "nap",
        help="go down the ladder now, unless somebody is there",
        description="Enter the next stage now (or go down to STAGE), unless something keeps the machine awake. Exit status 1: it is in use.",
    )
    parser.add_argument("stage", nargs="?", metavar="STAGE", help="how far down (default: the next stage)")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask; say what came of it."""
    with after.following({"entered", "apply-failed", "refused", "sleep-refused", "left"}) as followed:
        answer = client.ask("nap", stage=args.stage)
        if args.json:
            return show_json(answer)
        entries = followed.until({"entered", "refused", "sleep-refused", "left"})
    print(after.told(entries) or why.state(client.ask("why", refresh=False)))
    return 1 if any(entry["event"] in {"refused", "sleep-refused"} for entry in entries) else 0
