"""cli/hold.py: a lease that lasts as long as it is needed, also when the daemon does not."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from typing import Any

import pytest

from fakedaemon import FakeDaemon, answers, free_path, silent
from powernap.cli import hold, main
from powernap.cli.client import DaemonError

TAKEN = b'{"ok": true, "version": 1, "lease": "lease-1"}\n'


class Keeper:
    """Takes leases, counts them, and sees them end."""

    def __init__(self, hang_up_first: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.ended = threading.Semaphore(0)
        self.hang_up_first = hang_up_first

    def __call__(self, connection: socket.socket) -> None:
        self.requests.append(json.loads(connection.recv(65536)))
        connection.sendall(TAKEN)
        if len(self.requests) <= self.hang_up_first:
            return
        silent(connection)
        self.ended.release()


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A daemon for this test's commands."""
    keeper = Keeper()
    with FakeDaemon(keeper) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        yield keeper


def test_the_lease_says_why_and_for_how_long(keeper: Keeper) -> None:
    """And ends with the time."""
    began = time.monotonic()
    assert 0 == main.main(["hold", "--why", "a backup", "--for", "200ms"])
    assert 0.15 < time.monotonic() - began < 5
    assert "a backup" == keeper.requests[0]["why"]
    assert 0 < keeper.requests[0]["for_s"] <= 0.2
    assert keeper.ended.acquire(timeout=5)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], 137),
        (["/nonexistent/command"], 127),
        (["/dev/null"], 126),
    ],
)
def test_the_exit_status_is_the_commands(keeper: Keeper, command: list[str], status: int) -> None:
    """As a shell would report it; the lease ends with it."""
    assert status == main.main(["hold", "--why", "x", "--", *command])
    assert keeper.ended.acquire(timeout=5)


def test_a_command_may_outlive_its_time(keeper: Keeper) -> None:
    """`--for` is the lease's, not the command's."""
    code = "import time; time.sleep(0.4)"
    assert 0 == main.main(["hold", "--why", "x", "--for", "50ms", "--", sys.executable, "-c", code])


def test_without_a_daemon_the_command_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The caller counts on the machine staying awake."""
    monkeypatch.setenv("POWERNAP_SOCKET", free_path())
    assert 3 == main.main(["hold", "--why", "x", "--", "touch", str(tmp_path / "ran")])
    assert not (tmp_path / "ran").exists()


def test_a_refusal_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not hold is told so, and nothing leaks."""
    with FakeDaemon(answers({"ok": False, "error": "user x may not hold", "code": 3})) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        with pytest.raises(DaemonError, match="may not hold"):
            hold.Lease("x", None).take()


def test_a_lost_lease_is_taken_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon is upgraded during a night's backup."""
    monkeypatch.setattr(hold, "AGAIN", 0.05)
    keeper = Keeper(hang_up_first=2)
    with FakeDaemon(keeper) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        reading, writing = os.pipe()
        lease = hold.Lease("backup", time.monotonic() + 30)
        lease.take()
        waiting = threading.Thread(target=lease.keep, args=(reading,))
        waiting.start()
        end = time.monotonic() + 10
        while len(keeper.requests) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        os.write(writing, b"x")
        waiting.join(10)
        lease.drop()
        os.close(reading)
        os.close(writing)
    assert ["backup"] * 3 == [request["why"] for request in keeper.requests]
    assert 25 < keeper.requests[2]["for_s"] < 30
    assert "the lease is taken again" in capsys.readouterr().err


def test_while_nobody_is_there_it_goes_on_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the time is over."""
    monkeypatch.setattr(hold, "AGAIN", 0.02)
    monkeypatch.setenv("POWERNAP_SOCKET", free_path())
    lease = hold.Lease("x", time.monotonic() + 0.15)
    lease.keep(None)
    assert lease.connection is None


def test_a_kernel_that_cannot_tell_of_an_end(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 5.3, or where a container forbids it: the command still runs under its lease."""

    def refuse(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert 5 == main.main(["hold", "--why", "x", "--", "sh", "-c", "exit 5"])
    assert keeper.ended.acquire(timeout=5)
