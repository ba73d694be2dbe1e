"""Events as JSON lines and back: the flight recorder. A recorded log replayed gives the same decisions, byte for byte."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any, cast

from powernap.core import events, ladder, reading, verdict
from powernap.core.commands import Command
from powernap.core.machine import State, start, step

KINDS: dict[str, type] = {
    name: kind
    for module in (events, ladder, reading, verdict)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


def to_json(value: Any) -> Any:
    """A dataclass as an object whose key ``!`` names its class; tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"!": type(value).__name__, **named}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return value


def from_json(value: Any) -> Any:
    """The inverse of :func:`to_json`; raises ``KeyError`` for a class it does not know."""
    if isinstance(value, dict):
        kind = KINDS[value["!"]]
        return kind(**{key: from_json(item) for key, item in value.items() if key != "!"})
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    return value


def _shallow(value: Any) -> dict[str, Any]:
    """What the encoder does not know: the fields of a dataclass, which it then encodes itself."""
    named = {name: getattr(value, name) for name in type(value).__dataclass_fields__}
    return {"!": type(value).__name__, **named}


ENCODER = json.JSONEncoder(separators=(",", ":"), default=_shallow)
"""Each event is written down: encoding :func:`to_json` of it took twice as long, 26 us."""


def line(event: events.Event) -> str:
    """One event as one line of JSON, without the newline: that of :func:`to_json`."""
    return ENCODER.encode(event)


def event(text: str) -> events.Event:
    """One event from its line."""
    return cast("events.Event", from_json(json.loads(text)))


def replay(
    settings: ladder.Settings, began: float, log: Iterable[events.Event]
) -> tuple[State, list[Command]]:
    """The decisions that a recorded log leads to."""
    state, commands = start(settings, began)
    for happened in log:
        state, more = step(state, happened)
        commands += more
    return state, commands
