"""What an ``Options`` dataclass declares, read once: the one source of validation, ``config explain`` and the reference page.

The key in the file is the field's name without a trailing underscore (``for_`` is the key ``for``, which Python reserves).
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
UNIT_WORDS = {
    "duration": "duration",
    "size": "size",
    "byte_rate": "rate",
    "ratio": "percentage",
    "regex": "regular expression",
    "path": "absolute path",
}
UNIT_EXAMPLES = {
    "duration": "30s",
    "size": "10KiB",
    "byte_rate": "10KiB/s",
    "ratio": "25%",
    "regex": "^backup",
    "path": "/usr/bin/true",
}


@dataclasses.dataclass(frozen=True)
class Declared:
    """One option.

    :param kinds: the scalar types allowed; :param many: a list of them; :param default: ``MISSING`` when it must be given.
    """

    key: str
    field: str
    kinds: tuple[type, ...]
    many: bool
    default: Any
    help: str = ""
    how: str = ""
    unit: str = ""
    example: str = ""
    choices: tuple[str, ...] = ()
    check: Callable[[Any], str | None] | None = None
    words: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def required(self) -> bool:
        """No default: the key must be given."""
        return self.default is dataclasses.MISSING

    @property
    def type_words(self) -> str:
        """The type as an admin would say it: "duration", "list of whole numbers"."""
        word = UNIT_WORDS.get(self.unit) or " or ".join(WORDS.get(kind, kind.__name__) for kind in self.kinds)
        if self.choices:
            word = (
                "one of " + ", ".join(self.choices) if not self.many else "any of " + ", ".join(self.choices)
            )
        word = " or ".join([word, *(f'"{each}"' for each in self.words)])
        return f"list: {word}" if self.many else word

    @property
    def sample(self) -> str:
        """The value as an admin would write it in TOML."""
        text = self.example or UNIT_EXAMPLES.get(self.unit, "") or (self.choices[0] if self.choices else "")
        text = text or {bool: "true", int: "1", float: "1.5"}.get(self.kinds[0], "...")
        if text[:1] in {'"', "'", "["} or (not self.unit and self.kinds[0] is not str):
            return text
        quote = "'" if "\\" in text or '"' in text else '"'
        return f"[{quote}{text}{quote}]" if self.many else f"{quote}{text}{quote}"


def declared(options: type[Any]) -> dict[str, Declared]:
    """The options of a dataclass by key, in order of declaration."""
    hints = typing.get_type_hints(options)
    found = {}
    for field in dataclasses.fields(options):
        if not field.init:
            continue
        key = field.name.rstrip("_")
        kinds, many = _shape(hints[field.name])
        words = {
            name: field.metadata[name]
            for name in ("help", "how", "unit", "example", "choices", "check", "words")
            if name in field.metadata
        }
        found[key] = Declared(key, field.name, kinds, many, _default(field), **words)
    return found


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _shape(hint: Any) -> tuple[tuple[type, ...], bool]:
    """Scalar types of an annotation, and whether it is a list of them: ``tuple[int, ...] | None`` is ``(int,), True``."""
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        parts = [_shape(part) for part in typing.get_args(hint) if part is not type(None)]
        return tuple(kind for kinds, _ in parts for kind in kinds), any(many for _, many in parts)
    if typing.get_origin(hint) is tuple:
        return _shape(typing.get_args(hint)[0])[0], True
    if typing.get_origin(hint) is typing.Literal:
        return (type(typing.get_args(hint)[0]),), False
    return (hint,), False
