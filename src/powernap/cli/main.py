"""``powernap``: finds the subcommand, and turns every error into one sentence and an exit status.

Exit status: 0 ok, 1 a negative answer, 2 wrong usage or configuration, 3 not permitted, the daemon cannot be reached, or it failed.
"""

from __future__ import annotations

import sys

# asyncio, which some monitors need, works without ssl and then loads 8 ms faster; nothing here speaks to the network.
sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]

import argparse  # noqa: E402
import importlib  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any, NoReturn, Protocol, cast  # noqa: E402

from powernap import __version__  # noqa: E402
from powernap.cli import output  # noqa: E402
from powernap.cli.client import DaemonError  # noqa: E402

COMMANDS = (
    "overview",
    "actions",
    "try",
    "status",
    "why",
    "watch",
    "history",
    "nap",
    "wake",
    "hold",
    "postpone",
    "schedule",
    "reload",
    "undo",
    "prove-wake",
    "measure",
    "report",
    "doctor",
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


class Parser(argparse.ArgumentParser):
    """Says what is wrong before how it is used, and what was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Exit status 2."""
        self.exit(2, f"{self.prog}: {message}\n{self.format_usage()}")


def module(name: str) -> Subcommand:
    """The module of a subcommand (``try`` is a word of Python: ``try_.py``; ``prove-wake`` is in ``prove_wake.py``)."""
    return cast(
        "Subcommand",
        importlib.import_module("powernap.cli." + (f"{name}_" if name == "try" else name.replace("-", "_"))),
    )


def parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The whole command line, or only the subcommands named."""
    top = Parser(
        prog="powernap",
        description="Lets this server sleep whenever nobody needs it, and be back the moment somebody does, exactly as it was.",
        epilog="Without a subcommand: what this machine can do, what keeps it awake, and what would happen next.",
    )
    top.add_argument("--version", action="version", version=f"powernap {__version__}")
    # Given `prog`, argparse need not format a usage to find it: 5 ms of imports (shutil, lzma).
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", prog="powernap")
    for name in names:
        module(name).add(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point. Nothing but ``SystemExit`` leaves it, and that only from the parser (usage, ``--help``)."""
    output.settle()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = answered(given)
        sys.stdout.flush()
    except SystemExit:
        # `--help` is still in the buffer.
        try:
            sys.stdout.flush()
        except OSError as error:
            return output.unwritable(error)
        raise
    except OSError as error:
        return output.unwritable(error)
    return status


def answered(given: list[str]) -> int:
    """Run, and say what went wrong. What is raised is that standard output takes no more."""
    as_json = "--json" in given[: given.index("--") if "--" in given else len(given)]
    try:
        return run(given)
    except DaemonError as error:
        return output.fail(error.message, error.remedy, error.code, as_json=as_json)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in output.UNWRITABLE:
            raise
        if isinstance(error, OSError):
            named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            return output.fail(named, as_json=as_json)
        return output.fault(error, as_json=as_json)


def run(given: list[str]) -> int:
    """Parse, and do what was asked."""
    if not given or given[0] in {"--all", "--json", "--root"}:
        given = ["overview", *given]
    if given[0] not in COMMANDS and not given[0].startswith("-"):
        return unknown(given[0])
    # Only the module that is needed is imported: `powernap status` answers in the time of two Python start-ups, not five.
    names = [given[0]] if given[0] in COMMANDS else COMMANDS
    top = parser(names)
    # Not `required`: argparse would say that COMMAND is missing, and not which option is wrong.
    args = top.parse_args(getattr(module(given[0]), "meant", list)(given) if given[0] in COMMANDS else given)
    if args.command is None:
        top.error("the following arguments are required: COMMAND")
    return module(args.command).run(args)


def unknown(word: str) -> int:
    """A subcommand that there is not: the one that was meant, or all there are; exit status 2."""
    from powernap.config.problems import meant  # noqa: PLC0415 - who types rightly need not wait for it

    remedy = meant(word, COMMANDS, otherwise="the commands are")
    return output.fail(f'there is no command "{word}"', remedy + "; see `powernap --help`", 2)


if __name__ == "__main__":
    sys.exit(main())
