"""Who asks that the machine does not sleep: systemd-logind's inhibitor locks (systemd-inhibit(1), org.freedesktop.login1(5)).

Owns how a lock is read and said, and which locks keep the machine out of which sleep state. Does not ask for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.sleep.states import OFF

if TYPE_CHECKING:
    from powernap.host.dbus_message import Message

SIGNATURE = "a(ssssuu)"
"""What ``ListInhibitors`` answers: what, who, why, mode, uid, pid."""
MOST = 200
"""Characters of a text that we repeat: anybody may take an ``idle`` lock and call himself anything."""


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """One lock. ``what`` is what it holds off (sleep, shutdown, idle, handle-lid-switch ...), ``mode`` block, block-weak or delay."""

    what: tuple[str, ...]
    who: str
    why: str
    mode: str
    uid: int
    user: str
    pid: int

    def __str__(self) -> str:
        """As it is listed: "backup (pid 812, root): nightly copy"."""
        return f"{self.who} (pid {self.pid}, {self.user})" + (f": {self.why}" if self.why else "")


def parse(rows: Iterable[tuple[str, str, str, str, int, int]], user: Callable[[int], str]) -> list[Inhibitor]:
    """The rows of ``ListInhibitors``; ``user`` names a uid. What others wrote is short and printable afterwards."""
    return [
        Inhibitor(tuple(what.split(":")), _clean(who) or "somebody", _clean(why), mode, uid, user(uid), pid)
        for what, who, why, mode, uid, pid in rows
    ]


def changed(signal: Message) -> bool:
    """Whether a ``PropertiesChanged`` of the login manager tells of locks that hold something off (``BlockInhibited``, and since systemd
    257 ``BlockWeakInhibited``), not only delay it.
    """
    if signal.member != "PropertiesChanged" or signal.signature != "sa{sv}as":
        return False
    names = (*signal.body[1], *signal.body[2])
    return any(name.startswith("Block") and name.endswith("Inhibited") for name in names)


def lock_of(state: str) -> str:
    """The word by which a lock holds off a sleep state."""
    return "shutdown" if state == OFF else "sleep"


def blocks(inhibitor: Inhibitor, state: str, *, automatic: bool) -> str:
    """By which of its words a lock keeps the machine out of a sleep state; empty when it does not.

    Any mode but ``delay`` counts, so that one of a later systemd is obeyed too. ``idle`` says that the machine should not sleep *by
    itself* (a film, a presentation): it counts for what the ladder does, not for what an admin asks for.
    """
    if inhibitor.mode == "delay":
        return ""
    words = (lock_of(state), "idle") if automatic else (lock_of(state),)
    return next((word for word in words if word in inhibitor.what), "")


def blocking(found: Iterable[Inhibitor], state: str, *, automatic: bool) -> list[Inhibitor]:
    """Those that keep the machine out of a sleep state."""
    return [each for each in found if blocks(each, state, automatic=automatic)]


def sentence(state: str, inhibitor: Inhibitor, *, automatic: bool = True) -> str:
    """For ``powernap why``: "suspend waits: backup (pid 812, root) blocks sleep: nightly copy"."""
    word = blocks(inhibitor, state, automatic=automatic) or lock_of(state)
    held = "automatic sleep" if word == "idle" else word
    reason = f": {inhibitor.why}" if inhibitor.why else ""
    return f"{state} waits: {inhibitor.who} (pid {inhibitor.pid}, {inhibitor.user}) blocks {held}{reason}"


def _clean(text: str) -> str:
    """Fit for a terminal and one line."""
    short = text if len(text) <= MOST else text[: MOST - 1] + "…"
    return "".join(c if c.isprintable() else "?" for c in short).strip()
