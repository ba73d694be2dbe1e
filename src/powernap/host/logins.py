"""Who is logged in where there is no logind: utmp(5), else the controlling terminals of session leaders (proc_pid_stat(5)).

Owns how both are read, who a user number is, and when a terminal was last typed on. Does not own which logins count.
"""

from __future__ import annotations

import os
import re
import struct

from powernap.core.value import dataclass
from powernap.host.clock import Clock
from powernap.host.files import Files, text
from powernap.host.inotify import on_disk
from powernap.host.roll import roll

UTMP = ("/run/utmp", "/var/run/utmp")
BOOT_TIME, USER_PROCESS = 2, 7
WIDE_TIME = {"aarch64", "loongarch64", "ia64", "alpha"}
"""Machines whose struct utmp has 64-bit times: 400 bytes; on all others it is 384 (glibc, __WORDSIZE_TIME64_COMPAT32)."""
GETTYS = {"agetty", "getty", "mingetty", "fgetty", "mgetty"}
PTS_MAJORS = range(136, 144)
TTY_STEP = 8
"""Seconds of the steps in which the kernel keeps a terminal's times, so that nobody learns how fast one types (tty_io.c)."""


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody on a terminal: ``terminal`` is "pts/0", ``host`` whence, ``since`` wall-clock seconds (utmp) or 0."""

    user: str
    terminal: str
    host: str = ""
    pid: int = 0
    since: float = 0.0


def user_names(files: Files) -> dict[int, str]:
    """Names of the local users by number. Not by NSS: a directory server that hangs would stop the loop."""
    return parse_passwd(text(files, "/etc/passwd"))


def parse_passwd(content: str) -> dict[int, str]:
    """passwd(5); of several names of one number the first."""
    names: dict[int, str] = {}
    for line in content.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdecimal():
            names.setdefault(int(fields[2]), fields[0])
    return names


def typed_before(atime: float) -> float:
    """The latest instant at which input may have come to a terminal that shows ``atime``: the end of the kernel's 8-s step."""
    return (int(atime) | TTY_STEP - 1) + 1.0


class TypingTimes:
    """When each terminal was last typed on, in ``CLOCK_BOOTTIME``.

    The kernel keeps the time of day, which may step. So it is converted when it changes and remembered: a later step of the clock
    changes nothing, and input between two looks is never placed before the first of them.
    """

    def __init__(self, files: Files, clock: Clock) -> None:
        self.files, self.clock = files, clock
        self.known: dict[str, tuple[float, float]] = {}
        self.looked: dict[str, float] = {}

    def at(self, terminal: str, now: float) -> float | None:
        """The latest instant, at most ``now``, at which somebody may have typed; ``None`` when the terminal is not there."""
        try:
            atime = os.stat(on_disk(self.files, f"/dev/{terminal}")).st_atime
        except (OSError, ValueError):
            self.known.pop(terminal, None)
            return None
        before, instant = self.known.get(terminal, (None, 0.0))
        if before != atime:
            instant = max(
                now - (self.clock.wall() - typed_before(atime)),
                self.looked.get(terminal, 0.0) if before else 0.0,
            )
            self.known[terminal] = (atime, instant)
        self.looked[terminal] = now
        return min(now, instant)


# --- utmp


def utmp_path(files: Files) -> str | None:
    """Where utmp is; ``None`` where nobody keeps one: no file, or one without the boot record that the system writes first."""
    return next((path for path in UTMP if parse_utmp(_bytes(files, path), machine())[1]), None)


def from_utmp(files: Files, path: str) -> list[Login]:
    """The logins in utmp whose process lives; rows that a crash left behind are not believed."""
    with open(on_disk(files, path), "rb") as file:
        logins, kept = parse_utmp(file.read(), machine())
    if not kept:
        raise OSError(f"{path} is empty: nobody keeps it any more")
    return [login for login in logins if files.exists(f"/proc/{login.pid}")]


def machine() -> str:
    """The kernel's name of this machine's architecture."""
    return os.uname().machine


def record_size(machine: str) -> int:
    """Bytes of utmp's struct."""
    return 400 if machine in WIDE_TIME else 384


def parse_utmp(data: bytes, machine: str) -> tuple[list[Login], bool]:
    """The logins, and whether there is a boot record (somebody keeps the file)."""
    wide, size = machine in WIDE_TIME, record_size(machine)
    logins, kept = [], False
    for at in range(0, len(data) - size + 1, size):
        row = data[at : at + size]
        kind, pid = struct.unpack_from("=hxxi", row)
        kept |= kind == BOOT_TIME
        if kind == USER_PROCESS:
            line, user, host = (
                row[begin:end].split(b"\0")[0].decode(errors="replace")
                for begin, end in ((8, 40), (44, 76), (76, 332))
            )
            seconds = struct.unpack_from("=q", row, 344)[0] if wide else struct.unpack_from("=i", row, 340)[0]
            logins.append(Login(user, line, host, pid, float(seconds)))
    return logins, kept


def _bytes(files: Files, path: str) -> bytes:
    try:
        with open(on_disk(files, path), "rb") as file:
            return file.read()
    except OSError:
        return b""


# --- controlling terminals


@dataclass(frozen=True, slots=True)
class Stat:
    """What is needed of /proc/PID/stat."""

    pid: int
    comm: str
    tty: int


def parse_stat(content: str) -> Stat | None:
    """A process; ``None`` for what is none. A name may hold spaces and brackets."""
    found = re.fullmatch(r"(\d+) \((.*)\) (.+)", content.strip(), re.DOTALL)
    rest = found[3].split() if found else []
    if not found or len(rest) < 20:
        return None
    return Stat(int(found[1]), found[2], int(rest[4]))


def from_terminals(files: Files, now: float, after: float = float("-inf")) -> list[Login]:
    """Session leaders with a controlling terminal, gettys apart, of the roll of all processes (host/roll.py), which is called anew if
    the latest began at ``after`` or before.

    ``PermissionError`` when /proc hides other people's processes (``hidepid``): an empty answer would be a lie.
    """
    if not files.exists("/proc/1/stat"):
        raise PermissionError("/proc hides other users' processes (hidepid)")
    lines = (roll(files, now, after=after, seated=True).seated or {}).values()
    stats = [parse_stat(os.fsdecode(line)) for line in lines]
    leaders = [stat for stat in stats if stat and stat.comm not in GETTYS]
    names = user_names(files) if leaders else {}
    return [
        Login(_owner(files, stat.pid, names), tty_name(files, stat.tty), "", stat.pid) for stat in leaders
    ]


def _owner(files: Files, pid: int, names: dict[int, str]) -> str:
    found = re.search(r"^Uid:\s+(\d+)", text(files, f"/proc/{pid}/status"), re.MULTILINE)
    return names.get(int(found[1]), f"uid {found[1]}") if found else "somebody"


def tty_name(files: Files, number: int) -> str:
    """The name of a terminal by its device number ("pts/3", "tty1", "ttyS0")."""
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    if major in PTS_MAJORS:
        return f"pts/{(major - PTS_MAJORS.start) * 256 + minor}"
    named = re.search(r"^DEVNAME=(.+)$", text(files, f"/sys/dev/char/{major}:{minor}/uevent"), re.MULTILINE)
    return named[1] if named else f"tty {major}:{minor}"
