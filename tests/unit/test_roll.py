"""Claims about the roll of all processes: when /proc is passed through, and what a pass reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.files import TreeFiles
from powernap.host.roll import TOGETHER, call, call_with_terminals, parse_line, roll
from process_tree import put_process


class CountingFiles(TreeFiles):
    """The files below a root; counts passes over /proc."""

    passes = 0

    def names(self, path: str) -> list[str]:
        """Names in a directory."""
        self.passes += path == "/proc"
        return super().names(path)


@pytest.fixture
def files(tmp_path: Path) -> CountingFiles:
    """A machine with a shell on a terminal, its child, and two daemons of one name."""
    for pid, name in ((10, "bash"), (11, "vim"), (12, "nginx"), (13, "nginx")):
        put_process(tmp_path, pid, name)
    for pid, session, tty in ((10, 10, 34816), (11, 10, 34816), (12, 12, 0), (13, 12, 0)):
        line = (
            (tmp_path / f"proc/{pid}/stat").read_text().replace("1 1 1 0 ", f"1 {session} {session} {tty} ")
        )
        (tmp_path / f"proc/{pid}/stat").write_text(line)
    (tmp_path / "proc/self").mkdir()
    return CountingFiles(str(tmp_path))


def test_names(files):
    """Both ways of reading know the same processes by name; what is no process is passed over."""
    expected = {b"bash": [10], b"vim": [11], b"nginx": [12, 13]}
    assert call(files) == call_with_terminals(files)[0] == expected
    assert roll(files, 1000.0).count == 4


def test_only_leaders_on_a_terminal_are_seated(files):
    """The shell, not its child, nor who has no terminal."""
    assert list(roll(files, 1000.0, seated=True).seated or {}) == [10]


def test_one_pass_a_look(files):
    """Who asks within the same look gets the same answer."""
    first = roll(files, 1000.0)
    assert roll(files, 1000.0 + TOGETHER / 2) is first
    assert files.passes == 1


@pytest.mark.parametrize(("now", "after"), [(1000.0, 1000.0), (1000.0 + 5, 0.0), (999.0, 0.0)])
def test_a_pass_does_not_stand_for_ever(files, now, after):
    """Not after the look, not for one who knows of a start since it began, not for an earlier instant."""
    first = roll(files, 1000.0)
    assert roll(files, now, after=after) is not first
    assert files.passes == 2


def test_terminals_are_read_along_once_somebody_asked(files):
    """The first question for terminals needs a pass of its own; from then on one pass serves all."""
    roll(files, 1000.0)
    assert roll(files, 1000.0, seated=True).seated is not None
    assert files.passes == 2
    assert roll(files, 2000.0).seated is not None
    roll(files, 2000.0, seated=True)
    assert files.passes == 3


def test_machines_are_apart(files, tmp_path):
    """Another machine's processes are never taken for ours."""
    (tmp_path / "other/proc").mkdir(parents=True)
    assert roll(files, 1000.0).count == 4
    assert roll(TreeFiles(str(tmp_path / "other")), 1000.0).count == 0


def test_who_is_gone_meanwhile_is_left_out(files, tmp_path):
    """Between the list and the reading a process may end."""
    (tmp_path / "proc/12/comm").unlink()
    (tmp_path / "proc/12/stat").unlink()
    assert call(files)[b"nginx"] == call_with_terminals(files)[0][b"nginx"] == [13]


NAMES = st.binary(min_size=1, max_size=15).filter(lambda name: b"\n" not in name and b"\0" not in name)


@given(NAMES, st.booleans(), st.integers(0, 2**20))
def test_a_line_with_any_name(name, leads, tty):
    """A name may hold brackets, spaces and numbers; who leads a session, and whether on a terminal, is found behind it."""
    line = b"77 (%s) S 1 5 %d %d -1 0 0" % (name, 77 if leads else 7, tty)
    assert parse_line(line) == (name, leads and tty != 0)


@given(st.binary(max_size=80))
def test_garbage_never_raises(line):
    """Whatever comes."""
    parse_line(line)
