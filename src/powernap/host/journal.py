"""Log lines with fields: the journal's native protocol where systemd listens, else standard error with a ``<N>`` priority.

Owns the encoding (systemd's "Native Journal Protocol") and nothing of what is said. A function here logs; no other in ``host`` does.
Logging never waits and never raises: a terminal that was stopped with Ctrl-S must not keep the machine from coming back.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Mapping

JOURNAL = "/run/systemd/journal/socket"
WARNING, INFO = 4, 6
"""Priorities of syslog(3)."""
LINE_MAX = 4096
"""Bytes: a pipe that is ready takes as much without waiting (``PIPE_BUF``, pipe(7))."""


def encode(fields: Mapping[str, str]) -> bytes:
    """One datagram: ``KEY=value`` lines; a value with a newline is sent with its length as a little-endian 64-bit number."""
    parts = []
    for key, value in fields.items():
        data = value.encode(errors="replace")
        if b"\n" in data:
            parts.append(key.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(key.encode() + b"=" + data + b"\n")
    return b"".join(parts)


def one_line(text: str) -> bytes:
    """For standard error: a newline in somebody's words must not pass for a line of ours."""
    return (
        text.replace("\n", " ").replace("\r", " ").encode(errors="backslashreplace")[: LINE_MAX - 1] + b"\n"
    )


class Journal:
    """Where the daemon's log goes.

    :param name: of the program that speaks.
    :param quiet: say nothing below WARNING on standard error (the foreground's live view speaks for itself).
    :param error: the descriptor of standard error.
    """

    def __init__(
        self, path: str = JOURNAL, *, quiet: bool = False, error: int = 2, name: str = "powernapd"
    ) -> None:
        self.path, self.quiet, self.error, self.name = path, quiet, error, name
        self.socket: socket.socket | None = None
        # Only as a service: in the foreground the terminal is where the admin looks.
        self.native = "JOURNAL_STREAM" in os.environ or path != JOURNAL
        if self.native:
            self._connect()

    def _connect(self) -> None:
        self.close()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            sock.connect(self.path)
            self.socket = sock
        except OSError:
            sock.close()

    def log(self, message: str, priority: int = INFO, **fields: str) -> None:
        """One entry. Fields become ``POWERNAP_NAME``; a journal that does not take it is not waited for."""
        if self.native and self._send(message, priority, fields):
            return
        if priority <= WARNING or not self.quiet:
            self._print(f"<{priority}>{message}" if self.native else f"{self.name}: {message}")

    def _send(self, message: str, priority: int, fields: Mapping[str, str]) -> bool:
        named = {f"POWERNAP_{key.upper()}": value for key, value in fields.items() if value}
        entry = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": self.name, **named}
        data = encode(entry)
        for _ in range(2):
            if self.socket is not None:
                try:
                    self.socket.send(data)
                except (ConnectionError, FileNotFoundError):
                    pass  # the journal was started anew, on a new socket
                except OSError:
                    return False
                else:
                    return True
            self._connect()
        return False

    def _print(self, line: str) -> None:
        try:
            poll = select.poll()
            poll.register(self.error, select.POLLOUT)
            ready = poll.poll(0)
            if ready and ready[0][1] & select.POLLOUT:
                os.write(self.error, one_line(line))
        except (OSError, ValueError):
            pass  # closed, or nobody reads

    def close(self) -> None:
        """Give the socket back."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
