"""cli/postpone.py: what is asked of the daemon, and what the user is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakedaemon import FakeDaemon, free_path
from powernap.cli import main
from unit.test_cli_commands import conversation

NOON = 1_795_521_600.0
ANSWER = {"schedule": "night", "was": NOON, "until": NOON + 1800.0, "ends": False, "left_s": 12600.5}


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, **answer: Any
) -> str:
    """What is printed."""
    with FakeDaemon(conversation([], postpone={**ANSWER, **answer})) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        assert 0 == main.main(["postpone", *words])
    return capsys.readouterr().out.removesuffix("\n")


@pytest.mark.parametrize(
    ("left", "more"),
    [
        (12600.5, "; users may postpone it by 3h 30min more"),
        (59.0, "; users may not postpone it any more"),
        (None, ""),
    ],
)
def test_until_when_it_stays_up_and_how_much_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], left: float | None, more: str
) -> None:
    """To an admin nothing of limits."""
    told = said(monkeypatch, capsys, left_s=left)
    assert told.startswith("this machine stays up until ")
    assert told.endswith(f"){more}")
    assert "schedule night wanted it off from" in told


def test_with_the_end_of_its_time_of_off_it_is_shorter_than_was_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is said."""
    assert ", when its time of off ends (schedule night wanted it off from" in said(
        monkeypatch, capsys, ends=True
    )
    assert "when its time" not in said(monkeypatch, capsys)


def test_as_a_document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same, and the sentence."""
    document = json.loads(said(monkeypatch, capsys, "--json"))
    assert (document["version"], document["until"], document["was"]) == (1, NOON + 1800.0, NOON)
    assert document["said"].startswith("this machine stays up")
    assert "ok" not in document


def test_the_daemon_gets_length_and_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In seconds; without a length the daemon chooses."""
    asked: list[dict[str, Any]] = []
    inner = conversation([], postpone=ANSWER)

    class Listening:
        """A connection whose requests are noted."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def recv(self, size: int) -> bytes:
            data: bytes = self.connection.recv(size)
            asked.extend(json.loads(line) for line in data.splitlines())
            return data

        def sendall(self, data: bytes) -> None:
            self.connection.sendall(data)

    with FakeDaemon(lambda connection: inner(Listening(connection))) as daemon:  # type: ignore[arg-type]
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        main.main(["postpone", "--for", "90min", "--why", "a build"])
        main.main(["postpone"])
    assert [{"op": "postpone", "for_s": 5400.0, "why": "a build"}, {"op": "postpone", "why": ""}] == asked
    capsys.readouterr()


def test_a_length_that_is_none_has_the_units_named(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them: who wrote another one does not know which there are."""
    with pytest.raises(SystemExit):
        main.main(["postpone", "--for", "2weeks"])
    assert '"2weeks" is not a duration; ' in (told := capsys.readouterr().err)
    assert "the units are us, ms, s, sec, min, m, h, d, w" in told


def test_without_a_daemon_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3."""
    monkeypatch.setenv("POWERNAP_SOCKET", free_path())
    assert 3 == main.main(["postpone"])
    assert "powernapd is not running" in capsys.readouterr().err
