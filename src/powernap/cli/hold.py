"""``powernap hold``: keep the machine up while a command runs, for a time, or until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import subprocess
import time
from typing import Any

from powernap.cli import client
from powernap.core.units import UnitError, duration


def _duration(text: str) -> float:
    try:
        return duration(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "hold",
        help="keep it awake, for a time or while a command runs",
        description="Keep the machine awake while COMMAND runs, or for a time, or until Ctrl-C. The lease ends with this process, "
        "however it ends. With a command, its exit status is returned.",
        usage="powernap hold --why REASON [--for TIME] [-- COMMAND ...]",
    )
    parser.add_argument("--why", required=True, metavar="REASON", help="shown by `powernap why`")
    parser.add_argument(
        "--for", dest="length", type=_duration, metavar="TIME", help='at most this long, such as "2h"'
    )
    parser.add_argument("what", nargs="*", metavar="COMMAND", help="run this, and hold while it runs")
    return parser


def run(args: argparse.Namespace) -> int:
    """Hold."""
    with client.Connection() as connection:
        connection.ask("hold", why=args.why, for_s=args.length)
        if args.what:
            return _run(args.what)
        if args.length is not None:
            time.sleep(args.length)
        else:
            signal.pause()
    return 0


def _run(command: list[str]) -> int:
    """Run a command as a shell would report it: 127 not found, 128 + N killed by signal N."""
    try:
        done = subprocess.run(command, check=False)
    except OSError as error:
        print(f"powernap: {command[0]}: {error.strerror}")
        return 127
    return done.returncode if done.returncode >= 0 else 128 - done.returncode
