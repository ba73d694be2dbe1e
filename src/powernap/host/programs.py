"""External programs: started as an argument list, read while they run, and gone when we say so.

Owns starting, bounded reading, the end and the killing. No shell, no thread, no SIGCHLD handler: the end is heard by pidfd
(pidfd_open(2)) and the output by its pipes, both through the loop's ears. Each program leads a session of its own; at its end, its time
limit or our loss of interest the whole process group is killed *before* it is reaped, so that its number can mean nobody else.
What left the group by a setsid(2) of its own is init's.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Sequence

from powernap.core.value import dataclass
from powernap.host.ears import Ears

CHUNK = 65536
"""Bytes of one read: a pipe's whole capacity (pipe(7))."""
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class ProgramError(Exception):
    """A program did not do what was asked of it; the message says what it did instead."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a program runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """``status`` as in a shell: 0 to 255, or minus the number of the signal that ended it."""

    status: int
    output: bytes
    errors: bytes


def account(name: str) -> Account:
    """The user, its group and further groups; ``KeyError`` when there is none of that name."""
    entry = pwd.getpwnam(name)
    return Account(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))


class Program:
    """A running program. Call-backs: ``said(data)`` and ``complained(data)`` with bytes of the two outputs, ``ended(status)`` once, last.

    :param argv: the program's absolute path and its arguments.
    """

    def __init__(
        self,
        ears: Ears,
        argv: Sequence[str],
        said: Callable[[bytes], None],
        complained: Callable[[bytes], None],
        ended: Callable[[int], None],
        *,
        user: Account | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.ears = ears
        self.ended = ended
        self.process = start(argv, user, {**ENVIRONMENT, **(environment or {})})
        self.pid = self.process.pid
        self.sinks = {_end(self.process.stdout): said, _end(self.process.stderr): complained}
        self.over = False
        try:
            self.pidfd = os.pidfd_open(self.pid)
        except OSError:
            self._kill()
            self.process.wait()
            self._shut()
            raise
        ears.listen(self.pidfd, self._exited)
        for fd in self.sinks:
            os.set_blocking(fd, False)
            self.listen(fd)

    @property
    def output(self) -> int:
        """The descriptor of what it says; -1 once it said its last."""
        return next((fd for fd in self.sinks if fd == _end(self.process.stdout)), -1)

    def listen(self, fd: int) -> None:
        """Hear its output (again)."""
        if fd in self.sinks:
            self.ears.listen(fd, lambda: self.read(fd))

    def ignore(self, fd: int) -> None:
        """Hear it no more: when its pipe is full it waits, and costs nothing."""
        self.ears.ignore(fd)

    def read(self, fd: int) -> None:
        """Take what waits there, at most one pipeful."""
        sink = self.sinks.get(fd)
        if sink is None:
            return
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        if data:
            sink(data)
        else:
            self.ears.ignore(fd)  # it closed its output; it may live on
            del self.sinks[fd]

    def stop(self) -> None:
        """Kill it and all of its group now. ``ended`` is not called; it is reaped when the kernel has buried it."""
        self.ended = lambda _status: None
        for fd in list(self.sinks):
            self.ears.ignore(fd)
        self.sinks.clear()
        self._kill()

    def _kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def _exited(self) -> None:
        """Its last words are in the pipes; who still holds them open is not waited for."""
        if self.over:
            return
        self.over = True
        self.ears.ignore(self.pidfd)
        self._kill()
        for fd in list(self.sinks):
            self.read(fd)
        status = self.process.wait()  # the pidfd said that it has ended: returns at once
        self._shut()
        os.close(self.pidfd)
        self.ended(status)

    def _shut(self) -> None:
        for fd in list(self.sinks):
            self.ears.ignore(fd)
        self.sinks.clear()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


def _end(pipe: object) -> int:
    return pipe.fileno() if hasattr(pipe, "fileno") and not getattr(pipe, "closed", True) else -1


def start(argv: Sequence[str], user: Account | None, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A child in a session of its own, in "/", with no input, pipes for both outputs and no other descriptor of ours.

    Returns when it has become the program; ``OSError`` when it could not.
    """
    return subprocess.Popen(
        list(argv),
        bufsize=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        close_fds=True,
        cwd="/",
        env=environment,
        start_new_session=True,
        umask=0o077,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=user.groups if user else None,
    )


async def run(
    ears: Ears,
    argv: Sequence[str],
    *,
    limit: float,
    most: int = CHUNK,
    user: Account | None = None,
    environment: dict[str, str] | None = None,
) -> Result:
    """Run a program to its end.

    ``ProgramError`` when it takes longer than ``limit`` seconds or says more than ``most`` bytes; then, and when the wait is
    cancelled, it is killed with its group. ``OSError`` when it cannot be started.
    """
    outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    heard = {"output": bytearray(), "errors": bytearray()}

    def keep(stream: str, data: bytes) -> None:
        heard[stream] += data[: most + 1 - len(heard[stream])]
        if len(heard[stream]) > most and not outcome.done():
            outcome.set_exception(ProgramError(f"{argv[0]} says more than {most} bytes: killed"))

    def ended(status: int) -> None:
        if not outcome.done():
            outcome.set_result(status)

    program = Program(
        ears,
        argv,
        lambda data: keep("output", data),
        lambda data: keep("errors", data),
        ended,
        user=user,
        environment=environment,
    )
    try:
        status = await asyncio.wait_for(outcome, limit)
    except TimeoutError as error:
        raise ProgramError(f"{argv[0]} took longer than {limit:g} s: killed") from error
    finally:
        if not program.over:
            program.stop()
    return Result(status, bytes(heard["output"]), bytes(heard["errors"]))
