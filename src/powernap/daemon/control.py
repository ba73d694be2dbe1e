"""The control socket: JSON lines over a unix socket, with the peer's credentials. Reading is for anyone; acting for root and group
``powernap``.

Owns the protocol and its limits: a client can neither block the daemon, nor make it grow, nor act without the right. What the
requests mean is in requests.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

REQUEST_MAX = 16 * 1024
"""Bytes of one request line; the longest real one (a reason for a lease) is under 1 KiB."""
UNSENT_MAX = 1024 * 1024
"""Bytes that may wait for a slow reader; then it is cut off."""
CLIENTS_MAX = 128
"""Connections at once; root is always let in."""
CLIENTS_PER_USER = 32
SO_PEERGROUPS = 59
SILENCE_MAX = 60.0
"""Seconds in which a client must have sent its first complete request."""


@dataclass
class Peer:
    """Who is on the other end (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int
    gid: int
    name: str
    may_act: bool


class RefusedError(Exception):
    """The request is answered with this error, a remedy, and the exit code for the command line (design section 10)."""

    def __init__(self, message: str, remedy: str = "", code: int = 2) -> None:
        super().__init__(message)
        self.message, self.remedy, self.code = message, remedy, code


@dataclass
class Client(asyncio.Protocol):
    """One connection."""

    server: ControlSocket
    peer: Peer | None = None
    transport: asyncio.Transport | None = None
    buffer: bytearray = field(default_factory=bytearray)
    closing: list[Callable[[], None]] = field(default_factory=list)
    silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit or turn away."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=UNSENT_MAX)
        self.peer = peer_of(transport.get_extra_info("socket"), self.server.group)
        refusal = self.server.admit(self)
        if refusal:
            self.send({"ok": False, "error": refusal, "remedy": "try again later", "code": 3})
            transport.close()
            return
        self.silence = self.server.loop.call_later(SILENCE_MAX, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Collect a line; a longer one than any request ends the connection."""
        self.buffer += data
        while not self.gone and (end := self.buffer.find(b"\n")) >= 0:
            request, self.buffer = bytes(self.buffer[:end]), self.buffer[end + 1 :]
            self._serve(request)
        if len(self.buffer) > REQUEST_MAX and not self.gone:
            self.send({"ok": False, "error": f"a request is longer than {REQUEST_MAX} bytes", "code": 2})
            self.close()

    def _serve(self, text: bytes) -> None:
        if self.silence is not None:
            self.silence.cancel()
            self.silence = None
        try:
            request = json.loads(text)
            if not isinstance(request, dict):
                raise RefusedError("a request is a JSON object")
            answer = self.server.answer(self, request)
        except RefusedError as error:
            answer = {"ok": False, "error": error.message, "remedy": error.remedy, "code": error.code}
        except (ValueError, RecursionError):
            answer = {"ok": False, "error": "the request is not JSON", "code": 2}
        if answer is not None:
            self.send(answer)

    def send(self, document: dict[str, Any]) -> None:
        """One line; a reader that does not keep up is cut off."""
        if self.gone or self.transport is None:
            return
        self.transport.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
        if self.transport.get_write_buffer_size() > UNSENT_MAX:
            self.transport.abort()

    @property
    def gone(self) -> bool:
        """The connection is over, or about to be."""
        return self.transport is None or self.transport.is_closing()

    def close(self) -> None:
        """End the connection after what was sent has been read."""
        if self.transport is not None:
            self.transport.close()

    def eof_received(self) -> bool:
        """A client that sends no more still reads its answers; a lease ends with the connection."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Whatever hung on this connection ends with it."""
        if self.silence is not None:
            self.silence.cancel()
        self.server.clients.discard(self)
        for end in self.closing:
            end()
        self.closing.clear()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class ControlSocket:
    """The listening side.

    :param answer: gets a client and its request; returns the document to send, ``None`` when it sends by itself; raises
        :class:`RefusedError`.
    """

    def __init__(self, path: str, answer: Callable[[Client, dict[str, Any]], dict[str, Any] | None]) -> None:
        self.path, self.answer = path, answer
        self.loop = asyncio.get_running_loop()
        self.clients: set[Client] = set()
        self.group = group_id("powernap")
        self.server: asyncio.AbstractServer | None = None

    async def listen(self) -> None:
        """Begin; the directory is made, and a socket that a dead daemon left is replaced."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        temporary = f"{self.path}.{os.getpid()}"
        # Bound aside and renamed: at no time is there a path that nobody answers on.
        sock.bind(temporary)
        os.chmod(temporary, 0o666)  # noqa: S103 - anyone may ask; what they may do, their credentials say
        os.rename(temporary, self.path)
        self.server = await self.loop.create_unix_server(
            lambda: Client(self), sock=sock, backlog=8 * CLIENTS_MAX
        )

    def admit(self, client: Client) -> str:
        """Why not, or nothing."""
        peer = client.peer
        if peer is None or peer.uid != 0:
            same = sum(1 for other in self.clients if other.peer and peer and other.peer.uid == peer.uid)
            if len(self.clients) >= CLIENTS_MAX or same >= CLIENTS_PER_USER:
                return "too many connections to powernapd"
        elif len(self.clients) >= 4 * CLIENTS_MAX:
            return "too many connections to powernapd"
        self.clients.add(client)
        return ""

    async def close(self) -> None:
        """Stop listening, end every connection."""
        if self.server is not None:
            self.server.close()
        for client in list(self.clients):
            client.close()
        try:
            os.unlink(self.path)
        except OSError:
            pass


def group_id(name: str) -> int | None:
    """The id of a group by /etc/group; ``None`` when there is none. (The ``grp`` module would load name services into a root daemon.)"""
    try:
        with open("/etc/group", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.rstrip("\n").split(":")
                if fields[0] == name and len(fields) > 2 and fields[2].isdigit():
                    return int(fields[2])
    except OSError:
        pass
    return None


def groups_of(sock: socket.socket) -> set[int]:
    """The supplementary groups the peer had when it connected (``SO_PEERGROUPS``, 4.13); empty where the kernel does not say."""
    try:
        packed = sock.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 4 * 1024)
    except OSError:
        return set()
    return set(struct.unpack(f"={len(packed) // 4}I", packed))


def user_name(uid: int) -> str:
    """The user's name by /etc/passwd, or the number."""
    try:
        with open("/etc/passwd", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.split(":")
                if len(fields) > 2 and fields[2] == str(uid):
                    return fields[0]
    except OSError:
        pass
    return str(uid)


def peer_of(sock: socket.socket, group: int | None) -> Peer:
    """Who connected."""
    pid, uid, gid = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    may_act = uid in (0, os.geteuid()) or (group is not None and group in {gid, *groups_of(sock)})
    return Peer(pid, uid, gid, user_name(uid), may_act)
