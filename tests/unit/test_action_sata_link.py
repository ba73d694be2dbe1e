"""sata-link deepens the sleep of links whose original can be written back, and of no other."""

from __future__ import annotations

import pytest

from fakekernel import FakeKernel
from fakestorage import add_disk, add_port
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import sata_link
from powernap.actions.sata_link import DEPTHS, Options

ACTION = "sata-link"


@pytest.fixture
def kernel(tmp_path):
    """Two ports with a disk each."""
    kernel = FakeKernel(tmp_path / "machine")
    host_of(kernel)
    for host, name in enumerate(("sda", "sdb")):
        add_disk(kernel, name)
        add_port(kernel, host)
    return kernel


def policy(kernel, host):
    """What the port was asked for."""
    return kernel.read(f"/sys/class/scsi_host/host{host}/link_power_management_policy").strip()


def test_there_and_back(kernel):
    """Both links, and both as they were."""
    before = kernel.snapshot()
    with napping(kernel, ACTION):
        assert [policy(kernel, host) for host in (0, 1)] == ["med_power_with_dipm"] * 2
    assert kernel.changes(before) == {}


@pytest.mark.parametrize("now", DEPTHS)
def test_only_ever_deeper(kernel, now):
    """A link that sleeps as deep already, or deeper, is left alone."""
    add_port(kernel, 1, now)
    with napping(kernel, ACTION) as entries:
        assert (len(written(entries)) == 2) is (now in DEPTHS[:2])


@pytest.mark.parametrize(
    ("arrange", "detail"),
    [
        (
            lambda kernel: add_port(kernel, 1, "keep_firmware_settings"),
            "host1 stays: it is as the firmware left it, and the kernel does not take that back",
        ),
        (lambda kernel: add_port(kernel, 1, supported=False), "host1 stays: its controller or disk cannot"),
        (lambda kernel: add_port(kernel, 1, "min_power"), "host1 stays: min_power already"),
        (lambda kernel: add_port(kernel, 1, "quiet"), 'host1 stays: its policy "quiet" is not known'),
        (
            lambda kernel: add_port(kernel, 1, bits=18),
            "host1 stays: a hot-plug port would not notice a new disk; hot_plug = true passes over this",
        ),
        (
            lambda kernel: add_port(kernel, 1, bits=21),
            "host1 stays: an eSATA port would not notice a new disk; hot_plug = true passes over this",
        ),
        (
            lambda kernel: kernel.lock("/sys/class/scsi_host/host1/link_power_management_policy"),
            "host1 stays: it cannot be written from here; run as root, outside a container",
        ),
    ],
    ids=["firmware", "unsupported", "deeper", "unknown", "hot-plug", "eSATA", "read-only"],
)
def test_left_alone(kernel, arrange, detail):
    """With the reason, and the other link sleeps."""
    arrange(kernel)
    answer = probe(kernel, ACTION)
    assert (answer.usable, answer.detail) == (True, f"med_power_with_dipm: host0; {detail}")
    with napping(kernel, ACTION) as entries:
        assert list(written(entries)) == ["/sys/class/scsi_host/host0/link_power_management_policy"]


def test_an_empty_port(kernel):
    """Is nobody's news: its link is down."""
    kernel.delete("/sys/block/sdb")
    assert probe(kernel, ACTION).detail == "med_power_with_dipm: host0"


def test_hot_plug_by_request(kernel):
    """The admin may give the bay up."""
    add_port(kernel, 1, bits=18)
    assert probe(kernel, ACTION, hot_plug=True, policy="medium_power").detail == "medium_power: host0, host1"


def test_a_kernel_that_does_not_tell_support(kernel):
    """Before 6.17 there is no file for it: the port that refuses (EOPNOTSUPP) is named, and the other sleeps."""
    kernel.fail("/sys/class/scsi_host/host1/link_power_management_policy", 95)
    kernel.delete("/sys/class/scsi_host/host1/link_power_management_supported")
    with ledger_of(kernel) as ledger:
        done = ledger.perform(ACTION, "nap", sata_link.plan(host_of(kernel), Options()))
        assert (done.changed, len(done.refused)) == (1, 1)
        ledger.restore()


def test_never_min_power():
    """It cannot even be asked for."""
    assert sata_link.Options.__dataclass_fields__["policy"].metadata["choices"] == DEPTHS[1:4]


def test_unavailable(tmp_path, kernel):
    """No port; no port that may."""
    assert probe(FakeKernel(tmp_path), ACTION).detail == "no SATA port with a disk"
    for host in (0, 1):
        add_port(kernel, host, supported=False)
    assert (
        probe(kernel, ACTION).detail
        == "host0 stays: its controller or disk cannot; host1 stays: its controller or disk cannot"
    )
