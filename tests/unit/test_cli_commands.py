"""The commands that ask the daemon, against one that answers as the test says: what is printed, and the exit status."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from fakedaemon import FakeDaemon, Script
from powernap.cli import config, main
from unit.test_cli_texts import STATUS, WHY

ENTERED = {"event": "entered", "stage": "ease", "time": 0}
LEFT = {"event": "left", "stage": "ease", "seconds": 2.0, "time": 0}


def conversation(told: list[dict[str, Any]], **answers: dict[str, Any]) -> Script:
    """An answer for each operation; who watches is told these entries, then the connection ends."""

    def script(connection: socket.socket) -> None:
        # `nap` and `wake` watch on one connection and ask on another: the fake serves one at a time, so it tells at once.
        while line := connection.recv(65536):
            op = json.loads(line)["op"]
            answer = {"ok": True, "version": 1, **answers.get(op, {})}
            documents = [answer, *(told if op == "watch" else [])]
            connection.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in documents))
            if op == "watch":
                return

    return script


def run(
    monkeypatch: pytest.MonkeyPatch, script: Script, *words: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit status and standard output."""
    with FakeDaemon(script) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        status = main.main(list(words))
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "status", "says"),
    [
        ([ENTERED], 0, "nobody needs this machine: entered stage ease"),
        ([{"event": "refused", "detail": "it is in use"}], 1, "staying awake: it is in use"),
        ([{"event": "reading", "monitor": "x"}, ENTERED], 0, "entered stage ease"),
        ([], 0, "awake, idle for 1min 1s"),
    ],
)
def test_nap_says_what_came_of_it(
    told: list[dict[str, Any]],
    status: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """1 when it turned out to be in use; where things stand when nothing was heard."""
    script = conversation(told, nap={"phase": "checking"}, why=WHY)
    got, out = run(monkeypatch, script, "nap", capsys=capsys)
    assert status == got
    assert says in out
    assert 1 == len(out.splitlines())


@pytest.mark.parametrize(
    ("phase", "says"),
    [("leaving", "put everything back after 2s in stage ease"), ("awake", "awake, idle for 1min 1s")],
)
def test_wake_says_what_came_of_it(
    phase: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when it was awake already."""
    script = conversation([LEFT], wake={"phase": phase}, why=WHY)
    assert (0, says + "\n") == run(monkeypatch, script, "wake", capsys=capsys)


@pytest.mark.parametrize("command", ["nap", "wake"])
def test_for_programs_the_answer_is_enough(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They watch by themselves."""
    script = conversation([], nap={"phase": "checking"}, wake={"phase": "leaving"})
    status, out = run(monkeypatch, script, command, "--json", capsys=capsys)
    assert 0 == status
    assert {"version", "phase"} == set(json.loads(out))


def test_reload_names_the_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What is in force now."""
    script = conversation([], status={**STATUS, "config": ["/a.toml", "/b.toml"]})
    assert (0, "configuration loaded: /a.toml, /b.toml\n") == run(
        monkeypatch, script, "reload", capsys=capsys
    )
    assert 0 == run(monkeypatch, script, "reload", "--json", capsys=capsys)[0]


def test_status_and_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As text."""
    script = conversation([], status=STATUS, why=WHY)
    assert "monitors\n" in run(monkeypatch, script, "status", capsys=capsys)[1]
    assert json.loads(run(monkeypatch, script, "status", "--json", capsys=capsys)[1])["powernap"]
    assert (1, True) == (
        (answer := run(monkeypatch, script, "why", capsys=capsys))[0],
        "awake, idle" in answer[1],
    )


def test_history(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Oldest first; an empty one is said; the flight recorder as it is."""
    script = conversation([], history={"entries": [ENTERED, LEFT]}, events={"events": ["a", "b"]})
    lines = run(monkeypatch, script, "history", capsys=capsys)[1].splitlines()
    assert ["entered stage ease", "in stage ease"] == [line[-len(end) :] for line, end in zip(lines, ("entered stage ease", "in stage ease"), strict=True)]  # fmt: skip
    assert "a\nb\n" == run(monkeypatch, script, "history", "--events", capsys=capsys)[1]
    assert 2 == len(json.loads(run(monkeypatch, script, "history", "--json", capsys=capsys)[1])["entries"])
    empty = conversation([], history={"entries": []})
    assert "nothing has happened yet\n" == run(monkeypatch, empty, "history", capsys=capsys)[1]


def test_watch_says_where_things_stand_then_what_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until the daemon stops: exit status 3."""
    status, out = run(monkeypatch, conversation([ENTERED], why=WHY), "watch", capsys=capsys)
    lines = out.splitlines()
    assert 3 == status
    assert lines[0].startswith("awake, idle")
    assert lines[-1].endswith("entered stage ease")


def test_watch_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line has a version; the first says that it watches; the last that the daemon has stopped."""
    script = conversation([ENTERED], watch={"event": "watching"})
    status, out = run(monkeypatch, script, "watch", "--json", capsys=capsys)
    lines = [json.loads(line) for line in out.splitlines()]
    assert 3 == status
    assert ["watching", "entered", None] == [line.get("event") for line in lines]
    assert all(line["version"] == 1 for line in lines)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyboardInterrupt(), 130, ""),
        (PermissionError(13, "Permission denied", "/etc/x"), 3, "powernap: /etc/x: Permission denied\n"),
        (OSError("odd"), 3, "powernap: odd\n"),
        (RecursionError("deep"), 3, "powernap: internal fault: RecursionError: deep"),
        (OSError(28, "No space left on device"), 3, "the output cannot be written: No space left"),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
    ],
)
def test_whatever_a_command_raises_ends_in_a_sentence(
    error: BaseException,
    status: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And in an exit status; never in a traceback."""

    def broken(_args: object) -> int:
        raise error

    monkeypatch.setattr(config, "run", broken)
    assert status == main.main(["config", "reference"])
    err = capsys.readouterr().err
    assert says in err
    assert bool(says) is bool(err)
    assert "Traceback" not in err


def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """And not a command that is missing."""
    for words in (["--bogus"], ["--bogus", "--json"]):
        with pytest.raises(SystemExit) as ended:
            main.main(words)
        assert 2 == ended.value.code
        assert f"unrecognized arguments: {' '.join(words)}" in capsys.readouterr().err


def test_config_in_words(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    """Good, noted and bad."""
    draft = tmp_path / "draft.toml"
    draft.write_text("[monitor.cpu]\n")
    assert 0 == main.main(["config", "check", str(draft)])
    assert "note: " in (out := capsys.readouterr().out)
    assert "no problems in" in out
    assert ", 1 monitor, " in out
    draft.write_text('mode = "atc"\n')
    assert 2 == main.main(["config", "show", str(draft)])
    assert "1 problem: this configuration is refused" in capsys.readouterr().err
    assert 0 == main.main(["config", "explain", "stage.after"])
    assert "stage.after" in capsys.readouterr().out
    assert 2 == main.main(["config", "explain", "stage.aftr"])
    assert 'did you mean "stage.after"?' in capsys.readouterr().err
    assert 0 == main.main(["config", "reference"])
    assert "# Configuration reference" in capsys.readouterr().out


def test_status_of_a_machine_that_a_schedule_switches_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Regression: the stage that idle time never leads to broke the table."""
    off: dict[str, Any] = {
        "name": "scheduled-off",
        "after_s": None,
        "warn_s": 600.0,
        "actions": [],
        "sleep": "power-off",
    }
    script = conversation([], status={**STATUS, "stages": [*STATUS["stages"], off]})
    assert "by schedule" in run(monkeypatch, script, "status", capsys=capsys)[1]
