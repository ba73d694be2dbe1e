"""What the service manager is told."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from powernap.host.notify import SEND_TIME, notify, watchdog_period


@pytest.mark.parametrize("abstract", [False, True])
def test_a_message_arrives(tmp_path: Path, abstract: bool) -> None:
    """At a path, or at an abstract address that begins with @."""
    name = f"powernap-notify-{os.getpid()}" if abstract else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(("\0" if abstract else "") + name)

        assert notify("READY=1", {"NOTIFY_SOCKET": ("@" if abstract else "") + name})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nonexistent"}])
def test_without_a_manager_nothing_is_sent(environment: dict[str, str]) -> None:
    """And nothing raised."""
    assert not notify("READY=1", environment)


def test_a_manager_that_does_not_read_is_not_waited_for_long(tmp_path: Path) -> None:
    """Its queue is full: after a second the daemon goes on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        began = time.monotonic()
        while notify("WATCHDOG=1", {"NOTIFY_SOCKET": str(tmp_path / "n")}):
            pass

        assert time.monotonic() - began < SEND_TIME + 2


@pytest.mark.parametrize(
    ("environment", "period"),
    [
        ({"WATCHDOG_USEC": "600000000"}, 300.0), ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None), ({}, None), ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None), ({"WATCHDOG_USEC": "²"}, None), ({"WATCHDOG_USEC": "x"}, None),
    ],
)  # fmt: skip
def test_the_watchdog_is_fed_twice_in_its_time(environment: dict[str, str], period: float | None) -> None:
    """Half of the manager's limit, if it is meant for us and makes sense; never each instant."""
    assert watchdog_period(environment) == period
