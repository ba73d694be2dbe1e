"""The ledger's file: checksummed lines, locked by one writer, forced to disk before the writer goes on.

Owns the bytes: a line's form, the lock, what survives a torn or damaged line and a full disk. What the records mean is ledger.py's.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
import zlib
from collections.abc import Callable
from typing import Any

from powernap.core.value import dataclass

Record = dict[str, Any]
DEFAULT = "/run/powernap/ledger.jsonl"
"""On a tmpfs: no disk has to spin up for a restore, and what it describes does not outlive a reboot either."""
COPIES = 3
"""Damaged ledgers that are kept beside it: ``ledger.jsonl.damaged`` is the latest, then ``.damaged.1``, ..."""


class LedgerBusyError(Exception):
    """Somebody else has the ledger open for writing; ``pid`` is 0 where the kernel does not tell."""

    def __init__(self, path: str, pid: int, name: str) -> None:
        owner = f"{name} (pid {pid})" if pid else "another process"
        super().__init__(f"{owner} has {path} open: only one may write it")
        self.pid, self.name = pid, name


@dataclass(frozen=True)
class Disk:
    """The four calls that change the file, injected so that a test can end the process at each of them."""

    write: Callable[[int, bytes], int] = os.write
    sync: Callable[[int], None] = os.fsync
    truncate: Callable[[int, int], None] = os.ftruncate
    replace: Callable[[str, str], None] = os.replace


def encode(record: Record) -> bytes:
    """A JSON line whose last member is the CRC-32 of the line without it."""
    body = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body)


def decode(line: bytes) -> Record:
    """The record of a line; ``ValueError`` when it is not whole."""
    head, mark, tail = line.rpartition(b',"crc":"')
    body = head + b"}"
    if not mark or tail != b'%08x"}' % zlib.crc32(body):
        raise ValueError("its checksum does not match")
    record = json.loads(body)
    if not isinstance(record, dict):
        raise ValueError("it is no record")  # noqa: TRY004 - the caller asks one question: is it whole?
    return record


def parse(data: bytes) -> tuple[list[Record], list[str]]:
    """Whole records, and what is damaged. A torn last line (no newline) is what a crash leaves, and no damage."""
    records, damage = [], []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            records.append(decode(line))
        except ValueError as error:
            damage.append(f"line {number} is damaged ({error}): what it said is lost")
    return records, damage


def load(path: str) -> tuple[list[Record], list[str]]:
    """Read without locking; an absent file is empty."""
    try:
        with open(path, "rb") as file:
            return parse(file.read())
    except FileNotFoundError:
        return [], []


class LedgerFile:
    """The file open for writing. Appending is the caller's to serialise.

    :ivar kept: where a copy of what was damaged is, once the file itself no longer has it; empty before.
    """

    def __init__(self, path: str, disk: Disk | None = None) -> None:
        """:raises LedgerBusyError: another process has it; :raises OSError: it cannot be made."""
        self.path, self.kept = path, ""
        self._disk = disk or Disk()
        directory = os.path.dirname(path)
        if not os.path.isdir(directory):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        self._damaged = False
        self._fd = _open_locked(path)
        self._size = self._drop_torn()
        _sync_directory(directory, self._disk)

    def load(self) -> tuple[list[Record], list[str]]:
        """Every whole record, and what is damaged."""
        records, damage = parse(_content(self._fd))
        self._damaged = bool(damage)
        return records, damage

    def append(self, record: Record) -> None:
        """On disk when it returns. ``OSError`` (``ENOSPC``): the file is as it was before."""
        line = encode(record)
        try:
            written = self._disk.write(self._fd, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
            self._disk.sync(self._fd)
        except OSError:
            # half a line would swallow the next record; giving room back always succeeds
            with contextlib.suppress(OSError):
                self._disk.truncate(self._fd, self._size)
            raise
        self._size += len(line)

    def clear(self) -> None:
        """Nothing is left to put back. One call: the file is whole before and empty after. ``OSError``: it is as it was."""
        if self._size:
            self._keep_damaged()
            self._disk.truncate(self._fd, 0)
            self._disk.sync(self._fd)
            self._size = 0

    def rewrite(self, records: list[Record]) -> None:
        """Keep only these, atomically: a new file takes the place (and the lock) of this one."""
        self._keep_damaged()
        data, fresh = b"".join(map(encode, records)), f"{self.path}.new"
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._disk.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), fresh)
            self._disk.sync(fd)
            self._disk.replace(fresh, self.path)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self._size = fd, len(data)
        _sync_directory(os.path.dirname(self.path), self._disk)

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    def close(self) -> None:
        """Give the lock up."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _keep_damaged(self) -> None:
        """What cannot be read may be all that tells what was changed: a copy first, or ``OSError``, and the file stays as it is.

        Who holds the lock is alone here. Neither ``O_EXCL`` nor a rename follows a symbolic link (open(2), rename(2)).
        """
        if not self._damaged:
            return
        names = copies(self.path)
        fresh = f"{names[0]}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        self._copy(fresh)
        # the copy is whole before the oldest has to go for it
        for older, newer in reversed([*zip(names, [fresh, *names], strict=False)]):
            with contextlib.suppress(FileNotFoundError):
                self._disk.replace(newer, older)
        _sync_directory(os.path.dirname(self.path), self._disk)
        self._damaged, self.kept = False, names[0]

    def _copy(self, name: str) -> None:
        """A new file with all that is in this one, for whoever may read this one; ``OSError``: there is none."""
        data, mode = _content(self._fd), stat.S_IMODE(os.fstat(self._fd).st_mode)
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(fd, mode)
            if self._disk.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
            self._disk.sync(fd)
        except OSError:
            os.unlink(name)
            raise
        finally:
            os.close(fd)

    def _drop_torn(self) -> int:
        """Cut off a last line that a crash tore, so that the next record begins a line of its own."""
        data = _content(self._fd)
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            self._disk.truncate(self._fd, whole)
        return whole


def copies(path: str) -> list[str]:
    """Names of kept damaged ledgers, the latest first."""
    return [f"{path}.damaged", *(f"{path}.damaged.{number}" for number in range(1, COPIES))]


def _open_locked(path: str) -> int:
    """The file at ``path``, locked; opened again when it was replaced in between."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(path) and os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except BlockingIOError as error:
            pid = _holder(os.fstat(fd).st_ino)
            os.close(fd)
            raise LedgerBusyError(path, pid, _name(pid)) from error
        os.close(fd)


def _holder(inode: int) -> int:
    """Who holds the flock, from /proc/locks (proc_locks(5)); 0 when it cannot be told (another pid namespace)."""
    try:
        with open("/proc/locks", encoding="ascii") as file:
            found = re.search(rf"FLOCK +\w+ +WRITE +(\d+) +\w+:\w+:{inode} ", file.read())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"


def _content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _sync_directory(path: str, disk: Disk) -> None:
    """The name is on disk too."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        disk.sync(fd)
    finally:
        os.close(fd)
