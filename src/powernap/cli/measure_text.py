"""A measurement as a person reads it: the line of progress, and the table at the end."""

from __future__ import annotations

import sys
from typing import Any

from powernap.cli import dropin, trial
from powernap.cli.measuring import Course, Progress
from powernap.cli.paint import Cell, columns, show
from powernap.core.units import many, show_duration
from powernap.meters import Found

COLOURS = {"saves": "green", "does not": "yellow", "cannot tell": "dim"}


def show_progress(progress: Progress, course: Course) -> None:
    """One line on the terminal, written over and over."""
    what = f"with {progress.name}" if progress.name else "without"
    watts = f", {progress.watts:.1f} W" if progress.watts is not None else ""
    left = show_duration(max(1.0, progress.left))
    line = f"measuring {what}: window {progress.number} of {progress.count} of {show_duration(course.window)}{watts}, {left} left"
    sys.stderr.write(f"\r\033[K{line}")
    sys.stderr.flush()


def report(document: dict[str, Any]) -> str:
    """The table, what was odd, and the lines to keep."""
    parts = [headline(document)]
    if document["actions"]:
        parts.append(
            columns(
                [
                    ["action", "without", "with", "saved", "verdict", "break-even"],
                    *map(row, document["actions"]),
                ]
            )
        )
    if notes := [*remarks(document)]:
        parts.append("\n".join(f"  {note}" for note in notes))
    if document["actions"] and not document["ended"]:
        parts += ["", document["config"].rstrip()]
    return "\n".join(parts)


def no_meter(ranked: list[Found]) -> str:
    """One a line, with its reason and its remedy."""
    rows: list[list[Cell]] = [[(each.name, "bold"), trial.why_not(each.answer)] for each in ranked]
    return "\n".join(
        ["there is no meter on this machine that can be read:", columns(rows, stream=sys.stderr)]
    )


def headline(document: dict[str, Any]) -> str:
    """By which meter, and how."""
    window, rounds = show_duration(document["window_s"]), document["rounds"]
    how = f"{many(rounds, 'round')} of {window}, {show_duration(document['settle_s'])} after each switch left out"
    return f"measured by {document['meter']} ({document['scope']}: {show(document['source'])}), {how}"


def row(action: dict[str, Any]) -> list[Cell]:
    """One action."""
    pays = action["break_even_s"]
    after = "" if pays is None else "at once" if pays < 1 else f"after {show_duration(pays)} at most"
    return [
        action["name"],
        watts(action["without_w"]),
        watts(action["with_w"]),
        "" if action["saved_w"] is None else band(action["saved_w"], action["spread_w"]),
        (action["verdict"], COLOURS[action["verdict"]]),
        after,
    ]


def band(value: float, spread: float) -> str:
    """``12.30 ± 0.40 W``."""
    return f"{value:.2f} ± {spread:.2f} W"


def watts(value: float | None) -> str:
    """``142.3 W``, or nothing."""
    return "" if value is None else f"{value:.2f} W"


def remarks(document: dict[str, Any]) -> list[str]:
    """What limits the result."""
    found = [f"{each['action']} was not measured: {each['reason']}" for each in document["skipped"]]
    found += [
        f"{each['name']}: {dropin.sentence(each)}" for each in document["actions"] if each["saved_w"] is None
    ]
    spoilt = sum(each["disturbed"] for each in document["windows"])
    if document["repeated"]:
        found.append(
            f"something else used the machine: {many(document['repeated'], 'window')} {'was' if document['repeated'] == 1 else 'were'} measured again"
        )
    if spoilt:
        found.append(f"left out: {many(spoilt, 'window')} in which something else used the machine")
    if document["trouble"]:
        found.append(f"the meter did not answer at the end: {document['trouble']}")
    if document["ended"]:
        found.append(f"{document['ended']}: nothing is kept")
    if document["left_changed"]:
        found.append(f"{many(document['left_changed'], 'value')} could not be put back; try `powernap undo`")
    if document["stored"]:
        found.append(f"kept in {document['stored']}")
    return found
