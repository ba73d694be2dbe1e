"""The table of actions as a person reads it, and the line of progress while they are tried."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from powernap.cli.measure_text import band
from powernap.cli.overview import answer_cells
from powernap.cli.paint import Cell, columns
from powernap.core.units import many

RISKS = {"safe": "green", "careful": "yellow", "dangerous": "red"}
LOOKED = ("action", "risk", "lane", "used", "saves", "available")
TRIED = ("action", "risk", "used", "saves", "applied", "restored", "apply", "put back", "available")


def show_progress(count: int) -> Callable[[str], None]:
    """One line on the terminal, written over for each action."""
    number = 0

    def show(name: str) -> None:
        nonlocal number
        number += 1
        sys.stderr.write(f"\r\033[K{number} of {count}: {name}, there and back")
        sys.stderr.flush()

    return show


def clear_progress() -> None:
    """Take it away."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()


def report(document: dict[str, Any]) -> str:
    """Headline, table, and what is left to say."""
    titles = TRIED if document["tried"] else LOOKED
    table = columns([titles, *(row(titles, action) for action in document["actions"])])
    return "\n".join([headline(document), table, *(f"  {each}" for each in remarks(document))])


def headline(document: dict[str, Any]) -> str:
    """Which machine, and by which meter the savings are known."""
    meter = f"savings measured by {document['meter']} ({document['scope']})"
    known = meter if document["meter"] else "savings not measured"
    return f"powernap {document['powernap']} on {document['host']}, Linux {document['kernel']}, {known}"


def row(titles: tuple[str, ...], action: dict[str, Any]) -> list[Cell]:
    """One action: a cell for each title, and the words behind them."""
    cells = cells_of(action)
    return [*(cells[title] for title in titles), notes(action)]


def cells_of(action: dict[str, Any]) -> dict[str, Cell]:
    """Title and cell."""
    tried = action["tried"]
    return {
        "action": action["name"],
        "risk": (action["risk"], RISKS.get(action["risk"], "")),
        "lane": action["lane"],
        "used": "yes" if action["used"] else "no",
        "saves": saves(action),
        "available": answer_cells(action)[0],
        "applied": applied(tried) if action["usable"] else "",
        "restored": restored(tried),
        "apply": milliseconds(tried, "apply_s"),
        "put back": milliseconds(tried, "restore_s"),
    }


def saves(action: dict[str, Any]) -> Cell:
    """Watts and their spread, as far as they were measured here."""
    if not action["verdict"]:
        return ("not measured", "dim")
    if action["saved_w"] is None:
        return (action["verdict"], "dim")
    known = band(action["saved_w"], action["spread_w"])
    return (known, "green") if action["verdict"] == "saves" else f"{action['verdict']} ({known})"


def applied(tried: dict[str, Any] | None) -> Cell:
    """How many values were changed and how many could not be."""
    if tried is None:
        return ("not tried", "dim")
    if tried["failure"]:
        return ("no", "red")
    if not tried["changed"]:
        return ("nothing to change", "dim")
    refused = f", {tried['refused']} refused" if tried["refused"] else ""
    return (f"{many(tried['changed'], 'value')}{refused}", "green")


def restored(tried: dict[str, Any] | None) -> Cell:
    """Whether all is as it was."""
    if tried is None or not (tried["changed"] or tried["left"] or tried["kept"]):
        return ""
    if tried["left"]:
        return (f"NO: {len(tried['left'])} left", "red")
    return (f"but {len(tried['kept'])}", "yellow") if tried["kept"] else ("yes", "green")


def milliseconds(tried: dict[str, Any] | None, key: str) -> str:
    """A time of something that was done."""
    return f"{tried[key] * 1000:.1f} ms" if tried and tried["changed"] else ""


def notes(action: dict[str, Any]) -> str:
    """What it would do, or why it cannot; why it was not tried, or what came out otherwise."""
    why, tried = str(answer_cells(action)[1]), action["tried"]
    if tried:
        return "; ".join(
            filter(None, [why, tried["failure"], *tried["left"], *tried["kept"], tried["left_out"]])
        )
    return f"{why}; {action['skipped']}" if action["usable"] and action["skipped"] else why


def remarks(document: dict[str, Any]) -> list[str]:
    """What is wrong, and the next step."""
    found = [f"attention: {document['trouble']}"] if document["trouble"] else []
    if document["ended"]:
        found.append(f"{document['ended']}: the rest was not tried")
    if document["left_changed"]:
        found.append(f"{many(document['left_changed'], 'value')} could not be put back; try `powernap undo`")
    if not document["meter"]:
        found.append("`powernap measure` finds out by a meter what each saves")
    return found
