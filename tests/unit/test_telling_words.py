"""daemon/telling_words.py: what users read, when, why, and what they can do about it."""

from __future__ import annotations

import dataclasses

import pytest

from powernap.daemon import telling_words as words
from powernap.daemon.telling_words import Coming, Said

NIGHT = Coming("web3", "scheduled-off", "power-off", 0.0, 600.0, "23:00", "night", key=True, postpone=3600.0)
NAP = Coming("web3", "suspend", "suspend", 0.0, 30.0, "12:00")


@pytest.mark.parametrize(
    ("key", "postpone", "how"),
    [
        (True, 60.0, "To postpone it, press a key or run `powernap postpone`"),
        (True, 0.0, "To postpone it, press a key"),
        (False, 60.0, "To postpone it, run `powernap postpone`"),
        (False, 0.0, "It cannot be postponed by users"),
    ],
)
def test_an_off_says_when_why_and_how_to_postpone_it(key: bool, postpone: float, how: str) -> None:
    """Or that it cannot be."""
    coming = dataclasses.replace(NIGHT, key=key, postpone=postpone)
    expected = f'web3 powers off at 23:00 (in 10min): schedule "night" wants it off. {how}'
    assert expected == words.line(Said("warn", coming))


@pytest.mark.parametrize(
    ("sleep", "key", "expected"),
    [
        ("suspend", True, "web3 suspends in 30s, nobody uses it; press a key to stay"),
        ("hibernate", True, "web3 hibernates in 30s, nobody uses it; press a key to stay"),
        ("", False, "web3 enters power stage suspend in 30s, nobody uses it"),
    ],
)
def test_a_stage_says_what_the_machine_does(sleep: str, key: bool, expected: str) -> None:
    """And asks for a key only where somebody listens for one."""
    assert expected == words.line(Said("warn", dataclasses.replace(NAP, sleep=sleep, key=key)))


@pytest.mark.parametrize(
    ("because", "expected"),
    [("", "web3 stays awake"), ("ann postponed it until 23:30 (x)", "web3 stays awake: ann postponed it until 23:30 (x)")],
)  # fmt: skip
def test_what_does_not_come_says_whose_doing_it_is(because: str, expected: str) -> None:
    """Where it is somebody's."""
    assert expected == words.line(Said("unwarn", NIGHT, because))


def test_a_notification_has_the_same_in_two_parts() -> None:
    """What a desktop shows in one line, and the rest."""
    said = Said("warn", NIGHT)
    assert "web3 powers off at 23:00" == words.summary(said)
    assert words.body(said) == (
        'In 10min: schedule "night" wants it off. To postpone it, press a key or run powernap postpone.'
    )
    assert "web3 suspends in 30s" == words.summary(Said("warn", NAP))
    assert "Nobody uses it. Press a key to stay." == words.body(Said("warn", NAP))
    assert ("web3 stays awake", "ann keeps it up") == (
        words.summary(Said("unwarn", NIGHT, "ann keeps it up")),
        words.body(Said("unwarn", NIGHT, "ann keeps it up")),
    )
