"""Claims about what is said when the kernel refuses a BPF program."""

from __future__ import annotations

import errno

import pytest

from powernap.host import bpf


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
