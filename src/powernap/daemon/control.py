"""The control socket: JSON lines over a unix socket, with the peer's credentials. Reading is for anyone; acting for root and group
``powernap``.

Owns the protocol and its limits: a client can neither block the daemon, nor make it grow, nor act without the right. What the
requests mean is in requests.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import field
from typing import Any

from powernap.core.value import dataclass

REQUEST_MAX = 16 * 1024
"""Bytes of one request line; the longest real one (a reason for a lease) is under 1 KiB."""
UNSENT_MAX = 256 * 1024
"""Bytes of news that may wait for a slow reader; then it is cut off. An answer waits for the one before to be read."""
CLIENTS_MAX = 128
"""Connections at once; root is always let in."""
CLIENTS_PER_USER = 32
BACKLOG = 8 * CLIENTS_MAX
SO_PEERGROUPS = 59
SILENCE_MAX = 60.0
"""Seconds in which a client must have sent its first complete request."""
REST = 4.0
"""A user who may only read rests this many times as long as the last answer took: all of a user's clients get a fifth of the loop's
time together, and the way back never waits behind more than one answer of each."""


@dataclass(frozen=True)
class Peer:
    """Who is on the other end (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int
    gid: int
    may_act: bool

    @property
    def name(self) -> str:
        """The user's name."""
        return user_name(self.uid)


class RefusedError(Exception):
    """The request is answered with this error, a remedy, and the exit code for the command line (design section 10)."""

    def __init__(self, message: str, remedy: str = "", code: int = 2) -> None:
        super().__init__(message)
        self.message, self.remedy, self.code = message, remedy, code


@dataclass(eq=False)
class Client(asyncio.Protocol):
    """One connection.

    :ivar closing: what ends with the connection, by name.
    :ivar full: an answer has not been read yet: no further request is served, nor read.
    :ivar ended: it sends no more; what it has sent is still answered.
    """

    server: ControlSocket
    peer: Peer | None = None
    transport: asyncio.Transport | None = None
    buffer: bytearray = field(default_factory=bytearray)
    closing: dict[str, Callable[[], None]] = field(default_factory=dict)
    silence: asyncio.TimerHandle | None = None
    turn: asyncio.TimerHandle | None = None
    full: bool = False
    ended: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit or turn away."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=0)
        self.peer = peer_of(transport.get_extra_info("socket"))
        refusal = self.server.admit(self)
        if refusal:
            self.send({"ok": False, "error": refusal, "remedy": "try again later", "code": 3})
            transport.close()
            return
        self.silence = self.server.loop.call_later(SILENCE_MAX, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Collect lines; they are served one by one, in turn with everybody else's."""
        self.buffer += data
        self._next()

    def _next(self) -> None:
        """See to it that the next request is served, if there is one."""
        if self.gone or self.full or self.turn is not None:
            return
        end = self.buffer.find(b"\n")
        if (end if end >= 0 else len(self.buffer)) > REQUEST_MAX:
            self.send({"ok": False, "error": f"a request is longer than {REQUEST_MAX} bytes", "code": 2})
            self.close()
        elif end >= 0:
            self.turn = self.server.loop.call_at(self.server.turn_of(self.peer), self._serve)
        elif self.ended:
            self.close()

    def _serve(self) -> None:
        self.turn = None
        if self.server.loop.time() < self.server.turn_of(self.peer) or self.full:
            self._next()  # another connection of this user came first
            return
        began = time.monotonic()
        request, _, _ = self.buffer.partition(b"\n")
        del self.buffer[: len(request) + 1]
        if self.silence is not None:
            self.silence.cancel()
            self.silence = None
        answer = self._answer(bytes(request))
        if answer is not None:
            self.send(answer)
        self.server.rest(self.peer, REST * (time.monotonic() - began))
        self._next()

    def _answer(self, text: bytes) -> dict[str, Any] | None:
        try:
            request = json.loads(text)
        except (ValueError, RecursionError):
            return {"ok": False, "error": "the request is not JSON", "code": 2}
        try:
            if not isinstance(request, dict):
                raise RefusedError("a request is a JSON object")
            return self.server.answer(self, request)
        except RefusedError as error:
            return {"ok": False, "error": error.message, "remedy": error.remedy, "code": error.code}
        except Exception as error:
            context = {"message": "answering a client", "exception": error, "transport": self.transport}
            self.server.loop.call_exception_handler(context)
            return {
                "ok": False,
                "error": f"powernapd failed to answer ({type(error).__name__}); its log says more",
                "code": 3,
            }

    def send(self, document: dict[str, Any]) -> None:
        """One line; a reader that does not keep up with the news is cut off."""
        if self.gone or self.transport is None:
            return
        if self.transport.get_write_buffer_size() > UNSENT_MAX:
            self.transport.abort()
            return
        self.transport.write(json.dumps(document, separators=(",", ":"), default=str).encode() + b"\n")

    def pause_writing(self) -> None:
        """It has not read what it was sent: nothing more is read from it either."""
        self.full = True
        if self.transport is not None and not self.gone and not self.ended:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has read everything."""
        self.full = False
        if self.transport is not None and not self.gone and not self.ended:
            self.transport.resume_reading()
        self._next()

    @property
    def gone(self) -> bool:
        """The connection is over, or about to be."""
        return self.transport is None or self.transport.is_closing()

    def close(self) -> None:
        """End the connection after what was sent has been read."""
        if self.transport is not None:
            self.transport.close()

    def eof_received(self) -> bool:
        """A client that sends no more still reads its answers; then the connection ends, and a lease with it."""
        self.ended = True
        self._next()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """Whatever hung on this connection ends with it."""
        for timer in (self.silence, self.turn):
            if timer is not None:
                timer.cancel()
        self.server.clients.discard(self)
        closing, self.closing = self.closing, {}
        for end in closing.values():
            end()


class ControlSocket:
    """The listening side.

    :param answer: gets a client and its request; returns the document to send, ``None`` when it sends by itself; raises
        :class:`RefusedError`.
    """

    def __init__(self, path: str, answer: Callable[[Client, dict[str, Any]], dict[str, Any] | None]) -> None:
        self.path, self.answer = path, answer
        self.loop = asyncio.get_running_loop()
        self.clients: set[Client] = set()
        self.resting: dict[int, float] = {}
        self.server: asyncio.AbstractServer | None = None
        self.inode: tuple[int, int] | None = None

    async def listen(self) -> None:
        """Begin; the directory is made, and a socket that a dead daemon left is replaced."""
        os.makedirs(os.path.dirname(self.path) or ".", mode=0o755, exist_ok=True)
        temporary = f"{self.path}.{os.getpid()}"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            # A daemon that was killed between two of these lines had this number before, in a container always.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            # Bound aside and renamed when it listens: at no time is there a path that nobody answers on.
            sock.bind(temporary)
            os.chmod(temporary, 0o666)  # noqa: S103 - anyone may ask; what they may do, their credentials say
            sock.listen(BACKLOG)
            self.inode = _inode(temporary)
            os.rename(temporary, self.path)
            self.server = await self.loop.create_unix_server(lambda: Client(self), sock=sock, backlog=BACKLOG)
        except BaseException:
            sock.close()
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def turn_of(self, peer: Peer | None) -> float:
        """From when on this user's next request is served, by the loop's clock."""
        return self.resting.get(peer.uid, 0.0) if peer else 0.0

    def rest(self, peer: Peer | None, length: float) -> None:
        """An answer has been given; whoever may act waits for nothing."""
        if peer is None or peer.may_act:
            return
        now = self.loop.time()
        if len(self.resting) >= CLIENTS_MAX:
            self.resting = {uid: until for uid, until in self.resting.items() if until > now}
        self.resting[peer.uid] = now + length

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
        """Stop listening, end every connection, also those that do not read."""
        if self.server is not None:
            self.server.close()
        for client in list(self.clients):
            client.close()
        await asyncio.sleep(0)
        for client in list(self.clients):
            if client.transport is not None:
                client.transport.abort()
        await asyncio.sleep(0)
        # Not the socket of a daemon that came after us.
        if self.inode is not None and _inode(self.path) == self.inode:
            with contextlib.suppress(OSError):
                os.unlink(self.path)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


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


def peer_of(sock: socket.socket) -> Peer:
    """Who connected. The group is looked up each time: it may have been made, or given another number, since the daemon began."""
    pid, uid, gid = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid in (0, os.geteuid()):
        return Peer(pid, uid, gid, may_act=True)
    group = group_id("powernap")
    return Peer(pid, uid, gid, may_act=group is not None and group in {gid, *groups_of(sock)})
