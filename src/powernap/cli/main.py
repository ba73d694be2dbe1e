"""``powernap``: finds the subcommand, and turns every error into one sentence and an exit status.

Exit status: 0 ok, 1 a negative answer, 2 wrong usage or configuration, 3 not permitted or the daemon cannot be reached.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol, cast

from powernap import __version__
from powernap.cli.client import DaemonError

COMMANDS = (
    "overview",
    "try",
    "status",
    "why",
    "watch",
    "history",
    "nap",
    "wake",
    "hold",
    "reload",
    "undo",
    "snapshot",
    "config",
)
"""In the order in which ``--help`` shows them; ``overview`` is what a bare ``powernap`` does."""


class Subcommand(Protocol):
    """What a module in this package offers."""

    def add(self, subparsers: Any) -> argparse.ArgumentParser:
        """Declare its arguments."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit status."""
        ...


def module(name: str) -> Subcommand:
    """The module of a subcommand (``try`` is a word of Python: ``try_.py``)."""
    return cast(
        "Subcommand",
        importlib.import_module(f"powernap.cli.{name}_" if name == "try" else f"powernap.cli.{name}"),
    )


def parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The whole command line, or only the subcommands named."""
    top = argparse.ArgumentParser(
        prog="powernap",
        description="Lets this server sleep whenever nobody needs it, and be back the moment somebody does, exactly as it was.",
        epilog="Without a subcommand: what this machine can do, what keeps it awake, and what would happen next.",
    )
    top.add_argument("--version", action="version", version=f"powernap {__version__}")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND")
    for name in names:
        module(name).add(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] == "--json":
        given.insert(0, "overview")
    # Only the module that is needed is imported: `powernap status` answers in the time of two Python start-ups, not five.
    names = [given[0]] if given[0] in COMMANDS else COMMANDS
    args = parser(names).parse_args(given)
    try:
        return module(args.command).run(args)
    except DaemonError as error:
        return fail(error.message, error.remedy, error.code, as_json=getattr(args, "json", False))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing left to say, and no second complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def fail(message: str, remedy: str = "", code: int = 3, *, as_json: bool = False) -> int:
    """Say what is wrong and what to do; answers with the exit status."""
    if as_json:
        print(json.dumps({"version": 1, "error": message, "remedy": remedy}))
    else:
        print(f"powernap: {message}" + (f"; {remedy}" if remedy else ""), file=sys.stderr)
    return code


def show_json(document: Any) -> int:
    """A document for programs; exit status 0."""
    print(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
