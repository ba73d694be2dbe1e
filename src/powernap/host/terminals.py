"""Messages to the users' terminals, as wall(1) sends them, without starting a program."""

from __future__ import annotations

import os
import stat

from powernap.host.files import Files, TreeFiles, matching

CONSOLES = "/sys/class/vc"
VIRTUAL, CONSOLE_MAX = 4, 63
"""Major number of virtual consoles, and the last minor number of one (Documentation/admin-guide/devices.txt)."""


def write_to_all(files: Files, text: str) -> int:
    """Write one line to each terminal whose user takes messages (``mesg y``: the group may write); answers how many got it.

    A terminal that does not take it at once is left out: nobody waits for a user's frozen ssh session.
    """
    root = files.root if isinstance(files, TreeFiles) else None
    if root is None:
        return 0
    words = "".join(c if c.isprintable() else "?" for c in text)
    paths = [*matching(files, "/dev/pts/[0-9]*"), *matching(files, "/dev/tty[0-9]*")]
    return sum(_write(files, root + path, f"\r\n\aPowerNap: {words}\r\n") for path in paths)


def unused(files: Files, device: int) -> bool:
    """A virtual console that nobody has opened, which udev lets the group write, too: the kernel would make it for us, with memory that it keeps
    (vt_ioctl(2), VT_DISALLOCATE). Number 0 is whichever is shown.
    """
    number = os.minor(device)
    if os.major(device) != VIRTUAL or number > CONSOLE_MAX:
        return False
    return number == 0 or not files.exists(f"{CONSOLES}/vcs{number}")


def _write(files: Files, path: str, text: str) -> bool:
    try:
        found = os.stat(path)
        if not stat.S_ISCHR(found.st_mode) or not found.st_mode & stat.S_IWGRP:
            return False
        if unused(files, found.st_rdev):
            return False
        fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(fd, text.encode(errors="replace")) > 0
    except OSError:
        return False
    finally:
        os.close(fd)
