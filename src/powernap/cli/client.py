"""The other end of the control socket: blocking, a JSON line each way, nothing imported that ``status`` does not need.

Whatever is on the socket (nobody, somebody who never answers, somebody else, half a line), what comes out is a ``DaemonError``.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any, Self

SOCKET = "/run/powernap/control"
ANSWER_TIME = 10.0
"""Seconds: the daemon answers at once; after this it is stuck, and the admin should know."""
LINE_MAX = 64 * 1024 * 1024
"""Bytes: 1,000,000 history entries are the most that may be configured, 50 to 200 bytes each, and nobody asks for all."""
LOOK = "look at `journalctl -u powernapd`"


class DaemonError(Exception):
    """The daemon is not there, or says no. ``code`` is the exit status (design section 10)."""

    def __init__(self, message: str, remedy: str = "", code: int = 3) -> None:
        super().__init__(message)
        self.message, self.remedy, self.code = message, remedy, code


def socket_path() -> str:
    """Where the daemon listens: ``POWERNAP_SOCKET``, or the system's."""
    return os.environ.get("POWERNAP_SOCKET") or SOCKET


def unreachable(path: str, error: OSError, limit: float) -> DaemonError:
    """Why nobody could be reached, and what to do."""
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return DaemonError(
            "powernapd is not running", "start it with `systemctl start powernapd`, or see `powernap try`"
        )
    if isinstance(error, BlockingIOError | TimeoutError):  # its queue of connections is full, and stays so
        return silent(limit)
    remedy = "use sudo" if isinstance(error, PermissionError) else "is POWERNAP_SOCKET right?"
    return DaemonError(f"powernapd cannot be reached at {path}: {error.strerror or error}", remedy)


def silent(limit: float) -> DaemonError:
    """Somebody is there, and says nothing."""
    return DaemonError(f"powernapd did not answer within {limit:g}s", LOOK)


class Connection:
    """One connection; a context manager. A lease lasts as long as it is open.

    :param limit: seconds to wait for an answer.
    """

    def __init__(self, path: str = "", limit: float = ANSWER_TIME) -> None:
        self.path, self.limit = path or socket_path(), limit
        self.unread = b""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # A socket with a Python timeout is told EAGAIN at once when the queue is full; with SO_SNDTIMEO it waits its turn (unix(7)).
            whole = int(limit)
            waits = struct.pack("ll", whole, int((limit - whole) * 1e6))
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, waits)
            self.socket.connect(self.path)
        except OSError as error:
            self.socket.close()
            raise unreachable(self.path, error, limit) from None

    def fileno(self) -> int:
        """For ``select``: readable when the daemon says something, or has ended the connection."""
        return self.socket.fileno()

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request, one answer; a refusal is a ``DaemonError``."""
        request = {"op": op, **{key: value for key, value in fields.items() if value is not None}}
        self.socket.settimeout(self.limit)
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
        except TimeoutError:
            raise silent(self.limit) from None
        except OSError:
            # It may have said why before it hung up ("too many connections").
            pass
        answer = self.read(time.monotonic() + self.limit)
        if answer is None:
            raise DaemonError("powernapd ended the connection without an answer", LOOK)
        if answer.pop("ok", False) is not True:
            raise refusal(answer)
        return answer

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the daemon sends from now on, until it stops."""
        while (document := self.read(None)) is not None:
            yield document

    def read(self, until: float | None) -> dict[str, Any] | None:
        """The next line; ``None`` at the end.

        :param until: instant of ``CLOCK_MONOTONIC`` for the whole line, or ``None`` to wait for ever.
        """
        searched = 0
        while (end := self.unread.find(b"\n", searched)) < 0:
            searched = len(self.unread)
            more = self._receive(until) if searched <= LINE_MAX else b""
            if not more and self.unread:  # half a line before the end is nobody's answer
                raise self._stranger()
            if not more:
                return None
            self.unread += more
        line, self.unread = self.unread[:end], self.unread[end + 1 :]
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._stranger()
        return document

    def _receive(self, until: float | None) -> bytes:
        """What has come, ``b""`` at the end; a ``DaemonError`` when the time is over."""
        left = None if until is None else until - time.monotonic()
        try:
            if left is not None and left <= 0:
                raise TimeoutError
            self.socket.settimeout(left)
            return self.socket.recv(65536)
        except TimeoutError:
            raise silent(self.limit) from None
        except OSError:
            return b""

    def _stranger(self) -> DaemonError:
        return DaemonError(f"what answers at {self.path} is not powernapd", "is POWERNAP_SOCKET right?")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def refusal(answer: dict[str, Any]) -> DaemonError:
    """The daemon's no, as an error; whatever is missing in it is made up for."""
    code = answer.get("code")
    known = isinstance(code, int) and 1 <= code <= 3
    return DaemonError(
        str(answer.get("error", "refused")), str(answer.get("remedy", "")), code if known and code else 3
    )


def ask(op: str, **fields: Any) -> dict[str, Any]:
    """One request on a connection of its own."""
    with Connection() as connection:
        return connection.ask(op, **fields)
