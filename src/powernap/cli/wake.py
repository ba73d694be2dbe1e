"""``powernap wake``: come back now: put everything back."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import client


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
    """Ask."""
    answer = client.ask("wake")
    if args.json:
        from powernap.cli.main import show_json  # noqa: PLC0415 - main imports us

        return show_json(answer)
    return 0
