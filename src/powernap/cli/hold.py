"""``powernap hold``: keep the machine up while a command runs, for a time, or until Ctrl-C.

The lease is the connection: however this process ends, it ends too. When the daemon ends instead (an upgrade, a crash), the lease is
taken again as soon as it is back: a backup that takes a night must not lose its machine to a restart.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from powernap.cli import arguments, client

AGAIN = 2.0
"""Seconds between two attempts to take the lease again."""
KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
FORWARDED = (signal.SIGTERM, signal.SIGHUP)


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "hold",
        help="keep it awake, for a time or while a command runs",
        description="Keep the machine awake while COMMAND runs, or for a time, or until Ctrl-C. The lease ends with this process, "
        "however it ends, and idle time begins anew then; when the daemon is restarted, it is taken again. With a command, its exit status is returned.",
        usage="powernap hold --why REASON [--for TIME] [-- COMMAND ...]",
    )
    parser.add_argument("--why", required=True, metavar="REASON", help="shown by `powernap why`")
    parser.add_argument(
        "--for", dest="length", type=arguments.length, metavar="TIME", help='at most this long, such as "2h"'
    )
    parser.add_argument("what", nargs="*", metavar="COMMAND", help="run this, and hold while it runs")
    return parser


def run(args: argparse.Namespace) -> int:
    """Hold. Without a daemon nothing is run: the caller counts on the machine staying awake."""
    until = None if args.length is None else time.monotonic() + args.length
    lease = Lease(args.why, until)
    try:
        lease.take()
        if args.what:
            return run_command(args.what, lease)
        if sys.stderr.isatty():
            say("holding it awake" + ("" if args.length else " until Ctrl-C"))
        lease.keep(None)
        return 0
    finally:
        lease.drop()


def say(message: str) -> None:
    """To the admin; the command's output is its own."""
    with contextlib.suppress(OSError):
        print(f"powernap: {message}", file=sys.stderr, flush=True)


class Lease:
    """One lease, taken again when it was lost.

    :param until: instant of ``CLOCK_MONOTONIC`` at which it is over by itself, or ``None``.
    """

    def __init__(self, why: str, until: float | None) -> None:
        self.why, self.until = why, until
        self.connection: client.Connection | None = None

    def take(self) -> None:
        """Raises ``DaemonError``."""
        left = self._left()
        connection = client.Connection()
        try:
            connection.ask("hold", why=self.why, for_s=left)
        except client.DaemonError:
            connection.socket.close()
            raise
        self.connection = connection

    def drop(self) -> None:
        """Give it back."""
        if self.connection is not None:
            self.connection.socket.close()
            self.connection = None

    def keep(self, ended: int | None) -> None:
        """Hold until the time is over, or until the descriptor ``ended`` is readable."""
        while (left := self._left()) is None or left > 0:
            watched = [fd for fd in (ended, self.connection) if fd is not None]
            waits = [wait for wait in (left, AGAIN if self.connection is None else None) if wait is not None]
            ready = select.select(watched, [], [], min(waits, default=None))[0]
            if ended is not None and ended in ready:
                return
            if self.connection in ready:
                self._lost()
            elif self.connection is None:
                self._again()

    def _left(self) -> float | None:
        return None if self.until is None else self.until - time.monotonic()

    def _lost(self) -> None:
        """Nothing is said on this connection but its end."""
        self.drop()
        say("powernapd has stopped; the lease is taken again when it is back")

    def _again(self) -> None:
        if (self._left() or 1.0) <= 0:
            return
        with contextlib.suppress(client.DaemonError):
            self.take()
            say("powernapd is back; holding it awake again")


def run_command(command: list[str], lease: Lease) -> int:
    """Run it under the lease, and end as it does: 126 not to be run, 127 not found, 128 + N killed by signal N (bash(1))."""
    # Ctrl-C reaches the command by itself (it is in the same foreground group); what comes of it is the command's to say.
    with handling(KEYBOARD, lambda *_: None):
        try:
            process = subprocess.Popen(command)
        except OSError as error:
            say(f"{command[0]}: {error.strerror}")
            return 127 if isinstance(error, FileNotFoundError) else 126
        # Who stops us means the command.
        with handling(FORWARDED, lambda number, _: process.send_signal(number)):
            keep_until_ended(process, lease)
            status = process.wait()
    return status if status >= 0 else 128 - status


def keep_until_ended(process: subprocess.Popen[bytes], lease: Lease) -> None:
    """Returns at once where the kernel cannot tell of an end (before 5.3, or a container that forbids it)."""
    try:
        ended = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        lease.keep(ended)
    finally:
        os.close(ended)


@contextlib.contextmanager
def handling(numbers: Iterable[signal.Signals], handler: Callable[[int, object], object]) -> Iterator[None]:
    """These signals go to this handler, and at the end to whoever had them before."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
