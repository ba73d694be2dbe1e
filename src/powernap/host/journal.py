"""Log lines with fields: the journal's native protocol where systemd listens, else standard error with a ``<N>`` priority.

Owns the encoding (systemd's "Native Journal Protocol") and nothing of what is said. A function here logs; no other in ``host`` does.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Mapping

JOURNAL = "/run/systemd/journal/socket"
WARNING, NOTICE, INFO = 4, 5, 6
"""Priorities of syslog(3)."""


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


class Journal:
    """Where the daemon's log goes.

    :param quiet: say nothing below WARNING on standard error (the foreground's live view speaks for itself).
    """

    def __init__(self, path: str = JOURNAL, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.socket: socket.socket | None = None
        # Only as a service: in the foreground the terminal is where the admin looks.
        if "JOURNAL_STREAM" in os.environ or path != JOURNAL:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            try:
                sock.connect(path)
                self.socket = sock
            except OSError:
                sock.close()

    def log(self, message: str, priority: int = INFO, **fields: str) -> None:
        """One entry. Fields become ``POWERNAP_NAME``; a journal that does not take it is not waited for."""
        if self.socket is not None:
            named = {f"POWERNAP_{key.upper()}": value for key, value in fields.items() if value}
            entry = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "powernapd", **named}
            try:
                self.socket.send(encode(entry), socket.MSG_DONTWAIT)
                return
            except OSError:
                pass
        if priority <= WARNING or not self.quiet:
            print(
                f"<{priority}>{message}" if self.socket else f"powernapd: {message}",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """Give the socket back."""
        if self.socket is not None:
            self.socket.close()
