"""A control socket that does whatever a test says: answer, stay silent, talk nonsense, hang up."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from typing import Any, Self

Script = Callable[[socket.socket], None]


class FakeDaemon:
    """Runs ``script`` on each connection, one after the other. The path is short: a socket's may have 107 bytes."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.directory = tempfile.mkdtemp(prefix="fd-", dir="/tmp")
        self.path = f"{self.directory}/control"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    self.script(connection)
                except OSError:
                    pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)
        shutil.rmtree(self.directory)


def sends(*lines: bytes) -> Script:
    """Read one request, send these bytes, hang up."""

    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        for line in lines:
            connection.sendall(line)

    return script


def answers(*documents: dict[str, Any]) -> Script:
    """A line of JSON for each request, until they are used up."""
    left = [json.dumps(document).encode() + b"\n" for document in documents]

    def script(connection: socket.socket) -> None:
        for line in list(left):
            if not connection.recv(65536):
                return
            left.remove(line)
            connection.sendall(line)

    return script


def silent(connection: socket.socket) -> None:
    """Never answers; hangs up when the other side does."""
    while connection.recv(65536):
        pass


def free_path() -> str:
    """A path at which nobody listens, in a directory that exists."""
    return os.path.join(tempfile.gettempdir(), "powernap-nobody-listens-here")
