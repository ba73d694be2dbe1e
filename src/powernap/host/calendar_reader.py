"""The process that reads calendars (:mod:`powernap.ical`): started without privileges, within a time limit, and heard to its end.

Owns the starting. With systemd it is a transient unit of its own, for the daemon's may neither reach the network nor become another user; without, a
child, which becomes nobody before it looks at anything. What goes in and out are files in memory, so that no pipe can block us and nothing of
it is on a disk.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import powernap
from powernap.host import transient_unit
from powernap.host.transient_unit import environment, runner

if TYPE_CHECKING:
    import subprocess

LARGEST = 10 << 20
"""Bytes of a file that are passed on; as many as the reader takes of a server."""
NETWORK, WORK = 60.0, 90.0
"""Seconds for the server, and for everything else: working out the largest calendar took 21 s of processor time."""
MEMORY = "800M"
PIECE = 65536
STRANGER = {"DynamicUser": "yes", "CapabilityBoundingSet": "", "PrivateUsers": "yes", "ProtectHome": "yes"}
OWNER = {"CapabilityBoundingSet": "CAP_SETUID CAP_SETGID", "ProtectHome": "read-only"}
"""As whom: a user who exists as long as the unit; where that one could not enter our directory, root, until it has loaded its libraries."""
NO_FAMILY = "AF_ASH"
"""One that Linux does not have. "none" is for unit files: of systemd-run systemd 252 does not take it, and refuses the whole unit."""
HOMES = ("/home/", "/root/", "/run/user/")


class ReaderError(Exception):
    """It gave no answer; the message says what happened to it."""


def read(request: dict[str, Any], calendar: BinaryIO | None = None) -> BinaryIO:
    """Its answer, as a file in memory, from the beginning; :class:`ReaderError` where there is none. Blocks until it has ended.

    :param calendar: what is parsed, at most :data:`LARGEST` bytes of it; without one ``request`` says what is fetched.
    """
    given, told, said = (_memory(name) for name in ("request", "calendar", "errors"))
    try:
        given.write(json.dumps(request).encode() + b"\n")
        if calendar is not None:
            _pass_on(calendar, given)
        given.seek(0)
        status = _run(command(runner(), online=calendar is None), given, told, said)
        told.seek(0)
        said.seek(0)
        if status != 0:
            raise ReaderError(ending(status, said.read(PIECE)))
    except BaseException:
        told.close()
        raise
    finally:
        given.close()
        said.close()
    return told


def _memory(name: str) -> BinaryIO:
    """A file without a disk (memfd_create(2)): the request may hold a password."""
    return os.fdopen(os.memfd_create(f"powernap-{name}", os.MFD_CLOEXEC), "w+b")


def _pass_on(calendar: BinaryIO, given: BinaryIO) -> None:
    size = 0
    while piece := calendar.read(PIECE):
        size += len(piece)
        if size > LARGEST:
            raise ReaderError(f"it is larger than {LARGEST >> 20} MiB")
        given.write(piece)
    given.flush()


def command(systemd_run: str, *, online: bool) -> list[str]:
    """How it is started."""
    python = [sys.executable, "-s", "-P", "-W", "ignore", "-m", "powernap.ical"]
    if not systemd_run:
        return python
    wanted = {
        **transient_unit.CONFINED,
        "MemoryMax": MEMORY,
        "TasksMax": "8",
        **(OWNER if out_of_reach() else STRANGER),
        "RuntimeMaxSec": f"{NETWORK + WORK:g}",
        "PrivateNetwork": "no" if online else "yes",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK" if online else NO_FAMILY,
    }
    return transient_unit.command(systemd_run, "PowerNap reads a calendar", python, wanted, environment())


def out_of_reach() -> bool:
    """Whether a directory keeps others than root from this program, or may be hidden from them: a Python in somebody's home."""
    for path in (
        os.path.realpath(powernap.__file__),
        os.path.abspath(sys.executable),
        os.path.realpath(sys.executable),
    ):
        if path.startswith(HOMES):
            return True
        while (path := os.path.dirname(path)) != "/":
            if not os.stat(path).st_mode & 0o001:
                return True
    return False


def _run(words: list[str], given: BinaryIO, told: BinaryIO, said: BinaryIO) -> int:
    """Its exit status, or minus the signal that ended it; :class:`ReaderError` where it cannot be started or takes too long."""
    import subprocess  # noqa: PLC0415 - once an hour, where a calendar is configured

    try:
        process = subprocess.Popen(
            words,
            stdin=given,
            stdout=told,
            stderr=said,
            cwd="/",
            env=environment(),
            start_new_session=True,
            umask=0o077,
        )
    except OSError as error:
        raise ReaderError(f"the reader cannot be started: {error.strerror}") from None
    try:
        return process.wait(NETWORK + WORK + 5)
    except subprocess.TimeoutExpired:
        raise ReaderError(f"reading it takes longer than {NETWORK + WORK:g} s") from None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of it is left, also where it has ended."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def ending(status: int, errors: bytes) -> str:
    """How it ended, for people."""
    if status in {-signal.SIGXCPU, -signal.SIGKILL}:
        return "reading it takes too much processor time or memory: the reader was killed"
    if status < 0:
        return f"the reader was ended by signal {-status}"
    lines = errors.decode(errors="replace").strip().splitlines()
    last = "".join(char if char.isprintable() else "?" for char in lines[-1][:200]) if lines else ""
    return f"the reader failed (exit status {status}): {last or 'it said nothing'}"
