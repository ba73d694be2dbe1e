"""The files of a configuration laid over each other: later wins, tables of the same name merge, each value knows its line.

Owns the outline (settings, stages, [sleep], [off], [warn], and the five kinds of named sections). Does not know any option.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from powernap.config.lines import Places
from powernap.config.problems import Findings, Place, nearest
from powernap.config.syntax import parse
from powernap.core.value import dataclass

SECTIONS = ("monitor", "rule", "action", "meter", "schedule")
SINGLE = {
    "sleep": 'write [sleep] for the machine\'s sleep, or sleep = "suspend" below a [[stage]]',
    "warn": 'write [warn] for how users are told, or warn = "30s" below a [[stage]] or [off]',
    "off": 'write [off] for how the machine goes off, or off = "22:00-06:00" below a [schedule.NAME] with type = "windows"',
}
"""Sections of which there is one, and what to write instead of a value."""
HEADERS = {
    **{name: f"[{name}.NAME]" for name in SECTIONS},
    "stage": "[[stage]]",
    "sleep": "[sleep]",
    "off": "[off]",
    "warn": "[warn]",
}
"""How each section of the outline begins."""
OLD = {
    "powernap": "this is a PowerNap 2.x section: settings stand before the first section now, and its ACTION_METHOD and "
    "ABSENT_SECONDS are sleep and after of a [[stage]]",
    "powernap-stage2": "this is a PowerNap 2.x section: write a second [[stage]]",
    "processmonitor": 'this is a PowerNap 2.x section: write [monitor.NAME] with type = "process"',
    "iomonitor": 'this is a PowerNap 2.x section: write [monitor.NAME] with type = "process-io"',
    "tcpmonitor": 'this is a PowerNap 2.x section: write [monitor.NAME] with type = "tcp"',
    "udpmonitor": 'this is a PowerNap 2.x section: write [monitor.NAME] with type = "udp"',
    "wolmonitor": 'this is a PowerNap 2.x section: write [monitor.NAME] with type = "magic-packet"',
    "loadmonitor": "this is a PowerNap 2.x section: write [monitor.load]",
    "inputmonitor": "this is a PowerNap 2.x section: write [monitor.input]",
    "consolemonitor": "this is a PowerNap 2.x section: write [monitor.terminals]",
    "diskmonitor": "this is a PowerNap 2.x section: write [monitor.disk]",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value as TOML gives it; ``items`` are the places of a list's items."""

    raw: Any
    place: Place
    items: tuple[Place, ...] = ()

    def item(self, number: int) -> Place:
        """Where an item stands; a single value, which counts as a list of one, stands for its item."""
        return self.items[number] if number < len(self.items) else self.place


@dataclass
class Table:
    """A section, after merging; ``place`` is where it was last opened."""

    place: Place
    values: dict[str, Value] = field(default_factory=dict)


@dataclass
class StageTable:
    """A ``[[stage]]``; ``rank`` is the number of the file that first named it."""

    rank: int
    table: Table


@dataclass
class Tree:
    """Everything that the files say. ``stages`` is in order of first mention."""

    settings: Table
    sleep: Table
    off: Table
    warn: Table
    stages: dict[str, StageTable] = field(default_factory=dict)
    sections: dict[str, dict[str, Table]] = field(default_factory=lambda: {name: {} for name in SECTIONS})


def grow(sources: list[tuple[str, str]], findings: Findings) -> Tree:
    """One tree of (file, text) pairs, in the order in which they win."""
    begin = Place(sources[0][0] if sources else "")
    tree = Tree(Table(begin), Table(begin), Table(begin), Table(begin))
    for rank, (file, text) in enumerate(sources):
        parsed = parse(text, file, findings)
        Layer(file, rank, parsed.places, findings).lay(tree, parsed.data)
    return tree


def is_section(raw: Any) -> bool:
    """``[NAME]`` or ``[[NAME]]``, and no value."""
    return isinstance(raw, dict) or bool(raw and isinstance(raw, list) and isinstance(raw[0], dict))


@dataclass
class Layer:
    """One file on its way into the tree."""

    file: str
    rank: int
    places: Places
    findings: Findings

    def place(self, *path: str | int) -> Place:
        """Where a path stands in this file; an inner value that is not kept stands where its table does."""
        for length in range(len(path), 0, -1):
            position = self.places.keys.get(path[:length])
            if position:
                return Place(self.file, position.line)
        return Place(self.file)

    def value(self, raw: Any, *path: str | int) -> Value:
        """A value with its place and those of its items."""
        count = len(raw) if isinstance(raw, list) else 0
        return Value(raw, self.place(*path), tuple(self.place(*path, number) for number in range(count)))

    def lay(self, tree: Tree, data: dict[str, Any]) -> None:
        """Everything of one file."""
        for key, raw in data.items():
            if key == "stage":
                self.stages(tree, raw)
            elif key in SECTIONS:
                self.sections(tree.sections[key], key, raw)
            elif key in SINGLE:
                self.single(getattr(tree, key), key, raw)
            elif is_section(raw):
                self.unknown_section(key)
            else:
                tree.settings.values[key] = self.value(raw, key)

    def unknown_section(self, key: str) -> None:
        """``[monitors.ssh]``, or a section of PowerNap 2.x."""
        near = nearest(key, HEADERS)
        remedy = OLD.get(key.lower()) or (
            f"write {HEADERS[near]}" if near else f"the sections are {', '.join(HEADERS.values())}"
        )
        self.findings.wrong(self.place(key), key, f"unknown section [{key}]", remedy)

    def stages(self, tree: Tree, raw: Any) -> None:
        """``[[stage]]``: the same name in a later file changes the stage, in the same file it is a mistake."""
        if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
            name = (
                next(iter(raw))
                if isinstance(raw, dict) and raw and isinstance(next(iter(raw.values())), dict)
                else "NAME"
            )
            message = "stages are a list, one [[stage]] section each"
            self.findings.wrong(
                self.place("stage"), "stage", message, f'write [[stage]] and below it name = "{name}"'
            )
            return
        here: dict[str, Place] = {}
        for number, item in enumerate(raw):
            name, place = item.get("name"), self.place("stage", number)
            if not isinstance(name, str) or not name:
                name = f"{self.rank}.{number}"
            if name in here:
                message = f'a second stage is called "{name}", the first is in line {here[name].line}'
                self.findings.wrong(place, f"stage.{name}", message, "give each stage its own name")
                name = f"{self.rank}.{number}"
            here[name] = place
            stage = tree.stages.setdefault(name, StageTable(self.rank, Table(place)))
            self.merge(stage.table, item, "stage", number)

    def sections(self, known: dict[str, Table], kind: str, raw: Any) -> None:
        """``[monitor.NAME]`` and its kin."""
        if not isinstance(raw, dict):
            header = isinstance(raw, list)
            message = f"[[{kind}]] is not how {kind}s are written" if header else f'"{kind}" is a section'
            self.findings.wrong(self.place(kind), kind, message, f"write [{kind}.NAME]")
            return
        for name, table in raw.items():
            if not isinstance(table, dict):
                message = f'"{name}" stands in [{kind}], which holds no settings'
                self.findings.wrong(
                    self.place(kind, name), f"{kind}.{name}", message, f"write [{kind}.NAME] above it"
                )
                continue
            self.merge(known.setdefault(name, Table(self.place(kind, name))), table, kind, name)

    def single(self, table: Table, key: str, raw: Any) -> None:
        """``[sleep]``, ``[off]`` and ``[warn]``, of which there is one each."""
        if isinstance(raw, dict):
            self.merge(table, raw, key)
        else:
            self.findings.wrong(self.place(key), key, f'"{key}" is a section', SINGLE[key])

    def merge(self, table: Table, raw: dict[str, Any], *path: str | int) -> None:
        """Later values win, one by one."""
        table.place = self.place(*path)
        for key, value in raw.items():
            table.values[key] = self.value(value, *path, key)
