"""The ways in which users are told: a line at their terminals, logind's last words, the admin's program. Desktops are telling_desktop.py's.

Each takes what is to be said and what it kept of the time before, and raises where it could not; that there is no such way on this machine is
no failure. Nothing here decides what is said, nor when.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from powernap.daemon import telling_words as words
from powernap.host.inotify import on_disk
from powernap.host.modes import status
from powernap.host.people import has_logind
from powernap.host.terminals import write_to_all
from powernap.sleep.states import OFF

if TYPE_CHECKING:
    from powernap.daemon.telling_words import Said
    from powernap.host.host import Host

COMMAND_MAX = 30.0
"""Seconds; as long as a hook's default."""
Kept = dict[str, Any]


class TellingError(Exception):
    """Users could not be told this way: why."""


async def at_terminals(host: Host, said: Said, _kept: Kept) -> None:
    """A line at each that takes messages."""
    if said.event != "over":
        write_to_all(host.files, words.line(said))


# ---------------------------------------------------------------- logind


async def by_logind(host: Host, said: Said, kept: Kept) -> None:
    """Give logind the words that it broadcasts, and writes into the journal, in the moment in which the machine powers off.

    Nothing else of what it offers fits an off that may be postponed at any time (docs/decisions/0007). What it had before is put back when
    the off does not come, unless somebody else has given it other words by then.
    """
    taken_back = said.event != "warn" and bool(
        kept
    )  # whatever it is by now: the configuration may be another one
    if (said.coming.sleep != OFF and not taken_back) or host.ears is None or not has_logind(host.files):
        return
    from powernap.host import dbus  # noqa: PLC0415 - where there is a message bus
    from powernap.host.logind import MANAGER, NAME, PATH  # noqa: PLC0415
    from powernap.sleep.login_calls import call, value_of  # noqa: PLC0415

    bus = await dbus.connect(host.files, host.ears, lambda _: None, lambda _: None)
    try:
        message = await value_of(bus, NAME, PATH, MANAGER, "WallMessage")
        if said.event == "warn":
            if message != kept.get("ours", ...):  # somebody else's, also between two warnings of ours
                enabled = await value_of(bus, NAME, PATH, MANAGER, "EnableWallMessages") is True
                # What an earlier powernapd left, which was killed, is nobody's.
                left = not message or message.startswith(words.LAST)
                kept.update(message="" if left else message, enabled=enabled)
            kept["ours"] = words.last(said.coming)
            await call(bus, NAME, PATH, MANAGER, "SetWallMessage", "sb", kept["ours"], True)
        elif kept and message in {None, kept["ours"]}:
            before = kept["message"], kept["enabled"]
            await call(bus, NAME, PATH, MANAGER, "SetWallMessage", "sb", *before)
        if said.event != "warn":
            kept.clear()
    finally:
        bus.close()


# ---------------------------------------------------------------- the admin's program


async def by_command(
    host: Host, said: Said, kept: Kept, limit: float = COMMAND_MAX, systemd_run: str | None = None
) -> None:
    """Run it; what it ends with but 0 is a failure. ``kept["command"]`` is its argument list.

    :param systemd_run: what starts it; empty: we do. ``None``: as this machine has it.
    """
    command: tuple[str, ...] = kept.get("command", ())
    if not command or said.event == "over" or host.ears is None:
        return
    from powernap.host import programs, transient_unit  # noqa: PLC0415 - where a program is configured

    if reason := unsafe(host, command[0]):
        raise TellingError(f"{command[0]} is not run: {reason}")
    argv = [on_disk(host.files, command[0]), *command[1:]]
    given, starter = environment(said), transient_unit.runner() if systemd_run is None else systemd_run
    argv = as_unit(starter, argv, given, limit) if starter else argv
    result = await programs.run(host.ears, argv, limit=limit, environment=given)
    if result.status != 0:
        complaint = result.errors.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise TellingError(f"{command[0]} ended with {result.status}: {complaint[0]}")


def as_unit(systemd_run: str, argv: list[str], given: dict[str, str], limit: float) -> list[str]:
    """As our child it would be confined as we are: without network, homes, and the right to become a user."""
    from powernap.host import transient_unit  # noqa: PLC0415 - where a program is configured

    properties = {"RuntimeMaxSec": f"{limit:g}"}
    return transient_unit.command(systemd_run, "PowerNap tells users by a program", argv, properties, given)


def unsafe(host: Host, path: str) -> str:
    """Who besides root could change what root would run; empty: nobody. The same rules as for hooks."""
    from powernap.actions import hooks  # noqa: PLC0415

    real = host.files.real(path)
    found = status(host.files, real)
    if found is None:
        return "it does not exist"
    return hooks.exposed(host.files, os.path.dirname(real)) or hooks.reason(real, found.st_mode, found.st_uid)


def environment(said: Said) -> dict[str, str]:
    """What the program is told."""
    return {
        "POWERNAP_EVENT": said.event,
        "POWERNAP_STAGE": said.coming.stage,
        "POWERNAP_AT": str(round(said.coming.at)),
        "POWERNAP_WHY": said.because or words.why(said.coming),
    }
