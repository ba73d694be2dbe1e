"""Calls to systemd-logind and to systemd itself, with a time limit, and what is made of their errors.

Owns no connection; login_manager.py does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from powernap.host.dbus import PROPERTIES, Bus, BusError
from powernap.host.dbus_message import Message
from powernap.sleep.failure import SleepError

ANSWER_MAX = 25.0
"""Seconds that a call may take: what libdbus and sd-bus give one."""
LACKING = (
    "org.freedesktop.DBus.Error.UnknownMethod",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.NotSupported",
)
"""Errors of a version that does not know a method."""
SYSTEMD, SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what can go wrong between us and logind into a ``SleepError`` that begins with ``what``; staying awake is what follows."""
    try:
        yield
    except BusError as error:
        raise SleepError(f"{what}: {error}") from error
    except TimeoutError as error:
        raise SleepError(f"{what}: no answer within {ANSWER_MAX:g} s") from error
    except OSError as error:
        raise SleepError(f"{what}: {error}") from error


async def call(
    bus: Bus, to: str, path: str, interface: str, member: str, signature: str = "", *body: Any
) -> Message:
    """Call a method and wait for its answer, but not for ever."""
    async with asyncio.timeout(ANSWER_MAX):
        return await bus.call(to, path, interface, member, signature, *body)


async def value_of(bus: Bus, to: str, path: str, interface: str, name: str) -> Any:
    """A property's value; ``None`` where this version has none of that name."""
    try:
        return (await call(bus, to, path, PROPERTIES, "Get", "ss", interface, name)).body[0]
    except BusError:
        return None


async def unit_failure(bus: Bus, unit: str) -> str:
    """Why a service failed when it ran last, as systemd knows it; empty when it did not fail or systemd does not tell."""
    try:
        reply = await call(bus, SYSTEMD, SYSTEMD_PATH, f"{SYSTEMD}.Manager", "GetUnit", "s", unit)
        result = await value_of(bus, SYSTEMD, reply.body[0], f"{SYSTEMD}.Service", "Result")
    except (OSError, BusError):
        return ""
    if result in {None, "success"}:
        return ""
    return f"{unit} failed ({result}); `journalctl -b -u {unit}` says why"


def close_all(fds: tuple[int, ...]) -> None:
    """Descriptors that came with an answer and are not wanted."""
    for fd in fds:
        os.close(fd)
