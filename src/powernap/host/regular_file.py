"""Files that an admin has named, opened without harm: to open a device may set something off, and a FIFO makes whoever reads it wait for ever."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

NO_FILE = "it is no file"


def opened(path: str) -> BinaryIO:
    """For reading; ``OSError``, also of what is no regular file."""
    _refuse(os.stat(path).st_mode, path)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _refuse(os.fstat(fd).st_mode, path)  # something else may stand there by now
        return open(fd, "rb")
    except BaseException:
        os.close(fd)
        raise


def text(path: str, most: int) -> str:
    """All of it; ``OSError``, also of one that is larger than so many bytes. What is no UTF-8 survives as surrogates."""
    with opened(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 10} KiB", path)
    return content.decode(errors="surrogateescape")


def _refuse(mode: int, path: str) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, NO_FILE, path)
