"""Programs started as transient units of systemd: not confined as the daemon is, but as each needs it. systemd-run(1), systemd.exec(5).

Owns the command line. What runs there, and with which rights, is for whoever starts it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

import powernap
from powernap.host import programs

CONFINED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0077",
}
"""For a program of ours, which has nothing to do with this machine."""


def runner() -> str:
    """Of systemd, where that is in charge (sd_booted(3)) and obeys us; empty where not."""
    if os.geteuid() != 0 or not os.path.isdir("/run/systemd/system"):
        return ""
    return shutil.which("systemd-run", path=programs.ENVIRONMENT["PATH"]) or ""


def command(
    systemd_run: str,
    description: str,
    argv: Sequence[str],
    properties: Mapping[str, str],
    given: Mapping[str, str],
) -> list[str]:
    """How it is started there, and waited for. A "$" in an argument is doubled, for systemd would take what follows for a variable
    (systemd.service(5), "Command lines").

    :param given: its environment.
    """
    return [
        *(systemd_run, "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"),
        f"--description={description}",
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"--setenv={name}={value}" for name, value in given.items()),
        *("--", argv[0], *(word.replace("$", "$$") for word in argv[1:])),
    ]


def environment() -> dict[str, str]:
    """Where a program of ours finds this package, wherever we were started from; nothing of the daemon's own."""
    return {
        **programs.ENVIRONMENT,
        "PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(powernap.__file__))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
