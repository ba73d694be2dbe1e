"""Entries as sentences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.daemon.voice import LOUD
from powernap.daemon.words import SENTENCES, because, sentence

CAUSE = {"kind": "monitor", "name": "ssh", "reason": "alice types", "who": ["alice"]}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"event": "entered", "stage": "ease"}, "nobody needs this machine: entered stage ease"),
        ({"event": "entered", "stage": "ease", "watching": True}, "watching only, would have: nobody needs this machine: entered stage ease"),
        ({"event": "left", "stage": "ease", "seconds": 90}, "put everything back after 1min 30s in stage ease"),
        ({"event": "left", "seconds": 90}, "put everything back after 1min 30s"),
        ({"event": "activity", "because": [CAUSE]}, "coming back: ssh: alice types"),
        ({"event": "activity", "because": [{"name": "x"}]}, "coming back: x"),
        ({"event": "activity"}, "coming back: asked to"),
        ({"event": "refused", "detail": "it is in use", "because": [CAUSE]}, "asked to nap, staying awake: it is in use (ssh: alice types)"),
        ({"event": "stopped"}, "powernapd stopped; everything is as it was"),
        ({"event": "stopped", "detail": "something is left"}, "powernapd stopped; something is left"),
        ({"event": "unheard-of", "detail": "x"}, "unheard-of  x"),
        ({}, ""),
    ],
)  # fmt: skip
def test_each_entry_has_its_sentence(entry: dict[str, Any], words: str) -> None:
    """With its causes, its length, and what watching only means."""
    assert sentence(entry) == words


@pytest.mark.parametrize("event", SENTENCES)
def test_no_sentence_has_a_hole(event: str) -> None:
    """Every kind can be said with what it carries."""
    words = sentence(
        {"event": event, "stage": "STAGE", "detail": "DETAIL", "seconds": 1.0, "because": [CAUSE]}
    )

    assert "{" not in words
    assert "None" not in words
    assert not words.endswith((".", " "))


def test_what_is_loud_can_be_said() -> None:
    """Each loud kind has its sentence."""
    assert set(SENTENCES) >= LOUD


@given(st.text(), st.text())
def test_braces_of_others_are_only_text(detail: str, reason: str) -> None:
    """What a reason holds is not a template."""
    entry = {"event": "activity", "detail": detail, "because": [{"name": "m", "reason": reason + "{stage}"}]}

    assert reason.strip() in sentence(entry) or not reason.strip()
    assert because(entry).endswith("{stage}")
