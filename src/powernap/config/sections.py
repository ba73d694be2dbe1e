"""From sections to monitors, rules, actions, meters and schedules."""

from __future__ import annotations

import re
from typing import Any

from powernap.config.declared import Declared, declared
from powernap.config.fill import Form
from powernap.config.kinds import KindError, Kinds
from powernap.config.model import (
    Acting,
    ActionConfig,
    MeterConfig,
    Metering,
    MonitorConfig,
    Rule,
    RuleConfig,
    ScheduleConfig,
    Scheduling,
    Stage,
    Watching,
)
from powernap.config.problems import Place, meant, nearest
from powernap.config.tree import Table
from powernap.config.values import WrongValueError, convert

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def monitors(
    form: Form, tables: dict[str, Table], kinds: Kinds
) -> tuple[dict[str, MonitorConfig], dict[str, Place]]:
    """The enabled monitors, and where the others stand (those that are off)."""
    found, off = {}, {}
    shared = declared(Watching)
    for name, table in tables.items():
        filled = _typed(form, name, table, kinds, shared)
        if filled is None:
            continue
        kind, options, values = filled
        if not values["enabled"]:
            off[name] = table.values["enabled"].place
            continue
        common = {key: values[key] for key in ("hold", "on_error", "error_limit", "time_limit")}
        found[name] = MonitorConfig(name, kind, options, **common)
    return found, off


def actions(
    form: Form, tables: dict[str, Table], named: dict[str, Place], kinds: Kinds
) -> dict[str, ActionConfig]:
    """The configured actions, and those that a stage names without a section (``named``: with their places)."""
    found = {}
    shared = declared(Acting)
    for name, table in tables.items():
        filled = _typed(form, name, table, kinds, shared)
        if filled is not None:
            found[name] = ActionConfig(name, filled[0], filled[1])
        if name not in named:
            form.findings.note(
                table.place,
                f"action.{name}",
                f'no stage uses the action "{name}"',
                "add it to the actions of a stage",
            )
    for name, place in named.items():
        action = None if name in tables else named_action(form, name, place, tables, kinds)
        if action:
            found[name] = action
    return found


def meters(form: Form, tables: dict[str, Table], kinds: Kinds) -> dict[str, MeterConfig]:
    """The configured meters, also those that are off."""
    found = {}
    shared = declared(Metering)
    for name, table in tables.items():
        filled = _typed(form, name, table, kinds, shared)
        if filled is not None:
            kind, options, values = filled
            found[name] = MeterConfig(name, kind, options, values["enabled"])
    return found


def schedules(
    form: Form, tables: dict[str, Table], stages: tuple[Stage, ...], kinds: Kinds, within: str = ""
) -> dict[str, ScheduleConfig]:
    """The enabled schedules; those that they name in ``unless`` exist, and so does the stage that they allow.

    :param within: what their sections' names begin with: ``host.web3.``.
    """
    found = {}
    shared = declared(Scheduling)
    for name, table in tables.items():
        filled = _typed(form, name, table, kinds, shared)
        if filled is None:
            continue
        kind, options, values = filled
        others = [each for each in tables if each != name]
        for number, other in enumerate(values["unless"]):
            if other not in others:
                itself = other == name
                remedy = "" if itself else meant(other, others, otherwise="the others are")
                form.findings.missing(
                    table.values["unless"].item(number),
                    "unless",
                    f'"unless": "{other}" is {"this one itself" if itself else "no schedule"}',
                    "leave it out" if itself else remedy or f"add a section [{within}schedule.{other}]",
                )
        _check_deepest(form, table, getattr(options, "deepest", ""), stages)
        form.origins[f"schedule.{name}"] = str(table.place)
        if values["enabled"]:
            found[name] = ScheduleConfig(name, kind, options, values["unless"], values["wake"])
    return found


def _check_deepest(form: Form, table: Table, deepest: str, stages: tuple[Stage, ...]) -> None:
    names = [stage.name for stage in stages]
    if deepest and deepest not in names and not form.findings.torn:
        form.findings.missing(
            table.values["deepest"].place,
            "deepest",
            f'no stage is called "{deepest}"',
            meant(deepest, names, otherwise="the stages are"),
        )


def named_action(
    form: Form, name: str, place: Place, known: dict[str, Table], kinds: Kinds
) -> ActionConfig | None:
    """An action that a stage names and no section configures: its type's defaults."""
    try:
        module = kinds.module(name)
    except KindError as error:
        near = nearest(name, {*known, *kinds.names()})
        remedy = f'did you mean "{near}"?' if near else error.remedy
        form.findings.missing(place, "stage", f'no action is called "{name}"', remedy)
        return None
    what, path, options = f'action "{name}"', f"action.{name}", declared(module.Options)
    needed = [option for option in options.values() if option.required]
    if needed:
        form.findings.missing(
            place,
            path,
            f'the {what} needs "{needed[0].key}"',
            f"add a section [{path}] with {needed[0].key} = {needed[0].sample}",
        )
        return None
    filled = form.fill(Table(place), options, what, path)
    built = None if filled is None else form.build(module.Options, filled, place, what, path)
    return None if built is None else ActionConfig(name, name, built)


def rules(
    form: Form, tables: dict[str, Table], known: dict[str, Table], off: dict[str, Place]
) -> dict[str, RuleConfig]:
    """The rules; each names monitors that exist and are on."""
    found = {}
    for name, table in tables.items():
        what, path = f'rule "{name}"', f"rule.{name}"
        _check_name(form, name, table.place, "rule")
        filled = form.fill(table, declared(Rule), what, path)
        if filled is None:
            continue
        given = [key for key in ("all_of", "any_of") if filled[key]]
        if name in known:
            form.findings.wrong(
                table.place, path, f"{what} has the name of a monitor", "give the rule another name"
            )
        if len(given) == 2:
            message = f"{what} has both all_of and any_of"
            form.findings.wrong(
                table.values["any_of"].place, path, message, "keep one; write a second rule for the other"
            )
        elif not given:
            form.findings.missing(
                table.place, path, f"{what} has no members", 'add all_of = ["NAME", "NAME"] or any_of = [...]'
            )
        for key in given:
            _members(form, table, key, filled[key], known, off, tables)
        found[name] = RuleConfig(name, filled["all_of"], filled["any_of"])
    return found


def _members(
    form: Form,
    table: Table,
    key: str,
    members: tuple[str, ...],
    known: dict[str, Table],
    off: dict[str, Place],
    rules: dict[str, Table],
) -> None:
    value = table.values[key]
    for number, member in enumerate(members):
        place = value.item(number)
        if member in off:
            form.findings.wrong(
                place,
                key,
                f'the monitor "{member}" is off ({off[member]})',
                "switch it on, or leave it out here",
            )
        elif member in members[:number]:
            form.findings.wrong(place, key, f'"{member}" is in the list twice', "keep one of the two")
        elif member in rules and member not in known:
            form.findings.wrong(
                place, key, f'"{member}" is a rule, and rules combine monitors', "name its monitors"
            )
        elif member not in known:
            form.findings.missing(
                place,
                key,
                f'no monitor is called "{member}"',
                meant(member, known, otherwise="the monitors are"),
            )


def _check_name(form: Form, name: str, place: Place, noun: str) -> None:
    if not NAME.fullmatch(name):
        fitting = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:64] or "NAME"
        form.findings.wrong(
            place,
            f"{noun}.{name}",
            f'"{name}" cannot be the name of a {noun}: letters, digits, - and _ only',
            f"write [{noun}.{fitting}]",
        )


def _typed(
    form: Form, name: str, table: Table, kinds: Kinds, shared: dict[str, Declared]
) -> tuple[str, Any, dict[str, Any]] | None:
    """Type, options and all values of a monitor, an action or a meter."""
    noun, path = kinds.noun, f"{kinds.noun}.{name}"
    _check_name(form, name, table.place, noun)
    kind_and_module = _kind(form, name, table, kinds, shared["type"])
    if kind_and_module is None:
        return None
    kind, module = kind_and_module
    what = f'{noun} "{name}"' + (f" (type {kind})" if kind != name else "")
    filled = form.fill(table, declared(module.Options) | shared, what, path)
    if filled is None:
        return None
    options = form.build(module.Options, filled, table.place, what, path)
    return None if options is None else (kind, options, filled)


def _kind(form: Form, name: str, table: Table, kinds: Kinds, option: Declared) -> tuple[str, Any] | None:
    """The type that a section says or its name implies, and its module, if there is such a type."""
    value = table.values.get("type")
    noun, place = kinds.noun, value.place if value else table.place
    path = f"{noun}.{name}.type"
    try:
        kind = str(convert(value.raw, option)) if value else name
        return kind, kinds.module(kind)
    except WrongValueError as error:
        form.findings.wrong(place, path, f'{error.message}, in {noun} "{name}"', error.remedy)
    except KindError as error:
        if value or kind in kinds.names():
            form.findings.wrong(place, path, error.message, error.remedy)
            return None
        near = nearest(name, kinds.names())
        remedy = f'did you mean "{near}"?' if near else f"add type = one of {', '.join(kinds.names())}"
        form.findings.missing(
            place, path, f'the {noun} "{name}" has no type, and no type has its name', remedy
        )
    return None
