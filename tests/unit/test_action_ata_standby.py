"""ata-standby sends one command, has nothing to put back, and believes no answer that is an error."""

from __future__ import annotations

import pytest

import fakedrives
from fakedrives import drive_of, let_idle, read, set_drive
from fakekernel import FakeKernel
from fakestorage import add_disk, add_partition, mount
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import ata_standby
from powernap.actions.ata_standby import Options

ACTION = "ata-standby"


@pytest.fixture
def kernel(tmp_path):
    """The system's disk, and one whose driver has no runtime power management."""
    kernel = FakeKernel(tmp_path / "machine")
    host_of(kernel)
    add_disk(kernel, "sda")
    mount(kernel, "/", f"/dev/{add_partition(kernel, 'sda', 1)}")
    add_disk(kernel, "sdb", delay=None)
    return kernel


def power(kernel, name):
    """What the drive itself does."""
    return drive_of(kernel, name)["power"]


def test_once_and_nothing_to_put_back(kernel):
    """The end of the nap does not start a disk that nobody needs, and the next read does."""
    before = kernel.snapshot()
    with napping(kernel, ACTION) as entries:
        assert list(written(entries).values()) == ["standby"]
        assert power(kernel, "sdb") == "standby"
    assert power(kernel, "sdb") == "standby"
    read(kernel, "sdb")
    assert (power(kernel, "sdb"), kernel.changes(before)) == ("active", {})


def test_a_disk_that_was_used_meanwhile(kernel):
    """Nothing is sent to it at the end."""
    with napping(kernel, ACTION):
        read(kernel, "sdb")
        fakedrives.ASKED.clear()
    assert fakedrives.ASKED == []


def test_a_disk_that_rests_already(kernel):
    """It is asked and not told; no entry."""
    set_drive(kernel, "sdb", power="standby")
    fakedrives.ASKED.clear()
    with napping(kernel, ACTION) as entries:
        assert entries == []
    assert 0xE0 not in {command for _, command in fakedrives.ASKED}


def test_a_disk_that_is_gone_at_the_end(kernel):
    """The ledger keeps nothing for it."""
    host = host_of(kernel)
    with ledger_of(kernel) as ledger:
        ledger.perform(ACTION, "nap", ata_standby.plan(host, Options()))
        kernel.vanish(drive_of(kernel, "sdb")["path"])
        assert [(each.outcome, each.detail) for each in ledger.restore()] == [
            ("already", "nothing to put back: any access starts the disk")
        ]
        assert ledger.live() == []


def test_a_bridge_that_lies(kernel):
    """It takes the command and says "active": that is named, and nothing is claimed."""
    set_drive(kernel, "sdb", lies=True)
    with ledger_of(kernel) as ledger:
        done = ledger.perform(ACTION, "nap", ata_standby.plan(host_of(kernel), Options()))
        assert (done.changed, ledger.live()) == (0, [])
    assert '"standby" was written and "ready" is there' in str(done.refused[0])


@pytest.mark.parametrize(
    ("arrange", "detail"),
    [
        (
            lambda kernel: set_drive(kernel, "sdb", deaf=True),
            "sdb is left alone: the disk, or what is between, does not know the command",
        ),
        (
            lambda kernel: set_drive(kernel, "sdb", unable=True),
            "sdb is left alone: the disk has no power management",
        ),
        (
            lambda kernel: set_drive(kernel, "sdb", test=True),
            "sdb stays up: a SMART self-test runs, 40 % left",
        ),
        (
            lambda kernel: kernel.put(f"{drive_of(kernel, 'sdb')['path']}/power/autosuspend_delay_ms", "-1"),
            "sdb stays up: the kernel can stop it by itself: use disk-spindown",
        ),
    ],
)
def test_unavailable(kernel, arrange, detail):
    """With the reason, and without a command that changes anything."""
    arrange(kernel)
    fakedrives.ASKED.clear()
    answer = probe(kernel, ACTION)
    assert (answer.usable, answer.detail.split("; ")[-1]) == (False, detail)
    assert not {command for _, command in fakedrives.ASKED} & {0xE0, 0xEA}


def test_by_request_beside_runtime_pm(kernel):
    """`despite` passes over it; a disk that the kernel has put to sleep is still not asked."""
    add_disk(kernel, "sdc", control="auto", delay=1000)
    assert (
        probe(kernel, ACTION, disks=("sdc",), despite=("runtime-pm",)).detail
        == "sdc (DISK-sdc), once, at once"
    )
    let_idle(kernel, 2)
    fakedrives.ASKED.clear()
    assert (
        probe(kernel, ACTION, disks=("sdc",), despite=("runtime-pm",)).detail
        == "sdc is left alone: asleep already"
    )
    assert fakedrives.ASKED == []


def test_no_ata_disk(tmp_path):
    """Nor one of that name."""
    kernel = FakeKernel(tmp_path / "machine")
    add_disk(kernel, "sdb", "sas")
    assert probe(kernel, ACTION).detail == "no ATA disk that rotates"
    assert probe(kernel, ACTION, disks=("sdb",)).detail == "no ATA disk is sdb"
    assert ata_standby._named(("runtime-pm", "array")) is None
