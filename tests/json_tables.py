"""The tables of docs/json.md, and how a document is held to one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "json.md"
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "null": (type(None),),
    "any": (str, int, float, bool, list, type(None)),
}


@dataclass
class Table:
    """:param rows: type words of each path; :param met: paths that some document had."""

    rows: dict[str, str]
    met: set[str] = field(default_factory=set)

    def strange(self, document: Any) -> list[str]:
        """What the document has and the table has not, or of another type; remembers what it has met."""
        return [said for path, value in self._leaves(document, "") if (said := self._judge(path, value))]

    def unmet(self) -> set[str]:
        """Rows of which no document had anything."""
        return set(self.rows) - self.met

    def _leaves(self, value: Any, path: str) -> Iterator[tuple[str, Any]]:
        """Paths and values; into objects and lists as far as the table goes."""
        deeper = [row for row in self.rows if row.startswith(path) and row != path]
        self.met |= {path} & set(self.rows)
        if isinstance(value, dict) and any(row.startswith(path + "{}") for row in deeper):
            self.met |= {row for row in deeper if not value}
            for inner in value.values():
                yield from self._leaves(inner, path + "{}")
        elif isinstance(value, dict) and (not path or any(row.startswith(path + ".") for row in deeper)):
            for key, inner in value.items():
                yield from self._leaves(inner, f"{path}.{key}".lstrip("."))
        elif isinstance(value, list) and any(row.startswith(path + "[]") for row in deeper):
            self.met |= {row for row in deeper if row == path + "[]"}
            for inner in value:
                yield from self._leaves(inner, path + "[]")
        else:
            yield path, value

    def _judge(self, path: str, value: Any) -> str:
        words = self.rows.get(path)
        if words is None:
            return f"{path} is not documented (it is {value!r:.60})"
        allowed = tuple(kind for word in words.split(" or ") for kind in TYPES[word])
        right = isinstance(value, allowed) and not (isinstance(value, bool) and bool not in allowed)
        return "" if right else f"{path} is {value!r:.60}, not {words}"


def tables() -> dict[str, Table]:
    """By heading, without its markup: ``powernap why --json``."""
    found = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        rows = re.findall(r"^\| `([^`]+)` \| ([a-z ]+) \|", body, re.MULTILINE)
        if rows:
            found[heading.replace("`", "")] = Table(dict(rows))
    return found


def events() -> set[str]:
    """The kinds of entries that the page names."""
    row = re.search(r"^\| `event` \| text \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", row[1])) if row else set()
