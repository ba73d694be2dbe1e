"""The machine's network namespaces, and doing something inside them (network_namespaces(7), setns(2)).

Owns finding and visiting. A visit opens nothing that outlives it: a socket kept in a container's namespace would keep its
interfaces alive after the container is gone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from powernap.core.value import dataclass
from powernap.host.libc import checked, libc

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
RIGHTS = 1 << 19 | 1 << 21
NAMED = ("/run/netns", "/run/docker/netns")
"""Where ``ip netns`` and Docker bind namespaces that may have no process."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace.

    :param inode: its identity.
    :param path: what can be opened to enter it.
    :param label: a process in it ("nginx, process 812") or its name; empty for our own.
    """

    inode: int
    path: str
    label: str = ""


def own(root: str = "") -> int:
    """Identity of the namespace of the calling thread; 0 where /proc does not say."""
    return _inode(f"{root}/proc/thread-self/ns/net")


def visible(status: str) -> bool:
    """Whether a process with this /proc/PID/status may see and enter the namespaces of other users' processes: CAP_SYS_PTRACE, CAP_SYS_ADMIN."""
    words = status.partition("CapEff:")[2].split(maxsplit=1)
    try:
        return int(words[0], 16) & RIGHTS == RIGHTS if words else False
    except ValueError:
        return False


def others(root: str = "") -> list[Namespace]:
    """Every network namespace but our own, by inode: those with a process that may be looked at, and the named ones.

    Costs about 2.5 us a process: one readlink each.
    """
    found: dict[int, Namespace] = {own(root): Namespace(0, "")}
    for name in _names(f"{root}/proc"):
        if name.isdigit():
            path = f"{root}/proc/{name}/ns/net"
            inode = _inode(path)
            if inode and inode not in found:
                found[inode] = Namespace(inode, path, f"{_comm(root, name)}, process {name}")
    for folder in NAMED:
        for name in _names(root + folder):
            _add_named(found, f"{root}{folder}/{name}", name)
    return sorted((known for known in found.values() if known.inode), key=lambda known: known.inode)


def _add_named(found: dict[int, Namespace], path: str, name: str) -> None:
    try:
        inode = os.stat(path).st_ino
    except OSError:
        return
    found.setdefault(inode, Namespace(inode, path, name))


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _inode(path: str) -> int:
    """The number in a link that reads ``net:[4026531840]``; 0 where it cannot be read."""
    try:
        link = os.readlink(path)
    except OSError:
        return 0
    number = link[link.find("[") + 1 : -1]
    return int(number) if number.isascii() and number.isdigit() else 0


def _comm(root: str, pid: str) -> str:
    try:
        with open(f"{root}/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a program that ended"


class _Visit(Generic[T]):
    """One tour of a thread through namespaces: ``setns`` moves a thread alone, and the thread ends with the tour."""

    def __init__(self, do: Callable[[], T]) -> None:
        self.do = do
        self.results: list[tuple[Namespace, T | OSError]] = []
        self.failure: BaseException | None = None

    def tour(self, namespaces: list[Namespace]) -> None:
        try:
            for namespace in namespaces:
                self.results.append((namespace, self.enter(namespace)))
        except BaseException as error:
            self.failure = error

    def enter(self, namespace: Namespace) -> T | OSError:
        try:
            _move(namespace.path)
            return self.do()
        except OSError as error:
            return error


def _move(path: str) -> None:
    """Take the calling thread into a namespace. ``EPERM`` without CAP_SYS_ADMIN, ``ENOENT`` when it is gone."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked(libc.setns(fd, CLONE_NEWNET), path)
    finally:
        os.close(fd)


def visit(namespaces: Iterable[Namespace], do: Callable[[], T]) -> list[tuple[Namespace, T | OSError]]:
    """What ``do`` answers inside each namespace, or the ``OSError`` that kept it out, in order. Any other exception is raised.

    One short-lived thread for all of them.
    """
    places = list(namespaces)
    if not places:
        return []
    trip = _Visit(do)
    thread = threading.Thread(target=trip.tour, args=(places,), name="powernap-netns")
    thread.start()
    thread.join()
    if trip.failure is not None:
        raise trip.failure
    return trip.results
