"""Whether the whole system is going down: what the init that runs here leaves behind before it stops the services.

Serves whoever is stopped and wants to know why. A reboot is one way of going down.
"""

from __future__ import annotations

import os
import struct

from powernap.host.files import Files, text
from powernap.host.inotify import on_disk

LIMIT = 2.0
"""Seconds for asking systemd."""
SYSTEMD = "/run/systemd/system"
RUNNING = frozenset({"initializing", "starting", "running", "degraded", "maintenance"})
"""What ``systemctl is-system-running`` says otherwise than "stopping" (systemctl(1)); "offline" and "unknown" tell nothing."""
SOFTLEVELS = ("/run/openrc/softlevel", "/lib/rc/init.d/softlevel")
"""OpenRC's runlevel: it is "shutdown", also for a reboot, before the first service is stopped (src/openrc/rc.c). The second until 0.11."""
STOPITS = ("/run/runit.stopit", "/run/runit/stopit", "/etc/runit/stopit")
"""runit's order to go down: executable by its owner (runit-init(8)). Where Debian has it, where Void has it, and where it was meant to be."""
RUN_LVL = 1
"""The type of utmp's record of the runlevel (utmp(5)), which sysvinit writes before it starts what stops the services (init.c)."""
GOING, STAYING = frozenset("06"), frozenset("12345Ss")


def going_off(files: Files) -> bool | None:
    """``None``: nobody tells."""
    if files.exists(SYSTEMD):
        return _systemd()
    said = {_openrc(files), _runit(files), _sysvinit(files)}
    return True if True in said else False if False in said else None


def _systemd() -> bool | None:
    from powernap.host.systemctl import run  # noqa: PLC0415 - once, at the end

    try:
        state = run(["systemctl", "is-system-running"], LIMIT).output
    except OSError:
        return None
    return True if state == "stopping" else False if state in RUNNING else None


def _openrc(files: Files) -> bool | None:
    level = next(filter(None, (text(files, path) for path in SOFTLEVELS)), "")
    return level == "shutdown" if level else None


def _runit(files: Files) -> bool | None:
    """Where it is the init: the file may be left from when it was."""
    if text(files, "/proc/1/comm") != "runit":
        return None
    return any(_executable(on_disk(files, path)) for path in STOPITS)


def _executable(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & 0o100)
    except OSError:
        return False


def _sysvinit(files: Files) -> bool | None:
    from powernap.host import logins  # noqa: PLC0415 - once, at the end, where there is no systemd

    for path in logins.UTMP:
        try:
            with open(on_disk(files, path), "rb") as file:
                level = runlevel(file.read(), logins.record_size(logins.machine()))
        except OSError:
            continue
        if level in GOING | STAYING:
            return level in GOING
    return None


def runlevel(utmp: bytes, size: int) -> str:
    """Of utmp's latest record of one, each of so many bytes; empty where there is none. It stands in ``ut_pid``, with the one before times 256
    (runlevel(8)).
    """
    found = ""
    for at in range(0, len(utmp) - size + 1, size):
        kind, pid = struct.unpack_from("=hxxi", utmp, at)
        if kind == RUN_LVL:
            found = chr(pid & 0xFF)
    return found
