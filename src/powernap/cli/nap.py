"""``powernap nap``: go down the ladder now, unless somebody is there."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import client


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "nap",
        help="go down the ladder now, unless somebody is there",
        description="Enter the first stage now (or go down to STAGE), unless something keeps the machine awake. Exit status 1: it is in use.",
    )
    parser.add_argument("stage", nargs="?", metavar="STAGE", help="how far down (default: the next stage)")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask."""
    answer = client.ask("nap", stage=args.stage)
    if args.json:
        from powernap.cli.main import show_json  # noqa: PLC0415 - main imports us

        return show_json(answer)
    return 0
