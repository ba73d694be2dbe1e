"""The alarm that brings the machine back from being off, written down: so that the next life knows it for its own, and how late it comes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

from powernap.host import documents
from powernap.host.files import Files, whole_number
from powernap.sleep.rtc import Alarm

if TYPE_CHECKING:
    from powernap.host.clock import Clock

FIRMWARE = "/sys/firmware/acpi/fpdt/boot/exitbootservice_end_ns"
"""How long firmware and boot loader took, counted from the machine's reset, in ns; 0 or no file where the firmware does not tell
(Documentation/ABI/testing/sysfs-firmware-acpi)."""
EARLY, SLOW = 5.0, 300.0
"""Seconds by which the hardware clock may be ahead of the other; and that a server may take from the alarm until its processors are
reset for the last time."""


def save(path: str, alarm: Alarm) -> None:
    """``OSError``: the next life takes it for somebody else's, and leaves it."""
    documents.replace(path, {"version": 1, **dataclasses.asdict(alarm)})


def take(files: Files, path: str) -> Alarm | None:
    """What an earlier life set, once; ``None`` where there is nothing, or nothing that makes sense."""
    try:
        document = json.loads(files.read(path))
        document.pop("version")
        alarm: Alarm | None = Alarm(**document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        alarm = None
    with contextlib.suppress(OSError):
        os.unlink(path)
    return alarm if alarm is not None and _proper(alarm) else None


def _proper(alarm: Alarm) -> bool:
    """Of the types that it should be: its clock's name becomes part of a path."""
    numbers: tuple[Any, ...] = (alarm.at, alarm.raw, alarm.displaced)
    name: Any = alarm.rtc
    return (
        isinstance(name, str)
        and name.isalnum()
        and all(isinstance(each, int) and not isinstance(each, bool) for each in numbers)
    )


def started(files: Files, clock: Clock, alarm: Alarm) -> bool:
    """It may be what has started this machine: it rang before that, and, where the firmware tells when that was, just before."""
    kernel = clock.wall() - clock.boottime()
    if kernel <= alarm.at - EARLY:
        return False  # the machine was up when it rang
    firmware = whole_number(files, FIRMWARE) / 1e9
    return firmware <= 0 or alarm.at - EARLY < kernel - firmware < alarm.at + SLOW
