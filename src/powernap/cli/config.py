"""``powernap config``: check, show and explain the configuration, without the daemon."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import Any

from powernap.config import explain, show
from powernap.config.chapters import chapters
from powernap.config.load import load
from powernap.config.model import Config
from powernap.config.problems import ConfigErrors, Problem
from powernap.config.reference import reference
from powernap.config.sources import DIRECTORY

OK, WRONG = 0, 2


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("config", help="check, show and explain the configuration")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="check|show|explain|reference")
    check = verbs.add_parser("check", help="every problem at once; exit status 0 (none) or 2")
    _path(check)
    _json(check)
    effective = verbs.add_parser("show", help="the effective values, defaults included, as TOML")
    _path(effective)
    effective.add_argument("--origin", action="store_true", help="say where each value comes from")
    _json(effective)
    one = verbs.add_parser("explain", help="what a key means, its type, unit, default and an example")
    one.add_argument(
        "key", metavar="KEY", help="such as stage.after, monitor.tcp.port, monitor.tcp or on_error"
    )
    _json(one)
    verbs.add_parser("reference", help="the reference page of all options, as Markdown")
    parser.set_defaults(run=run)


def _path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", metavar="PATH", help=f"a file, or a directory like {DIRECTORY} (the default)"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0, or 2 when the configuration or the key is wrong."""
    verbs = {"check": _check, "show": _show, "explain": _explain, "reference": _reference}
    return verbs[args.verb](args)


def _load(path: str | None) -> Config:
    """The configuration in force is held to its owner; a draft that is named may be anybody's."""
    return load(path, trusted=False) if path else load()


def _check(args: argparse.Namespace) -> int:
    try:
        config = _load(args.path)
    except ConfigErrors as errors:
        return _refused(errors, json_wanted=args.json)
    if args.json:
        _print_json(
            {
                "version": 1,
                "ok": True,
                "files": list(config.files),
                "problems": [],
                "notes": _as_dicts(config.notes),
            }
        )
        return OK
    for note in config.notes:
        print(f"note: {note}")
    counts = (
        f"{len(config.stages)} stages",
        f"{len(config.monitors)} monitors",
        f"{len(config.actions)} actions",
    )
    print(f'no problems in {", ".join(config.files)}: mode "{config.mode}", {", ".join(counts)}')
    return OK


def _show(args: argparse.Namespace) -> int:
    try:
        config = _load(args.path)
    except ConfigErrors as errors:
        return _refused(errors, json_wanted=args.json)
    if args.json:
        _print_json(show.as_json(config))
    else:
        print(show.as_toml(show.sections(config), origin=args.origin), end="")
    return OK


def _explain(args: argparse.Namespace) -> int:
    try:
        found = explain.explain(args.key, chapters(), _configured())
    except explain.UnknownKeyError as error:
        if args.json:
            _print_json({"version": 1, "options": [], "error": str(error)})
        else:
            print(f"powernap: {error}", file=sys.stderr)
        return WRONG
    if args.json:
        _print_json(explain.as_json(found))
    else:
        print("\n\n".join(item.text() for item in found))
    return OK


def _configured() -> dict[str, str]:
    """The sections in force and their types; none when the configuration cannot be used."""
    try:
        config = load(trusted=False)
    except ConfigErrors:
        return {}
    monitors = {f"monitor.{name}": f"monitor.{monitor.type}" for name, monitor in config.monitors.items()}
    return monitors | {f"action.{name}": f"action.{action.type}" for name, action in config.actions.items()}


def _reference(_args: argparse.Namespace) -> int:
    print(reference(), end="")
    return OK


def _refused(errors: ConfigErrors, *, json_wanted: bool) -> int:
    if json_wanted:
        _print_json({"version": 1, "ok": False, "problems": _as_dicts(errors.problems), "notes": []})
        return WRONG
    count = len(errors.problems)
    print(f"{errors}\n{count} problem{'s' * (count != 1)}: this configuration is refused", file=sys.stderr)
    return WRONG


def _as_dicts(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(problem) for problem in problems]


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False))
