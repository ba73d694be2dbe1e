"""Claims about the process table: parsing it, and who matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import processes
from powernap.host.availability import UnavailableError
from powernap.host.processes import (
    Search,
    Wanted,
    parse_last_pid,
    parse_stat,
    parse_uid,
    parse_words,
    user_name,
)
from process_tree import put_process, recorded

TICK = 1 / processes.TICKS


def found(root, **what) -> list[int]:
    """Process ids that match on the machine below root."""
    return [process.pid for process in Search(recorded(root), Wanted(**what)).all()]


@given(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), min_size=1, max_size=15))
def test_stat_with_any_name(name):
    """A name may hold brackets, spaces and numbers; the fields behind it are still found."""
    stat = parse_stat(f"7 ({name}) S 5 1 1 0 -1 2129984 {'0 ' * 12}1234 0")
    assert (stat.name, stat.state, stat.parent, stat.started) == (
        name,
        "S",
        5,
        1234 * TICK,
    )


@pytest.mark.parametrize("text", ["", "7 (x) S 1", "7 x S " + "1 " * 30])
def test_no_stat(text):
    """What is cut short is an error, not a process."""
    with pytest.raises(ValueError, match="not a process's stat"):
        parse_stat(text)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1
    )
)
def test_words_come_back(words):
    """A command line is its words, whatever they hold."""
    assert parse_words(b"".join(word.encode() + b"\0" for word in words)) == words


def test_kernel_thread_has_no_words():
    """An empty command line has no word."""
    assert parse_words(b"") == []


def test_uid_is_the_effective_one():
    """The user is the one that ps names."""
    assert parse_uid("Name:\tx\nUid:\t1000\t33\t0\t0\n") == 33
    with pytest.raises(ValueError, match="no Uid"):
        parse_uid("Name:\tx\n")


def test_last_pid():
    """The last field of loadavg is the process id given out last."""
    assert parse_last_pid("0.20 0.18 0.12 1/80 11206\n") == 11206


def test_program_is_compared_exactly(tmp_path):
    """A program's name matches as a whole."""
    put_process(tmp_path, 1, "rsync")
    put_process(tmp_path, 2, "rsyncd")
    assert found(tmp_path, program=b"rsync") == [1]


@pytest.mark.parametrize("words", [["/usr/bin/a-very-long-program"], ["/bin/sh", "/opt/a-very-long-program"]])
def test_long_names_are_compared_fully(tmp_path, words):
    """Beyond the kernel's fifteen bytes the command line decides."""
    put_process(tmp_path, 1, "a-very-long-pro", *words)
    put_process(tmp_path, 2, "a-very-long-pro", "a-very-long-protocol")
    assert found(tmp_path, program=b"a-very-long-program") == [1]


def test_long_name_by_the_file_that_runs(tmp_path):
    """A process that overwrote its command line is known by its file."""
    put_process(tmp_path, 1, "a-very-long-pro", "title: master")
    (tmp_path / "proc/1/exe").symlink_to(tmp_path / "a-very-long-program")
    assert found(tmp_path, program=b"a-very-long-program") == [1]


def test_arguments_narrow_a_program(tmp_path):
    """Only the processes whose command line the regex finds."""
    put_process(tmp_path, 1, "python3", "python3", "train.py", "--big")
    put_process(tmp_path, 2, "python3", "python3", "munin.py")
    assert found(tmp_path, program=b"python3", arguments=re.compile(r"train\.py --big")) == [1]


def test_regex_sees_words_joined_by_spaces(tmp_path):
    """A regex is written as ps shows the command line, without a trailing blank; kernel threads have none to match."""
    put_process(tmp_path, 1, "python3", "python3", "train.py")
    put_process(tmp_path, 2, "kthreadd")
    assert found(tmp_path, regex=re.compile(r"3 train\.py$")) == [1]
    assert found(tmp_path, regex=re.compile("")) == [1]


def test_kernel_thread_by_program(tmp_path):
    """A kernel thread is found by name."""
    put_process(tmp_path, 2, "nfsd")
    assert found(tmp_path, program=b"nfsd") == [2]


def test_user_narrows(tmp_path):
    """Only the processes of the user."""
    put_process(tmp_path, 1, "sh", "sh", uid=1000)
    put_process(tmp_path, 2, "sh", "sh", uid=0)
    assert found(tmp_path, program=b"sh", uid=1000) == [1]


def test_the_dead_do_not_count(tmp_path):
    """A zombie runs nothing; what vanishes while it is read is passed over."""
    put_process(tmp_path, 1, "sh", "sh", state="Z")
    put_process(tmp_path, 2, "sh", "sh")
    (tmp_path / "proc/2/stat").unlink()
    assert found(tmp_path, program=b"sh") == []


def test_what_we_start_does_not_count(tmp_path):
    """Neither we nor our descendants are activity."""
    put_process(tmp_path, 10, "sh", "sh")
    put_process(tmp_path, 11, "sh", "sh", parent=10)
    put_process(tmp_path, 12, "sh", "sh", parent=11)
    put_process(tmp_path, 13, "sh", "sh", parent=1)
    search = Search(recorded(tmp_path), Wanted(b"sh"))
    search.own = 10
    assert [process.pid for process in search.all()] == [13]


def test_only_the_head_of_a_command_line_is_read(tmp_path):
    """Two megabytes of arguments cost no more than four kilobytes."""
    put_process(tmp_path, 1, "x", "a" * 2_000_000, "needle")
    assert found(tmp_path, regex=re.compile("needle")) == []


def test_catastrophic_regex_names_a_remedy(tmp_path, monkeypatch):
    """A regex that does not come to an end is a failure with a remedy, in bounded time."""
    monkeypatch.setattr(processes, "REGEX_SECONDS", 0.02)
    put_process(tmp_path, 77, "x", "a" * 64)
    search = Search(recorded(tmp_path), Wanted(regex=re.compile("(a+)+b")))
    for look in (search.all, lambda: search.one(77)):
        with pytest.raises(UnavailableError, match="process 77") as error:
            look()
        assert "without nested" in error.value.availability.remedy


def test_guard_spares_the_search(tmp_path):
    """While no process id is given out the answer is repeated, but only after a second search that saw the same, and not for ever."""
    host = recorded(tmp_path)
    search = Search(host, Wanted(regex=re.compile("needle")))
    loadavg = tmp_path / "proc/loadavg"
    loadavg.write_text("0 0 0 1/80 100\n")
    search.all_if_forked(0.0, 30)
    put_process(tmp_path, 50, "x", "needle")  # forked before the first search, became this program after it
    assert len(search.all_if_forked(1.0, 30)) == 1
    put_process(tmp_path, 51, "x", "needle")
    assert len(search.all_if_forked(2.0, 30)) == 1
    assert len(search.all_if_forked(31.5, 30)) == 2
    loadavg.write_text("0 0 0 1/80 101\n")
    put_process(tmp_path, 101, "x", "needle")
    assert len(search.all_if_forked(32.0, 30)) == 3


def test_without_loadavg_each_look_searches(tmp_path):
    """Where the last process id is not to be learned nothing is spared."""
    search = Search(recorded(tmp_path), Wanted(b"x"))
    assert [len(search.all_if_forked(float(now), 30)) for now in range(3)] == [0, 0, 0]
    put_process(tmp_path, 5, "x")
    assert len(search.all_if_forked(3.0, 30)) == 1


def test_users_have_names(tmp_path):
    """By the machine's own list; one that is not there is its number."""
    host = recorded(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("alice:x:1000:1000::/:/bin/sh\nbroken\n")
    assert [user_name(host, 1000), user_name(host, 7)] == ["alice", "7"]


def test_monitors_of_one_look_share_the_pass(tmp_path):
    """A search by name takes the answer of another one's pass, unless that began before a start it knows of; its own second look never does."""
    put_process(tmp_path, 7, "rsync")
    host = recorded(tmp_path)
    first, second = Search(host, Wanted(b"rsync")), Search(host, Wanted(b"rsync"))
    first.all(1000.0)
    put_process(tmp_path, 8, "rsync")
    assert [len(second.all(1000.05)), len(second.all(1000.06)), len(first.all(1000.07))] == [1, 2, 2]
    put_process(tmp_path, 9, "rsync")
    third = Search(host, Wanted(b"rsync"))
    assert len(third.all(1000.08, after=1000.06)) == 3
    assert third.count == 3


def test_description(tmp_path):
    """A process is named with its id and user."""
    put_process(tmp_path, 7, "rsync", uid=7)
    search = Search(recorded(tmp_path), Wanted(b"rsync"))
    assert search.describe(search.all()[0]) == "rsync[7] 7"
