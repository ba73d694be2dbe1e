"""The text console's screen: after how much silence it goes dark (console_codes(4), drivers/tty/vt/vt.c).

Owns the reading of the interval and the escape sequence that sets it. The interval is one for all virtual terminals, kept in seconds and
set in whole minutes of an hour at most: an interval that is not (a boot parameter may be any number) could not be put back.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from powernap.host.files import Files

BLANK = "/sys/module/kernel/parameters/consoleblank"
TERMINAL = "/dev/tty0"
LONGEST = 3600


def blank_seconds(files: Files) -> int:
    """After how many seconds without a key or text; 0 is never."""
    try:
        return int(files.read(BLANK))
    except ValueError as error:
        raise OSError(errno.EINVAL, "it does not hold a number", BLANK) from error


def settable(seconds: int) -> bool:
    """Whether an interval can be set."""
    return 0 <= seconds <= LONGEST and seconds % 60 == 0


def sequence(seconds: int) -> str:
    """What sets the interval: ``ESC [ 9 ; minutes ]``."""
    return f"\x1b[9;{seconds // 60}]"


def blank_after(files: Files, seconds: int) -> None:
    """Set the interval; a screen that is dark lights up. ``EINVAL`` for one that cannot be set, ``EAGAIN`` while somebody holds the
    terminal's output (Ctrl-S).
    """
    if not settable(seconds):
        raise OSError(errno.EINVAL, f"{seconds} s is not a number of whole minutes up to an hour", TERMINAL)
    if getattr(files, "root", None) != "":
        files.write(TERMINAL, sequence(seconds))
        return
    # never waits: the output may have been stopped by Ctrl-S months ago
    terminal = os.open(TERMINAL, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(terminal, sequence(seconds).encode())
    finally:
        os.close(terminal)
