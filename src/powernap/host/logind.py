"""Who is logged in, as systemd-logind knows it (org.freedesktop.login1(5)).

Owns how a session is asked for, read, and heard of. Does not own which sessions count.
"""

from __future__ import annotations

import asyncio
from typing import Any

from powernap.core.value import dataclass
from powernap.host.dbus import PROPERTIES, Bus, BusError, match
from powernap.host.dbus_message import Message

NAME, PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
MANAGER, SESSION = "org.freedesktop.login1.Manager", "org.freedesktop.login1.Session"
SIGNALS = (
    {"interface": MANAGER, "member": "SessionNew"},
    {"interface": MANAGER, "member": "SessionRemoved"},
    {
        "interface": PROPERTIES,
        "member": "PropertiesChanged",
        "path_namespace": f"{PATH}/session",
        "arg0": SESSION,
    },
)
GONE = "org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.DBus.Error.UnknownMethod"
TELLING = {"IdleHint", "State", "Active", "Class"}
"""Properties whose change can change whether a session counts."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session. ``idle_since`` and ``since`` are seconds of ``CLOCK_MONOTONIC``, 0 where logind does not say."""

    id: str
    user: str
    kind: str
    state: str
    type: str
    terminal: str = ""
    remote_host: str = ""
    remote: bool = False
    idle: bool = False
    idle_since: float = 0.0
    since: float = 0.0


def parse(values: dict[str, Any]) -> Session:
    """A session of the properties that logind answers; what is missing or of another type is empty."""

    def text(key: str) -> str:
        value = values.get(key)
        return value if isinstance(value, str) else ""

    def seconds(key: str) -> float:
        value = values.get(key)
        return value / 1e6 if isinstance(value, int) else 0.0

    return Session(
        id=text("Id"),
        user=text("Name"),
        kind=text("Class"),
        state=text("State"),
        type=text("Type"),
        terminal=text("TTY").removeprefix("/dev/"),
        remote_host=text("RemoteHost"),
        remote=values.get("Remote") is True,
        idle=values.get("IdleHint") is True,
        idle_since=seconds("IdleSinceHintMonotonic"),
        since=seconds("TimestampMonotonic"),
    )


async def listen(bus: Bus) -> None:
    """Hear of sessions that come, go or change; the bus sends nothing else."""
    for terms in SIGNALS:
        await match(bus, sender=NAME, **terms)


async def sessions(bus: Bus) -> list[Session]:
    """All sessions now, asked for side by side; one that ends meanwhile is left out."""
    listed = (await bus.call(NAME, PATH, MANAGER, "ListSessions")).body[0]
    found = await asyncio.gather(*[_session(bus, row[4]) for row in listed])
    return [session for session in found if session]


async def _session(bus: Bus, path: str) -> Session | None:
    try:
        return parse((await bus.call(NAME, path, PROPERTIES, "GetAll", "s", SESSION)).body[0])
    except BusError as error:
        if error.name in GONE:
            return None
        raise


def matters(signal: Message) -> bool:
    """Whether a signal can change who counts: a session came or went, or one of the telling properties changed."""
    if signal.member != "PropertiesChanged":
        return signal.member in {"SessionNew", "SessionRemoved"}
    return len(signal.body) == 3 and bool(TELLING & {*signal.body[1], *signal.body[2]})
