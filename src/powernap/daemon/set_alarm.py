"""The alarm that brings the machine back from being off, written down: so that the next life knows it for its own, and how late it comes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from typing import Any

from powernap.host import documents
from powernap.host.files import Files
from powernap.sleep.rtc import Alarm


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
