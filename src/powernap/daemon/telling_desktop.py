"""Notifications on the desktops of all users (Desktop Notifications Specification 1.3), shown by a process that becomes each of them.

Session buses let nobody in but their own user, root neither. So a program of ours (telling_users.py) is started, as a transient unit where there
is systemd, since the daemon's unit may become nobody else and does not see /run/user; without systemd as a child. Owns the starting, what it
is given and what it answers. Reaches the buses at ``/run/user/UID/bus``, where systemd, elogind and all desktops of today have them.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from powernap.daemon import telling_words as words
from powernap.daemon.answers import clean
from powernap.daemon.telling_ways import TellingError
from powernap.host import programs, transient_unit
from powernap.host.transient_unit import environment, runner

if TYPE_CHECKING:
    from powernap.daemon.telling_words import Said
    from powernap.host.files import Files
    from powernap.host.host import Host

USERS = "/run/systemd/users"
"""A file for each user who is logged in or lingers, where logind runs; sd_get_uids(3) reads their names."""
RUNTIME = "/run/user"
USERS_MAX = 64
LIMIT = 15.0
"""Seconds for all of them; each has 8."""
BRIEFLY = 15.0
"""Seconds for which is shown that the machine stays awake."""


async def on_desktops(host: Host, said: Said, kept: dict[str, Any]) -> None:
    """Show it to everybody whose desktop shows notifications; the next replaces the one before. What is over is taken away again.

    ``kept``: the numbers of the notifications that are shown, by user number.
    """
    users = present(host.files)
    if host.ears is None or not users or (said.event != "warn" and not kept):
        return
    request = {
        "root": getattr(host.files, "root", ""),
        "users": users,
        "shown": kept,
        "notice": notice(said),
    }
    result = await programs.run(host.ears, command(runner(), request), limit=LIMIT, environment=environment())
    shown, failed = parse(result)
    # Of who did not answer, what was shown before is taken away another time.
    before = {uid: number for uid, number in kept.items() if uid in failed and number}
    kept.clear()
    kept.update({**before, **shown})
    if failed:
        raise TellingError("; ".join(f"user {uid}: {clean(reason, 200)}" for uid, reason in failed.items()))


def present(files: Files) -> list[int]:
    """Who may have a desktop, by user number: nobody where logind knows of nobody."""
    names = files.names(USERS) if files.exists(USERS) else files.names(RUNTIME)
    return sorted(int(name) for name in names if name.isdecimal())[:USERS_MAX]


def notice(said: Said) -> dict[str, Any] | None:
    """What is shown; ``None``: only what was shown before is taken away. ``urgency`` 2 stays until it is over, 1 goes by itself."""
    if said.event != "warn" and not said.because:
        return None
    urgent = said.event == "warn"
    return {
        "summary": words.summary(said),
        "body": words.body(said),
        "urgency": 2 if urgent else 1,
        "seconds": said.coming.left if urgent else BRIEFLY,
    }


def command(systemd_run: str, request: dict[str, Any]) -> list[str]:
    """How it is started. The request is written in digits: systemd-run would take a "$" in it for a variable."""
    given = json.dumps(request).encode().hex()
    python = [sys.executable, "-s", "-P", "-W", "ignore", "-m", "powernap.daemon.telling_users", given]
    if not systemd_run:
        return python
    wanted = {
        **transient_unit.CONFINED,
        "ProtectHome": "read-only",
        # To become each of them, and to end what then is theirs.
        "CapabilityBoundingSet": "CAP_SETUID CAP_SETGID CAP_KILL",
        "PrivateNetwork": "yes",
        "RestrictAddressFamilies": "AF_UNIX",
        "RuntimeMaxSec": f"{LIMIT:g}",
        "TasksMax": str(2 * USERS_MAX),
        "MemoryMax": "384M",  # 64 users have 180 MiB
    }
    return transient_unit.command(
        systemd_run, "PowerNap tells users on their desktops", python, wanted, environment()
    )


def parse(result: programs.Result) -> tuple[dict[str, int], dict[str, str]]:
    """The numbers of what is shown, and who could not be told, by user number; ``TellingError`` where it gave no answer."""
    try:
        answer = json.loads(result.output)
        shown = {str(int(uid)): int(number) for uid, number in answer["shown"].items()}
        return shown, {str(int(uid)): str(reason) for uid, reason in answer["failed"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        lines = clean(result.errors.decode(errors="replace").strip().rpartition("\n")[2], 200)
        raise TellingError(f"{words_of(result.status)}: {lines or 'it said nothing'}") from None


def words_of(status: int) -> str:
    """How the program ended."""
    return f"what tells desktops ended with {status}"
