"""How a subcommand ends: a document for programs, or one sentence about what is wrong and what to do. Never a traceback."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from typing import Any

TRACEBACK = "POWERNAP_TRACEBACK"
"""Environment variable: when set, a fault of our own also shows where it happened, for a bug report."""
UNWRITABLE = frozenset(
    {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.ECONNRESET}
)
"""What a write to standard output ends with: nobody reads, the disk is full, the terminal has gone."""


def show_json(document: Any) -> int:
    """A document for programs; exit status 0. ASCII, so that no locale and no file name can break it."""
    print(json.dumps(document, indent=2))
    return 0


def show_json_line(document: Any) -> None:
    """One document of a stream; whoever reads along sees it at once."""
    print(json.dumps(document), flush=True)


def fail(message: str, remedy: str = "", code: int = 3, *, as_json: bool = False) -> int:
    """Say what is wrong and what to do; answers with the exit status."""
    if as_json:
        show_json_line({"version": 1, "error": message, "remedy": remedy})
    else:
        with contextlib.suppress(OSError):
            print(f"powernap: {message}" + (f"; {remedy}" if remedy else ""), file=sys.stderr, flush=True)
    return code


def fault(error: Exception, *, as_json: bool = False) -> int:
    """A fault of our own. It is told as an error like any other; with :data:`TRACEBACK` also where it was."""
    if os.environ.get(TRACEBACK):
        import traceback  # noqa: PLC0415 - 5 ms that nobody else pays

        traceback.print_exception(error)
    message = f"internal fault: {type(error).__name__}: {error}"
    remedy = f"please report it with what {TRACEBACK}=1 shows, and `powernap snapshot`"
    return fail(message, remedy, as_json=as_json)


def settle() -> None:
    """Make the three standard streams safe to use, whoever started us and in whichever locale.

    A closed descriptor would be taken by the next file or socket that is opened, and be written to by ``print``.
    """
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is missing, since the ones below it have been dealt with.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(
                sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)
            )
    for stream in (sys.stdout, sys.stderr):
        # A name that is not of this locale is shown escaped; it must not end the report.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def unwritable(error: OSError) -> int:
    """Standard output takes no more. Whoever read it has gone (``| head``): fine; else the disk is full, and that is said."""
    with contextlib.suppress(OSError, ValueError):
        # What is still buffered would be complained about a second time at exit.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    if isinstance(error, BrokenPipeError):
        return 0
    return fail(f"the output cannot be written: {error.strerror}")
