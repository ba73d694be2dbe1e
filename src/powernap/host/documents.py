"""JSON documents of our own that are replaced whole: killed at any moment, the old one or the new one is there."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any


def replace(path: str, document: dict[str, Any], mode: int | None = None, *, durable: bool = True) -> None:
    """Write it, on the disk when this returns. ``OSError``: the old file is still there.

    :param mode: the file's permissions whatever the umask is, from before it has content; without it as the umask has them.
    :param durable: ``False`` waits for no disk, which may stand still; a power cut may then leave an empty document.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    fresh = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)  # of somebody who was killed: others may have it open
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(fresh, flags, 0o666 if mode is None else mode)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            if mode is not None:
                os.fchmod(fd, mode)
            json.dump(document, file, indent=1)
            file.write("\n")
            file.flush()
            if durable:
                os.fsync(fd)
        os.replace(fresh, path)
        if durable:
            _sync_directory(os.path.dirname(path))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def _sync_directory(path: str) -> None:
    """The name is on the disk too."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
