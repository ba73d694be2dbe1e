"""Claims about what is said when the kernel refuses a BPF program, and about the number of the system call."""

from __future__ import annotations

import errno

import pytest

from powernap.host import bpf
from powernap.host.availability import UnavailableError


@pytest.mark.parametrize(
    ("number", "machine", "bits"),
    [(321, "x86_64", 64), (280, "aarch64", 64), (357, "x86_64", 32), (386, "armv8l", 32)],
)
def test_number(number, machine, bits):
    """The system call's number is that of the interpreter's architecture."""
    assert bpf.syscall_number(machine, bits) == number


def test_unknown_machine():
    """A machine whose number is not known is unavailable, not a wild call."""
    with pytest.raises(UnavailableError, match="not known on vax"):
        bpf.syscall_number("vax", 32)


@pytest.mark.parametrize(
    ("remedy", "code", "log"),
    [
        (bpf.RIGHTS, errno.EPERM, ""),
        (bpf.RIGHTS, errno.EACCES, ""),
        (bpf.KERNEL, errno.ENOSYS, ""),
        (bpf.KERNEL, errno.EACCES, "R5 !read_ok"),
    ],
)
def test_refusal(remedy, code, log):
    """Missing rights and an old kernel have different remedies; the verifier's words are kept."""
    answer = bpf.refusal("program", OSError(code, "no"), log).availability
    assert answer.remedy == remedy
    assert log in answer.detail
