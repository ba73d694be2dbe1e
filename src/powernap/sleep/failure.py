"""Why a sleep did not happen: one exception for every way to sleep, and what the kernel says of the one that failed.

Owns the words for an admin. Who caught it decides what follows: another attempt later, or staying awake.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import text, whole_number

if TYPE_CHECKING:
    from powernap.host.files import Files

STATS = "/sys/power/suspend_stats"


class SleepError(Exception):
    """The machine did not go to sleep, and is as it was.

    :param wanted: somebody or something needed the machine meanwhile: not a fault, and worth another attempt once it is idle again.
    """

    def __init__(self, reason: str, remedy: str = "", *, wanted: bool = False) -> None:
        super().__init__(reason + (f"; {remedy}" if remedy else ""))
        self.reason, self.remedy, self.wanted = reason, remedy, wanted


@dataclass(frozen=True, slots=True)
class Stats:
    """The kernel's account of sleeps in this boot (Documentation/ABI/testing/sysfs-power); -1 where it keeps none.

    :param device: the device that failed last; ``step``: in which step (``freeze``, ``suspend``, ``resume``...); ``error``: errno or 0.
    """

    success: int
    fail: int
    device: str = ""
    step: str = ""
    error: int = 0


def stats(files: Files) -> Stats:
    """What stands there now."""
    error = text(files, f"{STATS}/last_failed_errno").lstrip("-")
    return Stats(
        whole_number(files, f"{STATS}/success"),
        whole_number(files, f"{STATS}/fail"),
        text(files, f"{STATS}/last_failed_dev"),
        text(files, f"{STATS}/last_failed_step"),
        int(error) if error.isdecimal() else 0,
    )


def culprit(before: Stats, after: Stats) -> str:
    """Who made the latest attempt fail; empty when the kernel counted no failure since, since what it names is then an older one's."""
    if after.fail <= before.fail:
        return ""
    said = [
        f"in the step {after.step}" if after.step else "",
        os.strerror(after.error) if after.error else "",
    ]
    how = ", ".join(filter(None, said))
    who = f"the device {after.device} failed" if after.device else "it failed"
    return f"{who} ({how})" if how else who
