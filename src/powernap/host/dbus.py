"""A connection to a message bus: calls, replies and signals, heard through the loop's ears (D-Bus specification, "Authentication").

Owns the socket, the SASL greeting, who waits for which reply, and descriptors that come along. Nothing blocks: a call is awaited, and
a bus that is gone fails every call that waits and tells ``lost``. Never starts a service that does not run (NO_AUTO_START).
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from powernap.host import dbus_message
from powernap.host.dbus_message import CALL, ERROR, NO_AUTO_START, REPLY, SIGNAL, MalformedError, Message
from powernap.host.ears import Ears
from powernap.host.files import Files
from powernap.host.inotify import on_disk

SYSTEM_BUS = "/run/dbus/system_bus_socket"
BUS, BUS_PATH, BUS_INTERFACE = "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
READ = 65536
MOST_FDS = 16


class BusError(Exception):
    """The other side answered with an error; ``name`` is its D-Bus name ("org.freedesktop.DBus.Error.NameHasNoOwner")."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name


class BusLostError(ConnectionError):
    """The bus is gone, refused us, or spoke something else; connect again."""


class Bus:
    """A connection. ``signal`` is called with each signal that ``match`` asked for, ``lost`` once when the bus is gone."""

    def __init__(self, ears: Ears, signal: Callable[[Message], None], lost: Callable[[str], None]) -> None:
        self.ears = ears
        self.signal = signal
        self.lost = lost
        self.socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        self.waiting: dict[int, asyncio.Future[Message]] = {}
        self.serial = 0
        self.greeting = 2  # lines: OK, AGREE_UNIX_FD
        self.data = bytearray()
        self.fds: list[int] = []
        self.open = True

    def begin(self, path: str) -> None:
        """Connect and greet, all in one piece as sd-bus does; ``OSError`` when nobody listens there."""
        self.socket.connect(path)
        user = str(os.geteuid()).encode().hex()
        self._send(f"\0AUTH EXTERNAL {user}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n".encode())
        self.ears.listen(self.socket.fileno(), self._heard)

    async def call(
        self, to: str, path: str, interface: str, member: str, signature: str = "", *body: Any
    ) -> Message:
        """Call a method and wait for its answer; ``BusError`` when it is an error, ``BusLostError`` when there is no bus any more."""
        if not self.open:
            raise BusLostError("the connection to the bus is closed")
        self.serial += 1
        serial = self.serial
        message = Message(
            CALL, serial, path, interface, member, "", 0, to, "", signature, body, NO_AUTO_START
        )
        self._send(dbus_message.encode(message))
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.waiting[serial] = answer
        try:
            reply = await answer
        except asyncio.CancelledError:
            # The answer may have come before the caller was cancelled but not yet been taken: nobody else closes what came with it.
            if answer.done() and not answer.cancelled() and not answer.exception():
                _close(answer.result().fds)
            raise
        finally:
            self.waiting.pop(serial, None)
        if reply.kind == ERROR:
            _close(reply.fds)
            raise BusError(reply.error, str(reply.body[0]) if reply.body else "")
        return reply

    async def ask_bus(self, member: str, signature: str = "", *body: Any) -> Message:
        """Call a method of the bus itself (``Hello``, ``AddMatch``)."""
        return await self.call(BUS, BUS_PATH, BUS_INTERFACE, member, signature, *body)

    def close(self) -> None:
        """Give back every descriptor; calls that wait fail. ``lost`` is not called."""
        if self.open:
            self.open = False
            self.ears.ignore(self.socket.fileno())
            self.socket.close()
            self._take_fds(len(self.fds), keep=False)
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(BusLostError("the message bus is gone"))

    def _send(self, data: bytes) -> None:
        """A few hundred bytes into an empty socket buffer: what does not fit means that nobody reads at the other end."""
        try:
            sent = self.socket.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._fail(str(error))
            raise BusLostError(f"the message bus is gone: {error}") from error
        if sent != len(data):
            self._fail("it does not read")
            raise BusLostError("the message bus does not read")

    def _fail(self, why: str) -> None:
        if self.open:
            self.close()
            self.lost(why)

    def _heard(self) -> None:
        try:
            data = self._receive()
            if not data:
                self._fail("it closed the connection")
                return
            self.data += data
            self._read_greeting()
            self._read_messages()
        except BlockingIOError:
            return
        except (OSError, MalformedError) as error:
            self._fail(str(error))

    def _receive(self) -> bytes:
        """Bytes and the descriptors that came with them (unix(7), SCM_RIGHTS), close-on-exec from the first instant."""
        room = socket.CMSG_SPACE(MOST_FDS * 4)
        data, ancillary, _flags, _ = self.socket.recvmsg(READ, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.fds += array.array("i", content[: len(content) // 4 * 4])
        return data

    def _read_greeting(self) -> None:
        while self.greeting and b"\r\n" in self.data:
            line, _, rest = bytes(self.data).partition(b"\r\n")
            self.data[:] = rest
            if not line.startswith((b"OK ", b"AGREE_UNIX_FD", b"ERROR")) or (
                self.greeting == 2 and not line.startswith(b"OK ")
            ):
                raise MalformedError(f"it refused us: {line[:60].decode(errors='replace')}")
            self.greeting -= 1
        if self.greeting and len(self.data) > READ:
            raise MalformedError("it does not greet")

    def _read_messages(self) -> None:
        while (
            self.open
            and not self.greeting
            and (size := dbus_message.length(self.data))
            and size <= len(self.data)
        ):
            message = dbus_message.decode(bytes(self.data[:size]))
            del self.data[:size]
            self._deliver(message)

    def _deliver(self, message: Message) -> None:
        answer = self.waiting.get(message.reply_to) if message.kind in {REPLY, ERROR} else None
        if answer and not answer.done():
            answer.set_result(_with_fds(message, self._take_fds(message.fd_count, keep=True)))
            return
        self._take_fds(message.fd_count, keep=False)  # nobody asked for them
        if message.kind == SIGNAL:
            self.signal(message)

    def _take_fds(self, count: int, *, keep: bool) -> tuple[int, ...]:
        taken, self.fds = tuple(self.fds[:count]), self.fds[count:]
        if not keep:
            _close(taken)
        return taken


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def _with_fds(message: Message, fds: tuple[int, ...]) -> Message:
    return replace(message, fds=fds) if fds else message


async def connect(
    files: Files,
    ears: Ears,
    signal: Callable[[Message], None],
    lost: Callable[[str], None],
    path: str = SYSTEM_BUS,
) -> Bus:
    """A connection that has said hello; ``OSError`` (``BusLostError`` is one) when there is no bus that takes us."""
    bus = Bus(ears, signal, lost)
    try:
        bus.begin(on_disk(files, path))
        await bus.ask_bus("Hello")
    except BaseException:
        bus.close()
        raise
    return bus


async def match(bus: Bus, **terms: str) -> None:
    """Ask for signals: ``match(bus, interface="...", member="...", arg0="...")``; the bus sends no others."""
    rule = ",".join(f"{key}='{value}'" for key, value in {"type": "signal", **terms}.items())
    await bus.ask_bus("AddMatch", "s", rule)
