"""``powernap schedule``: when this machine must be up, may nap, or is off, who says so, and the exceptions to it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from powernap.cli import arguments
from powernap.cli.output import fail, show_json
from powernap.cli.paint import coloured
from powernap.cli.schedule_facts import document_of
from powernap.cli.schedule_rows import Picture, marks
from powernap.cli.schedule_time import FORMS, TimeError, day_start, instant
from powernap.cli.schedule_week import Known, known, tell
from powernap.config.problems import ConfigErrors
from powernap.daemon.places import Places

VERBS = ("test", "skip", "extend", "restore")
VALUED = ("--days", "--from", "--svg", "--config", "--state")
"""Options that a value follows."""
DAYS_MAX = 366
WIDTH = 80
"""Characters of a line where nobody says how many there are."""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "schedule",
        help="when it must be up, may nap, or is off in the coming days, and why; exceptions for tonight",
        description="The coming days as a picture and as a table: when this machine must be up, may nap, or is off, which schedule says so and "
        "which it overrules; conflicts, the next alarm and the exceptions that stand. Needs neither root nor the daemon, without which the "
        "alarm and the exceptions are not known.",
    )
    days(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="|".join(VERBS), prog="powernap schedule")
    add_test(verbs)
    add_skip(verbs)
    add_extend(verbs)
    add_restore(verbs)
    return parser


def meant(given: Sequence[str]) -> list[str]:
    """``schedule draft.toml`` is ``schedule --config draft.toml``, as with ``config check``; argparse would take the path for a verb."""
    words, valued = list(given), False
    for number, word in enumerate(words):
        if number and not valued and not word.startswith("-"):
            path = word not in VERBS and ("/" in word or "." in word or os.path.exists(word))
            return [*words[:number], "--config", *words[number:]] if path else words
        valued = word in VALUED
    return words


def days(parser: argparse.ArgumentParser) -> None:
    """Which days, and how they are shown."""
    parser.add_argument("--days", type=arguments.count, default=7, metavar="N", help="how many (default 7)")
    parser.add_argument("--from", dest="since", metavar="TIME", help="the first day (default today)")
    parser.add_argument("--svg", metavar="FILE", help="also draw the picture as SVG")
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    parser.add_argument(
        "--config",
        metavar="PATH",
        help="a file or a directory to look at instead of the configuration of the daemon (or /etc/powernap); may be written without --config",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        help="where the copies of calendars and the record of `powernap prove-wake` are (default: where powernapd that answers has them, "
        f"else {Places.state})",
    )


def add_verb(verbs: Any, name: str, purpose: str, more: str = "") -> argparse.ArgumentParser:
    """One of them."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.{more and ' '}{more}"
    )
    return parser


def shared(parser: argparse.ArgumentParser) -> None:
    """What may stand before the verb too, and must not be undone behind it."""
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print the document described in docs/json.md",
    )


def add_test(verbs: Any) -> None:
    """``schedule test``."""
    parser = add_verb(
        verbs,
        "test",
        "explain an instant: what holds, which schedule says so, what it overrules, and what the machine would do",
        f"For TIME {FORMS}, or ISO 8601 with an offset.",
    )
    parser.add_argument("--at", required=True, metavar="TIME", help="the instant, in the machine's time zone")
    shared(parser)
    for name, count in (("--config", None), ("config", "?")):
        parser.add_argument(
            name,
            default=argparse.SUPPRESS,
            metavar="PATH",
            help="a file or a directory to look at instead",
            nargs=count,
        )


def add_skip(verbs: Any) -> None:
    """``schedule skip``."""
    parser = add_verb(
        verbs,
        "skip",
        "for once, a schedule says nothing from now on until a time",
        "Without a time it is skipped until the present or else the next time that it speaks of ends.",
    )
    parser.add_argument(
        "schedule", nargs="?", default="", metavar="SCHEDULE", help="its name (default: all of them)"
    )
    times(parser)
    shared(parser)


def add_extend(verbs: Any) -> None:
    """``schedule extend``."""
    parser = add_verb(verbs, "extend", "for once, the machine is up from now on until a time")
    times(parser)
    parser.add_argument("--why", default="", metavar="REASON", help="shown by `powernap schedule`")
    shared(parser)


def add_restore(verbs: Any) -> None:
    """``schedule restore``."""
    parser = add_verb(
        verbs,
        "restore",
        "take exceptions back: the schedules hold as they are configured",
        "With a SCHEDULE only those of that one; `extended` names what was extended.",
    )
    parser.add_argument(
        "schedule", nargs="?", default="", metavar="SCHEDULE", help="its name (default: all exceptions)"
    )
    shared(parser)


def times(parser: argparse.ArgumentParser) -> None:
    """How long."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--until", metavar="TIME", help='such as "18:00", "tomorrow 06:00" or "Sat 22:00"')
    either.add_argument(
        "--for", dest="length", type=arguments.length, metavar="TIME", help='this long, such as "2h"'
    )


def run(args: argparse.Namespace) -> int:
    """0 shown or done; 2 wrong usage, or the configuration is faulty; 3 for an exception: the daemon cannot be reached, or refuses."""
    try:
        if args.verb is None:
            return show_week(args)
        if args.verb == "test":
            from powernap.cli import schedule_moment  # noqa: PLC0415 - who asks for the week need not wait for it

            return schedule_moment.run(args)
        from powernap.cli import schedule_exceptions  # noqa: PLC0415

        return schedule_exceptions.run(args)
    except TimeError as error:
        what, _, remedy = str(error).partition("; ")
        return fail(what, remedy, 2, as_json=args.json)
    except ConfigErrors as errors:
        remedy = f"`powernap config check {args.config or ''}`".replace(" `", "`") + " shows all"
        return fail(str(errors.problems[0]), remedy, 2, as_json=args.json)


def show_week(args: argparse.Namespace) -> int:
    """The coming days."""
    if args.days > DAYS_MAX:
        return fail(f"--days {args.days} is too many", f"ask for {DAYS_MAX} at most", 2, as_json=args.json)
    about = known(args.config, args.state)
    zone = about.local.zone
    since = instant(args.since, zone, about.now).at if args.since else about.now
    told = tell(about, day_start(since, zone), day_start(since, zone, args.days))
    document = document_of(about, told)
    if args.svg:
        from powernap.cli import schedule_picture  # noqa: PLC0415

        try:
            with open(args.svg, "w", encoding="utf-8") as file:
                file.write(schedule_picture.draw(about, told))
        except OSError as error:
            return fail(f"{args.svg}: {error.strerror}", "choose another name", 2, as_json=args.json)
    if args.json:
        return show_json(document)
    from powernap.cli import schedule_text  # noqa: PLC0415

    print(schedule_text.week(about, told, document, on_terminal(about, told.periods), past=bool(args.since)))
    return 0


def on_terminal(about: Known, periods: Any) -> Picture:
    """The picture for where it is shown: its width, its characters, its colours."""
    plain = bool(os.environ.get("NO_COLOR"))
    return Picture(
        periods,
        about.local.zone,
        about.now,
        [stage.name for stage in about.config.stages],
        width(),
        marks(sys.stdout.encoding, plain=plain),
        coloured(sys.stdout),
    )


def width() -> int:
    """Characters of a line: of the terminal, or what COLUMNS says."""
    named = os.environ.get("COLUMNS", "")
    try:
        return (
            int(named) if named.isdecimal() else os.get_terminal_size(sys.stdout.fileno()).columns
        ) or WIDTH
    except (OSError, ValueError):
        return WIDTH
