"""The program that shows a notification to users, each as that user: ``python -m powernap.daemon.telling_users REQUEST``.

Runs as root, with nothing but the rights to become somebody else and to end what did, and for a moment only. Every user is served by a child of
its own, which gives up all of that for good before it opens anything of theirs: whatever answers on their bus has their own rights and 8 seconds,
and can neither hold up the others nor say more than a number and a sentence. The request and the answer are telling_desktop.py's.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

from powernap.daemon.loop_ears import LoopEars
from powernap.host import dbus
from powernap.host.dbus import Bus, BusError
from powernap.host.files import TreeFiles

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
ABSENT = (
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.UnknownMethod",
)
"""Nobody shows notifications there: a session without a desktop."""
EACH = 8.0
ANSWER_MAX = 4096
DATA_MAX = 64 * 1024 * 1024
"""Bytes that the process for one user may write to: it has 13 MiB, and the largest message that a bus may send makes 20 MiB. Else one user's bus
could use up the memory of all.
"""
LONGEST = 0x7FFFFFFF
"""Milliseconds: the largest number that fits."""


def main(arguments: list[str]) -> int:
    """Serve all of them side by side; prints who was shown what, and who could not be."""
    request = json.loads(bytes.fromhex(arguments[0]))
    begun = {uid: begin(uid, request) for uid in request["users"]}
    answers = gather(begun)
    print(
        json.dumps(
            {
                "shown": {uid: answer for uid, answer in answers.items() if isinstance(answer, int)},
                "failed": {uid: answer for uid, answer in answers.items() if isinstance(answer, str)},
            }
        )
    )
    return 0


# ---------------------------------------------------------------- a child for each


def begin(uid: int, request: dict[str, Any]) -> tuple[int, int]:
    """Its process, and where its answer is read."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reads)
            os.write(writes, json.dumps(served(uid, request)).encode()[:ANSWER_MAX])
        finally:
            os._exit(0)
    os.close(writes)
    return pid, reads


def gather(begun: dict[int, tuple[int, int]]) -> dict[int, int | str]:
    """What each answered; who has not in time is ended. A user can kill what serves them: then they were not told, which is theirs to want."""
    until, heard = time.monotonic() + EACH, {reads: b"" for _, reads in begun.values()}
    left = set(heard)
    while left and (ready := select.select(left, [], [], max(0.0, until - time.monotonic()))[0]):
        for reads in ready:
            data = os.read(reads, ANSWER_MAX)
            heard[reads] += data[: ANSWER_MAX - len(heard[reads])]
            if not data:
                left.discard(reads)
    for pid, reads in begun.values():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reads)
    return {uid: answer(heard[reads]) for uid, (_, reads) in begun.items()}


def answer(data: bytes) -> int | str:
    """A notification's number, 0 for none, or what went wrong."""
    try:
        found = json.loads(data)
    except ValueError:
        return f"no answer within {EACH:g} s"
    if isinstance(found, bool) or not isinstance(found, int | str):
        return "the answer makes no sense"
    return found


# ---------------------------------------------------------------- as that user


def served(uid: int, request: dict[str, Any]) -> int | str:
    """All for one user, in a process of its own."""
    try:
        if not become(uid, request["root"]):
            return 0
        resource.setrlimit(resource.RLIMIT_DATA, (DATA_MAX, DATA_MAX))
        return asyncio.run(bounded(uid, request))
    except TimeoutError:
        return f"no answer within {EACH:g} s"
    except Exception as error:
        return (str(error) or type(error).__name__)[:500]


def become(uid: int, root: str) -> bool:
    """Be that user and nothing else, for good; ``False`` where they have no directory for a bus. The group is the directory's: nobody need be asked."""
    try:
        found = os.stat(f"{root}/run/user/{uid}")
    except FileNotFoundError:
        return False
    if found.st_uid != uid:
        raise PermissionError(f"/run/user/{uid} belongs to user {found.st_uid}")
    if os.geteuid() == 0:
        os.setgroups([])
    os.setresgid(found.st_gid, found.st_gid, found.st_gid)
    os.setresuid(uid, uid, uid)
    return True


async def bounded(uid: int, request: dict[str, Any]) -> int:
    """Within the time that one has."""
    async with asyncio.timeout(EACH - 1.0):
        return await tell(uid, request)


async def tell(uid: int, request: dict[str, Any]) -> int:
    """Show the notice, or take away what was shown. 0 where nobody shows notifications; nobody is started for it."""
    ears = LoopEars(asyncio.get_running_loop())
    try:
        bus = await dbus.connect(
            TreeFiles(request["root"]), ears, lambda _: None, lambda _: None, f"/run/user/{uid}/bus"
        )
    except (FileNotFoundError, ConnectionRefusedError):
        return 0
    try:
        return await show(bus, request["notice"], int(request["shown"].get(str(uid), 0)))
    except BusError as error:
        if error.name in ABSENT:
            return 0
        raise
    finally:
        bus.close()


async def show(bus: Bus, notice: dict[str, Any] | None, before: int) -> int:
    """An urgent one takes the place of the one before; anything else comes after that was closed, so that it is not taken for urgent."""
    urgent = notice is not None and notice["urgency"] == 2
    if before and not urgent:
        await close(bus, before)
    if notice is None:
        return 0
    abilities = (await bus.call(NAME, PATH, NAME, "GetCapabilities")).body[0]
    body = html.escape(notice["body"], quote=False) if "body-markup" in abilities else notice["body"]
    hints = {"urgency": ("y", notice["urgency"]), "transient": ("b", not urgent)}
    shown = await bus.call(
        *(NAME, PATH, NAME, "Notify", "susssasa{sv}i"),
        *("PowerNap", before if urgent else 0, "system-shutdown", notice["summary"], body, [], hints),
        min(LONGEST, int(notice["seconds"] * 1000)),
    )
    number = shown.body[0]
    return number if isinstance(number, int) and urgent else 0


async def close(bus: Bus, number: int) -> None:
    """The user may have closed it: then there is nothing to close."""
    try:
        await bus.call(NAME, PATH, NAME, "CloseNotification", "u", number)
    except BusError as error:
        if error.name in ABSENT:
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
