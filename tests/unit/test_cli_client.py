"""cli/client.py: whatever is on the socket, what comes out is an answer or a DaemonError with a remedy."""

from __future__ import annotations

import errno
import json
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakedaemon import FakeDaemon, Script, answers, free_path, sends, silent
from powernap.cli import client
from powernap.cli.client import Connection, DaemonError


def refused(script: Script, op: str = "why", limit: float = 5.0) -> DaemonError:
    """What a request ends with."""
    with FakeDaemon(script) as daemon, Connection(daemon.path, limit) as connection:
        with pytest.raises(DaemonError) as caught:
            connection.ask(op)
    return caught.value


def test_an_answer_comes_without_its_ok() -> None:
    """The document is what a program gets; `ok` is the protocol's."""
    with FakeDaemon(answers({"ok": True, "version": 1, "phase": "awake"})) as daemon:
        with Connection(daemon.path) as connection:
            assert {"version": 1, "phase": "awake"} == connection.ask("why", refresh=None)


def test_a_refusal_is_told_with_its_remedy_and_exit_status() -> None:
    """The daemon decides all three."""
    error = refused(answers({"ok": False, "error": "in use", "remedy": "wait", "code": 1}))
    assert ("in use", "wait", 1) == (error.message, error.remedy, error.code)


@pytest.mark.parametrize(
    "answer", [{"ok": False}, {"ok": False, "code": "x"}, {"ok": False, "code": 99}, {"ok": "yes"}, {}]
)
def test_a_refusal_that_lacks_everything_is_still_one(answer: dict[str, object]) -> None:
    """An older or broken daemon cannot make us succeed, nor fail in another way."""
    assert 3 == refused(answers(answer)).code


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff\xfe\x00\n",
        b"[1, 2]\n",
        b"null\n",
        b"[" * 100_000 + b"\n",
        b'{"ok": true',  # half a line, then the end
        b"\n",
    ],
)
def test_garbage_is_somebody_else(said: bytes) -> None:
    """Nonsense of any kind: one sentence that names the path."""
    error = refused(sends(said))
    assert "is not powernapd" in error.message
    assert "POWERNAP_SOCKET" in error.remedy


@given(st.binary(max_size=200))
def test_no_bytes_cause_any_other_error(said: bytes) -> None:
    """Whatever is received, the outcome is a document or a DaemonError."""
    ours, theirs = socket.socketpair()
    connection = Connection.__new__(Connection)
    connection.path, connection.limit, connection.unread, connection.socket = "x", 1.0, b"", ours
    with ours, theirs:
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        try:
            assert isinstance(connection.ask("why"), dict)
        except DaemonError as error:
            assert error.code in (1, 2, 3)


def test_a_daemon_that_hangs_up_is_told_as_such() -> None:
    """With the journal as the place to look."""
    error = refused(sends())
    assert "without an answer" in error.message
    assert "journalctl" in error.remedy


def test_a_daemon_that_never_answers_is_not_waited_for_for_ever() -> None:
    """The limit holds, and is said."""
    began = time.monotonic()
    error = refused(silent, limit=0.2)
    assert "did not answer within 0.2s" in error.message
    assert time.monotonic() - began < 10


def test_a_daemon_that_drips_does_not_stretch_the_limit() -> None:
    """It is a limit for the whole answer, not for each byte."""

    def drip(connection: socket.socket) -> None:
        connection.recv(1000)
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.02)

    began = time.monotonic()
    assert "did not answer" in refused(drip, limit=0.3).message
    assert time.monotonic() - began < 10


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who floods us does not get our memory."""
    monkeypatch.setattr(client, "LINE_MAX", 100_000)

    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    assert "is not powernapd" in refused(flood).message


def test_what_it_said_before_it_hung_up_is_heard() -> None:
    """Turned away at the door ("too many connections"): the reason reaches the user though the request could not be sent."""

    def turned_away(connection: socket.socket) -> None:
        connection.sendall(json.dumps({"ok": False, "error": "too many connections"}).encode() + b"\n")

    with FakeDaemon(turned_away) as daemon, Connection(daemon.path) as connection:
        time.sleep(0.05)
        with pytest.raises(DaemonError, match="too many connections"):
            connection.ask("why")


def test_lines_follow_until_the_end_in_whatever_pieces_they_come() -> None:
    """A stream is split at newlines only."""

    def script(connection: socket.socket) -> None:
        connection.recv(1000)
        for piece in (b'{"ok": true}\n{"ev', b'ent": "a"}\n', b'{"event": "b"}\n'):
            connection.sendall(piece)
            time.sleep(0.01)

    with FakeDaemon(script) as daemon, Connection(daemon.path) as connection:
        connection.ask("watch")
        assert [{"event": "a"}, {"event": "b"}] == list(connection.lines())


def test_a_connection_that_breaks_while_following_is_an_end() -> None:
    """A daemon that was killed resets it; that is no error of its own."""
    with FakeDaemon(sends(b'{"ok": true}\n')) as daemon, Connection(daemon.path) as connection:
        connection.ask("watch")
        assert [] == list(connection.lines())


@pytest.mark.parametrize(
    ("error", "says", "remedy"),
    [
        (FileNotFoundError(errno.ENOENT, "x"), "is not running", "systemctl start"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "is not running", "powernap try"),
        (BlockingIOError(errno.EAGAIN, "x"), "did not answer within 3s", "journalctl"),
        (PermissionError(errno.EACCES, "Permission denied"), "at /p: Permission denied", "sudo"),
        (OSError("AF_UNIX path too long"), "at /p: AF_UNIX path too long", "POWERNAP_SOCKET"),
    ],
)
def test_each_way_not_to_reach_it_has_its_remedy(error: OSError, says: str, remedy: str) -> None:
    """All of them exit status 3."""
    told = client.unreachable("/p", error, 3.0)
    assert says in told.message
    assert remedy in told.remedy
    assert told.code == 3


@pytest.mark.parametrize("path", [free_path(), "/tmp", "/dev/null", "/" + "a" * 200])
def test_nobody_at_the_path(path: str) -> None:
    """Not there, a directory, a device, a name too long for a socket: told, not raised."""
    with pytest.raises(DaemonError):
        Connection(path)


def test_the_socket_of_a_dead_daemon_is_one_that_is_not_running(tmp_path: Path) -> None:
    """The file is still there; nobody listens."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    with pytest.raises(DaemonError, match="is not running"):
        Connection(str(tmp_path / "s"))


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """POWERNAP_SOCKET= is not the current directory."""
    monkeypatch.setenv("POWERNAP_SOCKET", "")
    assert client.SOCKET == client.socket_path()
    monkeypatch.setenv("POWERNAP_SOCKET", "/x")
    assert client.socket_path() == "/x"


def test_a_question_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ask` opens, asks and closes."""
    with FakeDaemon(answers({"ok": True, "phase": "awake"})) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        assert {"phase": "awake"} == client.ask("wake")
