"""``powernap watch``: everything that happens from now on, a line each."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from powernap.cli import client
from powernap.cli.paint import show
from powernap.daemon.words import sentence


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "watch",
        help="follow what happens, live",
        description="Each activity and decision as it happens, until Ctrl-C.",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object per line")
    return parser


def run(args: argparse.Namespace) -> int:
    """Follow until the daemon stops (exit status 3) or Ctrl-C."""
    with client.Connection() as connection:
        connection.ask("watch")
        for entry in connection.lines():
            print(json.dumps(entry) if args.json else live_line(entry), flush=True)
    raise client.DaemonError("powernapd has stopped")


def live_line(entry: dict[str, Any]) -> str:
    """One thing that happened, for the live view."""
    when = time.strftime("%H:%M:%S", time.localtime(entry.get("time", time.time())))
    if entry.get("event") != "reading":
        return f"{when}  {show(sentence(entry))}"
    word = "failed" if entry.get("failed") else "active" if entry.get("active") else "quiet"
    return f"{when}    {entry['monitor']}: {word}" + (
        f", {show(entry['reason'])}" if entry.get("reason") else ""
    )
