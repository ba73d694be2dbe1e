"""``powernap config``: check, show and explain the configuration, without the daemon."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from typing import Any

from powernap.cli.output import fail, show_json
from powernap.config import explain, show
from powernap.config.chapters import chapters
from powernap.config.load import load
from powernap.config.model import Config
from powernap.config.problems import ConfigErrors, Findings, Problem
from powernap.config.reference import reference
from powernap.config.sources import DEFAULT_FILE, DIRECTORY, read
from powernap.config.tree import grow
from powernap.core.units import many
from powernap.daemon.places import Places
from powernap.host.host import Host

OK, WRONG = 0, 2
MAIN = "powernap.toml"


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "config",
        help="check, show and explain the configuration",
        description="Check, show and explain the configuration. Needs no daemon; as an ordinary user it works on drafts too.",
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="check|show|explain|reference", prog="powernap config"
    )
    _draft(_verb(verbs, "check", "every problem at once; exit status 0 (none) or 2"))
    effective = _verb(verbs, "show", "the effective values, defaults included, as TOML")
    _draft(effective)
    effective.add_argument("--origin", action="store_true", help="say where each value comes from")
    one = _verb(verbs, "explain", "what a key means, its type, unit, default and an example")
    one.add_argument(
        "key", metavar="KEY", help="such as stage.after, monitor.tcp.port, monitor.tcp or on_error"
    )
    one.add_argument(
        "--config",
        metavar="PATH",
        help=f"whose sections to know: a file or a directory (default {DIRECTORY})",
    )
    _json(one)
    _verb(verbs, "reference", "the reference page of all options, as Markdown")
    return parser


def _verb(verbs: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=purpose, description=purpose[0].upper() + purpose[1:] + "."
    )
    return parser


def _draft(parser: argparse.ArgumentParser) -> None:
    either = parser.add_mutually_exclusive_group()
    for name, count in (("path", "?"), ("--config", None)):
        either.add_argument(
            name,
            nargs=count,
            metavar="PATH",
            help=f"a file, or a directory like {DIRECTORY} (the default)" if count else "the same",
        )
    _json(parser)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, or 2 when the configuration or the key is wrong."""
    verbs = {"check": _check, "show": _show, "explain": _explain, "reference": _reference}
    try:
        return verbs[args.verb](args)
    except ConfigErrors as errors:
        return _refused(errors, json_wanted=args.json)


def _load(path: str | None) -> Config:
    """The configuration in force is held to its owner; a draft that is named may be anybody's.

    :raises ConfigErrors: also for a directory that is named and holds none: the shipped default is not what was asked about.
    """
    config = load(path, trusted=False) if path else load()
    if path and os.path.isdir(path) and config.files == (DEFAULT_FILE,):
        raise ConfigErrors(
            [Problem(path, 0, "", f"no {MAIN} in this directory", "name the file, or its directory")]
        )
    return config


def _check(args: argparse.Namespace) -> int:
    path = args.path or args.config
    config = _load(path)
    notes = config.notes + _here(config)
    if DEFAULT_FILE in config.files:
        where = path or DIRECTORY
        notes = (Problem(where, 0, "", f"no {MAIN} there", "the shipped default applies"), *notes)
    if args.json:
        _show_findings(files=config.files, notes=notes)
        return OK
    for note in notes:
        print(f"note: {note}")
    counts = (
        many(len(config.stages), "stage"),
        many(len(config.monitors), "monitor"),
        many(len(config.actions), "action"),
        *([many(len(config.schedules), "schedule")] if config.schedules else []),
        *([many(len(config.meters), "meter")] * bool(config.meters)),
    )
    print(f'no problems in {", ".join(config.files)}: mode "{config.mode}", {", ".join(counts)}')
    return OK


def _here(config: Config) -> tuple[Problem, ...]:
    """What only this machine can say of it."""
    if not config.schedules:
        return ()
    from powernap.cli import schedule_here  # noqa: PLC0415 - most have no schedules

    return tuple(schedule_here.notes(config, Host(state=Places.state)))


def _show(args: argparse.Namespace) -> int:
    config = _load(args.path or args.config)
    if args.json:
        show_json(show.as_json(config))
    else:
        print(show.as_toml(show.sections(config), origin=args.origin), end="")
    return OK


def _explain(args: argparse.Namespace) -> int:
    try:
        found = explain.explain(args.key, chapters(), _configured(args.config))
    except explain.UnknownKeyError as error:
        return fail(str(error), code=WRONG, as_json=args.json)
    if args.json:
        show_json(explain.as_json(found))
    else:
        print(explain.as_text(found))
    return OK


def _configured(path: str | None) -> dict[str, str]:
    """The sections and what each is a kind of, also those that are off or have a fault: that is when one asks."""
    findings = Findings()
    tree = grow(read(path or DIRECTORY, findings, trusted=False), findings)
    found = {f"stage.{name}": "stage" for name in tree.stages} | {
        f"rule.{name}": "rule" for name in tree.sections["rule"]
    }
    for noun in ("monitor", "action", "meter", "schedule"):
        for name, table in tree.sections[noun].items():
            kind = table.values.get("type")
            found[f"{noun}.{name}"] = f"{noun}.{kind.raw if kind else name}"
    return found


def _reference(_args: argparse.Namespace) -> int:
    print(reference(), end="")
    return OK


def _refused(errors: ConfigErrors, *, json_wanted: bool) -> int:
    if json_wanted:
        _show_findings(problems=errors.problems)
        return WRONG
    print(
        f"{errors}\n{many(len(errors.problems), 'problem')}: this configuration is refused", file=sys.stderr
    )
    return WRONG


def _show_findings(
    files: tuple[str, ...] = (), problems: tuple[Problem, ...] = (), notes: tuple[Problem, ...] = ()
) -> None:
    """The document of a check."""
    show_json(
        {
            "version": 1,
            "ok": not problems,
            "files": list(files),
            "problems": _as_dicts(problems),
            "notes": _as_dicts(notes),
        }
    )


def _as_dicts(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(problem) for problem in problems]
