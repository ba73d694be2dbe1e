"""systemd's units seen from their files: which exist, what would start them again, and which must never be stopped.

Owns the guard list and the reading of unit files. Stopping and freezing them is host/knobs.py's.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files

# in the order of precedence (systemd.unit(5))
DIRECTORIES = (
    "/etc/systemd/system", "/run/systemd/system", "/run/systemd/transient", "/run/systemd/generator", "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system", "/lib/systemd/system",
)  # fmt: skip
SUFFIXES = (".service", ".timer", ".socket", ".path", ".scope", ".slice")
NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+")

NEVER = {
    "it is the way in and out of this machine": (
        "ssh*", "dropbear*", "getty@*", "serial-getty@*", "console-getty*", "NetworkManager*", "networking*", "network*", "netplan*",
        "connman*", "dhcpcd*", "dhclient*", "wpa_supplicant*", "iwd*", "ifup@*", "wicked*", "wg-quick@*", "openvpn*", "tailscaled*",
        "nftables*", "firewalld*",
    ),
    "the system hangs on it": (
        "init*", "-*", "system*", "user*", "machine.slice", "session-*", "dbus*", "polkit*", "udev*", "rescue*", "emergency*", "getty.*",
        "iscsi*", "multipathd*", "lvm2-*", "mdmonitor*", "dm-event*", "zfs*", "lxcfs*", "rpcbind*", "auditd*",
    ),
    "it would be taken for dead, and the machine reset or fenced": ("corosync*", "pacemaker*", "sbd*", "watchdog*", "wd_keepalive*", "keepalived*"),
    "PowerNap would stop itself": ("powernap*", "powerwake*"),
}  # fmt: skip


def full_name(name: str) -> str:
    """As systemctl(1) completes it: ``cron`` is ``cron.service``."""
    return (
        name
        if name.endswith((*SUFFIXES, ".target", ".mount", ".device", ".swap", ".automount"))
        else f"{name}.service"
    )


def refusal(name: str) -> str:
    """Why a unit may never be stopped or frozen; empty when it may."""
    unit = full_name(name)
    if not NAME.fullmatch(unit) or not unit.endswith(SUFFIXES):
        return "only a service, timer, socket, path, scope or slice can be named, without wildcards"
    for reason, patterns in NEVER.items():
        if any(fnmatch.fnmatchcase(unit, pattern) for pattern in patterns):
            return reason
    return ""


def definition(files: Files, unit: str) -> str | None:
    """The unit's file and its drop-ins as one text; an instance's is its template's; ``None`` when there is none (scopes, slices)."""
    names = [unit, re.sub(r"@[^.]*\.", "@.", unit)] if "@" in unit else [unit]
    main = next(
        (path for name in names for where in DIRECTORIES if files.exists(path := f"{where}/{name}")), None
    )
    if main is None:
        return None
    more = [
        path
        for name in names
        for where in DIRECTORIES
        for path in matching(files, f"{where}/{name}.d/*.conf")
    ]
    return "\n".join(text(files, path) for path in [main, *more])


def starters(files: Files, unit: str) -> list[str]:
    """Sockets, timers and paths that would start a service again, by their names (systemd.socket(5), ``Service=``)."""
    stem = unit.removesuffix(".service")
    others = (
        [f"{stem}{suffix}" for suffix in (".socket", ".timer", ".path")] if unit.endswith(".service") else []
    )
    return [name for name in others if definition(files, name) is not None]


def watched(files: Files, unit: str) -> bool:
    """Whether systemd kills it when it does not report (``WatchdogSec=``): a frozen one cannot."""
    times = re.findall(r"^\s*WatchdogSec\s*=\s*(\S+)", definition(files, unit) or "", re.MULTILINE)
    return bool(times) and not re.fullmatch(r"0\w*|infinity", times[-1])
