"""Claims of sleep/inhibitors.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.dbus_message import SIGNAL, Message
from powernap.sleep.inhibitors import MOST, Inhibitor, blocking, blocks, changed, lock_of, parse, sentence

STATES = ("suspend", "hibernate", "suspend-then-hibernate", "hybrid-sleep", "power-off")
NAMES = {0: "root", 1000: "alice"}


def one(what: str, mode: str = "block", who: str = "backup", why: str = "nightly copy") -> Inhibitor:
    """A lock as it is listed."""
    (found,) = parse([(what, who, why, mode, 0, 812)], lambda uid: NAMES.get(uid, str(uid)))
    return found


def test_a_row_is_read_whole() -> None:
    """Its words apart, its user by name."""
    assert one("sleep:idle") == Inhibitor(
        ("sleep", "idle"), "backup", "nightly copy", "block", 0, "root", 812
    )
    assert str(one("sleep")) == "backup (pid 812, root): nightly copy"
    assert str(one("sleep", why="")) == "backup (pid 812, root)"


def test_the_sentence_names_the_state_the_holder_and_the_reason() -> None:
    """As ``powernap why`` says it."""
    assert (
        sentence("suspend", one("sleep"))
        == "suspend waits: backup (pid 812, root) blocks sleep: nightly copy"
    )
    assert (
        sentence("power-off", one("shutdown", why=""))
        == "power-off waits: backup (pid 812, root) blocks shutdown"
    )
    film = one("idle", who="film", why="playing")
    assert sentence("suspend", film) == "suspend waits: film (pid 812, root) blocks automatic sleep: playing"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("mode", ["block", "block-weak", "block-of-a-later-systemd"])
def test_any_lock_that_does_not_merely_delay_keeps_the_machine_out_of_its_states(
    state: str, mode: str
) -> None:
    """Sleep for all states but power-off, shutdown for that; a mode that we do not know keeps awake."""
    right, wrong = ("shutdown", "sleep") if state == "power-off" else ("sleep", "shutdown")
    assert lock_of(state) == right
    for automatic in (True, False):
        assert blocks(one(f"handle-lid-switch:{right}", mode), state, automatic=automatic) == right
        assert not blocks(one(wrong, mode), state, automatic=automatic)
        assert not blocks(one(right, "delay"), state, automatic=automatic)


@pytest.mark.parametrize("state", STATES)
def test_an_idle_lock_counts_for_what_the_ladder_does_only(state: str) -> None:
    """Who asks by hand knows that a film is playing."""
    locks = [one("idle"), one("handle-lid-switch")]
    assert blocking(locks, state, automatic=True) == locks[:1]
    assert blocking(locks, state, automatic=False) == []


def test_the_handling_of_keys_and_lids_is_not_our_business() -> None:
    """A lock's words are compared whole: handle-suspend-key is not sleep."""
    keys = one("handle-power-key:handle-suspend-key:handle-hibernate-key:handle-lid-switch:handle-reboot-key")
    assert not any(blocks(keys, state, automatic=True) for state in STATES)


@given(st.text(max_size=3 * MOST), st.text(max_size=3 * MOST))
def test_what_others_write_is_short_and_printable(who: str, why: str) -> None:
    """Anybody may take an idle lock: no line breaks, no terminal codes, no pages; and always somebody."""
    said = sentence("suspend", one("idle", who=who, why=why))
    assert said.isprintable()
    assert len(said) < 2 * MOST + 100
    assert one("idle", who=who).who


@pytest.mark.parametrize(
    ("values", "gone", "telling"),
    [
        ({"BlockInhibited": "sleep"}, (), True),
        ({"IdleHint": True, "BlockInhibited": ""}, (), True),
        ({}, ("BlockInhibited",), True),
        ({"BlockWeakInhibited": ""}, (), True),
        ({"DelayInhibited": "sleep"}, (), False),
        ({"IdleHint": True}, ("IdleSinceHint",), False),
        ({}, (), False),
    ],
)
def test_a_change_of_what_is_blocked_is_told_from_the_others(values, gone, telling) -> None:
    """Our own delay lock changes a property, too."""
    body = ("org.freedesktop.login1.Manager", values, gone)
    assert changed(Message(SIGNAL, 1, member="PropertiesChanged", signature="sa{sv}as", body=body)) is telling


def test_what_only_looks_like_a_change_is_none() -> None:
    """Another signal, or another shape."""
    assert not changed(Message(SIGNAL, 1, member="PrepareForSleep", signature="b", body=(True,)))
    assert not changed(
        Message(SIGNAL, 1, member="PropertiesChanged", signature="s", body=("BlockInhibited",))
    )
