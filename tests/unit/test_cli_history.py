"""cli/history.py where no daemon answers: from its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from powernap.cli import history, main

ENTRIES = [{"event": "woken", "time": 5.0 * number, "detail": f"user {number}"} for number in range(3)]
SAID = [history.line(entry) for entry in ENTRIES]


@pytest.fixture(autouse=True)
def no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody listens where the command asks."""
    monkeypatch.setenv("POWERNAP_SOCKET", str(tmp_path / "control"))


def file(directory: Path, *lines: str) -> str:
    (directory / "history.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return str(directory)


def test_the_file_is_read_and_it_is_said_that_no_daemon_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the daemon would have told it, on standard output; the latest of them where fewer are asked for."""
    state = file(tmp_path, *map(json.dumps, ENTRIES))
    assert 0 == main.main(["history", "--state", state])
    told = capsys.readouterr()
    assert SAID == told.out.splitlines()
    assert "powernapd is not running; this is what it wrote to" in told.err
    assert 0 == main.main(["history", "--state", state, "-n", "2", "--json"])
    assert {"version": 1, "entries": ENTRIES[-2:]} == json.loads(capsys.readouterr().out)


def test_entries_among_much_metered_energy_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However few are asked for; damaged lines are passed over, and one with a foreign time is shown."""
    energy = json.dumps({"event": "energy", "time": 1.0, "joules": 5.0, "detail": "x" * 300})
    odd = [json.dumps({"event": "woken", "time": time, "detail": "odd"}) for time in ("noon", 1e99)]
    state = file(tmp_path, json.dumps(ENTRIES[0]), *odd, "null", "{", *[energy] * 2000)
    assert 0 == main.main(["history", "--state", state, "-n", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert SAID[0] == lines[0]
    assert all(each.startswith("at some time") for each in lines[1:])
    assert len(lines) == 3


@pytest.mark.parametrize("words", [["--state", "/nonexistent"], [], ["--events", "--state", "/nonexistent"]])
def test_without_a_file_it_is_the_daemon_that_is_missing(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3 with the remedy; whoever names another socket is not told of the system's history."""
    assert 3 == main.main(["history", *words])
    told = capsys.readouterr()
    assert "" == told.out
    assert "powernapd is not running; start it" in told.err
