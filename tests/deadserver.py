"""A file server that is gone, as NFS behaves on a hard mount: whoever looks for a file below its directory waits until it is back."""

from __future__ import annotations

import builtins
import errno
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from powernap.host.inotify import Inotify

CALLS = ("stat", "lstat", "open", "listdir", "scandir", "readlink", "access")


class DeadServer:
    """Made in the thread that must not wait: a test that does would wait for ever, so there each look is an error, and noted.

    :ivar touched: the calls that would have hung it. :ivar waiting: threads that wait now.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: str) -> None:
        self.directory, self.loop = directory, threading.get_ident()
        self.touched: list[str] = []
        self.waiting = 0
        self.back = threading.Event()
        for name in CALLS:
            monkeypatch.setattr(os, name, self._slow(name, getattr(os, name)))
        monkeypatch.setattr(builtins, "open", self._slow("open", builtins.open))
        watch = Inotify.watch
        monkeypatch.setattr(Inotify, "watch", self._slow("watch", watch, 1))

    def _slow(self, name: str, real: Callable[..., Any], at: int = 0) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if len(args) > at and isinstance(args[at], str) and args[at].startswith(self.directory):
                self._wait(f"{name} {args[at]}")
            return real(*args, **options)

        return call

    def _wait(self, what: str) -> None:
        if self.back.is_set():
            return
        if threading.get_ident() == self.loop:
            self.touched.append(what)
            raise OSError(errno.EIO, "this would have hung the loop")
        self.waiting += 1
        self.back.wait(20)
        self.waiting -= 1
