"""Messages to the users' terminals, as wall(1) sends them, without starting a program."""

from __future__ import annotations

import os
import stat

from powernap.host.files import Files, TreeFiles, matching


def write_to_all(files: Files, text: str) -> int:
    """Write one line to each terminal whose user takes messages (``mesg y``: the group may write); answers how many got it.

    A terminal that does not take it at once is left out: nobody waits for a user's frozen ssh session.
    """
    root = files.root if isinstance(files, TreeFiles) else None
    if root is None:
        return 0
    words = "".join(c if c.isprintable() else "?" for c in text)
    paths = [*matching(files, "/dev/pts/[0-9]*"), *matching(files, "/dev/tty[0-9]*")]
    return sum(_write(root + path, f"\r\n\aPowerNap: {words}\r\n") for path in paths)


def _write(path: str, text: str) -> bool:
    try:
        found = os.stat(path)
        if not stat.S_ISCHR(found.st_mode) or not found.st_mode & stat.S_IWGRP:
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
