"""sas-idle brings SAS disks to a power condition by command, and always gives their timers back."""

from __future__ import annotations

import pytest

import fakedrives
from fakedrives import drive_of, let_idle, read, set_drive
from fakekernel import FakeKernel
from fakestorage import CONDITIONS, add_disk
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import sas_idle
from powernap.actions.sas_idle import Options

ACTION = "sas-idle"


@pytest.fixture
def kernel(tmp_path):
    """A SAS disk with all conditions, and a SATA disk."""
    kernel = FakeKernel(tmp_path / "machine")
    add_disk(kernel, "sda")
    add_disk(kernel, "sdb", "sas", conditions=CONDITIONS)
    return kernel


def state(kernel):
    """Its condition, and whether its own timers run."""
    found = drive_of(kernel, "sdb")
    return found["power"], found["timers"]


@pytest.mark.parametrize("condition", ["idle_b", "idle_c", "standby_z"])
def test_there_and_back(kernel, condition):
    """In the condition during the nap, with its timers off; afterwards they run."""
    with napping(kernel, ACTION, condition=condition) as entries:
        assert list(written(entries).values()) == [condition]
        assert state(kernel) == (condition, False)
    assert state(kernel)[1] is True
    read(kernel, "sdb")
    assert state(kernel) == ("active", True)


def test_a_disk_that_was_used_gets_its_timers_back(kernel):
    """Active again by a read, it would stay so for ever: reading its state is not enough to know that nothing is to be done."""
    with napping(kernel, ACTION):
        read(kernel, "sdb")
        assert state(kernel) == ("active", False)
    assert state(kernel) == ("active", True)


def test_two_stages(kernel):
    """A deeper condition stands on the first, and the timers come back once both are taken back."""
    host = host_of(kernel)
    with ledger_of(kernel) as ledger:
        for stage, condition in (("ease", "idle_b"), ("deep", "idle_c"), ("deeper", "idle_c")):
            ledger.perform(ACTION, stage, sas_idle.plan(host, Options(condition=condition)))
            set_drive(kernel, "sdb", commanded=False)
        assert [entry.change.new for entry in ledger.live()] == ["idle_c", "idle_b"]
        assert {each.outcome for each in ledger.restore()} == {"restored"}
        assert ledger.live() == []
    assert state(kernel)[1] is True


def test_taken_out_and_back(kernel):
    """The entry waits for the disk, whose timers are off as long as it has power."""
    device = drive_of(kernel, "sdb")["path"]
    with ledger_of(kernel) as ledger:
        ledger.perform(ACTION, "nap", sas_idle.plan(host_of(kernel), Options()))
        kernel.vanish(device)
        assert [each.outcome for each in ledger.restore()] == ["gone"]
        kernel.reappear(device)
        assert [each.outcome for each in ledger.restore()] == ["restored"]
    assert state(kernel)[1] is True


def test_never_a_plain_stop(kernel):
    """No START STOP UNIT without a power condition is ever sent: the fake refuses it as unknown, and nothing was refused."""
    with ledger_of(kernel) as ledger:
        done = ledger.perform(ACTION, "nap", sas_idle.plan(host_of(kernel), Options(condition="standby_z")))
        ledger.restore()
    assert (done.changed, done.refused) == (1, ())


def test_probe(kernel):
    """Which, and how soon they are back."""
    assert probe(kernel, ACTION).detail == "idle_b: sdb (DISK-sdb), back within 650 ms"
    assert probe(kernel, ACTION, condition="idle_c").detail == "idle_c: sdb (DISK-sdb), back within 4000 ms"


@pytest.mark.parametrize(
    ("values", "options", "detail"),
    [
        ({"conditions": {"idle_a": 5}}, {}, "sdb is left alone: it has no idle_b (it has idle_a)"),
        (
            {"conditions": {}},
            {},
            "sdb is left alone: the disk, or what is between, does not know the command",
        ),
        (
            {"power": "idle_c", "commanded": True},
            {},
            "sdb is left alone: somebody has brought it to idle_c; it is left to them",
        ),
        (
            {"power": "stopped"},
            {},
            "sdb is left alone: somebody has brought it to stopped; it is left to them",
        ),
        (
            {"starts": 10**6},
            {"condition": "standby_z"},
            "sdb stays up: started 1000000 times, and made for 50000",
        ),
        ({"test": True}, {}, "sdb stays up: a self-test runs"),
    ],
)
def test_unavailable(kernel, values, options, detail):
    """With the reason."""
    set_drive(kernel, "sdb", **values)
    answer = probe(kernel, ACTION, **options)
    assert (answer.usable, answer.detail) == (False, detail)


def test_wear_forbids_only_to_stop(kernel):
    """Unloading heads is no start."""
    set_drive(kernel, "sdb", starts=10**6)
    assert probe(kernel, ACTION)


def test_a_disk_that_the_kernel_put_to_sleep(kernel):
    """Is not asked, because that would wake it."""
    add_disk(kernel, "sdc", "sas", conditions=CONDITIONS, control="auto", delay=1000)
    let_idle(kernel, 2)
    fakedrives.ASKED.clear()
    assert probe(kernel, ACTION, disks=("sdc",)).detail == "sdc is left alone: asleep already"
    assert fakedrives.ASKED == []


def test_no_sas_disk(tmp_path):
    """SATA disks have their own command; nor one of that name."""
    kernel = FakeKernel(tmp_path / "machine")
    add_disk(kernel, "sda")
    assert probe(kernel, ACTION).detail == "no SAS disk that rotates"
    assert probe(kernel, ACTION, disks=("sda",)).detail == "no SCSI disk is sda"
    assert sas_idle._named(("cycles",)) is None
