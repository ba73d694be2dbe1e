"""Calls the scripts of a directory: with `true` to save power, with `false` to stop saving, as pm-utils' power.d did.

In the order of their names, and back in reverse. They run as root, so only files that root owns and nobody else can write count, in a
directory of which the same is true; each of the others is named with the reason. Owns the choice; starting them, one at a time and never through a
shell, is host/knobs.py's.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.host.availability import Availability, available, unavailable
from powernap.host.knobs import Change
from powernap.host.modes import status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"

LEFTOVERS = (
    "~",
    ".bak",
    ".orig",
    ".swp",
    ".dpkg-old",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-tmp",
    ".rpmsave",
    ".rpmnew",
    ".rpmorig",
)


@dataclass(frozen=True)
class Options:
    """Where the scripts are."""

    directory: str = option("/etc/powernap/hooks.d", unit="path", help="The directory of the scripts.")


def probe(host: Host, options: Options) -> Availability:
    """Which scripts would be called, and why the others are not."""
    where = options.directory
    found = status(host.files, where)
    if found is None:
        return unavailable(
            f"{where} does not exist",
            f"put executable scripts into {where}; they get true or false as their argument",
        )
    if not stat.S_ISDIR(found.st_mode):
        return unavailable(f"{where} is not a directory", "name a directory")
    if why := unsafe(found.st_mode, found.st_uid):
        return unavailable(f"{where} is not used: {why}", f"chown root {where} && chmod go-w {where}")
    scripts, refused = judge(host.files, where)
    problems = [f"{name} is not called: {why}" for name, why in refused.items()]
    if not scripts:
        return unavailable("; ".join(problems) or f"{where} is empty", f"put executable scripts into {where}")
    return available("; ".join([", ".join(path.rpartition("/")[2] for path in scripts), *problems]))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One call each. The directory and every script are judged again here: probing may be long ago."""
    found = status(host.files, options.directory)
    if found is None or not stat.S_ISDIR(found.st_mode) or unsafe(found.st_mode, found.st_uid):
        return
    for path in judge(host.files, options.directory)[0]:
        yield Change(path, "true", kind="hook")


def judge(files: Files, directory: str, owner: int = 0) -> tuple[list[str], dict[str, str]]:
    """The scripts to call, by name, and the others with the reason. Hidden files are passed over."""
    scripts: list[str] = []
    refused: dict[str, str] = {}
    for name in files.names(directory):
        if name.startswith("."):
            continue
        found = status(files, f"{directory}/{name}")
        why = "it has gone" if found is None else reason(name, found.st_mode, found.st_uid, owner)
        if why:
            refused[name] = why
        else:
            scripts.append(f"{directory}/{name}")
    return scripts, refused


def reason(name: str, mode: int, uid: int, owner: int = 0) -> str:
    """Why a file is not called; empty when it is. ``mode`` and ``uid`` are lstat(2)'s."""
    if name.endswith(LEFTOVERS):
        return "it is the leftover of an editor or a package"
    if stat.S_ISLNK(mode):
        return "it is a link; put the script itself here"
    if not stat.S_ISREG(mode):
        return "it is not a file"
    return unsafe(mode, uid, owner) or ("" if mode & 0o100 else "it is not executable")


def unsafe(mode: int, uid: int, owner: int = 0) -> str:
    """Who else could change what root would run."""
    if uid != owner:
        return f"it belongs to user {uid}, not to root"
    return "others than root can write it" if mode & 0o022 else ""
