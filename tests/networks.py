"""Network namespaces for tests, and a host that hears: traffic never leaves what the test made."""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec

from ears import EpollEars
from powernap.core.reading import Reading
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context

P = ParamSpec("P")
CLONE_NEWNET = 0x40000000


def loopback_up() -> None:
    """Raise ``lo`` in the namespace of the calling thread (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH22x", b"lo", 0x1 | 0x40))


def in_new_network(test: Callable[P, None]) -> Callable[P, None]:
    """Decorates a test: it runs in a thread with a network namespace of its own, which ends with it."""

    @functools.wraps(test)
    def claim(*args: P.args, **kwargs: P.kwargs) -> None:
        failure: list[BaseException] = []

        def run() -> None:
            try:
                if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "unshare")
                loopback_up()
                test(*args, **kwargs)
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        for error in failure:
            raise error

    return claim


@dataclass
class Neighbour:
    """A process in a network namespace of its own, with a listener on its loopback; it connects to itself when told."""

    process: subprocess.Popen[str]

    def connect(self) -> int:
        """Open one more connection there, which stands; its port."""
        return int(self._ask("connect"))

    def _ask(self, what: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


NEIGHBOUR = """
import ctypes, socket, sys
sys.path.insert(0, {tests!r})
assert not ctypes.CDLL(None).unshare(0x40000000)
from networks import loopback_up
loopback_up()
server = socket.create_server(("127.0.0.1", {port}))
kept = []
print("ready", flush=True)
for line in sys.stdin:
    kept += [socket.create_connection(server.getsockname()), server.accept()[0]]
    print(kept[-2].getsockname()[1], flush=True)
"""


@contextmanager
def neighbour(port: int) -> Iterator[Neighbour]:
    """A container, as far as its network is concerned."""
    code = NEIGHBOUR.format(tests=os.path.dirname(__file__), port=port)
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Neighbour(process)


@dataclass
class Scene:
    """A live host whose readings are kept."""

    ears: EpollEars
    host: Host
    told: list[Reading] = field(default_factory=list)

    def context(self, name: str = "it") -> Context:
        return Context(name, self.host, self.told.append)

    def now(self) -> float:
        return self.host.clock.boottime()

    def hears(self, count: int, timeout: float = 3.0) -> bool:
        """Serve the loop until so many readings have been told in all."""
        return self.ears.run(timeout, lambda: len(self.told) >= count)


@contextmanager
def scene(root: str = "/") -> Iterator[Scene]:
    """A live host with a loop."""
    with EpollEars() as ears:
        yield Scene(ears, Host(TreeFiles(root), ears=ears))


@contextmanager
def server() -> Iterator[tuple[socket.socket, int]]:
    """A listener on the loopback, and its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener, listener.getsockname()[1]


@contextmanager
def connection(listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """One that stands until the end: caller and accepted."""
    with socket.create_connection(listener.getsockname()[:2]) as caller, listener.accept()[0] as accepted:
        yield caller, accepted
