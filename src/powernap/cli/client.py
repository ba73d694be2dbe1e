"""The other end of the control socket: blocking, a JSON line each way, nothing imported that ``status`` does not need."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, Self

SOCKET = "/run/powernap/control"
ANSWER_TIME = 10.0
"""Seconds: the daemon answers at once; after this it is stuck, and the admin should know."""


class DaemonError(Exception):
    """The daemon is not there, or says no. ``code`` is the exit status (design section 10)."""

    def __init__(self, message: str, remedy: str = "", code: int = 3) -> None:
        super().__init__(message)
        self.message, self.remedy, self.code = message, remedy, code


def socket_path() -> str:
    """Where the daemon listens: ``POWERNAP_SOCKET``, or the system's."""
    return os.environ.get("POWERNAP_SOCKET", SOCKET)


class Connection:
    """One connection; a context manager. A lease lasts as long as it is open."""

    def __init__(self, path: str = "") -> None:
        self.path = path or socket_path()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A socket with a Python timeout is told EAGAIN at once when the queue is full; with SO_SNDTIMEO it waits its turn (unix(7)).
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(ANSWER_TIME), 0))
        try:
            self.socket.connect(self.path)
            self.socket.settimeout(ANSWER_TIME)
        except (FileNotFoundError, ConnectionRefusedError):
            self.socket.close()
            raise DaemonError(
                "powernapd is not running", "start it with `systemctl start powernapd`, or see `powernap try`"
            ) from None
        except OSError as error:
            self.socket.close()
            raise DaemonError(f"powernapd cannot be reached at {self.path}: {error.strerror}") from None
        self.file = self.socket.makefile("r", encoding="utf-8")

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request, one answer; a refusal is a ``DaemonError``."""
        request = {"op": op, **{key: value for key, value in fields.items() if value is not None}}
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
            line = self.file.readline()
        except TimeoutError:
            remedy = "look at `journalctl -u powernapd`"
            raise DaemonError(f"powernapd did not answer within {ANSWER_TIME:g}s", remedy) from None
        except OSError as error:
            raise DaemonError(f"powernapd ended the connection: {error.strerror}") from None
        if not line:
            raise DaemonError(
                "powernapd ended the connection without an answer", "look at `journalctl -u powernapd`"
            )
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok", False):
            raise DaemonError(answer.get("error", "refused"), answer.get("remedy", ""), answer.get("code", 3))
        return answer

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the daemon sends from now on, until it stops."""
        self.socket.settimeout(None)
        for line in self.file:
            yield json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()


def ask(op: str, **fields: Any) -> dict[str, Any]:
    """One request on a connection of its own."""
    with Connection() as connection:
        return connection.ask(op, **fields)
