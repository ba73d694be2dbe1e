"""A report as a person reads it: on the terminal, and as a page."""

from __future__ import annotations

from html import escape
from typing import Any

from powernap.cli.days import called
from powernap.cli.machine_time import named, stamp
from powernap.cli.paint import Cell, columns
from powernap.core.units import many, show_duration

DAY = "%Y-%m-%d %H:%M"
NEARLY = 0.99
"""Of a state's time: what was measured for so much of it is all of it; readings lie a little beside the moments that they are for."""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>PowerNap report</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; background: light-dark(#fff, #0d1117); color: light-dark(#1f2328, #e6edf3); }
  svg { width: 100%; height: auto; } pre { overflow-x: auto; font: 13px/1.45 ui-monospace, monospace; }
</style></head><body>
"""


def report(document: dict[str, Any]) -> str:
    """Everything, shortest first."""
    parts = [
        headline(document),
        columns([["state", "time", "share", "power", "used", "saved"], *state_rows(document)]),
    ]
    parts += [f"  {line}" for line in [*damage(document), *sums(document)]]
    for each in document["thresholds"]:
        parts += ["", *threshold(each)]
    if not document["thresholds"]:
        parts += ["", f"  {why_no_thresholds(document)}"]
    return "\n".join(parts)


def headline(document: dict[str, Any]) -> str:
    """From when to when, and how often it napped."""
    begin, end = (stamp(document[key], DAY) for key in ("from", "to"))
    zone = f", times of {name}" if (name := named()) else ""
    naps = counted(document["naps"], document["interrupted"], "nap")
    if document["would_nap"]:
        would = counted(document["would_nap"], document["would_be_interrupted"], "nap")
        naps = (
            f"{naps}, watching only: {would} it would have taken"
            if document["naps"]
            else f"watching only: {would} it would have taken"
        )
    return f"{begin} to {end}: {naps}, {many(document['sleeps'], 'sleep')}{zone}"


def damage(document: dict[str, Any]) -> list[str]:
    """What the figures lack."""
    count = document["unreadable"]
    said = f"{many(count, 'line')} of the history cannot be read and {'is' if count == 1 else 'are'} left out"
    return [said] if count else []


def counted(count: int, short: int, noun: str) -> str:
    """``12 naps (2 of them under a minute)``."""
    of_them = f" ({short} of them under a minute)" if short else ""
    return f"{many(count, noun)}{of_them}"


def state_rows(document: dict[str, Any]) -> list[list[Cell]]:
    """One line a state."""
    whole = sum(each["seconds"] for each in document["states"]) or 1.0
    return [
        [
            called(each["name"], would=each["would"]),
            show_duration(each["seconds"]),
            f"{each['seconds'] / whole:.1%}",
            "not known" if each["draws_w"] is None else f"{each['draws_w']:.1f} W",
            used(each, document["used_basis"]),
            ""
            if each["saved_j"] is None
            else f"{energy(each['saved_j'])} ± {energy(each['saved_band_j'])} (estimate)",
        ]
        for each in document["states"]
    ]


def used(state: dict[str, Any], basis: str) -> str:
    """What was used in a state: measured for all its time, or an estimate by what is known of it."""
    if state["all_j"] is None:
        return ""
    whole = basis == "measured" and not state["would"] and state["used_s"] >= NEARLY * state["seconds"]
    return f"{energy(state['used_j'])} (measured)" if whole else f"{energy(state['all_j'])} (estimate)"


def metered(document: dict[str, Any]) -> list[str]:
    """By which meter, for how long, what that comes to, and what it lacks."""
    if document["used_j"] is None:
        return [f"what was used is not known: {reason}" for reason in unknown(document)]
    left_out = [
        f"not counted in it: {' and '.join(which)} ({why})" for why, which in unknown(document).items()
    ]
    return [*used_in_all(document), *left_out]


def unknown(document: dict[str, Any]) -> dict[str, list[str]]:
    """The hours in states whose power is not known, by the reason."""
    found: dict[str, list[str]] = {}
    for each in document["states"]:
        if each["unknown"]:
            hours = f"{show_duration(each['seconds'])} {called(each['name'], would=each['would'])}"
            found.setdefault(each["unknown"], []).append(hours)
    return found


def used_in_all(document: dict[str, Any]) -> list[str]:
    """What was used, as far as the power is known."""
    by = f"the meter {document['used_meter']} ({document['used_scope']})"
    in_all = f"used in all, an estimate by the mean power in each state: {energy(document['all_j'])}"
    if document["used_basis"] != "measured":
        return [f"{in_all}; {by} was read now and then, and keeps no count"]
    seconds = sum(each["used_s"] or 0.0 for each in document["states"])
    return [f"used, measured by {by} in {show_duration(seconds)}: {energy(document['used_j'])}", in_all]


def sums(document: dict[str, Any]) -> list[str]:
    """Used and saved, each with what it rests on."""
    lines = metered(document)
    by = f"hours times what `powernap measure` found by the meter {document['meter']} ({document['scope']})"
    for key, word in (("saved", "saved"), ("would_save", "would have saved")):
        if document[f"{key}_j"] is not None:
            lines.append(
                f"{word}, an estimate ({by}): {energy(document[f'{key}_j'])} ± {energy(document[f'{key}_band_j'])}"
            )
    if document["saved_j"] is None and document["would_save_j"] is None:
        lines.append("what was saved is not known: nothing was measured on this machine (`powernap measure`)")
    return lines


def threshold(each: dict[str, Any]) -> list[str]:
    """How good each way to wait would have been."""
    known = "measured" if each["measured"] else "an estimate: `powernap measure` knows better"
    price = show_duration(each["break_even_s"]) if each["break_even_s"] >= 1 else "no time at all"
    title = f"stage {each['stage']}: ways to wait, over {many(each['gaps'], 'idle gap')}; a nap pays after {price} ({known})"
    rows: list[list[Cell]] = [["way", "wait", "naps", "saving missed"]]
    for way in each["ways"]:
        wait = "knows the future" if way["wait_s"] is None else show_duration(way["wait_s"])
        joules = "" if way["lost_j"] is None else f"  {energy(way['lost_j'])}"
        rows.append([way["name"], wait, str(way["naps"]), show_duration(way["lost_s"]) + joules])
    return [title, columns(rows)]


def why_no_thresholds(document: dict[str, Any]) -> str:
    """What is missing for the comparison."""
    if not document["gaps"]:
        return "waits are not compared: no idle gap in this time led to a nap"
    return "waits are not compared: by what was measured, no stage of the ladder saves"


def energy(joules: float) -> str:
    """In the unit that an electricity bill has, or the smaller ones: 5400000 is ``1.50 kWh``."""
    hours = joules / 3600
    for size, unit in ((1e3, "kWh"), (1.0, "Wh")):
        if abs(hours) >= size:
            return f"{hours / size:.2f} {unit}"
    return f"{joules:.3g} J"


def page(document: dict[str, Any], svg: str) -> str:
    """One file that needs nothing else."""
    return f"{PAGE}<h1>PowerNap report</h1>\n{svg}<pre>{escape(report(document))}</pre>\n</body></html>\n"
