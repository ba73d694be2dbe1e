"""What no single schedule can see: that some silence each other, that the machine would never be up again, that nobody's work counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from powernap.config.fill import Form
from powernap.config.kinds import Kinds
from powernap.config.model import Off, ScheduleConfig, Stage
from powernap.config.tree import Table, Tree
from powernap.core.timetable import NAP, OFF, Span, periods

MONDAY, WEEK = 1704067200, 604800
"""Some Monday, in seconds since the epoch (2024-01-01 UTC)."""


def check(form: Form, tree: Tree, found: Mapping[str, ScheduleConfig], kinds: Kinds) -> None:
    """Circles are refused; a machine that stays off for ever is worth a note."""
    refuse_circles(form, tree.sections["schedule"], found)
    # A fault in a file that cannot be read may be the section that wants it up.
    if found and not form.findings.torn and not form.findings.problems and _never_up(found, kinds):
        first = next(name for name, each in found.items() if each.options.off)
        form.findings.note(
            tree.sections["schedule"][first].values["off"].place,
            f"schedule.{first}.off",
            "the schedules want the machine off at every time: once it is off, no alarm brings it back",
            "leave out a time in which it may be up",
        )


def refuse_circles(form: Form, tables: Mapping[str, Table], found: Mapping[str, ScheduleConfig]) -> None:
    """A schedule that silences itself by way of others."""
    for name in _circle(found):
        others = " and ".join(f'"{each}"' for each in found[name].unless)
        form.findings.wrong(
            tables[name].values["unless"].place,
            f"schedule.{name}.unless",
            f'schedule "{name}" is silent while {others} speaks, and waits for itself so',
            "delete one unless of the circle",
        )


def check_effect(
    form: Form, tree: Tree, found: Mapping[str, ScheduleConfig], stages: Sequence[Stage]
) -> None:
    """What is taken and changes nothing: a name in ``unless`` of one that is off, and a nap that limits nothing."""
    tables = tree.sections["schedule"]
    if form.findings.problems:
        return
    for name, each in found.items():
        for number, other in enumerate(each.unless):
            if other not in found:
                form.findings.note(
                    tables[name].values["unless"].item(number),
                    f"schedule.{name}.unless",
                    f'"unless": "{other}" is left out (enabled = false), so it silences nothing',
                    "switch it on, or leave it out here",
                )
    for name, key in _napping(found, stages):
        if not any(name in each.unless for each in found.values()):
            form.findings.note(
                tables[name].values.get(key, tables[name]).place,
                f"schedule.{name}.{key}",
                f'the nap that schedule "{name}" allows changes nothing: where no schedule speaks the machine naps down to the same stage',
                _limit(stages),
            )


def _napping(found: Mapping[str, ScheduleConfig], stages: Sequence[Stage]) -> Iterator[tuple[str, str]]:
    """Schedules that allow to nap down to the last stage, and the key that says so."""
    for name, each in found.items():
        options: Any = each.options
        key = (
            "nap" if getattr(options, "nap", ()) else "means" if getattr(options, "means", "") == NAP else ""
        )
        last = {"", stages[-1].name} if stages else {""}
        if key and getattr(options, "deepest", "") in last:
            yield name, key


def _limit(stages: Sequence[Stage]) -> str:
    shallow = (
        f'write deepest = "{stages[0].name}" to keep it from deeper stages, or ' if len(stages) > 1 else ""
    )
    return f"{shallow}say up for the time in which it must not nap"


def check_eyes(form: Form, tree: Tree, going: Off) -> None:
    """*Off* waits for the end of nobody's work, where no monitor tells of any."""
    if going.in_use == "wait" and not tree.sections["monitor"]:
        form.findings.note(
            next(iter(tree.sections["schedule"].values())).place,
            "off.in_use",
            "no monitor is configured: where a schedule says off, nobody's work keeps the machine up",
            "add a section such as [monitor.sessions]",
        )


def _circle(found: Mapping[str, ScheduleConfig]) -> list[str]:
    """The schedules that wait for themselves, in order."""
    after = {name: {other for other in each.unless if other in found} for name, each in found.items()}
    for name in found:  # by way of each in turn (Warshall)
        for each in found:
            if name in after[each]:
                after[each] |= after[name]
    return [name for name in found if name in after[name] and name not in found[name].unless]


def _never_up(found: Mapping[str, ScheduleConfig], kinds: Kinds) -> bool:
    """Only where all of them are windows: what others say is known on the machine."""
    if any(each.type != "windows" or not hasattr(each.options, "off") for each in found.values()):
        return False
    module = kinds.module("windows")
    spans: list[Span] = []
    try:
        for each in found.values():
            if not each.unless:
                spans += module.spans(None, each.options, MONDAY, MONDAY + 2 * WEEK, UTC)
    except Exception:
        return False  # a zone that is not known here is told by who asks for it
    return all(period.says == OFF for period in periods(spans, MONDAY, MONDAY + 2 * WEEK, {}))
