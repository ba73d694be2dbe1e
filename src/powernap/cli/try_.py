"""``powernap try``: the real daemon in the foreground with a short ladder; as root it applies the safe actions, and undoes them.

What it watches and does is trial.py's, running it foreground.py's. Whatever ends it (the time, Ctrl-C, a terminal that is closed, a
reader that has gone), everything is put back first; after SIGKILL, by ``powernap undo``.
"""

from __future__ import annotations

import argparse
from typing import Any

from powernap.cli import arguments
from powernap.cli.output import fail
from powernap.core.units import show_duration


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "try",
        help="the real daemon for a minute, in the foreground, undone at the end",
        description="Runs the real daemon in the foreground with a short ladder and shows what it sees and does. It watches what your "
        "configuration watches (without one, what the shipped default does), but not your own login. As root it applies the safe actions "
        "(cpu-clock, kernel-quiet) and puts everything back at the end, however it ends; as an ordinary user it only watches.",
    )
    parser.add_argument(
        "--for",
        dest="length",
        type=arguments.length,
        default=60.0,
        metavar="TIME",
        help="how long (default 60s)",
    )
    parser.add_argument(
        "--nap-after",
        type=arguments.length,
        default=10.0,
        metavar="TIME",
        help="idle time after which it naps (default 10s)",
    )
    parser.add_argument(
        "--program",
        type=arguments.program,
        action="append",
        default=[],
        metavar="NAME",
        help="also watch for this program; may be repeated",
    )
    parser.add_argument(
        "--port",
        type=arguments.port,
        action="append",
        default=[],
        metavar="PORT",
        help="also watch connections to this TCP port; may be repeated",
    )
    parser.add_argument(
        "--quiet-only",
        action="store_true",
        help="leave out cpu, disk, network and other rates: for a machine that is never quiet",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the entries described in docs/json.md, one per line"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Run for that long, or until Ctrl-C."""
    if args.length <= args.nap_after:
        length, idle = show_duration(args.length), show_duration(args.nap_after)
        message = f"--for {length} is over before --nap-after {idle}: it could not nap"
        return fail(
            message,
            f"write --for {show_duration(args.nap_after * 2 + 20)}, or a shorter --nap-after",
            2,
            as_json=args.json,
        )
    # Imported here: whoever asks for --help need not wait for asyncio and the whole daemon.
    from powernap.cli import foreground  # noqa: PLC0415

    return foreground.run(args)
