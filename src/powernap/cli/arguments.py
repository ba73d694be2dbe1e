"""Types of arguments: each takes the text that was typed, and says what is wrong with it and what to write instead."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

from powernap.core.units import DURATIONS, UnitError, duration


def places(parser: ArgumentParser, state: str) -> None:
    """For a command that changes the machine by itself: its configuration, its directories, and how it answers.

    :param state: what the state directory is there for.
    """
    from powernap.daemon.places import Places  # noqa: PLC0415 - most commands have no directories

    parser.add_argument("--config", metavar="PATH", help="a file or a directory (default /etc/powernap)")
    parser.add_argument(
        "--runtime", metavar="DIR", default=Places.runtime, help="for the ledger (default %(default)s)"
    )
    parser.add_argument("--state", metavar="DIR", default=Places.state, help=f"{state} (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")


def length(text: str) -> float:
    """Seconds above 0."""
    try:
        seconds = duration(text)
    except UnitError as error:
        raise ArgumentTypeError(f"{error}; the units are {', '.join(DURATIONS)}") from None
    if seconds <= 0:
        raise ArgumentTypeError(f'"{text}" is no time at all; write, for example, "60s"')
    return seconds


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f'"{text}" is not a whole number above 0')
    return int(text)


def program(text: str) -> str:
    """The name of a program's file, by the rule that ``[monitor.NAME] program`` has."""
    from powernap.config.declared import declared  # noqa: PLC0415 - only `try --program` needs the monitor
    from powernap.monitors import process  # noqa: PLC0415

    check = declared(process.Options)["program"].check
    trouble = (check(text) if check else None) if text else "is empty; write a name such as rsync"
    if trouble:
        raise ArgumentTypeError(f'"{text}": {trouble}')
    return text


def port(text: str) -> int:
    """A TCP port."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ArgumentTypeError(f'"{text}" is not a port; write a number from 1 to 65535')
    return int(text)
