"""Devices that come, and cores that come back, as the kernel tells them (kobject uevents on netlink).

Owns the socket, its filter and the form of a message. The kernel sends to every network namespace that belongs to the first
user namespace (lib/kobject_uevent.c): in a container with its own user namespace nothing arrives, and ``own_user_namespace``
says so. udev's rules run *after* the kernel's message: what udev says of a device may be there a little later.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from powernap.core.value import dataclass
from powernap.host import socket_filter
from powernap.host.files import Files, text
from powernap.host.host import Host
from powernap.host.inotify import ATTRIB, CREATE, Inotify, on_disk

NETLINK_KOBJECT_UEVENT = 15
KERNEL_GROUP = 1
BUFFER = 8192

SETTLE = 1.0
"""Seconds from the kernel's word of a new device to the look at it: udev makes its node and says its kind in between."""

ADD, ONLINE = "add", "online"
"""What a socket may hear of: added devices; cores (and memory) that were switched on again."""


@dataclass(frozen=True, slots=True)
class Uevent:
    """``action`` ("add"), ``path`` below /sys ("/devices/..."), and ``subsystem`` ("input")."""

    action: str
    path: str
    subsystem: str


def parse(data: bytes) -> Uevent | None:
    """One message: ``action@path``, then ``KEY=value``, each ended by NUL; ``None`` for anything else."""
    head, _, rest = data.partition(b"\0")
    action, at, path = head.partition(b"@")
    if not at or not action.isalpha() or not path.startswith(b"/"):
        return None
    values = dict(item.split(b"=", 1) for item in rest.split(b"\0") if b"=" in item)
    subsystem = values.get(b"SUBSYSTEM", b"").decode(errors="replace")
    return Uevent(action.decode(), path.decode(errors="replace"), subsystem)


def own_user_namespace(files: Files) -> bool:
    """Whether this process lives in a user namespace of its own, where uevents do not arrive (user_namespaces(7))."""
    return text(files, "/proc/self/uid_map").split() not in ([], ["0", "0", "4294967295"])


def listen(action: str = ADD) -> socket.socket:
    """A socket that hears of added devices, or of what is switched ``ONLINE``; ``OSError`` where that is not allowed."""
    heard = socket.socket(
        socket.AF_NETLINK,
        socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
        NETLINK_KOBJECT_UEVENT,
    )
    try:
        attach_filter(heard, action)
        heard.bind((0, KERNEL_GROUP))
    except OSError:
        heard.close()
        raise
    return heard


def attach_filter(heard: socket.socket, action: str = ADD) -> None:
    """Have the kernel drop all but one action, known by its first four bytes.

    A device that goes tells its own descriptor (ENODEV), and the rest (change, bind, move) is what chatters on a running machine. The
    subsystem stands at no fixed place, so no filter of this kind can look at it.
    """
    word = struct.unpack(">I", f"{action}@".encode()[:4])[0]
    socket_filter.attach(heard, socket_filter.word_at(0, word))


def drain(heard: socket.socket) -> tuple[list[Uevent], bool]:
    """Everything that waits, and whether some was lost (the buffer overran: look for yourself)."""
    events: list[Uevent] = []
    lost = False
    while True:
        try:
            data, sender = heard.recvfrom(BUFFER)
        except BlockingIOError:
            return events, lost
        except OSError:  # ENOBUFS: reading goes on after it
            lost = True
            continue
        event = (
            parse(data) if sender[0] == 0 else None
        )  # 0: the kernel itself; another process has its port number
        if event:
            events.append(event)


class NewDevices:
    """Calls ``came`` a little after devices of ``subsystem`` were added; by inotify on ``directory`` where no uevents arrive.

    Where neither works (``directory`` does not exist, a limit is reached) ``source`` says that only a look finds them.
    """

    def __init__(self, host: Host, subsystem: str, directory: str, came: Callable[[], None]) -> None:
        self.ears = host.ears
        self.subsystem = subsystem
        self.came = came
        self.due = False
        self.socket: socket.socket | None = None
        self.inotify: Inotify | None = None
        if self.ears and not self._hear_uevents(host):
            self._watch(host, directory)

    @property
    def source(self) -> str:
        """How they are noticed, for people."""
        return "uevents" if self.socket else "inotify" if self.inotify else "found by a look"

    def _hear_uevents(self, host: Host) -> bool:
        if self.ears and not own_user_namespace(host.files):
            try:
                self.socket = listen()
            except OSError:
                return False
            self.ears.listen(self.socket.fileno(), self._uevent)
        return self.socket is not None

    def _watch(self, host: Host, directory: str) -> None:
        try:
            self.inotify = Inotify()
            self.inotify.watch(on_disk(host.files, directory), CREATE | ATTRIB)
        except OSError:
            self.close()
            return
        if self.ears:
            self.ears.listen(self.inotify.fd, self._made)

    def _uevent(self) -> None:
        if self.socket:
            events, lost = drain(self.socket)
            if lost or any(event.subsystem == self.subsystem for event in events):
                self._look_soon()

    def _made(self) -> None:
        if self.inotify and self.inotify.drain():
            self._look_soon()

    def _look_soon(self) -> None:
        if not self.due and self.ears:
            self.due = True
            self.ears.later(SETTLE, self._look)

    def _look(self) -> None:
        self.due = False
        if self.socket or self.inotify:
            self.came()

    def close(self) -> None:
        """Give back the descriptor; ``came`` is called no more."""
        if self.socket:
            if self.ears:
                self.ears.ignore(self.socket.fileno())
            self.socket.close()
        if self.inotify:
            if self.ears:
                self.ears.ignore(self.inotify.fd)
            self.inotify.close()
        self.socket = self.inotify = None
