"""Claims about the rate of process I/O."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Clock
from powernap.host.availability import UnavailableError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, process_io
from process_tree import put_process, recorded


def opened(root, **options) -> process_io.ProcessIoMonitor:
    """A monitor of rsync on the machine below root, with a limit of 1,000 bytes a second."""
    options = {"program": "rsync", "above": 1000.0, **options}
    return process_io.open(Context("io", recorded(root), print), process_io.Options(**options))


def test_first_look_has_nothing_to_compare(tmp_path):
    """What moved before the first look is no activity."""
    put_process(tmp_path, 7, "rsync", io=10**9)
    reading = opened(tmp_path).check(1000.0)
    assert (reading.active, reading.last) == (False, None)
    assert reading.at == 1000.0


def test_a_kernel_that_does_not_count_is_refused(tmp_path):
    """Without counters every process would look idle: neither the probe nor opening lets that pass."""
    put_process(tmp_path, 7, "rsync")
    host = Host(files=TreeFiles(str(tmp_path)), clock=Clock(), live=True)
    options = process_io.Options(program="rsync", above=1000.0)
    assert process_io.probe(host, options).detail == "this kernel does not count process I/O"
    with pytest.raises(UnavailableError, match="does not count process I/O"):
        process_io.open(Context("io", host, print), options)


def test_rate_above_the_limit_is_a_pulse(tmp_path):
    """Above the limit: a pulse that names the busiest process."""
    put_process(tmp_path, 7, "rsync", uid=33)
    put_process(tmp_path, 8, "rsync")
    monitor = opened(tmp_path)
    monitor.check(1000.0)
    put_process(tmp_path, 7, "rsync", uid=33, io=20480)
    put_process(tmp_path, 8, "rsync", io=1024)
    reading = monitor.check(1010.0)
    assert (reading.active, reading.last, reading.measured, reading.limit) == (False, 1010.0, 2150.4, 1000.0)
    assert reading.reason == "2 processes move 2.1KiB/s, rsync[7] 33 2KiB/s of it"
    assert reading.who == ("rsync[7] 33",)


def test_rate_below_the_limit_is_none(tmp_path):
    """Below the limit nothing happened; the latest pulse is remembered."""
    put_process(tmp_path, 7, "rsync")
    monitor = opened(tmp_path)
    monitor.check(1000.0)
    put_process(tmp_path, 7, "rsync", io=50_000)
    monitor.check(1010.0)
    assert (monitor.check(1020.0).last, monitor.check(1020.0).who) == (1010.0, ())


def test_short_interval_repeats_the_verdict(tmp_path):
    """Within a second the base stays, unless it is too much already."""
    put_process(tmp_path, 7, "rsync")
    monitor = opened(tmp_path)
    monitor.check(1000.0)
    put_process(tmp_path, 7, "rsync", io=900)
    again = monitor.check(1000.5)
    assert (again.last, again.at) == (None, 1000.5)
    put_process(tmp_path, 7, "rsync", io=1900)
    assert monitor.check(1000.9).last == 1000.9


def test_new_process_counts_from_its_start(tmp_path):
    """All that a process moved which began since the last look is new."""
    monitor = opened(tmp_path)
    monitor.check(500.0)
    put_process(tmp_path, 7, "rsync", started=50100, io=10**6)
    assert monitor.check(510.0).last == 510.0


def test_old_process_that_matches_only_now_has_no_base(tmp_path):
    """Of a process that began before the last look, but was not seen in it, nothing is assumed."""
    monitor = opened(tmp_path)
    monitor.check(1000.0)
    put_process(tmp_path, 7, "rsync", started=50100, io=10**6)
    assert monitor.check(1010.0).last is None


def test_vanished_process_is_passed_over(tmp_path):
    """A process that ends between search and reading crashes nothing."""
    put_process(tmp_path, 7, "rsync")
    monitor = opened(tmp_path)
    monitor.check(1000.0)
    (tmp_path / "proc/7/io").unlink()
    assert monitor.check(1010.0).reason == "no such process"
    shutil.rmtree(tmp_path / "proc/7")
    assert monitor.check(1020.0).reason == "no such process"


@given(*[st.integers(0, 2**63)] * 4)
def test_bytes_moved(rchar, wchar, read_bytes, write_bytes):
    """The larger of what was asked for and what storage saw: nothing counts twice, neither page cache nor mapped files are forgotten."""
    text = f"rchar: {rchar}\nwchar: {wchar}\nsyscr: 1\nsyscw: 1\nread_bytes: {read_bytes}\nwrite_bytes: {write_bytes}\n"
    assert process_io.parse_io(text) == max(rchar + wchar, read_bytes + write_bytes)


def test_missing_fields():
    """A text without counters is an error."""
    with pytest.raises(ValueError, match="rchar"):
        process_io.parse_io("syscr: 1\n")


def test_program_or_regex():
    """As for the process monitor, one of both."""
    with pytest.raises(ValueError, match="either"):
        process_io.Options()
    with pytest.raises(ValueError, match="belongs to program"):
        process_io.Options(regex="a", arguments="b")


def test_unreadable_counters_name_the_right(tmp_path):
    """Counters that may not be read are a failure with a remedy."""

    class Denied:
        def read(self, path):
            raise PermissionError(13, "no", path)

    host = recorded(tmp_path)
    put_process(tmp_path, 7, "rsync")
    found = opened(tmp_path).search.all()[0]
    host.files = Denied()  # type: ignore[assignment]
    with pytest.raises(UnavailableError, match=r"rsync\[7\]") as error:
        process_io.read_bytes_moved(host, found)
    assert "CAP_SYS_PTRACE" in error.value.availability.remedy


def test_probe(tmp_path):
    """The probe says how many match; the source what a search takes."""
    put_process(tmp_path, 7, "rsync")
    assert (
        process_io.probe(recorded(tmp_path), process_io.Options(program="rsync")).detail
        == "1 of 1 processes match now"
    )
    assert not process_io.probe(recorded(tmp_path), process_io.Options(program="rsync", user="bob"))
    monitor = opened(tmp_path)
    monitor.check(1000.0)
    assert monitor.source.startswith("/proc/PID/io; the search among 1 processes")
    monitor.close()
