"""Claims of host/logins.py."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import logins
from powernap.host.files import TreeFiles
from powernap.host.logins import Login, TypingTimes, parse_passwd, parse_stat, parse_utmp

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=31)


def row(
    kind: int,
    pid: int = 0,
    line: str = "",
    user: str = "",
    host: str = "",
    seconds: int = 0,
    wide: bool = False,
) -> bytes:
    """A struct utmp."""
    head = struct.pack(
        "=hxxi32s4s32s256shh", kind, pid, line.encode(), b"id", user.encode(), host.encode(), 0, 0
    )
    return head + (
        struct.pack("=qqq16s20s", 0, seconds, 0, b"", b"").ljust(64, b"\0")
        if wide
        else struct.pack("=iii16s20s", 0, seconds, 0, b"", b"")
    )


class Times:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.boot, self.time = 1000.0, 1_800_000_000.0

    def boottime(self) -> float:
        return self.boot

    def wall(self) -> float:
        return self.time


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 2**22), NAMES, NAMES, NAMES, st.integers(0, 2**31 - 1)),
        max_size=5,
    )
)
def test_utmp_rows_are_read(rows: list[tuple[int, int, str, str, str, int]]) -> None:
    """The logins of any file, and whether somebody keeps it, on machines with 32-bit and 64-bit times."""
    for machine, wide in (("x86_64", False), ("aarch64", True)):
        data = b"".join(row(*fields, wide=wide) for fields in rows)
        expected = [Login(user, line, host, pid, at) for kind, pid, line, user, host, at in rows if kind == 7]
        assert parse_utmp(data, machine) == (expected, any(fields[0] == 2 for fields in rows))


@given(st.binary(max_size=900))
def test_garbage_in_utmp_never_raises(data: bytes) -> None:
    """A cut-off row is left out."""
    parse_utmp(data, "x86_64")


def test_a_utmp_that_nobody_keeps_is_none(tmp_path: Path) -> None:
    """Missing, empty, or without a boot record: the answer would be "nobody" for ever."""
    files = TreeFiles(str(tmp_path))
    assert logins.utmp_path(files) is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run/utmp").write_bytes(b"")
    assert logins.utmp_path(files) is None
    (tmp_path / "run/utmp").write_bytes(row(7, 1, "pts/0", "alice"))
    assert logins.utmp_path(files) is None
    wide = logins.machine() in logins.WIDE_TIME
    (tmp_path / "run/utmp").write_bytes(row(2, wide=wide))
    assert logins.utmp_path(files) == "/run/utmp"


def test_a_dead_logins_row_is_not_believed(tmp_path: Path) -> None:
    """A crash leaves rows behind; a file that became empty is an error, not an empty house."""
    wide = logins.machine() in logins.WIDE_TIME
    (tmp_path / "run").mkdir()
    (tmp_path / "proc/42").mkdir(parents=True)
    rows = [
        row(2, wide=wide),
        row(7, 42, "pts/0", "alice", "10.0.0.7", 99, wide),
        row(7, 43, "pts/1", "ghost", wide=wide),
    ]
    (tmp_path / "run/utmp").write_bytes(b"".join(rows))
    files = TreeFiles(str(tmp_path))
    assert logins.from_utmp(files, "/run/utmp") == [Login("alice", "pts/0", "10.0.0.7", 42, 99.0)]
    (tmp_path / "run/utmp").write_bytes(b"")
    with pytest.raises(OSError, match="nobody keeps it"):
        logins.from_utmp(files, "/run/utmp")


def process(root: Path, pid: int, comm: str, session: int, tty: int, uid: int = 0) -> None:
    """A process in the tree."""
    (root / f"proc/{pid}").mkdir(parents=True)
    rest = " ".join(["0"] * 12)
    (root / f"proc/{pid}/stat").write_text(
        f"{pid} ({comm}) S 1 {session} {session} {tty} -1 0 {rest} 500 0\n"
    )
    (root / f"proc/{pid}/status").write_text(f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")


def test_session_leaders_on_terminals_are_logins(tmp_path: Path) -> None:
    """A shell on a pts and a console count; its children, a daemon and a getty do not."""
    process(tmp_path, 1, "init", 1, 0)
    process(tmp_path, 10, "bash", 10, 136 << 8 | 3, 1000)
    process(tmp_path, 11, "vim", 10, 136 << 8 | 3, 1000)
    process(tmp_path, 12, "agetty", 12, 4 << 8 | 1)
    process(tmp_path, 13, "a (b) c", 13, 4 << 8 | 64, 77)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    (tmp_path / "sys/dev/char/4:64").mkdir(parents=True)
    (tmp_path / "sys/dev/char/4:64/uevent").write_text("MAJOR=4\nMINOR=64\nDEVNAME=ttyS0\n")
    assert logins.from_terminals(TreeFiles(str(tmp_path)), 1000.0) == [
        Login("alice", "pts/3", pid=10),
        Login("uid 77", "ttyS0", pid=13),
    ]


def test_hidden_processes_are_an_error(tmp_path: Path) -> None:
    """With hidepid an empty answer would be a lie."""
    with pytest.raises(PermissionError, match="hidepid"):
        logins.from_terminals(TreeFiles(str(tmp_path)), 1000.0)


@given(st.text(max_size=60))
def test_a_strange_stat_is_none_or_read(content: str) -> None:
    """No text makes the scan fail."""
    parse_stat(content)


def test_terminal_numbers_have_names(tmp_path: Path) -> None:
    """Pseudo terminals by number, beyond 255 too; others by sysfs, else by their numbers."""
    files = TreeFiles(str(tmp_path))
    assert logins.tty_name(files, 136 << 8 | 3) == "pts/3"
    assert logins.tty_name(files, 136 << 8 | 0x100000 | 0x2C) == "pts/300"
    assert logins.tty_name(files, 4 << 8 | 1) == "tty 4:1"


def test_the_first_name_of_a_number_counts() -> None:
    """Passwd may have two; lines that are none are skipped."""
    assert parse_passwd("root:x:0:0:\ntoor:x:0:0:\n# note\n+::::::\nbob:x:5\n") == {0: "root", 5: "bob"}


def terminal(root: Path, atime: float) -> Path:
    """A file that stands for a terminal that was last read at ``atime``."""
    path = root / "dev/pts/0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (atime, 0))
    return path


def test_typing_is_placed_within_the_kernels_step(tmp_path: Path) -> None:
    """Never before it was, at most 8 s after, never later than now."""
    clock = Times()
    times = TypingTimes(TreeFiles(str(tmp_path)), clock)
    terminal(tmp_path, clock.time - 100)
    at = times.at("pts/0", clock.boot)
    assert at is not None
    assert 900.0 <= at <= 908.0
    terminal(tmp_path, clock.time)
    assert times.at("pts/0", clock.boot) == clock.boot


@given(step=st.floats(-1e9, 1e8))
def test_a_step_of_the_clock_changes_nothing(tmp_path_factory: pytest.TempPathFactory, step: float) -> None:
    """What was typed before the step stays where it was; what is typed after it is not placed before the last look."""
    root = tmp_path_factory.mktemp("step")
    clock = Times()
    times = TypingTimes(TreeFiles(str(root)), clock)
    terminal(root, clock.time - 100)
    before = times.at("pts/0", 1000.0)
    clock.time += step + 50
    assert times.at("pts/0", 1050.0) == before
    terminal(root, clock.time - step)
    after = times.at("pts/0", 1100.0)
    assert after is not None
    assert 1050.0 <= after <= 1100.0


def test_a_terminal_that_is_gone_has_no_instant(tmp_path: Path) -> None:
    """Neither has a name that is none."""
    times = TypingTimes(TreeFiles(str(tmp_path)), Times())
    assert times.at("pts/9", 1.0) is None
    assert times.at("a\0b", 1.0) is None
