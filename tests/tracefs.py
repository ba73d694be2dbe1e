"""Tracefs for tests, mounted in a mount namespace of a child's own: the machine stays as it is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from powernap.host.files import TreeFiles

MOUNT = "mount -t tracefs tracefs /sys/kernel/tracing && echo mounted && exec cat"


class FilesWithTracefs(TreeFiles):
    """This machine's files, and tracefs as a process sees it that has mounted it. ``said`` is said in place of some files' content."""

    def __init__(self, pid: int) -> None:
        super().__init__("/")
        self.mounted = TreeFiles(f"/proc/{pid}/root")
        self.said: dict[str, str] = {}

    def read(self, path: str) -> str:
        """The whole content."""
        if path in self.said:
            return self.said[path]
        if path.startswith("/sys/kernel/tracing/"):
            return self.mounted.read(path)
        return super().read(path)


@contextmanager
def tracefs() -> Iterator[FilesWithTracefs]:
    """As long as the block lasts."""
    command = ["unshare", "--mount", "sh", "-c", MOUNT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdin
        assert child.stdout.readline() == "mounted\n"
        yield FilesWithTracefs(child.pid)
        child.stdin.close()
