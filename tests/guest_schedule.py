"""Runs in the lab's guest, for the tests of schedules. Called with ``lab.call("guest_schedule:...")``."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from pathlib import Path

from lab.installed import ask

CLOCK = Path("/sys/class/rtc/rtc0")
CALENDARS = Path("/var/lib/powernap/calendars")
LIBRARIES = "/usr/lib/python3/dist-packages"


def rings() -> int:
    """When the hardware clock's alarm rings, by the system's clock, which may be another one; 0 where none is set."""
    alarm = (CLOCK / "wakealarm").read_text().strip()
    if not alarm:
        return 0
    return int(alarm) - int((CLOCK / "since_epoch").read_text()) + round(time.time())


def until_rings_for(need: int, limit: float) -> None:
    """Until it rings for that need: as much earlier as the daemon says. The clocks count whole seconds and are read one after the other."""
    end = time.monotonic() + limit
    while abs(rings() - need + ask("schedule", {})["lead"]["suspend"]) > 2:
        if time.monotonic() > end:
            raise TimeoutError(f"it rings at {rings()}, not for {need}; it is {time.time()}")
        time.sleep(0.2)


def until_left(stage: str, count: int, limit: float) -> None:
    """Until a stage was left so often. While the machine sleeps this clock stands still."""
    end = time.monotonic() + limit
    while True:
        told = ask("history", {"count": 1000})["entries"]
        if sum(each["event"] == "left" and each.get("stage") == stage for each in told) >= count:
            return
        if time.monotonic() > end:
            raise TimeoutError(str(told))
        time.sleep(0.5)


def nap(limit: float) -> None:
    """An admin asks for it until nothing is against it."""
    end = time.monotonic() + limit
    while not (answer := ask("nap", {"stage": "suspend"}))["ok"]:
        if time.monotonic() > end:
            raise TimeoutError(str(answer))
        time.sleep(1)


def until_a_copy_is_used(limit: float) -> None:
    """Until a calendar could not be read, and is remembered."""
    end = time.monotonic() + limit
    while not any(json.loads(each.read_text())["since"] for each in CALENDARS.glob("*.json")):
        if time.monotonic() > end:
            raise TimeoutError(str([each.read_text() for each in CALENDARS.glob("*.json")]))
        time.sleep(0.5)


def unpack(pieces: list[str]) -> None:
    """Libraries of pure Python, as a zip archive."""
    data = b"".join(base64.b64decode(Path(piece).read_text()) for piece in pieces)
    zipfile.ZipFile(io.BytesIO(data)).extractall(LIBRARIES)
