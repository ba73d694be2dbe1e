"""JSON documents of our own that are replaced whole: killed at any moment, the old one or the new one is there."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any


def replace(path: str, document: dict[str, Any], mode: int | None = None) -> None:
    """Write it, on the disk when this returns. ``OSError``: the old file is still there.

    :param mode: the file's permissions whatever the umask is; without it as the umask has them.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    fresh = f"{path}.new"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
            file.flush()
            if mode is not None:
                os.fchmod(fd, mode)
            os.fsync(fd)
        os.replace(fresh, path)
        above = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(above)
        finally:
            os.close(above)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
