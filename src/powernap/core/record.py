"""Events as JSON lines and back: the flight recorder. A recorded log replayed gives the same decisions, byte for byte."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any, cast

from powernap.core import events, ladder, plan, reading, verdict
from powernap.core.commands import Command
from powernap.core.machine import start, step
from powernap.core.state import State

KINDS: dict[str, type] = {
    name: kind
    for module in (events, ladder, plan, reading, verdict)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


def _shallow(value: Any) -> dict[str, Any]:
    """What the encoder does not know: the fields of a dataclass, which it then encodes itself."""
    named = {name: getattr(value, name) for name in type(value).__dataclass_fields__}
    return {"!": type(value).__name__, **named}


ENCODER = json.JSONEncoder(separators=(",", ":"), default=_shallow)
"""A dataclass becomes an object whose key ``!`` names its class, a tuple a list. Each event is written down: building these objects
first and encoding them then took twice as long, 26 us."""


def from_json(value: Any) -> Any:
    """What :data:`ENCODER` wrote, as ``json`` reads it, in our classes; raises ``KeyError`` for one it does not know."""
    if isinstance(value, dict):
        kind = KINDS[value["!"]]
        return kind(**{key: from_json(item) for key, item in value.items() if key != "!"})
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    return value


def line(event: events.Event) -> str:
    """One event as one line of JSON, without the newline."""
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
