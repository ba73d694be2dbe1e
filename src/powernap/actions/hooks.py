"""Calls the scripts of a directory: with `true` to save power, with `false` to stop saving, as pm-utils' power.d did.

In the order of their names, and back in reverse. They run as root, so only files that root owns and nobody else can write count, in a
directory of which the same is true; each of the others is named with the reason. Owns the choice; starting them, one at a time and never through a
shell, is host/knobs.py's.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
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
    return answer(host.files, options.directory)


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One call each. The directory and every script are judged again here: probing may be long ago."""
    if not exposed(host.files, options.directory):
        for path in judge(host.files, options.directory)[0]:
            yield Change(path, "true", kind="hook")


def answer(files: Files, directory: str, owner: int = 0) -> Availability:
    """What the probe says; ``owner`` is root's number, and a test's own."""
    if why := exposed(files, directory, owner):
        return unavailable(
            why,
            f"put executable scripts of root's into {directory}; they get true or false as their argument",
        )
    scripts, refused = judge(files, directory, owner)
    problems = [f"{name} is not called: {why}" for name, why in refused.items()]
    if not scripts:
        return unavailable(
            "; ".join(problems) or f"{directory} is empty", f"put executable scripts into {directory}"
        )
    return available("; ".join([", ".join(path.rpartition("/")[2] for path in scripts), *problems]))


def exposed(files: Files, directory: str, owner: int = 0) -> str:
    """Why no script of this directory may run; empty when they may.

    Each directory above it counts too: who can rename one of them can put another in its place, unless it is sticky as /tmp is.
    """
    real = files.real(directory)
    found = status(files, real)
    if found is None:
        return f"{directory} does not exist"
    if not stat.S_ISDIR(found.st_mode):
        return f"{directory} is not a directory"
    parts = real.strip("/").split("/")
    for path in ["/" + "/".join(parts[:length]) for length in range(len(parts), -1, -1)]:
        found = status(files, path)
        if found is None:
            why = "it has gone"
        elif path != real and found.st_mode & stat.S_ISVTX:
            why = ""
        else:
            why = unsafe(found.st_mode, found.st_uid, {0, owner})
        if why:
            where = "" if path == real else f"{path}: "
            return f"{directory} is not used: {where}{why}"
    return ""


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
    return unsafe(mode, uid, {owner}) or ("" if mode & 0o100 else "it is not executable")


def unsafe(mode: int, uid: int, owners: set[int]) -> str:
    """Who else could change what root would run."""
    if uid not in owners:
        return f"it belongs to user {uid}, not to root"
    return "others than root can write it" if mode & 0o022 else ""
