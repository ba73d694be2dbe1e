"""``powernap history``: what happened, and why. Where no daemon answers, what it wrote down."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from powernap.cli import arguments, client, machine_time
from powernap.cli.output import show_json
from powernap.cli.paint import show
from powernap.daemon.history import LINE, History
from powernap.daemon.places import Places
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
    parser.add_argument(
        "--state",
        metavar="DIR",
        help=f"where the history is read when no daemon answers (default {Places.state})",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask and show; exit status 3 when neither the daemon nor its file answers."""
    if args.events:
        print("\n".join(client.ask("events")["events"]))
        return 0
    try:
        answer = client.ask("history", count=args.count)
    except client.DaemonError as error:
        # whoever names a socket asks about the daemon there, and not about the system's
        if args.state is None and "POWERNAP_SOCKET" in os.environ:
            raise
        answer = written(Places(state=args.state or Places.state).history, args.count, error)
    if args.json:
        return show_json(answer)
    lines = [line(entry) for entry in answer["entries"]]
    print("\n".join([*machine_time.heading(), *lines]) if lines else "nothing has happened yet")
    return 0


def written(path: str, count: int, error: client.DaemonError) -> dict[str, Any]:
    """The daemon's answer, from its file; ``error`` where that cannot be read either."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError:
        raise error from None
    print(f"powernap: {error.message}; this is what it wrote to {path}", file=sys.stderr)
    # metered energy stands between the entries: all of the file is read, however few are asked for
    return {"version": 1, "entries": list(History(path, max(count, size // LINE + 1)).entries)[-count:]}


def line(entry: dict[str, Any]) -> str:
    """One entry with the time that this machine's clock showed."""
    try:
        when = machine_time.stamp(entry.get("time", 0), "%Y-%m-%d %H:%M:%S")
    except (TypeError, ValueError, OverflowError, OSError):
        when = "at some time".ljust(19)  # a file that somebody edited
    return f"{when}  {show(sentence(entry))}"
