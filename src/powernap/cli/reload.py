"""``powernap reload``: load the configuration again."""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import client
from powernap.cli.output import show_json


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "reload",
        help="load the configuration again",
        description="Load the configuration again. One with faults changes nothing: the daemon goes on with the old one.",
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask; say what is in force now."""
    answer = client.ask("reload")
    if args.json:
        return show_json(answer)
    files = client.ask("status", refresh=False)["config"]
    print(f"configuration loaded: {', '.join(files)}")
    return 0
