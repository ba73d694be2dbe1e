"""Claims about perf's forms and words; what the kernel does with them is in integration/test_exec_perf.py."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import perf
from powernap.host.availability import UnavailableError
from powernap.host.files import TreeFiles

EVENT = "sched/sched_process_exec"


def test_tracefs_is_found_where_it_is_mounted(tmp_path):
    """Also at a place nobody expects, with a space in its name, which /proc/mounts writes in octal."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text("proc /proc proc rw 0 0\nt /my\\040traces tracefs rw 0 0\nshort\n")
    directory = tmp_path / "my traces/events" / EVENT
    directory.mkdir(parents=True)
    (directory / "id").write_text("365\n")
    assert perf.tracepoint_id(TreeFiles(str(tmp_path)), EVENT) == 365


def test_tracefs_of_debugfs_is_found(tmp_path):
    """Where it always was, before 4.1 and since, without being listed in /proc/mounts (debugfs mounts it when it is looked at)."""
    directory = tmp_path / "sys/kernel/debug/tracing/events" / EVENT
    directory.mkdir(parents=True)
    (directory / "id").write_text("1\n")
    assert perf.tracepoint_id(TreeFiles(str(tmp_path)), EVENT) == 1


def test_without_tracefs_the_remedy_is_named(tmp_path):
    """It is not mounted by us."""
    with pytest.raises(UnavailableError, match="tracefs is not mounted") as refused:
        perf.tracepoint_id(TreeFiles(str(tmp_path)), EVENT)
    assert "mount -t tracefs" in refused.value.availability.remedy


@pytest.mark.parametrize(
    ("name", "written"),
    [(b"rsync", b'comm == "rsync"'), (b'a"b', b"comm == 'a\"b'"), (b"it's", b'comm == "it\'s"')],
)
def test_a_filter_quotes_its_text(name, written):
    """By the quote that the text does not hold."""
    assert perf.equal("comm", name) == written


def test_no_filter_for_both_quotes():
    """There is no way to write it, so it is refused, not cut."""
    with pytest.raises(UnavailableError, match="both kinds of quotes"):
        perf.equal("comm", b"""a"b'c""")


@given(st.integers(0, 2**32), st.sampled_from(["little", "big"]))
def test_attributes_have_their_size_and_flags(tracepoint, byteorder):
    """Ninety-six bytes, and the three flags wherever this machine's compiler puts bit fields."""
    data = perf.attributes(tracepoint, byteorder)
    kind, size, config, period, sample, _, flags, wakeup, _ = struct.unpack_from("=IIQQQQQII", data)
    assert (len(data), kind, size, config, period, sample, wakeup) == (96, 2, 96, tracepoint, 1, 0x86, 1)
    assert sorted(bit if byteorder == "little" else 63 - bit for bit in range(64) if flags >> bit & 1) == [
        0,
        25,
        27,
    ]


@pytest.mark.parametrize(
    ("machine", "expected"), [("x86_64", (0x40082406, 0x2400)), ("ppc64le", (0x80082406, 0x20002400))]
)
def test_requests_are_numbered_as_the_machine_does(machine, expected):
    """PERF_EVENT_IOC_SET_FILTER and PERF_EVENT_IOC_ENABLE, as the kernel's headers expand them."""
    assert (perf.request(1, 6, 8, machine), perf.request(0, 0, 0, machine)) == expected


@pytest.mark.parametrize(
    ("code", "remedy"), [(errno.EMFILE, "LimitNOFILE"), (errno.EACCES, "CAP_PERFMON"), (errno.EINVAL, "4.7")]
)
def test_a_refusal_names_a_remedy(code, remedy):
    """For want of descriptors, of rights, of a kernel."""
    assert remedy in perf.refusal(OSError(code, "x")).availability.remedy
