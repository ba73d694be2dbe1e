"""The configuration's files: which, in which order, and whether they may be trusted.

``DIR/powernap.toml`` (without it the default that comes with the package), then ``DIR/conf.d/*.toml`` by name. Reads through the
plain file system, not through ``host``: the configuration is the administrator's, not the machine's.
"""

from __future__ import annotations

import errno
import os
import stat

from powernap.config.problems import Findings, Place

DIRECTORY = "/etc/powernap"
DEFAULT_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "default.toml")
LARGEST = 1024 * 1024  # bytes; the shipped default has 4,000
LEFTOVERS = (
    "~",
    ".bak",
    ".orig",
    ".disabled",
    ".off",
    ".dpkg-old",
    ".dpkg-new",
    ".dpkg-dist",
    ".rpmsave",
    ".rpmnew",
    ".swp",
)


def read(path: str, findings: Findings, *, trusted: bool = True) -> list[tuple[str, str]]:
    """(file, text) pairs of a file or a directory, in the order in which later wins.

    :param trusted: when root, refuse what others could have written: it would make them root.
    """
    directory = os.path.isdir(path) or path == DIRECTORY  # which need not exist: the package's default serves
    files = in_directory(path, findings, trusted=trusted) if directory else [path]
    sources = []
    for file in files:
        text = _text(file, findings, trusted=trusted and file != DEFAULT_FILE)
        if text is not None:
            sources.append((file, text))
        else:
            findings.torn = True
    return sources


def in_directory(path: str, findings: Findings, *, trusted: bool = True) -> list[str]:
    """Main file or built-in default, then the drop-ins; what is in ``conf.d`` and not read is noted."""
    main = os.path.join(path, "powernap.toml")
    if trusted and os.path.isdir(path):
        _trust(path, os.stat(path), findings)
    return [
        main if os.path.lexists(main) else DEFAULT_FILE,
        *drop_ins(os.path.join(path, "conf.d"), findings, trusted=trusted),
    ]


def drop_ins(path: str, findings: Findings, *, trusted: bool = True) -> list[str]:
    """The files of a directory of which each ``*.toml`` is read, by name; what is not read is noted. None where there is no directory."""
    files = []
    try:
        names = sorted(os.listdir(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        findings.wrong(
            Place(path),
            "",
            f"cannot be listed: {error.strerror}",
            "make it a directory that its reader may read",
        )
        return []
    if trusted:
        _trust(path, os.stat(path), findings)
    for name in names:
        file = os.path.join(path, name)
        if name.endswith(".toml") and not name.startswith("."):
            files.append(file)
        elif not name.startswith((".", "README")) and not name.endswith(LEFTOVERS):
            findings.note(
                Place(file),
                "",
                "is not read: its name does not end in .toml",
                f"rename it to {os.path.splitext(name)[0]}.toml",
            )
    return files


def distrust(facts: os.stat_result, user: int) -> str:
    """Who else than root could write a file that root obeys; empty when nobody can, or the reader is not root."""
    if user != 0:
        return ""
    if facts.st_uid != 0:
        return f"belongs to user {facts.st_uid}"
    if facts.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if facts.st_mode & stat.S_IWGRP and facts.st_gid != 0:
        return f"can be written by group {facts.st_gid}"
    return ""


def _trust(path: str, facts: os.stat_result, findings: Findings) -> bool:
    who = distrust(facts, os.geteuid())
    if who:
        remedy = f"who writes it commands root: chown root:root {path}; chmod go-w {path}"
        findings.wrong(Place(path), "", who, remedy)
    return not who


def _text(path: str, findings: Findings, *, trusted: bool) -> str | None:
    """The text of a file, or ``None`` and a problem."""
    try:
        data, facts = _bytes(path)
    except OSError as error:
        findings.wrong(Place(path), "", *_unreadable(path, error))
        return None
    if trusted and not _trust(path, facts, findings):
        return None
    if len(data) > LARGEST:
        findings.wrong(
            Place(path), "", "is larger than 1 MiB", "is this the right file? A configuration has a few KiB"
        )
        return None
    return decode(data, path, findings)


def _bytes(path: str) -> tuple[bytes, os.stat_result]:
    """At most one byte more than is allowed. Opening a pipe must not wait for its writer, hence O_NONBLOCK."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with open(fd, "rb") as file:
        facts = os.fstat(fd)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, "Is a directory", path)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", path)
        return file.read(LARGEST + 1), facts


def _unreadable(path: str, error: OSError) -> tuple[str, str]:
    if error.errno == errno.ENOENT:
        if os.path.islink(path):
            return f"is a link to {os.readlink(path)}, which does not exist", "correct or delete the link"
        return "does not exist", "check the spelling"
    if error.errno == errno.EACCES:
        return "may not be read by you", f"use sudo, or let others read it: chmod a+r {path}"
    if error.errno == errno.EISDIR:
        return "is a directory", "give a file here, or name a directory that holds powernap.toml"
    reason = error.strerror or str(error)
    return reason if reason.startswith("is ") else f"cannot be read: {reason}", "put a text file in its place"


def decode(data: bytes, path: str, findings: Findings) -> str | None:
    """UTF-8, with or without the mark that Windows editors put in front."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            findings.wrong(
                Place(path), "", "is UTF-16, not UTF-8", f"convert it: iconv -f utf-16 -t utf-8 {path}"
            )
            return None
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x}"
        findings.wrong(Place(path, line), "", message, f"convert it: iconv -f latin1 -t utf-8 {path}")
        return None
