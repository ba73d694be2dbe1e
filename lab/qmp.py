"""QEMU's machine protocol: one request, one answer, and events in between (docs/interop/qmp-spec.rst of QEMU)."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import Any

from lab.errors import LabError

ANSWER_LIMIT = 60.0
"""Seconds for an answer: QEMU gives them at once, but the machine may be busy."""


class Lines:
    """JSON documents, one a line, over a unix socket."""

    def __init__(self, path: str, limit: float = 20.0) -> None:
        self._socket = _connected(path, limit)
        self._buffer = b""

    def send(self, document: dict[str, Any]) -> None:
        """One line; the line feed before it ends one that was cut short."""
        self._socket.settimeout(ANSWER_LIMIT)
        self._socket.sendall(b"\n" + json.dumps(document).encode() + b"\n")

    def receive(self, limit: float) -> dict[str, Any] | None:
        """The next document; ``None`` when none has come in so many seconds. ``LabError`` when the other side has gone.

        A line that a reset or a sleep cut short is left out.
        """
        end = time.monotonic() + limit
        while True:
            line = self._line(end)
            if line is None:
                return None
            with contextlib.suppress(ValueError):
                document: dict[str, Any] = json.loads(line)
                return document

    def _line(self, end: float) -> bytes | None:
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(0.0001, end - time.monotonic()))
            try:
                got = self._socket.recv(1 << 20)
            except TimeoutError:
                return None
            except OSError as error:
                raise LabError(f"the guest has gone: {error}") from error
            if not got:
                raise LabError("the guest has gone")
            self._buffer += got
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _connected(path: str, limit: float) -> socket.socket:
    end = time.monotonic() + limit
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
        except OSError as error:
            sock.close()
            if time.monotonic() > end:
                raise LabError(f"{path}: {error}; QEMU has not started") from error
            time.sleep(0.02)
        else:
            return sock


class Qmp:
    """Commands and events of one QEMU."""

    def __init__(self, path: str) -> None:
        self._lines = Lines(path)
        self._events: list[str] = []
        self._lines.receive(ANSWER_LIMIT)  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """What a command answers. Raises ``LabError`` when QEMU refuses it."""
        self._lines.send({"execute": command, "arguments": arguments})
        while (document := self._lines.receive(ANSWER_LIMIT)) is not None:
            if "error" in document:
                raise LabError(f"QEMU refuses {command}: {document['error']['desc']}")
            if "return" in document:
                return document["return"]
            self._events.append(document["event"])
        raise LabError(f"QEMU does not answer {command}")

    def monitor(self, line: str) -> str:
        """What the monitor for people answers to a line."""
        return str(self.ask("human-monitor-command", **{"command-line": line})).strip()

    def wait(self, event: str, limit: float = 120.0) -> None:
        """Until an event has come since the last that was waited for or asked for; those before it are forgotten."""
        end = time.monotonic() + limit
        while event not in self._events:
            document = self._lines.receive(max(0.0, end - time.monotonic()))
            if document is None:
                raise LabError(f"no {event} in {limit:.0f} s; there came {self._events or 'no event'}")
            self._events.append(document.get("event", ""))
        del self._events[: self._events.index(event) + 1]

    def events(self) -> list[str]:
        """Those that have come since the last that was waited for or asked for."""
        self.ask("query-status")  # what was sent before its answer is read with it
        found, self._events = self._events, []
        return found

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
