"""host/terminals.py: messages to the users' terminals."""

from __future__ import annotations

import os
import pty
import stat
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from powernap.host.files import TreeFiles
from powernap.host.terminals import unused, write_to_all


class Terminal:
    """A pseudo terminal under a root of its own."""

    def __init__(self, root: Path, number: int) -> None:
        self.ours, self.theirs = pty.openpty()
        os.set_blocking(self.ours, False)
        self.path = os.ttyname(self.theirs)
        place = root / "dev/pts" / str(number)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(self.path)

    def mesg(self, *, yes: bool) -> None:
        """What the program of that name does."""
        mode = stat.S_IMODE(os.stat(self.path).st_mode)
        os.chmod(self.path, mode | stat.S_IWGRP if yes else mode & ~stat.S_IWGRP)

    def text(self) -> bytes:
        try:
            return os.read(self.ours, 10_000)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    """Two, both taking messages."""
    made = [Terminal(tmp_path, number) for number in range(2)]
    for terminal in made:
        terminal.mesg(yes=True)
    yield made
    for terminal in made:
        terminal.close()


def test_who_takes_messages_gets_them(tmp_path: Path, terminals: list[Terminal]) -> None:
    """Both, and whoever said `mesg n` does not."""
    terminals[1].mesg(yes=False)

    assert write_to_all(TreeFiles(str(tmp_path)), "sleeps in 30s") == 1
    assert b"PowerNap: sleeps in 30s" in terminals[0].text()
    assert terminals[1].text() == b""


def test_a_stopped_terminal_is_not_waited_for(tmp_path: Path, terminals: list[Terminal]) -> None:
    """Ctrl-S on one: the other is told all the same, at once."""
    termios.tcflow(terminals[0].theirs, termios.TCOOFF)
    told = write_to_all(TreeFiles(str(tmp_path)), "x")
    termios.tcflow(terminals[0].theirs, termios.TCOON)

    assert told == 1
    assert b"PowerNap: x" in terminals[1].text()


def test_control_characters_do_not_reach_a_terminal(tmp_path: Path, terminals: list[Terminal]) -> None:
    """A stage's name cannot clear somebody's screen."""
    write_to_all(TreeFiles(str(tmp_path)), "a\x1b[2Jb\udc80")

    assert b"a?[2Jb?" in terminals[0].text()


def test_a_console_that_nobody_uses_is_not_made(tmp_path: Path) -> None:
    """Of 63 there are as many as somebody has opened; serial lines and pseudo terminals are none."""
    (tmp_path / "sys/class/vc/vcs1").mkdir(parents=True)
    files = TreeFiles(str(tmp_path))
    found = [unused(files, os.makedev(*device)) for device in ((4, 1), (4, 2), (4, 0), (4, 64), (136, 2))]
    assert found == [False, True, True, False, False]


def test_what_is_no_terminal_is_left_alone(tmp_path: Path) -> None:
    """Files, broken links, and a machine that has none; a tree without a root is no machine."""
    (tmp_path / "dev/pts").mkdir(parents=True)
    (tmp_path / "dev/pts/7").write_text("")
    (tmp_path / "dev/tty1").symlink_to("/nonexistent")

    assert write_to_all(TreeFiles(str(tmp_path)), "x") == 0
    assert (tmp_path / "dev/pts/7").read_text() == ""
    assert write_to_all(object(), "x") == 0  # type: ignore[arg-type]
