"""Where each key of a TOML document stands: ``tomllib`` gives values and drops their lines.

Owns the places of keys and list items. Does not judge the syntax: ``tomllib`` has done so, and of a document that it refused, the
places up to the fault are found all the same. The grammar is TOML 1.0 (toml.io/en/v1.0.0).
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from dataclasses import field
from typing import NamedTuple

from powernap.core.value import dataclass

Path = tuple[str | int, ...]

DEEPEST = 8  # A path longer than any setting of ours is not kept: "a.a.a..." over a megabyte would take its square in memory.

_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SCALAR = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the three that close
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\d{4}-\d\d-\d\d[ ]\d\d:[^\s,\]}#]*"
    r"|[^\s,\[\]{}#\"']+",
    re.DOTALL,
)


class Position(NamedTuple):
    """A line and a column, both from 1."""

    line: int
    column: int


class Repeat(NamedTuple):
    """A key that is given twice, which TOML forbids."""

    path: Path
    first: Position
    again: Position


@dataclass
class Places:
    """Positions by path; a path's parts are keys, and the numbers of list items from 0.

    :param keys: where each key, table header and list item begins; a table that several lines open, at its first.
    :param begun: path and position of the latest statement, for a fault inside it.
    """

    keys: dict[Path, Position] = field(default_factory=dict)
    repeats: list[Repeat] = field(default_factory=list)
    begun: tuple[Path, Position] | None = None


class _LostError(Exception):
    """The text is not TOML from here on."""


def locate(text: str) -> Places:
    """The places of all keys of a document whose lines end in a line feed alone; of a faulty one, those before the fault."""
    scan = _Scan(text)
    try:
        scan.document()
    except (_LostError, RecursionError):
        pass
    return scan.places


class _Scan:
    """One pass over a document. Every method that takes a position answers with the position behind what it read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends = [match.start() for match in re.finditer("\n", text)]
        self.places = Places()
        self.lists: dict[Path, int] = {}
        self.opened: dict[Path, Position] = {}

    def document(self) -> None:
        header: Path = ()
        at = self.skip(_BLANK, 0)
        while at < len(self.text):
            if self.text[at] == "[":
                header, at = self.header(at)
            else:
                at = self.pair(at, header, statement=True)
            at = self.skip(_BLANK, at)

    def skip(self, pattern: re.Pattern[str], at: int) -> int:
        match = pattern.match(self.text, at)
        if not match:
            raise _LostError
        return match.end()

    def position(self, at: int) -> Position:
        before = bisect_left(self.ends, at)
        return Position(before + 1, at - (self.ends[before - 1] if before else -1))

    def note(self, path: Path, at: int) -> None:
        if len(path) <= DEEPEST:
            self.places.keys.setdefault(path, self.position(at))

    def header(self, start: int) -> tuple[Path, int]:
        """``[a.b]`` or ``[[a.b]]``: a key inside an array of tables means its latest table."""
        many = self.text.startswith("[[", start)
        self.places.begun = ((), self.position(start))
        keys, at = self.key(self.skip(_SPACE, start + 1 + many))
        path: Path = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            self.note(path, start)
            last = number == len(keys) - 1
            if path in self.lists and not (last and not many):
                self.lists[path] += last
                path = (*path, self.lists[path])
            elif last and many:
                self.lists[path] = 0
                path = (*path, 0)
        self.note(path, start)
        self.open(path, start)
        self.places.begun = (path, self.position(start))
        if not self.text.startswith("]]" if many else "]", at):
            raise _LostError
        return path, at + 1 + many

    def open(self, path: Path, at: int) -> None:
        here = self.position(at)
        first = self.opened.setdefault(path, here)
        if first != here:
            self.places.repeats.append(Repeat(path, first, here))

    def key(self, at: int) -> tuple[list[str], int]:
        """A dotted key, and the position behind it and the space that follows."""
        keys: list[str] = []
        while True:
            end = self.skip(_KEY, at)
            keys.append(_plain(self.text[at:end]))
            at = self.skip(_SPACE, end)
            if not self.text.startswith(".", at):
                return keys, at
            at = self.skip(_SPACE, at + 1)

    def pair(self, start: int, table: Path, *, statement: bool = False) -> int:
        """``key = value``."""
        if statement:
            self.places.begun = (table, self.position(start))
        keys, at = self.key(start)
        path = table
        for key in keys:
            path = (*path, key)
            self.note(path, start)
        self.open(path, start)
        if statement:
            self.places.begun = (path, self.position(start))
        if not self.text.startswith("=", at):
            raise _LostError
        return self.value(self.skip(_SPACE, at + 1), path)

    def value(self, at: int, path: Path) -> int:
        if self.text.startswith("[", at):
            return self.array(at + 1, path)
        if self.text.startswith("{", at):
            return self.table(at + 1, path)
        return self.skip(_SCALAR, at)

    def array(self, at: int, path: Path) -> int:
        number = 0
        at = self.skip(_BLANK, at)
        while not self.text.startswith("]", at):
            self.note((*path, number), at)
            at = self.skip(_BLANK, self.value(at, (*path, number)))
            number += 1
            if self.text.startswith(",", at):
                at = self.skip(_BLANK, at + 1)
            elif not self.text.startswith("]", at):
                raise _LostError
        return at + 1

    def table(self, at: int, path: Path) -> int:
        """An inline table; newer TOML lets it span lines, so white space here is any."""
        at = self.skip(_BLANK, at)
        while not self.text.startswith("}", at):
            at = self.skip(_BLANK, self.pair(at, path))
            if self.text.startswith(",", at):
                at = self.skip(_BLANK, at + 1)
            elif not self.text.startswith("}", at):
                raise _LostError
        return at + 1


def _plain(key: str) -> str:
    """A key without its quotes and escapes."""
    if key[0] == "'" or (key[0] == '"' and "\\" not in key):
        return key[1:-1]
    if key[0] != '"':
        return key
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except tomllib.TOMLDecodeError:
        raise _LostError from None
