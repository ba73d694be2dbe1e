"""A real powernapd in a directory of its own, driven as a user would: configuration in, socket and JSON out."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from powernap.host.files import TreeFiles
from powernap.host.undo import undo

START_LIMIT = 20.0
"""Seconds: on a machine whose two cores both run tests."""


class Daemon:
    """One running daemon. ``log()`` is what it wrote to standard error."""

    def __init__(self, directory: Path, config: str, *, command: list[str] | None = None) -> None:
        self.directory = directory
        self.config = directory / "powernap.toml"
        self.config.write_text(config)
        self.errors = directory / "stderr"
        self.command = command or [sys.executable, "-m", "powernap.daemon"]
        self.socket = directory / "run" / "control"
        self.ledger = directory / "run" / "ledger.jsonl"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        places = ["--runtime", str(self.directory / "run"), "--state", str(self.directory / "state")]
        with self.errors.open("ab") as errors:
            return subprocess.Popen([*self.command, "--config", str(self.config), *places], stderr=errors)

    def ready(self) -> Daemon:
        """Wait until it answers and has taken its first look."""
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if self.ask("why", refresh=False)["phase"] != "checking":
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"powernapd did not start: {self.log()}")

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request, one answer."""
        with self.connect() as sock:
            return request(sock, op, **fields)

    @contextlib.contextmanager
    def connect(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(self.socket))
            yield sock

    def until(self, event: str, limit: float = 15.0, **wanted: Any) -> dict[str, Any]:
        """Wait for a history entry."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            for entry in self.ask("history", count=1000)["entries"]:
                if entry["event"] == event and all(entry.get(key) == value for key, value in wanted.items()):
                    return dict(entry)
            time.sleep(0.02)
        raise AssertionError(
            f"no {event} {wanted} within {limit}s: {self.ask('history', count=1000)['entries']} {self.log()}"
        )

    def until_phase(self, phase: str, limit: float = 15.0) -> dict[str, Any]:
        """Wait for a phase, looking without refreshing so that the monitors stay as they are."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            answer = self.ask("why", refresh=False)
            if answer["phase"] == phase:
                return answer
            time.sleep(0.01)
        raise AssertionError(f"not {phase} within {limit}s: {self.ask('status', refresh=False)} {self.log()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)

    def log(self) -> str:
        return self.errors.read_text(errors="replace")

    def __enter__(self) -> Daemon:
        return self.ready()

    def __exit__(self, *_: object) -> None:
        """Stop, and leave the machine as it was: what a killed daemon left changed would be the next test's original."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.ledger.exists():
            undo(str(self.ledger), TreeFiles("/"))


def request(sock: socket.socket, op: str, **fields: Any) -> dict[str, Any]:
    sock.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
    return read_line(sock)


def read_line(sock: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        more = sock.recv(65536)
        if not more:
            raise OSError("the daemon ended the connection")
        data += more
    document: dict[str, Any] = json.loads(data)
    return document
