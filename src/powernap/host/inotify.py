"""File changes as the kernel tells them (inotify(7)): one descriptor, many watches.

Owns the descriptor and how its records are read. Does not own what a change means, nor when to listen.
"""

from __future__ import annotations

import ctypes
import os
import struct

from powernap.core.value import dataclass
from powernap.host.files import Files, TreeFiles
from powernap.host.libc import checked, libc

ACCESS = 0x1
MODIFY = 0x2
ATTRIB = 0x4
CREATE = 0x100
IGNORED = 0x8000
ONESHOT = 0x80000000
"""``IN_*`` of ``<linux/inotify.h>``."""

HEADER = struct.Struct("=iIII")
BUFFER = 16384


@dataclass(frozen=True, slots=True)
class Event:
    """One record: which watch, the ``IN_*`` bits, and the name within a watched directory ("" for the watched file itself)."""

    watch: int
    mask: int
    name: str = ""


def parse(data: bytes) -> list[Event]:
    """The records of one ``read(2)``; a cut-off one is dropped (the kernel never writes such)."""
    events, at = [], 0
    while at + HEADER.size <= len(data):
        watch, mask, _cookie, length = HEADER.unpack_from(data, at)
        at += HEADER.size
        if at + length > len(data):
            break
        events.append(Event(watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
        at += length
    return events


def on_disk(files: Files, path: str) -> str:
    """The path by which the kernel knows a machine's file, for what cannot be done through ``Files`` (watch, open a device)."""
    return files.root + path if isinstance(files, TreeFiles) else path


class Inotify:
    """An inotify instance; ``OSError`` when the user's limit (``fs.inotify.max_user_instances``) is reached."""

    def __init__(self) -> None:
        self.fd = checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")

    def watch(self, path: str, mask: int) -> int:
        """Watch a file or directory, or replace the mask of its watch; answers with the watch's number."""
        return checked(libc.inotify_add_watch(self.fd, os.fsencode(path), ctypes.c_uint32(mask)), path)

    def unwatch(self, watch: int) -> None:
        """Stop watching; a watch that is gone already (its file is, or it was one-shot) is ignored."""
        libc.inotify_rm_watch(self.fd, watch)

    def drain(self) -> list[Event]:
        """All that is waiting, without blocking."""
        events: list[Event] = []
        while True:
            try:
                events += parse(os.read(self.fd, BUFFER))
            except BlockingIOError:
                return events

    def close(self) -> None:
        """Give back the descriptor, and every watch with it."""
        os.close(self.fd)
