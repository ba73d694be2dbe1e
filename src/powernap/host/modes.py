"""File modes of the machine's tree: the kernel clears the write bits of what it would refuse.

Owns two questions about a path: its mode and owner, and whether a write may be tried. Reading and writing are host/files.py.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from powernap.host.files import Files


def status(files: Files, path: str) -> os.stat_result | None:
    """``lstat`` of a path; ``None`` where it is missing or the tree has no modes."""
    root = getattr(files, "root", None)
    if root is None:
        return None
    try:
        return os.lstat(f"{root}{path}")
    except OSError:
        return None


def writable(files: Files, path: str) -> bool:
    """Whether a write is worth trying: a write bit is set, and neither the mount nor our rights forbid it.

    The mode is looked at apart from access(2), because to root that says yes of everything below /proc/irq, also of managed
    interrupts, whose mode is 0444 and which answer EIO (kernel/irq/proc.c, register_irq_proc).
    """
    found = status(files, files.real(path))
    if found is None:
        return files.exists(path)
    return bool(stat.S_IMODE(found.st_mode) & 0o222) and os.access(
        f"{getattr(files, 'root', '')}{path}", os.W_OK
    )
