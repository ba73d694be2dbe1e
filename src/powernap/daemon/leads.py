"""How long this machine takes from its alarm until it is ready, learned from itself: so much earlier it is woken than it is needed.

Two figures: after a sleep until everything is put back, after a boot until powernapd is ready. The second-longest of the last eight counts, and a
quarter more: one may be an accident (somebody who pressed the button some minutes after an alarm that failed, a check of disks), and the machine
would be up that much too early for eight times. What happens twice in eight is its nature. Of the first two the longer one counts, as far as it
is plausible: to be late twice more would be worse than to be early twice.
"""

from __future__ import annotations

import json
from typing import Any

from powernap.host import documents
from powernap.host.files import Files
from powernap.sleep.states import HIBERNATE, OFF, SUSPEND

SLEEP, BOOT = "suspend", "boot"
DEFAULT = {SLEEP: 15.0, BOOT: 180.0}
"""Seconds, until something is known. Servers take minutes for their firmware's tests."""
LONGEST = {SLEEP: 300.0, BOOT: 1800.0}
"""Seconds: later than this the alarm was not what started it."""
SOONEST = {SUSPEND: 30.0, HIBERNATE: 120.0, OFF: 300.0}
"""Seconds: an alarm that rings before the machine is down wakes nobody. An image of 8 GiB takes 80 s at 100 MB/s, and units may take 90 s each
to stop (systemd's DefaultTimeoutStopSec)."""
PLAUSIBLE = {SLEEP: 120.0, BOOT: 600.0}
"""Seconds that are believed of the first two."""
KEPT, FEW = 8, 3
MARGIN = 1.25
JITTER = 2.0
"""Seconds: a hardware clock counts whole ones."""


class Leads:
    """:param path: a JSON file; empty: what is learned ends with the daemon."""

    def __init__(self, files: Files, path: str) -> None:
        self.path = path
        self.known = load(files, path) if path else {}

    def lead(self, how: str) -> float:
        """Seconds."""
        known = sorted(self.known.get(how, ()))
        if not known:
            return DEFAULT[how]
        believed = known[-2] if len(known) >= FEW else min(known[-1], PLAUSIBLE[how])
        return believed * MARGIN + JITTER

    def learn(self, how: str, seconds: float) -> None:
        """It took so long this time. ``OSError``: it is known until the daemon ends."""
        if not 0 <= seconds <= LONGEST[how]:
            return
        self.known[how] = [*self.known.get(how, []), round(seconds, 1)][-KEPT:]
        if self.path:
            documents.replace(self.path, {"version": 1, **self.known}, durable=False)


def load(files: Files, path: str) -> dict[str, list[float]]:
    """What was learned before; nothing where the file is missing or makes no sense."""
    try:
        document: dict[str, Any] = json.loads(files.read(path))
        known = {how: [float(each) for each in document.get(how, [])] for how in DEFAULT}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    # Not a number is none of them either.
    proper = {how: [each for each in found if 0 <= each <= LONGEST[how]] for how, found in known.items()}
    return {how: found[-KEPT:] for how, found in proper.items() if found}
