"""Programs that a change calls: systemctl for units, and the admin's hooks; one at a time, with a limit, without a shell.

Owns the calling and what a unit's state is called. Output is read while waiting, and a program that leaves a child behind with its
output open is not waited for. Which units, and when, is an action's and the ledger's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from typing import TYPE_CHECKING

from powernap.core.value import dataclass

if TYPE_CHECKING:
    import subprocess

KEPT = 4096
"""Bytes of output that are kept: the end, where the error is."""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exit code (negative: the signal that ended it) and the end of what it printed, errors included."""

    code: int
    output: str


def run(program: list[str], limit: float, kept: int = KEPT) -> Outcome:
    """Run to its end, at most ``limit`` seconds; the last ``kept`` bytes of its output are the answer.

    :raises OSError: it cannot be started, or ``ETIMEDOUT``: it and its children were killed.
    """
    import subprocess  # noqa: PLC0415 - 5 of the 25 ms that `powernap undo` takes to load, and most undos start no program

    from powernap.host import huge_pages  # noqa: PLC0415 - the same

    with huge_pages.inherited():
        process = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd="/", env=ENVIRONMENT, start_new_session=True,
        )  # fmt: skip
    ended = -1
    try:
        ended = os.pidfd_open(process.pid)
        output = _listen(process, ended, limit, kept)
    finally:
        if ended >= 0:
            os.close(ended)
        if process.stdout:
            process.stdout.close()
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Outcome(process.returncode, output.decode(errors="replace").strip())


def _listen(process: subprocess.Popen[bytes], ended: int, limit: float, most: int) -> bytes:
    """The end of the output, until the process ends; children that hold its output open are not waited for."""
    pipe = process.stdout.fileno() if process.stdout else -1
    os.set_blocking(pipe, False)
    poll, kept, until = select.poll(), b"", time.monotonic() + limit
    poll.register(pipe, select.POLLIN)
    poll.register(ended, select.POLLIN)
    while True:
        ready = dict(poll.poll(max(0.0, until - time.monotonic()) * 1000))
        if not ready or time.monotonic() >= until:
            raise TimeoutError(errno.ETIMEDOUT, f"it did not end within {limit:g} s and was killed")
        piece = _piece(pipe) if pipe in ready else b""
        kept = (kept + piece)[-most:]
        if ended in ready:
            return kept
        if not piece:
            poll.unregister(pipe)


def _piece(pipe: int) -> bytes:
    try:
        return os.read(pipe, 65536)
    except BlockingIOError:
        return b""


@dataclass(frozen=True)
class Systemctl:
    """systemd's units, asked through systemctl(1).

    :param program: what to start; tests give a small script that keeps unit states in a directory.
    :param limit: seconds for one call; stopping a unit may take its ``TimeoutStopSec`` (90 s by default).
    """

    program: tuple[str, ...] = ("systemctl",)
    limit: float = 95.0

    def active(self, unit: str) -> str:
        """``active`` or ``inactive`` (also for a failed one). A unit that is on its way counts as what it will be."""
        state = self._show(unit, "ActiveState")
        return "active" if state in {"active", "activating", "reloading", "refreshing"} else "inactive"

    def frozen(self, unit: str) -> str:
        """``frozen`` or ``running``."""
        return "frozen" if self._show(unit, "FreezerState") in {"frozen", "freezing"} else "running"

    def ask(self, verb: str, unit: str) -> None:
        """``stop``, ``start``, ``freeze`` or ``thaw``; waits until it is done. ``OSError`` with what systemctl said."""
        self._run(verb, "--quiet", "--no-ask-password", "--", unit)

    def _show(self, unit: str, name: str) -> str:
        output = self._run("show", f"--property=LoadState,{name}", "--", unit)
        found = dict(line.partition("=")[::2] for line in output.splitlines())
        if found.get("LoadState") == "not-found":
            raise FileNotFoundError(errno.ENOENT, "there is no such unit", unit)
        return found.get(name, "")

    def _run(self, *words: str) -> str:
        outcome = run([*self.program, *words], self.limit)
        if outcome.code != 0:
            said = outcome.output.splitlines()[-1:] or [f"systemctl ended with {outcome.code}"]
            raise OSError(errno.EIO, said[0], words[-1])
        return outcome.output
