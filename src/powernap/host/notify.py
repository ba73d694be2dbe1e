"""What the service manager is told: sd_notify(3). Without ``NOTIFY_SOCKET`` nothing is sent."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

SEND_TIME = 1.0
"""Seconds: a manager that does not take a message by then does not hold up the machine's way back."""


def notify(message: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send ``READY=1``, ``STATUS=...``, ``WATCHDOG=1`` and the like, one per line; whether it was sent."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(SEND_TIME)
            sock.sendto(message.encode(), address)
    except OSError:
        return False
    return True


def watchdog_period(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds after which at the latest ``WATCHDOG=1`` is due: half of the manager's limit; ``None`` when it keeps none for us."""
    usec = environment.get("WATCHDOG_USEC", "")
    pid = environment.get("WATCHDOG_PID", "")
    if not (usec.isascii() and usec.isdigit()) or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 2e6 or None
