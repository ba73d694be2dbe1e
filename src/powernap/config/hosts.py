"""The inventory of other machines, whole or not at all: every problem of every file in ``hosts.d`` at once.

Reads with the same parser, forms and errors as the machine's own configuration (load.py). ``[host.web3]`` in several files is one machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from powernap.config.declared import declared
from powernap.config.fill import Form
from powernap.config.inventory import HostConfig, Inventory, Method, MethodConfig, Target, Together
from powernap.config.kinds import SCHEDULES, WAKERS, KindError, Kinds
from powernap.config.problems import ConfigErrors, Findings, Place, nearest
from powernap.config.scheduling import refuse_circles
from powernap.config.sections import schedules
from powernap.config.sources import DIRECTORY, drop_ins, read
from powernap.config.syntax import parse
from powernap.config.tree import Layer, Table, Value, is_section
from powernap.core.value import dataclass
from powernap.schedules._ical_source import is_open

HOSTS = os.path.join(DIRECTORY, "hosts.d")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OUTLINE = ("host",)
PARTS = ("wake", "schedule")
OF_OTHERS = ("windows", "dates", "cron", "ical")
"""Schedules that say the same wherever they are read. The others read this machine's own files or ask its service manager."""


def _of_others(kind: str) -> Any:
    if kind not in OF_OTHERS:
        raise KindError(
            f'schedule type "{kind}" reads what is on this machine, and tells nothing of another one',
            f"the types for other machines are {', '.join(OF_OTHERS)}",
        )
    return SCHEDULES.load(kind)


ELSEWHERE = Kinds(SCHEDULES.noun, SCHEDULES.built_in, _of_others, SCHEDULES.group)


@dataclass
class HostTable:
    """A machine, after merging.

    :param methods: ``[[host.NAME.wake]]`` of the last file that has any. :param sure: they are written as such.
    """

    table: Table
    sure: bool = True
    methods: list[Table] = field(default_factory=list)
    schedules: dict[str, Table] = field(default_factory=dict)


def load(*paths: str, wakers: Kinds = WAKERS, trusted: bool = True) -> Inventory:
    """The inventory of files or directories, later wins; ``/etc/powernap/hosts.d`` when none is given. Raises ``ConfigErrors``."""
    findings = Findings()
    files: list[str] = []
    for path in paths or (HOSTS,):
        directory = os.path.isdir(path) or path == HOSTS
        files += drop_ins(path, findings, trusted=trusted) if directory else [path]
    sources = [source for file in files for source in read(file, findings, trusted=trusted)]
    return build(sources, findings, wakers=wakers)


def build(
    sources: list[tuple[str, str]], findings: Findings | None = None, *, wakers: Kinds = WAKERS
) -> Inventory:
    """The inventory of (file, text) pairs; pure but for the types that it loads."""
    form = Form(findings or Findings())
    general, tables = _grow(sources, form.findings)
    filled = form.fill(general, declared(Together), "", "")
    found = [_host(form, name, table, wakers) for name, table in tables.items()]
    if form.findings.problems or filled is None:
        raise ConfigErrors(form.findings.in_order([file for file, _ in sources]))
    hosts = {each.name: each for each in found if each is not None}
    _note_shared(form.findings, tables, hosts)
    return Inventory(
        Together(**filled),
        hosts,
        tuple(form.findings.notes),
        tuple(file for file, _ in sources),
    )


def _note_shared(
    findings: Findings, tables: Mapping[str, HostTable], hosts: Mapping[str, HostConfig]
) -> None:
    """What two machines have in common that one of them alone should have: often a section that was copied."""
    first: dict[str, str] = {}
    for name, host in hosts.items():
        other = first.setdefault(f"{host.target.address.lower()} {host.target.confirm}", name)
        if other != name:
            message = f'host "{name}" and host "{other}" have the same address and confirm: where one is up, both count as up'
            findings.note(tables[name].table.place, f"host.{name}.address", message, "correct one of them")
        for number, method in enumerate(host.methods):
            other = first.setdefault(repr(method), name)
            if other != name:
                message = f'host "{name}" and host "{other}" have the same {method.type} method: who wakes one of them wakes both'
                place = tables[name].methods[number].place
                findings.note(place, f"host.{name}.wake", message, "correct one of them")


# ------------------------------------------------------------ the files laid over each other


def _grow(sources: list[tuple[str, str]], findings: Findings) -> tuple[Table, dict[str, HostTable]]:
    """The settings before the first section, and the machines by name."""
    general = Table(Place(sources[0][0] if sources else HOSTS))
    tables: dict[str, HostTable] = {}
    for rank, (file, text) in enumerate(sources):
        parsed = parse(text, file, findings)
        layer = Layer(file, rank, parsed.places, findings)
        for key, raw in parsed.data.items():
            if key in OUTLINE:
                _lay_hosts(layer, tables, raw)
            elif is_section(raw):
                remedy = "write [host.NAME]" if nearest(key, OUTLINE) else "the only sections are [host.NAME]"
                findings.wrong(layer.place(key), key, f"unknown section [{key}]", remedy)
            else:
                general.values[key] = layer.value(raw, key)
    return general, tables


def _lay_hosts(layer: Layer, tables: dict[str, HostTable], raw: Any) -> None:
    named: dict[str, Table] = {}
    layer.sections(named, "host", _without_parts(raw))
    for name, own in named.items():
        known = tables.setdefault(name, HostTable(Table(own.place)))
        known.table.place = own.place
        known.table.values |= own.values
        _lay_methods(layer, known, name, raw[name].get("wake"))
        if "schedule" in raw[name]:
            _lay_schedules(layer, known, name, raw[name]["schedule"])


def _without_parts(raw: Any) -> Any:
    """The machines' own keys: what is a section of theirs is laid by itself."""
    if not isinstance(raw, dict):
        return raw
    return {
        name: {key: value for key, value in each.items() if key not in PARTS}
        if isinstance(each, dict)
        else each
        for name, each in raw.items()
    }


def _lay_methods(layer: Layer, known: HostTable, name: str, raw: Any) -> None:
    if raw is None:
        return
    path = ("host", name, "wake")
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        layer.findings.wrong(
            layer.place(*path),
            f"host.{name}.wake",
            "methods of waking are a list, one [[host.NAME.wake]] section each",
            f'write [[host.{name}.wake]] and below it type = "magic-packet"',
        )
        known.sure = False
        return
    known.methods = []
    for number, each in enumerate(raw):
        table = Table(layer.place(*path, number))
        layer.merge(table, each, *path, number)
        known.methods.append(table)


def _lay_schedules(layer: Layer, known: HostTable, name: str, raw: Any) -> None:
    path = ("host", name, "schedule")
    if not isinstance(raw, dict) or not all(isinstance(each, dict) for each in raw.values()):
        layer.findings.wrong(
            layer.place(*path),
            f"host.{name}.schedule",
            "schedules have names",
            f"write [host.{name}.schedule.NAME]",
        )
        return
    for each, table in raw.items():
        known_table = known.schedules.setdefault(each, Table(layer.place(*path, each)))
        layer.merge(known_table, table, *path, each)


# ------------------------------------------------------------ one machine


def _host(form: Form, name: str, found: HostTable, wakers: Kinds) -> HostConfig | None:
    """A machine, or ``None`` where something is wrong with it or it is left out."""
    what, path, place = f'host "{name}"', f"host.{name}", found.table.place
    if not NAME.fullmatch(name):
        message = f'"{name}" cannot be the name of a host: letters, digits, ".", - and _ only'
        form.findings.wrong(place, path, message, "write [host.NAME], and its address below")
    filled = form.fill(found.table, declared(Target), what, path)
    methods = [
        _method(form, f'method {number} of host "{name}"', f"{path}.wake", each, wakers)
        for number, each in enumerate(found.methods, 1)
    ]
    if not found.methods and found.sure:
        form.findings.missing(
            place, path, f"{what} has no method by which it is woken", f"add a section [[{path}.wake]]"
        )
    planned = _schedules(form, name, found)
    if filled is None or not filled["enabled"]:
        return None
    return HostConfig(name, Target(**filled), tuple(each for each in methods if each), planned)


def _method(form: Form, what: str, path: str, table: Table, wakers: Kinds) -> MethodConfig | None:
    kind = table.values.get("type")
    if kind is None:
        remedy = f'add type = "{wakers.names()[0]}"'
        form.findings.missing(table.place, path, f'the {what} has no "type"', remedy)
        return None
    if not isinstance(kind.raw, str):
        form.findings.wrong(
            kind.place, path, f'"type" in the {what} must be text', 'write type = "magic-packet"'
        )
        return None
    try:
        module = wakers.module(kind.raw)
    except KindError as error:
        form.findings.wrong(kind.place, path, error.message, error.remedy)
        return None
    named = f"{what} (type {kind.raw})"
    filled = form.fill(table, declared(module.Options) | declared(Method), named, path)
    if filled is None:
        return None
    options = form.build(module.Options, filled, table.place, f"the {named}", path)
    return None if options is None else MethodConfig(kind.raw, options)


def _schedules(form: Form, name: str, found: HostTable) -> Mapping[str, Any]:
    if not found.schedules:
        form.findings.note(
            found.table.place,
            f"host.{name}",
            f'host "{name}" has no schedule: it is never woken by itself',
            f"add a section [host.{name}.schedule.NAME]",
        )
    for table in found.schedules.values():
        deepest: Value | None = table.values.pop("deepest", None)
        if deepest is not None:
            form.findings.wrong(
                deepest.place,
                "deepest",
                '"deepest" names a stage, and those of another machine are not known here',
                "leave it out; write up = ... for when it must be awake",
            )
    planned = schedules(form, found.schedules, (), ELSEWHERE, f"host.{name}.")
    refuse_circles(form, found.schedules, planned)
    for each, schedule in planned.items():
        if schedule.type == "ical" and schedule.wake and is_open(schedule.options.source):
            form.findings.note(
                found.schedules[each].values["source"].place,
                f"host.{name}.schedule.{each}.source",
                f'whoever is between here and that server could start host "{name}"',
                "write https://",
            )
    return planned
