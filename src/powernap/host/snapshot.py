"""Records a machine: the files that monitors and actions read, as a tree that serves as ``Host(files=TreeFiles(root), live=False)``.

Owns walking, limits, links and the archive. What is recorded is :mod:`powernap.host.recorded`, what is hidden
:mod:`powernap.host.pseudonyms`. ``MANIFEST.json`` beside the tree says what a copy cannot: the mode of each file (a fake kernel needs to
know what may be written), what could not be read and with which error.
"""

from __future__ import annotations

import errno
import fnmatch
import io
import json
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

from powernap import __version__
from powernap.core.value import dataclass
from powernap.host import recorded
from powernap.host.pseudonyms import BUILDER, FORMS, PATTERNS, Pseudonyms, people

FORMAT = 1
MANIFEST = "MANIFEST.json"
FILE_LIMIT = 64 * 1024
TOTAL_LIMIT = 64 * 1024 * 1024
ARCHIVES = (".tar.gz", ".tgz")


@dataclass
class Snapshot:
    """A machine's files in memory. Paths are the machine's ("/proc/stat").

    :param modes: permission bits of every file met, also of those not read.
    :param links: symbolic links, with relative targets.
    :param empty: directories of which only the existence is recorded.
    :param refused: files that could not be read, with the name of the error (``EACCES``; ``write-only``).
    :param truncated: files of which only the lines in the first :data:`FILE_LIMIT` bytes are here.
    :param pseudonyms: how many things of each kind were hidden.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    truncated: set[str] = field(default_factory=set)
    pseudonyms: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def manifest(self) -> dict[str, Any]:
        """What ``MANIFEST.json`` holds."""
        return {
            "format": FORMAT,
            "powernap": __version__,
            "files": {
                path: {"mode": f"{self.modes[path]:04o}", "size": len(data)}
                for path, data in sorted(self.files.items())
            },
            "links": dict(sorted(self.links.items())),
            "refused": {
                path: {"error": error, "mode": f"{self.modes.get(path, 0):04o}"}
                for path, error in sorted(self.refused.items())
            },
            "truncated": sorted(self.truncated),
            "pseudonyms": dict(sorted(self.pseudonyms.items())),
        }


def take(root: str = "/", progress: Callable[[int, int], None] | None = None) -> Snapshot:
    """Record the machine below ``root``, redacted. ``progress`` hears how many of the patterns are done."""
    root = root.rstrip("/")
    snapshot, walker = Snapshot(), Walker(root)
    for done, pattern in enumerate(recorded.PATTERNS, start=1):
        for path in walker.find(pattern):
            if path not in snapshot.modes and may_open(path):
                add(snapshot, path, root, walker.mode(path))
        if progress:
            progress(done, len(recorded.PATTERNS))
    snapshot.empty = {path for path in recorded.DIRECTORIES if os.path.isdir(root + path)}
    snapshot.links, snapshot.refused = walker.links, walker.closed | snapshot.refused
    return redact(snapshot, learn(root, snapshot))


def may_open(path: str) -> bool:
    """Not one of those that wait, wake a device, or hold a serial number."""
    return os.path.basename(path) not in recorded.NEVER and path not in recorded.NEVER_PATHS


def add(snapshot: Snapshot, path: str, root: str, mode: int) -> None:
    """Read one file into the snapshot, or note why not."""
    snapshot.modes[path] = stat.S_IMODE(mode)
    if not mode & 0o444:
        snapshot.refused[path] = "write-only"
        return
    if snapshot.size > TOTAL_LIMIT:
        snapshot.refused[path] = "EFBIG"
        return
    try:
        data = read(root + path)
    except OSError as problem:
        snapshot.refused[path] = error_name(problem)
        return
    if len(data) > FILE_LIMIT:
        snapshot.truncated.add(path)
        data = data[:FILE_LIMIT].rpartition(b"\n")[0] + b"\n"  # a parser must not meet half a line
    snapshot.files[path] = data
    snapshot.size += len(data)


def error_name(problem: OSError) -> str:
    """``EACCES``."""
    return errno.errorcode.get(problem.errno or 0, "EIO")


class Walker:
    """Finds what a pattern names. Links are noted as links and what they lead to at its own place, so each file is met once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._real_root = os.path.realpath(root or "/").rstrip("/")
        self.links: dict[str, str] = {}
        self.closed: dict[str, str] = {}

    def find(self, pattern: str) -> Iterator[str]:
        """Regular files that match, each at the path where it really is."""
        yield from self._walk("", pattern.strip("/").split("/"))

    def mode(self, path: str) -> int:
        """File type and permissions; 0 for what is not there (a process that has ended)."""
        try:
            return os.lstat(self._root + path).st_mode
        except OSError:
            return 0

    def _walk(self, directory: str, parts: list[str]) -> Iterator[str]:
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self._all_below(directory, recorded.DEPTH)
            return
        for name in self._names(directory, part):
            path = self._follow(f"{directory}/{name}")
            if path and rest and os.path.isdir(self._root + path):
                yield from self._walk(path, rest)
            elif path and not rest and stat.S_ISREG(self.mode(path)):
                yield path

    def _all_below(self, directory: str, depth: int) -> Iterator[str]:
        for name in self._names(directory, "*"):
            path = f"{directory}/{name}"
            mode = self.mode(path)
            if stat.S_ISLNK(mode):
                self._follow(path)
            elif stat.S_ISDIR(mode) and depth:
                yield from self._all_below(path, depth - 1)
            elif stat.S_ISREG(mode):
                yield path

    def _names(self, directory: str, part: str) -> list[str]:
        """Names in a directory that match one component; a directory that we may not list is noted."""
        if not re.search(r"[*\[]", part):
            return [part]
        try:
            return sorted(fnmatch.filter(os.listdir(self._root + directory), part))
        except OSError as problem:
            self.closed[directory] = error_name(problem)
            return []

    def _follow(self, path: str) -> str:
        """Where a link leads; the path itself when it is none; empty when it leads nowhere, or out of what may be recorded."""
        if not stat.S_ISLNK(self.mode(path)):
            return path
        real = os.path.realpath(self._root + path)
        inside = real.removeprefix(self._real_root)
        if not real.startswith(self._real_root + "/") or not inside.startswith(recorded.REACH):
            return ""
        # "self" and "net" are those of the process that reads: directories in the copy.
        if os.path.dirname(path) == "/proc" and os.path.isdir(real):
            return path
        if not os.path.exists(real):
            return ""
        self.links[path] = os.path.relpath(inside, os.path.dirname(path))
        return inside


def read(path: str) -> bytes:
    """At most one byte more than :data:`FILE_LIMIT`, without waiting. A sysfs file comes in one page, a /proc file in several."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        data = b""
        while len(data) <= FILE_LIMIT and (more := os.read(fd, FILE_LIMIT + 1 - len(data))):
            data += more
        return data
    finally:
        os.close(fd)


def learn(root: str, snapshot: Snapshot) -> Pseudonyms:
    """What is telling on this machine: from files that are not recorded, and from those that are."""
    pseudonyms = Pseudonyms()
    walker = Walker(root)
    for path in recorded.HOSTNAMES:
        name = quiet(root + path)
        for word in (name, name.partition(".")[0], name.partition(".")[2]):
            pseudonyms.learn("host", word)
    for name in people(quiet(root + "/etc/passwd")):
        pseudonyms.learn("user", name)
    for path in (found for pattern in recorded.TELLING for found in walker.find(pattern)):
        serial = quiet(root + path)
        if not FORMS.fullmatch(serial):
            pseudonyms.learn("serial", serial)
    for data in snapshot.files.values():
        pseudonyms.learn_from(decode(data))
    return pseudonyms


def quiet(path: str) -> str:
    """A file's text; empty when it cannot be read."""
    try:
        return decode(read(path)).strip()
    except OSError:
        return ""


def redact(snapshot: Snapshot, pseudonyms: Pseudonyms) -> Snapshot:
    """The same snapshot with pseudonyms in contents, names and links."""
    named = pseudonyms.replace_in_path
    files = {named(path): redacted(path, decode(data), pseudonyms) for path, data in snapshot.files.items()}
    return Snapshot(
        files=files,
        modes={named(path): mode for path, mode in snapshot.modes.items()},
        links={named(path): named(target) for path, target in snapshot.links.items()},
        empty=snapshot.empty,
        refused={named(path): error for path, error in snapshot.refused.items()},
        truncated={named(path) for path in snapshot.truncated},
        pseudonyms=dict(pseudonyms.given),
    )


def redacted(path: str, text: str, pseudonyms: Pseudonyms) -> bytes:
    """One file's content without what is telling."""
    if path in recorded.HOSTNAMES:
        text = pseudonyms.of("host", text) + "\n"
    elif path in recorded.VENDOR:
        text = re.sub(PATTERNS["builder"], BUILDER, text)
    else:
        text = pseudonyms.replace(kept(path, text))
    return text.encode(errors="surrogateescape")


def kept(path: str, text: str) -> str:
    """Of a file that says more than monitors and actions ask for, what they ask for."""
    if path == "/proc/cmdline":
        return (
            " ".join(word for word in text.split() if word.partition("=")[0] in recorded.BOOT_OPTIONS) + "\n"
        )
    if path.startswith("/proc/") and path.endswith("/mounts"):
        return "".join(
            line for line in text.splitlines(keepends=True) if line.split()[2] in recorded.KERNEL_FILE_SYSTEMS
        )
    return text


def decode(data: bytes) -> str:
    """Text of any bytes, and back with the same error handler."""
    return data.decode(errors="surrogateescape")


def save(snapshot: Snapshot, target: str) -> None:
    """Write a new ``.tar.gz``, or a new or empty directory where the name does not say that it is an archive.

    ``FileExistsError`` when something is there; a file half written is removed.
    """
    if not target.endswith(ARCHIVES):
        os.makedirs(target, mode=0o700, exist_ok=True)
        if os.listdir(target):
            raise FileExistsError(errno.EEXIST, "the directory is not empty", target)
        write_tree(snapshot, target)
        return
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for member, data in members(snapshot):
                archive.addfile(member, io.BytesIO(data))
    except BaseException:
        os.unlink(target)
        raise


def members(snapshot: Snapshot) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Everything as members of an archive: directories before what is in them, owners and times left out."""
    for path in directories(snapshot):
        member = tarfile.TarInfo(path.lstrip("/"))
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        yield member, b""
    for path, data in contents(snapshot).items():
        member = tarfile.TarInfo(path.lstrip("/"))
        member.size, member.mode = len(data), 0o644
        yield member, data
    for path, target in sorted(snapshot.links.items()):
        member = tarfile.TarInfo(path.lstrip("/"))
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
        yield member, b""


def write_tree(snapshot: Snapshot, root: str) -> None:
    """The same members as a directory tree."""
    for path in directories(snapshot):
        os.makedirs(root + path, exist_ok=True)
    for path, data in contents(snapshot).items():
        with open(root + path, "xb") as file:
            file.write(data)
    for path, target in sorted(snapshot.links.items()):
        os.symlink(target, root + path)


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    """The files and the manifest."""
    manifest = json.dumps(snapshot.manifest(), indent=1).encode()
    return {f"/{MANIFEST}": manifest, **dict(sorted(snapshot.files.items()))}


def directories(snapshot: Snapshot) -> list[str]:
    """Directories of files and links, and those that links lead to: a link to nothing would say that a device has no driver."""
    needed = {os.path.dirname(path) for path in (*snapshot.files, *snapshot.links)} | snapshot.empty
    for path, target in snapshot.links.items():
        end = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if end not in snapshot.files and end not in snapshot.modes:
            needed.add(end)
    parents = {"/".join(path.split("/")[:end]) for path in needed for end in range(2, path.count("/") + 2)}
    return sorted(parents - {""} - set(snapshot.links))


def unpack(archive: str, root: str) -> None:
    """Unpack a snapshot; members that would leave ``root`` are refused (``tarfile.FilterError``)."""
    with tarfile.open(archive, "r:gz") as file:
        file.extractall(root, filter="data")
