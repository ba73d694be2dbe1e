"""The whole vocabulary between the world and the core."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from powernap.core import commands, events
from powernap.core.machine import HANDLERS

EVENTS = typing.get_args(events.Event)
COMMANDS = typing.get_args(commands.Command)


def classes(module):
    return {
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__
    }


def test_every_event_is_handled():
    """The core has an answer to each, and to nothing else."""
    assert set(HANDLERS) == set(EVENTS)


def test_the_vocabulary_is_complete():
    """What a module defines is in its union; a Failure is part of an event, not one."""
    assert classes(events) - {events.Failure} == set(EVENTS)
    assert classes(commands) == set(COMMANDS)


@pytest.mark.parametrize("kind", [*EVENTS, *COMMANDS], ids=lambda kind: kind.__name__)
def test_words_are_values(kind: typing.Any):
    """Frozen, without a dictionary, and each says what it means."""
    names = tuple(field.name for field in dataclasses.fields(kind))
    assert kind.__dataclass_params__.frozen
    assert kind.__slots__ == names
    assert kind.__doc__ and not kind.__doc__.startswith(kind.__name__ + "(")


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_says_first_when_it_happened(kind):
    """Time comes in as an argument."""
    assert dataclasses.fields(kind)[0].name == "at"
