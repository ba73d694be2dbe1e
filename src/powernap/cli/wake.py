"""``powernap wake``: come back now: put everything back."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import after, client, why
from powernap.cli.output import show_json


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "wake",
        help="come back now: put everything back",
        description="Put everything back now and start counting idle time anew; also goes on after a sleep-wake loop was detected.",
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask; say what came of it."""
    with after.following({"left", "restore-failed", "kept-foreign"}) as followed:
        answer = client.ask("wake")
        if args.json:
            return show_json(answer)
        entries = followed.until({"left"}) if answer["phase"] != "awake" else []
    print(after.told(entries) or why.state(client.ask("why", refresh=False)))
    return 0
