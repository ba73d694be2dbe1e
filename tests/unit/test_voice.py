"""What is said reaches all who listen, and listeners cannot stop it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keeper import Words
from machines import Clock
from powernap.core.reading import Reading
from powernap.core.verdict import Blocker
from powernap.daemon.history import History
from powernap.daemon.voice import TRACE_MAX, Voice


def voice() -> tuple[Voice, Words, list[dict[str, Any]]]:
    words, seen = Words(), list[dict[str, Any]]()
    voice = Voice(Clock(), words, History())
    voice.told.append(seen.append)
    return voice, words, seen


def test_one_entry_reaches_all() -> None:
    """The history, the journal and the live views say the same."""
    speaking, words, seen = voice()
    speaking.say("activity", "ease", "", (Blocker("monitor", "ssh", "alice types", who=("alice",)),))

    assert seen == list(speaking.history.entries)
    assert seen[0]["because"] == [
        {"kind": "monitor", "name": "ssh", "reason": "alice types", "who": ["alice"]}
    ]
    assert words.lines == ["coming back: ssh: alice types"]


def test_what_is_said_is_on_disk_at_once_while_that_wakes_no_disk(tmp_path: Path) -> None:
    """Regression: exceptions of a working day were in memory only until the next nap, and gone with a SIGKILL."""
    speaking = Voice(Clock(), Words(), History(str(tmp_path / "history.jsonl")))
    speaking.say("schedule-skipped", detail="root skipped the schedule office for 1h")
    assert not (tmp_path / "history.jsonl").exists()
    speaking.may_write = lambda: True
    speaking.say("schedule-restored", detail="root took all exceptions to the schedules back")
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 2


def test_a_stage_that_is_entered_says_how_long_it_was_idle() -> None:
    """To the millisecond; other entries have no such fact."""
    speaking, _, seen = voice()
    speaking.say("entered", "ease", idle=300.00049)
    speaking.say("left", "ease")

    assert (300.0, True) == (seen[0]["idle_s"], "idle_s" not in seen[1])


def test_only_changes_of_a_reading_are_shown() -> None:
    """The same again is no news; empty facts are left out."""
    speaking, _, seen = voice()
    first = Reading("m", 1.0, reason="x", last=1.0)
    speaking.heard(None, first)
    speaking.heard(first, Reading("m", 2.0, reason="x", last=1.0))
    speaking.heard(first, Reading("m", 2.0, reason="y", last=1.0))

    assert ["x", "y"] == [entry["reason"] for entry in seen]
    assert "limit" not in seen[0]


def test_failing_is_said_once_and_recovering_once() -> None:
    """Also when the very first answer fails; one that never failed does not recover."""
    speaking, _, seen = voice()
    failed, well = Reading("m", 1.0, failed=True, reason="no"), Reading("m", 2.0)
    for old, new in ((None, failed), (failed, failed), (failed, well), (well, well), (None, well)):
        speaking.heard(old, new)

    kinds = [entry["event"] for entry in speaking.history.entries]
    assert kinds == ["monitor-failed", "monitor-recovered"]
    assert seen


def test_a_view_that_fails_is_left_out_and_the_others_are_told() -> None:
    """Also one that takes itself off the list."""
    speaking, _, seen = voice()

    def broken(_entry: dict[str, Any]) -> None:
        speaking.told.remove(broken)
        raise BrokenPipeError

    speaking.told.insert(0, broken)
    speaking.say("woken")
    speaking.say("woken")

    assert 2 == len(seen)
    assert 1 == len(speaking.told)


def test_of_a_traceback_the_end_is_logged() -> None:
    """Where it happened; not more lines than help."""
    speaking, words, _ = voice()
    speaking.trace([f"line {n}\n" for n in range(100)])

    assert len(words.lines) == TRACE_MAX
    assert words.lines[-1] == "line 99"
