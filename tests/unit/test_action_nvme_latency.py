"""nvme-latency allows drives longer to wake up, and puts their exact text back."""

from __future__ import annotations

import pytest

from fakekernel import FakeKernel
from fakestorage import add_nvme
from plans import host_of, napping, probe, written
from powernap.actions import nvme_latency

ACTION = "nvme-latency"


@pytest.fixture
def kernel(tmp_path):
    """One drive, held short."""
    kernel = FakeKernel(tmp_path / "machine")
    host_of(kernel)
    add_nvme(kernel)
    return kernel


@pytest.mark.parametrize(
    ("options", "value"), [({}, "100000"), ({"latency": 0.05}, "50000"), ({"any_latency": True}, "any")]
)
def test_there_and_back(kernel, options, value):
    """Microseconds, or the kernel's word."""
    before = kernel.snapshot()
    with napping(kernel, ACTION, **options) as entries:
        assert list(written(entries).values()) == [value]
    assert kernel.changes(before) == {}


@pytest.mark.parametrize(
    ("tolerance", "detail"),
    [
        (
            None,
            "nvme0 stays: it does not change its power state by itself (no APST), or the kernel knows that it fails then",
        ),
        ("any", "nvme0 stays: it may take any already"),
        ("auto", "nvme0 stays: it may take auto already"),
        ("100000", "nvme0 stays: it may take 100000 us already"),
        ("0", "nvme0 stays: somebody forbade it to sleep (0); override = true passes over this"),
    ],
)
def test_left_alone(tmp_path, tolerance, detail):
    """With the reason."""
    kernel = FakeKernel(tmp_path / "machine")
    add_nvme(kernel, tolerance=tolerance)
    answer = probe(kernel, ACTION)
    assert (answer.usable, answer.detail) == (False, detail)
    with napping(kernel, ACTION) as entries:
        assert entries == []


def test_some(kernel):
    """One drive saves, the other is named."""
    add_nvme(kernel, "nvme1", "0")
    assert (
        probe(kernel, ACTION).detail
        == "nvme0: up to 100ms to wake up; nvme1 stays: somebody forbade it to sleep (0); override = true passes over this"
    )
    assert (
        probe(kernel, ACTION, override=True, any_latency=True).detail
        == "nvme0, nvme1: however long they take"
    )


def test_unavailable(tmp_path, kernel):
    """No drive; a file that is closed."""
    assert probe(FakeKernel(tmp_path), ACTION).detail == "no NVMe drive"
    kernel.lock("/sys/class/nvme/nvme0/power/pm_qos_latency_tolerance_us")
    assert "cannot be written from here" in probe(kernel, ACTION).detail


@pytest.mark.parametrize(("seconds", "fine"), [(0.0005, False), (0.001, True), (10, True), (11, False)])
def test_latency_option(seconds, fine):
    """A millisecond to ten seconds."""
    assert (nvme_latency._tolerance(seconds) is None) is fine
