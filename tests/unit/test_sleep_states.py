"""sleep/states.py: which sleep states the kernel offers, and why not the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fakesleep
from fakekernel import FakeKernel, container
from powernap.sleep import states


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return fakesleep.sleeper(tmp_path)


def test_a_machine_with_everything_offers_everything(kernel: FakeKernel) -> None:
    """And says what its suspend is."""
    found = states.offered(kernel)
    assert list(states.STATES) == list(found)
    assert all(found.values())
    assert "to memory, deep" == found["suspend"].detail


def test_looking_writes_nothing(kernel: FakeKernel) -> None:
    """It is asked by people without root too."""
    before = kernel.snapshot()
    states.offered(kernel)
    assert {} == kernel.changes(before)
    assert [] == kernel.writes


def test_a_server_without_s3(kernel: FakeKernel) -> None:
    """Hibernation and power-off remain; what needs suspend does not."""
    kernel.put("/sys/power/state", "disk")
    found = states.offered(kernel)
    assert [False, True, False, False, True] == [bool(each) for each in found.values()]
    assert "firmware" in found["suspend"].remedy


def test_s2idle_is_said(tmp_path: Path) -> None:
    """It wakes otherwise and saves less than S3."""
    kernel = fakesleep.sleeper(tmp_path, mem_sleep="[s2idle]")
    assert "to memory, s2idle" == states.offered(kernel)["suspend"].detail


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("/sys/power/resume", "0:0", "no resume device"),
        ("/proc/swaps", "Filename Type Size Used Priority\n", "no free swap"),
        ("/proc/swaps", "F T S U P\n/dev/zram0 partition 99999999 0 100\n", "no free swap"),
        ("/proc/swaps", fakesleep.PROC_SWAPS.format(size=500), "500KiB of swap free"),
        ("/sys/power/disk", "platform shutdown [test_resume]", 'set to "test_resume"'),
        ("/sys/power/disk", "[disabled]", 'set to "disabled"'),
    ],
)
def test_what_hibernation_lacks(kernel: FakeKernel, path: str, value: str, reason: str) -> None:
    """Named, with a remedy; suspend is not touched by it."""
    kernel.add("/proc/meminfo", "MemTotal: 4000000 kB\nMemFree: 1000000 kB\n")
    kernel.add(path, value)
    found = states.offered(kernel)
    assert reason in found["hibernate"].detail
    assert found["hibernate"].remedy
    assert not found["suspend-then-hibernate"]
    assert found["suspend"]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("/sys/kernel/security/lockdown", "none [integrity] confidentiality", "lockdown (integrity)"),
        ("/proc/cmdline", "quiet nohibernate", "nohibernate"),
        ("/proc/cmdline", "quiet", "does not offer hibernation"),
    ],
)
def test_why_the_kernel_has_no_disk(kernel: FakeKernel, path: str, value: str, reason: str) -> None:
    """Lockdown and an option of the command line are told apart from a kernel without it."""
    kernel.put("/sys/power/state", "freeze mem")
    kernel.put(path, value)
    assert reason in states.offered(kernel)["hibernate"].detail


def test_the_command_line_may_name_the_resume_device(kernel: FakeKernel) -> None:
    """The initramfs of the next boot reads it there."""
    kernel.put("/sys/power/resume", "0:0")
    kernel.put("/proc/cmdline", "quiet resume=UUID=1-2")
    assert states.offered(kernel)["hibernate"]


def test_a_container_offers_nothing(tmp_path: Path) -> None:
    """Not even power-off: that would be its own end only."""
    kernel = container(tmp_path)
    kernel.add("/run/systemd/container", "lxc")
    assert [False] * 5 == [bool(each) for each in states.offered(kernel).values()]


def test_a_state_file_that_cannot_be_written(kernel: FakeKernel) -> None:
    """Without root, or in a container that shows the host's /sys."""
    kernel.lock("/sys/power/state")
    assert "run as root" in states.offered(kernel)["suspend"].remedy


def test_no_hybrid_without_its_mode(kernel: FakeKernel) -> None:
    """Kernels before 3.6, and those without suspend."""
    kernel.put("/sys/power/disk", "[platform] shutdown")
    found = states.offered(kernel)
    assert not found["hybrid-sleep"]
    assert found["hibernate"]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_words(content: str) -> None:
    """No content of an attribute breaks the reading, and the chosen word is one of them or empty."""
    found = states.words(content)
    assert "" == found.chosen or found.chosen in found.all
    states.free_swap(content)
    states.memory_used(content)
