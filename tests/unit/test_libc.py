"""Claims about the numbers of system calls, and about how their errors are raised."""

from __future__ import annotations

import os

import pytest

from powernap.host import bpf, perf
from powernap.host.availability import UnavailableError
from powernap.host.libc import checked, libc, syscall_number


@pytest.mark.parametrize(
    ("number", "machine", "bits"),
    [(321, "x86_64", 64), (280, "aarch64", 64), (357, "x86_64", 32), (386, "armv8l", 32)],
)
def test_number(number: int, machine: str, bits: int) -> None:
    """The system call's number is that of the interpreter's architecture."""
    assert syscall_number("bpf", bpf.SYSCALLS, machine, bits) == number


@pytest.mark.parametrize("numbers", [bpf.SYSCALLS, perf.SYSCALLS])
def test_unknown_machine(numbers: dict[str, int]) -> None:
    """A machine whose number is not known is unavailable, not a wild call."""
    with pytest.raises(UnavailableError, match=r"some_call\(2\) is not known on vax"):
        syscall_number("some_call", numbers, "vax", 32)


def test_an_error_is_raised_as_the_kernel_gave_it() -> None:
    """With its number, its words and what it was about; an answer is passed on."""
    assert checked(libc.getpid()) == os.getpid()
    with pytest.raises(FileNotFoundError, match="No such file or directory: '/nowhere'"):
        checked(libc.rmdir(b"/nowhere"), "/nowhere")
