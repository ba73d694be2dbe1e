"""``powernap undo``: put everything back as it was, without the daemon."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from powernap.host.files import TreeFiles
from powernap.host.ledger_entry import Result
from powernap.host.ledger_file import DEFAULT, LedgerBusyError, copies
from powernap.host.undo import Report, forget, preview, undo

DONE = {
    "restored": "put back", "already": "as it was", "foreign": "left alone", "gone": "not there", "failed": "FAILED",
    "handed": "handed on", "forgotten": "forgotten", "rebooted": "rebooted",
}  # fmt: skip
WOULD = {"restored": "would put back"}

DESCRIPTION = """Put everything back as it was, without the daemon; where powernapd runs it is asked to do it.

Exit status: 0 when nothing of ours is left changed (also when somebody else's value was left: that is reported, and no failure), 1 when
something could not be put back or the ledger was damaged, 2 for wrong usage or a --ledger that is not there, 3 when it may not be opened.
"""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """The command and its options."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "undo", help="put everything back as it was, without the daemon", description=DESCRIPTION
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be put back, and change nothing"
    )
    parser.add_argument(
        "--forget",
        metavar="TARGET",
        help="drop a target that will not return (a disk, a unit); leave its value",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--ledger", metavar="FILE", help=f"the ledger (default: {DEFAULT} below --root)")
    parser.add_argument("--root", default="/", metavar="DIR", help="the machine's files (default: /)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Undo, and say what became of each change."""
    files = TreeFiles(args.root)
    path = args.ledger or args.root.rstrip("/") + DEFAULT
    if args.ledger and not os.path.exists(path):
        print(
            f"powernap undo: {path} is not there: nothing was put back; is its name right?", file=sys.stderr
        )
        return 2
    try:
        if args.dry_run:
            report = preview(path, files)
        else:
            report = forget(path, args.forget, files) if args.forget else undo(path, files)
    except LedgerBusyError as error:
        if not (args.dry_run or args.forget or args.json or args.ledger) and args.root == "/":
            return by_daemon()
        owner = f"{error.name} (pid {error.pid})" if error.pid else "another process"
        print(f"powernap undo: {owner} is running: use `powernap wake`, or stop it", file=sys.stderr)
        return 3
    except OSError as error:
        after = "what it holds is not known; ask as root" if args.dry_run else "nothing was put back"
        print(f"powernap undo: {path} cannot be opened ({error.strerror}): {after}", file=sys.stderr)
        return 3
    if args.forget and not any(each.target == args.forget for each in report.results):
        print(f"powernap undo: the ledger holds nothing of {args.forget}", file=sys.stderr)
        return 1
    print(_json(report) if args.json else _table(report, dry=args.dry_run))
    if not (args.json or report.results or report.damage) and os.path.lexists(kept := copies(path)[0]):
        print(f"a damaged ledger of before is kept as {kept}: what it holds was not put back")
    return 0 if report.clean else 1


def by_daemon() -> int:
    """The daemon that has the ledger open puts everything back itself, and counts idle time anew."""
    from powernap.cli import after, client  # noqa: PLC0415 - undoing without a daemon does without them

    if not client.ask("status", refresh=False)["changed"]:
        print("powernapd is running, and nothing is changed")
        return 0
    ends = {"left", "restore-failed"}
    with after.following({*ends, "kept-foreign"}) as followed:
        client.ask("wake")
        entries = followed.until(ends)
    print(after.told(entries) or "powernapd was asked to put everything back, and is still at it")
    return 0 if any(entry["event"] == "left" for entry in entries) else 1


def _json(report: Report) -> str:
    results = [asdict(each) for each in report.results]
    return json.dumps({"version": 1, "clean": report.clean, "damage": report.damage, "results": results})


def _table(report: Report, *, dry: bool) -> str:
    if not report.results and not report.damage:
        return "nothing to undo"
    names = DONE | WOULD if dry else DONE
    rows = [(names[each.outcome], each.action, each.target, _detail(each)) for each in report.results]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    return "\n".join([*(f"ledger: {each}" for each in report.damage), *lines])


def _detail(result: Result) -> str:
    remedy = (
        f"; `powernap undo --forget {result.target}` if it will not return"
        if result.outcome == "gone"
        else ""
    )
    return result.detail + remedy
