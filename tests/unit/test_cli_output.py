"""cli/output.py and cli/main.py: every end of a command is a document or a sentence, and an exit status."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from fakedaemon import FakeDaemon, answers, free_path
from powernap.cli import main, output
from powernap.cli.client import DaemonError

WHY = {
    "ok": True, "version": 1, "mode": "act", "phase": "awake", "stage": None, "idle_s": 1.0, "blockers": [], "next": None,
    "first_stage": None, "left_out": [],
}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon of this machine answers."""
    monkeypatch.setenv("POWERNAP_SOCKET", free_path())


def test_a_failure_is_a_sentence_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, so that a pipe gets documents only."""
    assert 3 == output.fail("it is broken", "mend it")
    assert ("", "powernap: it is broken; mend it\n") == tuple(capsys.readouterr())


def test_a_failure_for_programs_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, where the program reads."""
    assert 2 == output.fail("it is broken", code=2, as_json=True)
    assert {"version": 1, "error": "it is broken", "remedy": ""} == json.loads(capsys.readouterr().out)


def test_a_document_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is no text in any locale cannot break it."""
    assert 0 == output.show_json({"name": "\udcff é"})
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert {"name": "\udcff é"} == json.loads(printed)


def test_a_fault_of_ours_is_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it happened is for those who ask."""
    monkeypatch.delenv(output.TRACEBACK, raising=False)
    assert 3 == output.fault(KeyError("stage"))
    assert "internal fault: KeyError: 'stage'" in (told := capsys.readouterr().err)
    assert "Traceback" not in told
    monkeypatch.setenv(output.TRACEBACK, "1")
    output.fault(ValueError("x"))
    assert "ValueError: x\npowernap: internal fault" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["why", "status", "history", "nap", "wake", "reload", "watch"])
def test_without_a_daemon_each_command_says_how_to_start_one(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3, the remedy, and nothing on standard output."""
    assert 3 == main.main([command])
    out, err = capsys.readouterr()
    assert "" == out
    assert "powernapd is not running; start it with `systemctl start powernapd`" in err


@pytest.mark.parametrize("command", ["why", "status", "history", "nap", "wake", "reload", "watch"])
def test_without_a_daemon_a_program_gets_a_document(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same, for programs."""
    assert 3 == main.main([command, "--json"])
    out, err = capsys.readouterr()
    assert "" == err
    assert "powernapd is not running" == json.loads(out)["error"]


def test_json_behind_a_double_dash_is_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`hold -- CMD --json` is not a wish of ours."""
    assert 3 == main.main(["hold", "--why", "x", "--", "cmd", "--json"])
    assert "powernapd is not running" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["stats"], 'no command "stats"; did you mean "status"?'),
        (["tyr"], 'did you mean "try"?'),
        (["qqqqqq"], "the commands are actions, config, doctor,"),
    ],
)
def test_a_word_that_is_no_command_is_told_with_the_one_that_was_meant(
    given: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2."""
    assert 2 == main.main(given)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        ["why", "extra"],
        ["hold"],
        ["hold", "--why", "x", "--for", "10"],
        ["hold", "--why", "x", "--for", "0s"],
        ["history", "-n", "0"],
        ["history", "-n", "x"],
        ["try", "--port", "99999"],
        ["try", "--port", "ssh"],
        ["try", "--program", "a b/c"],
        ["try", "--program", ""],
        ["try", "--for", "soon"],
        ["config"],
        ["config", "explain"],
        ["--nonsense"],
    ],
)
def test_wrong_usage_is_exit_status_2_with_the_fault_first(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, then how it is used."""
    with pytest.raises(SystemExit) as end:
        main.main(given)
    assert 2 == end.value.code
    out, err = capsys.readouterr()
    assert "" == out
    assert err.startswith("powernap")
    assert "usage: powernap" in err.split("\n", 1)[1]


@pytest.mark.parametrize("command", ["", *main.COMMANDS])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a sentence on what it does, and no markup of Python's."""
    with pytest.raises(SystemExit) as end:
        main.main([*([command] if command else []), "--help"])
    assert 0 == end.value.code
    text = capsys.readouterr().out
    assert text.startswith(f"usage: powernap {command}".rstrip())
    assert len(text.split("\n\n")[1]) > 40


def test_an_answer_of_another_version_ends_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon that leaves out what we show."""
    with FakeDaemon(answers({"ok": True, "version": 9})) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        assert 3 == main.main(["status"])
    assert "internal fault: KeyError" in capsys.readouterr().err


def test_a_refusal_decides_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`nap` while in use is 1."""
    following = {"ok": True, "version": 1, "event": "watching"}
    refusal = {"ok": False, "error": "it is in use: ssh", "remedy": "`powernap why`", "code": 1}
    with FakeDaemon(answers(following)) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        monkeypatch.setattr("powernap.cli.client.ask", lambda *_, **__: (_ for _ in ()).throw(error(refusal)))
        assert 1 == main.main(["nap"])
    assert "powernap: it is in use: ssh; `powernap why`\n" == capsys.readouterr().err


def error(refusal: dict[str, object]) -> DaemonError:
    return DaemonError(str(refusal["error"]), str(refusal["remedy"]), 1)


@pytest.mark.parametrize(("blockers", "status"), [([], 1), ([{"kind": "lease"}], 0)])
def test_why_answers_with_its_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    blockers: list[dict[str, str]],
    status: int,
) -> None:
    """0: something keeps it awake; 1: nothing does."""
    with FakeDaemon(answers({**WHY, "blockers": blockers})) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        assert status == main.main(["why", "--json"])
    assert blockers == json.loads(capsys.readouterr().out)["blockers"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_output_that_cannot_be_written_is_told_apart_from_other_errors(number: int) -> None:
    """Only what a write to standard output ends with is taken for it."""
    assert number in output.UNWRITABLE
    assert errno.ENOENT not in output.UNWRITABLE


def cli(*words: str, closed: tuple[int, ...] = (), **options: object) -> subprocess.CompletedProcess[bytes]:
    """The command line with descriptors closed, as a careless parent does."""
    code = f"import os, sys; [os.close(fd) for fd in {closed}]; os.execv(sys.executable, [sys.executable, '-m', 'powernap', *{words}])"
    environment = {**os.environ, "POWERNAP_SOCKET": free_path()}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=30, check=False, **options
    )


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_closed_descriptors_hurt_nobody(closed: tuple[int, ...]) -> None:
    """No traceback, no socket that is taken for standard output, the same exit status."""
    done = cli("why", closed=closed)
    assert 3 == done.returncode
    assert b"Traceback" not in done.stderr
    assert (2 in closed) or b"is not running" in done.stderr


BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
"""So that output is written at the end, as it is for users."""


def test_a_name_that_is_not_of_this_locale_is_shown_escaped() -> None:
    """It must not end the report."""
    code = "from powernap.cli import output; output.settle(); print('a \\udcff \\u00e9')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**BUFFERED, "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        check=False,
    )
    assert (0, b"a \\udcff \\xe9\n") == (done.returncode, done.stdout)


def test_a_full_disk_is_told() -> None:
    """Half a document must not look like a whole one."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "powernap", "config", "explain", "on_error"],
            env=BUFFERED,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert 3 == done.returncode
    assert b"powernap: the output cannot be written: No space left on device\n" == done.stderr


@pytest.mark.parametrize("words", [["config", "reference"], ["--help"], ["config", "explain", "on_error"]])
def test_a_reader_that_has_gone_is_no_error(words: list[str]) -> None:
    """`| head` ends in silence."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "powernap", *words],
        env=BUFFERED,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (0, b"") == (done.returncode, done.stderr)
