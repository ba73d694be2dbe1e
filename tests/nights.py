"""What the lab's tests of sleep share: how long a cycle may take, and the settings that every night is compared with."""

from __future__ import annotations

from datetime import UTC, datetime

from lab.guest import Guest
from lab.tree import Tree

SLOW = 400.0
"""Seconds for a whole cycle: on a busy machine the guest has a twentieth of a processor."""


def now(lab: Guest) -> int:
    """The guest's clock, in seconds since the epoch."""
    return int(lab.run("date", "+%s").text())


def minute(instant: float) -> str:
    """As a window has it, in UTC."""
    return f"{datetime.fromtimestamp(instant, UTC):%H:%M}"


def settled_drivers(lab: Guest) -> None:
    """A sleep without powernapd, of a machine whose PS/2 keyboard takes the keys: drivers settle in their second life."""
    lab.unplug_keyboard()
    sleeping = lab.begin("sh", "-c", "echo mem > /sys/power/state")
    lab.qmp.wait("SUSPEND", SLOW)
    lab.wakeup()
    lab.finish(sleeping, SLOW).text()
    lab.qmp.events()


def slept_once(lab: Guest, widest: int = 1) -> Tree:
    """A sleep without powernapd, since drivers settle in their second life; and an admin's settings. All settings then."""
    lab.call("guest_sleep:settings_of_an_admin", widest)
    sleeping = lab.begin("sh", "-c", "echo mem > /sys/power/state")
    lab.qmp.wait("SUSPEND", SLOW)
    lab.wakeup()
    lab.finish(sleeping, SLOW).text()
    settings: Tree = lab.call("guest_sleep:settings", limit=SLOW)
    return settings
