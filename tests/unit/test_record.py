"""The flight recorder: the same events, from their lines, give the same decisions byte for byte."""

from __future__ import annotations

import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbook import DEEP, EASE, OFF, SUSPEND, ladder, play
from powernap.core import events as ev
from powernap.core.commands import Apply
from powernap.core.ladder import Rule
from powernap.core.record import ENCODER, event, from_json, line, replay

EVENTS = typing.get_args(ev.Event)


@given(st.one_of([st.from_type(kind) for kind in EVENTS]).filter(lambda e: e == e))
def test_every_event_is_the_same_after_its_line(happened):
    """Whatever it holds; and its line is one line."""
    text = line(happened)
    assert "\n" not in text
    again = event(text)
    assert line(again) == text
    assert again == happened or "NaN" in text


def test_a_line_is_readable():
    """A person with a bug report reads it, too."""
    assert line(ev.Due(12.5)) == '{"!":"Due","at":12.5}'
    assert line(ev.NapAsked(1.0, "alice")) == '{"!":"NapAsked","at":1.0,"who":"alice","stage":""}'


def test_a_configuration_survives():
    """Tuples within tuples, and values within them."""
    settings = ladder(EASE, SUSPEND, monitors=("ssh", "cpu"), rules=(Rule("r", ("ssh", "cpu"), every=True),))
    again = from_json(json.loads(ENCODER.encode(settings)))
    assert again == settings
    assert isinstance(again.stages[0].actions, tuple)


def test_commands_can_be_written():
    """For comparing decisions."""
    assert json.loads(ENCODER.encode(Apply(3, "ease", ("clock",)))) == {
        "!": "Apply",
        "serial": 3,
        "stage": "ease",
        "actions": ["clock"],
    }


@pytest.mark.parametrize("text", ['{"!":"Exploit","at":1}', '{"at":1}'])
def test_a_class_that_is_none_of_ours_is_refused(text):
    """A log cannot make anything else."""
    with pytest.raises(KeyError):
        event(text)


def test_replaying_a_log_gives_the_same_decisions():
    """A day with naps, a lease, a sleep and a reload, from its lines."""
    settings = ladder(EASE, DEEP, SUSPEND, monitors=("ssh", "cpu"))
    day = (
        play(settings)
        .quiet(until=400)
        .hears("ssh", last="now", reason="é")
        .quiet(until=500)
        .leased(until=900.0)
    )
    day.quiet(until=3000).resumes(slept=3000).quiet(until=6500).nap("deep").quiet(until=6600).reconfigured(
        ladder(EASE)
    )
    day.quiet(until=9000).reconfigured(ladder(EASE, DEEP, OFF)).quiet(until=9100).allows("ease").quiet(
        until=9500
    )
    day.wants_off(10_000.0, 20_000.0, force=True).quiet(until=9950).window_opens(until=9960.0).quiet(
        until=11_000
    )
    assert len(day.events) > 40
    state, commands = replay(settings, 0.0, (event(line(happened)) for happened in day.events))
    assert ENCODER.encode(commands) == ENCODER.encode([command for _, command in day.heard])
    assert state == day.state
