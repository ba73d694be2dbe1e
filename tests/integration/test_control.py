"""The control socket under attack: garbage, half messages, slow readers, a thousand clients, and callers without the right."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration.daemon_process import Daemon, read_line, request

QUIET = """
mode = "watch"
[[stage]]
name = "ease"
after = "1h"
actions = ["kernel-quiet"]
[monitor.cpu]
above = "99%"
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """One daemon for all: each attack is survived by the same. In a directory that other users can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="powernap-control-") as directory:
        os.chmod(directory, 0o755)
        with Daemon(Path(directory), QUIET) as daemon:
            yield daemon
            assert daemon.process.poll() is None
            assert "Traceback" not in daemon.log()


def alive(daemon: Daemon) -> bool:
    return bool(daemon.ask("why")["ok"])


def rss_mib(daemon: Daemon) -> float:
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=300))
def test_garbage_is_answered_or_cut_off(daemon: Daemon, data: bytes) -> None:
    """Whatever bytes come, the daemon answers with an error or nothing, and goes on."""
    with daemon.connect() as sock:
        sock.sendall(data + b"\n")
        with contextlib.suppress(OSError, ValueError):
            answer = read_line(sock)
            assert answer["ok"] is False
    assert alive(daemon)


@pytest.mark.parametrize(
    "text",
    [
        b"[]", b"null", b"7", b'"status"', b"{}", b'{"op":7}', b'{"op":["status"]}', b'{"op":"nosuch"}', b'{"op":"history","count":-1}',
        b'{"op":"history","count":true}', b'{"op":"hold"}', b'{"op":"hold","why":"x","for_s":-1}', b'{"op":"hold","why":"x","for_s":"1h"}',
        b'{"op":"hold","why":"x","for_s":1e999}', b'{"op":"nap","stage":"nosuch"}', b"[" * 5000, b'{"op":"status"', b"\xff\xfe",
    ],
)  # fmt: skip
def test_each_wrong_request_has_an_error(daemon: Daemon, text: bytes) -> None:
    """A request that is not one is refused in words, and the connection goes on."""
    with daemon.connect() as sock:
        sock.sendall(text + b"\n")
        refused = read_line(sock)

        assert refused["ok"] is False
        assert refused["error"]
        assert request(sock, "why")["ok"]


def test_a_request_that_never_ends_is_cut_off(daemon: Daemon) -> None:
    """A line longer than any request ends the connection; the daemon does not collect it."""
    before = rss_mib(daemon)
    with daemon.connect() as sock:
        with contextlib.suppress(OSError):
            for _ in range(1000):
                sock.sendall(b"x" * 65536)
    assert alive(daemon)
    assert rss_mib(daemon) < before + 2


def test_half_a_request_delays_nobody(daemon: Daemon) -> None:
    """Twenty clients that stop in the middle of a word leave the others served at once."""
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(daemon.connect()).sendall(b'{"op":"sta')
        assert alive(daemon)


def test_a_reader_that_does_not_read_is_cut_off(daemon: Daemon) -> None:
    """A client that asks and never reads costs at most the buffer, then its connection."""
    before = rss_mib(daemon)
    with daemon.connect() as sock:
        sock.settimeout(5)
        with contextlib.suppress(OSError):
            for _ in range(20000):
                sock.sendall(b'{"op":"status","refresh":false}\n')
    assert alive(daemon)
    assert rss_mib(daemon) < before + 6


def test_a_thousand_clients(daemon: Daemon) -> None:
    """A thousand connections at once: those beyond the limit are told so, and afterwards everything is as before."""
    socks = []
    try:
        for _ in range(1000):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(5)
            socks.append(sock)
            with contextlib.suppress(BlockingIOError):
                sock.connect(str(daemon.socket))
        answers = []
        for sock in socks:
            with contextlib.suppress(OSError, ValueError):
                answers.append(request(sock, "why", refresh=False))
        refused = [answer for answer in answers if not answer["ok"]]
        assert len(answers) - len(refused) >= 100
        assert all("too many" in answer["error"] for answer in refused)
    finally:
        for sock in socks:
            sock.close()
    time.sleep(0.2)
    assert alive(daemon)


@pytest.mark.root
def test_an_ordinary_user_may_ask_and_not_act(daemon: Daemon) -> None:
    """Without the right, `why` is answered and `nap`, `wake`, `hold`, `reload` and `events` are refused with the remedy."""
    answers = as_user(
        65534, lambda: [daemon.ask(op, why="x") for op in ("why", "nap", "wake", "hold", "reload", "events")]
    )

    assert [True, False, False, False, False, False] == [answer["ok"] for answer in answers]
    assert all(answer["code"] == 3 and "sudo" in answer["remedy"] for answer in answers[1:])


@pytest.mark.root
def test_one_user_cannot_use_up_the_connections(daemon: Daemon) -> None:
    """An ordinary user gets a few connections; root is served beside them."""

    def attack() -> list[bool]:
        socks = [socket.socket(socket.AF_UNIX) for _ in range(60)]
        answers = []
        for sock in socks:
            sock.settimeout(5)
            sock.connect(str(daemon.socket))
        for sock in socks:
            with contextlib.suppress(OSError):
                answers.append(request(sock, "why", refresh=False)["ok"])
        return answers

    answers = as_user(65534, attack)
    assert answers.count(True) <= 32
    assert alive(daemon)


@pytest.mark.root
def test_a_user_who_only_asks_does_not_hold_up_the_others(daemon: Daemon) -> None:
    """Thousands of requests of an ordinary user at once: root is answered meanwhile as if nobody else was there."""

    def attack() -> bool:
        with contextlib.suppress(OSError):
            socks = [socket.socket(socket.AF_UNIX) for _ in range(10)]
            for sock in socks:
                sock.settimeout(5)
                sock.connect(str(daemon.socket))
                sock.sendall(b'{"op":"status"}\n' * 2000)
            time.sleep(2)
        return True

    attacker = begin_as_user(65534, attack)
    time.sleep(0.5)
    waits = []
    for _ in range(20):
        began = time.monotonic()
        assert alive(daemon)
        waits.append(time.monotonic() - began)

    assert outcome(attacker)
    assert sorted(waits)[10] < 0.1


def as_user(uid: int, do):
    """Run in a child process as an other user; what it returns travels as JSON."""
    return outcome(begin_as_user(uid, do))


def begin_as_user(uid: int, do):
    """The child process, and where its answer is read."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(writer, json.dumps(do()).encode())
            status = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    return pid, reader


def outcome(child):
    """Wait for its end."""
    pid, reader = child
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return json.loads(data)
