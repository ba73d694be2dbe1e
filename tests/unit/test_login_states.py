"""Claims of sleep/login_states.py."""

from __future__ import annotations

import pytest

from powernap.sleep.login_states import METHODS, availability
from powernap.sleep.states import STATES

ANSWERS = ("no", "na", "challenge", "challenge-inhibitor-blocked", "", "an answer of a later systemd")


def test_every_state_of_the_configuration_has_its_call() -> None:
    """No more and no fewer."""
    assert set(METHODS) == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_only_a_clear_yes_is_one(state: str) -> None:
    """Every other answer is a no with its reason and what would help."""
    assert availability(state, "yes")
    for answer in ANSWERS:
        found = availability(state, answer)
        assert not found
        assert state in found.detail
        assert found.remedy


@pytest.mark.parametrize("answer", ["inhibited", "inhibitor-blocked"])
def test_a_lock_of_the_moment_takes_no_state_away(answer: str) -> None:
    """Systemd 257 answers so while somebody blocks: the state is there, and ``blockers`` says who is against it."""
    assert availability("suspend", answer).detail == "logind; an inhibitor lock blocks it now"


def test_a_masked_unit_is_named() -> None:
    """Where "no" comes from most often."""
    assert "systemctl status hybrid-sleep.target" in availability("hybrid-sleep", "no").remedy
    assert "systemctl status poweroff.target" in availability("power-off", "no").remedy
