"""``powernap actions``: what this machine can save by, each with its risk, whether it is used, and what it was measured to save.

With ``--try`` each is applied alone and put back. Owns the choice and the document; applying is there_and_back.py's, the words are
actions_text.py's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from powernap import __version__
from powernap.cli import arguments, glance, overview
from powernap.cli.actions_text import clear_progress, report, show_progress
from powernap.cli.output import fail, show_json
from powernap.config.kinds import ACTIONS
from powernap.config.load import load
from powernap.config.model import ActionConfig, Config
from powernap.config.problems import ConfigErrors
from powernap.daemon import measured
from powernap.daemon.places import Places
from powernap.host.availability import Availability
from powernap.host.files import text
from powernap.host.host import Host

Answers = list[tuple[ActionConfig, Availability]]


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "actions",
        help="what this machine can save by: the risk of each action, whether it is used, and what it saves",
        description="Every power-saving action: its risk, whether this machine can do it (each no with its reason and remedy), whether the "
        "ladder uses it, and what `powernap measure` found that it saves here. With --try (root) each action that is available and safe is "
        "applied alone and put back; a careful one only when it is named, a dangerous one never. However it ends, everything is put back "
        "(after SIGKILL: `powernap undo`). Exit status 1: something could not be put back, or it was ended early.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="ACTION",
        help="only these: names of the configuration, or kinds with their default options",
    )
    parser.add_argument("--try", dest="go", action="store_true", help="apply each alone, and put it back")
    parser.add_argument(
        "--root",
        default=overview.LIVE,
        metavar="DIR",
        help="look at a recorded machine: a directory of `powernap snapshot`",
    )
    arguments.places(parser, "where results are kept")
    return parser


def run(args: argparse.Namespace) -> int:
    """0; 1 something could not be put back, or it was ended early; 2 usage or configuration; 3 not permitted."""

    def refuse(message: str, remedy: str) -> int:
        return fail(message, remedy, 2, as_json=args.json)

    if not os.path.isdir(args.root):
        return refuse(f"{args.root} is not a directory", "unpack the snapshot first")
    if args.go and args.root != overview.LIVE:
        return refuse("a recorded machine cannot be changed", "leave out --try or --root")
    host = glance.recorded(args.root)
    try:
        config, trouble, used = in_force(args)
        answers = glance.available_actions(host, config, args.names)
    except ConfigErrors as error:
        return refuse(str(error.problems[0]), "`powernap config check` shows all")
    except glance.UnknownActionError as error:
        return refuse(error.message, error.remedy)
    document = document_of(args, host, config, trouble)
    tried = attempt(args, host, config, answers) if args.go else {}
    document |= {key: tried.get(key, value) for key, value in (("ended", ""), ("left_changed", 0))}
    savings = measured.savings(f"{args.state}/{measured.NAME}", host.files)
    document["actions"] = [
        {
            **of_action(found, answer, used, savings.get(found.name)),
            "skipped": why_untried(found, answer, args.names) if args.go else "",
            "tried": tried.get("outcomes", {}).get(found.name),
        }
        for found, answer in answers
    ]
    if args.json:
        show_json(document)
    else:
        print(report(document))
    return int(bool(document["ended"] or document["left_changed"]))


def in_force(args: argparse.Namespace) -> tuple[Config, str, set[str]]:
    """The configuration, what is wrong with it, and the actions of its ladder; where a daemon runs, those of its own.

    What is to be carried out must be free of faults, and written by nobody but root: ``ConfigErrors``.
    """
    running = overview.daemon() if args.root == overview.LIVE and not args.config else None
    if args.go or args.config:
        config, trouble = load(*[args.config] * bool(args.config), trusted=args.go), ""
    else:
        config, trouble = overview.in_force(running)
    stages = running["stages"] if running else overview.of_stages(config)
    return config, trouble, {name for stage in stages for name in stage["actions"]}


def document_of(args: argparse.Namespace, host: Host, config: Config, trouble: str) -> dict[str, Any]:
    """All but the actions; described in docs/json.md."""
    base = measured.base(f"{args.state}/{measured.NAME}", host.files)
    return {
        "version": 1,
        "powernap": __version__,
        "host": os.uname().nodename if host.live else args.root,
        "kernel": text(host.files, "/proc/sys/kernel/osrelease"),
        "recorded": not host.live,
        "root": os.geteuid() == 0,
        "config": list(config.files),
        "trouble": trouble,
        "meter": base["meter"],
        "scope": base["scope"],
        "tried": args.go,
    }


def of_action(
    found: ActionConfig, answer: Availability, used: Iterable[str], saving: measured.Saving | None
) -> dict[str, Any]:
    """One action, before it is tried."""
    module = ACTIONS.module(found.type)
    return {
        "name": found.name,
        "type": found.type,
        "risk": module.RISK,
        "lane": module.LANE,
        **overview.of_answer(answer),
        "used": found.name in used,
        "verdict": saving.verdict if saving else "",
        "saved_w": saving.saved if saving else None,
        "spread_w": saving.spread if saving else None,
    }


# ---------------------------------------------------------------- trying them


def why_untried(found: ActionConfig, answer: Availability, named: Iterable[str]) -> str:
    """Why an action is not applied; empty when it is to be."""
    risk = ACTIONS.module(found.type).RISK
    if not answer:
        return "not available"
    if risk == "safe" or (risk == "careful" and found.name in named):
        return ""
    return "careful: name it, and it is tried" if risk == "careful" else f"{risk}: never tried"


def attempt(args: argparse.Namespace, host: Host, config: Config, answers: Answers) -> dict[str, Any]:
    """Apply and put back what may be tried. Raises ``DaemonError`` where that is not ours to do."""
    # Imported here: whoever only looks does without what applies.
    from powernap.cli import own_hands, there_and_back  # noqa: PLC0415

    own_hands.only_root("actions --try")
    chosen = {found.name: found for found, answer in answers if not why_untried(found, answer, args.names)}
    places, limit = Places(args.runtime, state=""), config.settings.action_time_limit
    hands = own_hands.take(host, places, chosen, limit)
    told = show_progress(len(chosen)) if sys.stderr.isatty() else lambda _: None
    try:
        course = asyncio.run(there_and_back.go(hands, chosen, told))
    finally:
        clear_progress()
    noticed = {found.name: answer.left_out for found, answer in answers}
    return {
        "outcomes": {name: of_outcome(outcome, noticed[name]) for name, outcome in course.outcomes.items()},
        "ended": course.ended,
        "left_changed": len(hands.ledger.live()) if hands.ledger else 0,
    }


def of_outcome(outcome: Any, noticed: str) -> dict[str, Any]:
    """What became of one action, for programs.

    :param noticed: what was to be left alone before anything was tried: its availability says so already.
    """
    return {
        **asdict(outcome),
        "left_out": outcome.left_out.removeprefix(noticed).removeprefix("; "),
        "restored": not outcome.left,
        "apply_s": round(outcome.apply_s, 6),
        "restore_s": round(outcome.restore_s, 6),
    }
