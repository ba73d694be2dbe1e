"""What this machine's settings are: every file that an action here could touch and those beside it, to compare before and after."""

from __future__ import annotations

import os
import re

ROOTS = (
    "/proc/sys",
    "/proc/irq",
    "/sys/devices/virtual/workqueue",
    "/sys/kernel/mm/ksm",
    "/sys/kernel/mm/transparent_hugepage",
)
UNSTEADY = (
    # random bytes; how many processes, terminals, files, inodes and connections there are
    r"/proc/sys/kernel/random/(uuid|entropy_avail)",
    r"/proc/sys/kernel/(ns_last_pid|pty/nr)",
    r"/proc/sys/fs/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota/.*)",
    r"/proc/sys/net/.*conntrack_count",
    # what KSM and khugepaged have done so far
    r"/sys/kernel/mm/ksm/(full_scans|general_profit|ksm_zero_pages|pages_(?!to_scan).*|stable_node_(chains|dups))",
    r"/sys/kernel/mm/transparent_hugepage/(.*/stats/.*|khugepaged/(full_scans|pages_collapsed))",
    # counters; and the processor that the kernel chose within the mask: an interrupt that fired in between has moved, and
    # nothing but waiting for it to fire again would move it back (x86 moves an interrupt while it is being handled)
    r"/proc/irq/\d+/(spurious|effective_affinity(_list)?)",
)
STEADY = re.compile(f"(?!({'|'.join(UNSTEADY)})$)")


def settings() -> dict[str, str]:
    """Every readable file below the roots that does not change by itself; one that refuses, as its error."""
    found: dict[str, str] = {}
    for root in ROOTS:
        for directory, _, names in os.walk(root):
            for path in (f"{directory}/{name}" for name in names):
                if STEADY.match(path):
                    found[path] = _content(path)
    return found


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        return f"<{error.errno}>"


def steady() -> dict[str, str]:
    """The settings, without those that differ between two looks."""
    first, second = settings(), settings()
    return {path: value for path, value in first.items() if second.get(path) == value}


def differences(before: dict[str, str]) -> dict[str, tuple[str, str | None]]:
    """What is no longer as it was: path to (then, now)."""
    now = settings()
    return {path: (value, now.get(path)) for path, value in before.items() if now.get(path) != value}
