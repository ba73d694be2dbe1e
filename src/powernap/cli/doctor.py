"""``powernap doctor``: what keeps this machine from deep idle, ranked by the watts it may cost. Needs no daemon and no configuration.

The looking and judging are powernap.checks'. Here: two looks with a window between them, what the ladder leaves unused, and the report.
Exit status: 0 nothing was found, 1 something was, 2 wrong usage or configuration, 3 not permitted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from powernap.checks import Finding, Unseen, Watts, disks, idle_states, wakeups
from powernap.cli import arguments, diagnosis, doctor_facts
from powernap.cli.output import fail, show_json
from powernap.cli.paint import Cell, columns
from powernap.core.units import show_duration, show_size

LIVE = "/"
STEP = 1.0
"""Seconds between two steps of the progress bar: each is a write to the terminal, which wakes what is being measured."""
BAR = 24


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="what keeps this machine from deep idle, and what it may cost",
        description="Idle states that are off or not reached, latency limits and who holds them, what wakes the processors, idle contexts of "
        "graphics processors, disks that cannot sleep, other tools on the same knobs, and savings that the ladder leaves unused; ranked by the "
        "most watts that such a case was seen to cost. Needs no daemon and no configuration, and changes nothing. Exit status 0: nothing was "
        "found; 1: something was.",
    )
    parser.add_argument(
        "--for",
        dest="length",
        type=arguments.length,
        default=10.0,
        metavar="TIME",
        help="how long to watch (default 10s)",
    )
    parser.add_argument(
        "--top",
        type=arguments.count,
        default=5,
        metavar="N",
        help="rows of the tables of who wakes the processors (default 5)",
    )
    parser.add_argument(
        "--root",
        default=LIVE,
        metavar="DIR",
        help="look at a recorded machine: a directory of `powernap snapshot`; rates are averages since it was started",
    )
    parser.add_argument("--json", action="store_true", help="print the document described in docs/json.md")
    return parser


def run(args: argparse.Namespace) -> int:
    """Watch, judge, report."""
    if not os.path.isdir(args.root):
        return fail(f"{args.root} is not a directory", "unpack the snapshot first", 2, as_json=args.json)
    bar = progress if sys.stderr.isatty() else None
    found = diagnosis.diagnose(args.root, lambda: watch(args.length, bar))
    if args.json:
        show_json(doctor_facts.document(found, host_of(args.root), recorded=args.root != LIVE))
    else:
        print(text(found, args.root, args.top))
    return 1 if found.findings else 0


def host_of(root: str) -> str:
    """The machine's name, or where a recorded one lies."""
    return os.uname().nodename if root == LIVE else root


def watch(length: float, bar: Callable[[float], None] | None = None) -> None:
    """Let the window pass; ``bar`` is told how much of it has."""
    began = time.monotonic()
    try:
        while (gone := time.monotonic() - began) < length:
            if bar:
                bar(gone / length)
            time.sleep(min(STEP if bar else length, length - gone))
    finally:
        if bar:
            bar(1.0)


def progress(share: float) -> None:
    """One line on the terminal, taken away at the end."""
    full = round(share * BAR)
    line = f"\rwatching [{'#' * full}{'.' * (BAR - full)}] {share:.0%}"
    sys.stderr.write("\r\033[K" if share >= 1 else line)
    sys.stderr.flush()


# ---------------------------------------------------------------- as a person reads it


def text(found: diagnosis.Diagnosis, root: str, top: int) -> str:
    """Findings, then the tables behind them, then what could not be seen."""
    over = f"over {show_duration(found.length)}" if root == LIVE else "since it was started"
    count = len(found.findings)
    head = (
        f"{count} {'cause' if count == 1 else 'causes'} found"
        if count
        else "nothing found that keeps it from deep idle"
    )
    parts = [f"powernap doctor on {host_of(root)}, watched {over}: {head}"]
    parts += [
        finding(number, each, cost)
        for number, (each, cost) in enumerate(
            zip(found.findings, costs(found.findings, guest=found.last.guest), strict=True), 1
        )
    ]
    for title, rows in (
        ("idle", [of_processor(each) for each in found.rests]),
        (
            "tasks",
            [[f"{each.rate:.1f}/s", each.name, f"pid {each.pid}", unit] for each, unit in found.wakers[:top]],
        ),
        ("interrupts", [of_source(each) for each in found.sources[:top]]),
        ("disks", [of_disk(each) for each in found.disks]),
        ("left alone", [[each.what, f"{each.reason} -> {each.remedy}"] for each in found.refused]),
        ("not seen", [of_unseen(each) for each in found.unseen]),
    ):
        if rows:
            parts.append(f"{title}\n{columns(rows)}")
    return "\n\n".join(parts)


def costs(findings: list[Finding], *, guest: bool) -> list[str]:
    """In words: each figure once, since causes of one kind share it. In a guest none: its host pays, and shares the processors out."""
    said: dict[Watts, int] = {}
    words = []
    for number, each in enumerate(findings, 1):
        first = said.setdefault(each.watts, number)
        if guest:
            words.append("what that costs is its host's to measure" if number == 1 else "")
        elif not each.watts.most:
            words.append("no watts of its own")
        elif first != number:
            words.append(f"watts as of {first}.: they do not add up")
        else:
            words.append(f"up to {each.watts.most:g} W ({each.watts.basis})")
    return words


def finding(number: int, each: Finding, cost: str) -> str:
    """What it is and costs; why that matters; what to do."""
    rows: list[list[Cell]] = [
        [(f"{number}.", "bold"), (each.evidence, "bold")],
        ["", "; ".join(filter(None, (each.consequence, cost)))],
        ["", f"-> {each.remedy}"],
    ]
    if each.action:
        rows.append(["", f'-> while it naps: the action "{each.action}" in a stage'])
    return columns(rows)


def of_processor(each: idle_states.Rest) -> list[Cell]:
    """One line a processor."""
    shares = ", ".join(
        f"{stay.name} {'off' if stay.disabled else format(stay.share, '.0%')}" for stay in each.stays
    )
    return [
        f"cpu{each.cpu}",
        f"woken {each.wakeups:.0f}/s",
        f"deepest {each.deepest or 'none entered'}",
        shares,
    ]


def of_source(each: wakeups.Source) -> list[Cell]:
    """One line an interrupt, with its processors."""
    cpus = " ".join(f"cpu{cpu}:{rate:.1f}" for cpu, rate in each.by_cpu.items())
    return [f"{each.rate:.1f}/s", each.label, each.name, cpus]


def of_disk(each: disks.Traffic) -> list[Cell]:
    """One line a disk."""
    return [each.name, f"read {show_size(each.read)}/s", f"written {show_size(each.written)}/s"]


def of_unseen(each: Unseen) -> list[Cell]:
    """What, why, and what would help."""
    return [each.what, each.reason + (f" -> {each.remedy}" if each.remedy else "")]
