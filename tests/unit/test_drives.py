"""What drives say of themselves, and what is never asked of one that rests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakedrives
from fakedrives import drive_of, let_idle, read, set_drive, smart
from fakekernel import FakeKernel
from fakestorage import CONDITIONS, add_disk
from powernap.host import drives
from powernap.host.disks import look
from powernap.host.drives import Condition, Health, Wear
from powernap.host.modes import status


@pytest.fixture
def kernel(tmp_path):
    """A machine without disks yet."""
    return FakeKernel(tmp_path)


def asked():
    """Commands since the last time."""
    found = [command for _, command in fakedrives.ASKED]
    fakedrives.ASKED.clear()
    return found


# ------------------------------------------------------------ ATA


@pytest.mark.parametrize(
    ("power", "expected"),
    [("active", "active"), ("idle_a", "idle"), ("idle_b", "idle"), ("standby", "standby")],
)
def test_power_mode(kernel, power, expected):
    """CHECK POWER MODE, which wakes nobody."""
    device = add_disk(kernel, "sdb", power=power)
    assert drives.power_mode(kernel, device) == expected
    assert drive_of(kernel, "sdb")["power"] == power


def test_power_mode_of_a_bridge_that_does_not_know_it(kernel):
    """An error is no "standby", which is what its zeroes would say."""
    device = add_disk(kernel, "sdb", "usb", deaf=True)
    with pytest.raises(OSError, match="its power mode cannot be told: the disk, or what is between"):
        drives.power_mode(kernel, device)


def test_standby_and_what_wakes_it(kernel):
    """The knob reads as it is set, the next access wakes the disk, and to make it ready nothing is sent."""
    device = add_disk(kernel, "sdb")
    drives.write_ata_power(kernel, device, "standby")
    assert drives.read_ata_power(kernel, device) == "standby"
    asked()
    drives.write_ata_power(kernel, device, "ready")
    assert asked() == []
    read(kernel, "sdb")
    assert drives.read_ata_power(kernel, device) == "ready"


def test_standby_flushes_first(kernel):
    """FLUSH CACHE EXT, then STANDBY IMMEDIATE."""
    device = add_disk(kernel, "sdb")
    asked()
    drives.write_ata_power(kernel, device, "standby")
    assert asked() == [0xEA, 0xE0]


def test_standby_refused(kernel):
    """A disk that does not take the command says so."""
    device = add_disk(kernel, "sdb", "sas")
    with pytest.raises(OSError, match="does not know the command"):
        drives.write_ata_power(kernel, device, "standby")


def test_a_disk_that_the_kernel_put_to_sleep_is_not_asked(kernel):
    """To open its node would resume it: it is in standby without being asked, and its health is unknown."""
    device = add_disk(kernel, "sdb", control="auto", delay=1000)
    let_idle(kernel, 2)
    asked()
    assert drives.read_ata_power(kernel, device) == "standby"
    assert drives.health(kernel, look(kernel, "sdb")) == Health(unknown="it is asleep")
    assert (asked(), drive_of(kernel, "sdb")["power"]) == ([], "stopped")


def test_gone_and_without_node(kernel):
    """ENODEV for a disk that was taken out, ENOENT for one without the sg driver: the ledger keeps the entry."""
    device = add_disk(kernel, "sdb")
    kernel.delete(f"{device}/scsi_generic")
    assert drives.health(kernel, look(kernel, "sdb")).unknown == "it has no sg node; `modprobe sg`"
    with pytest.raises(FileNotFoundError, match="modprobe sg"):
        drives.power_mode(kernel, device)
    kernel.vanish(device)
    with pytest.raises(OSError, match="No such device"):
        drives.read_ata_power(kernel, device)


@pytest.mark.parametrize("unable", [False, True])
def test_can_standby(kernel, unable):
    """Word 82 bit 3 of IDENTIFY."""
    add_disk(kernel, "sdb", unable=unable)
    assert drives.can_standby(kernel, look(kernel, "sdb")) is not unable


# ------------------------------------------------------------ wear and tests


def test_smart():
    """Attributes 4 and 9, and byte 363 while a test runs."""
    calm = smart({"starts": 4200, "hours": 7200})
    assert drives.parse_smart(calm) == Health(Wear(4200, 300.0))
    assert (
        drives.parse_smart(smart({"starts": 1, "hours": 24, "test": True})).test
        == "a SMART self-test runs, 40 % left"
    )


@given(st.binary(max_size=600))
def test_smart_of_any_bytes(data):
    """No answer of a drive raises."""
    assert isinstance(drives.parse_smart(data), Health)


def test_health_of_an_ata_disk_in_standby(kernel):
    """SMART READ DATA would start it: only its power mode is asked."""
    add_disk(kernel, "sdb", power="standby")
    asked()
    assert drives.health(kernel, look(kernel, "sdb")) == Health(unknown="it is in standby")
    assert (asked(), drive_of(kernel, "sdb")["power"]) == ([0xE5], "standby")


def test_health_of_an_ata_disk(kernel):
    """Starts, days in service, and the test that runs."""
    add_disk(kernel, "sdb", starts=30, hours=2400, test=True)
    assert drives.health(kernel, look(kernel, "sdb")) == Health(
        Wear(30, 100.0), "a SMART self-test runs, 40 % left"
    )


def test_health_of_a_sas_disk(kernel):
    """Log pages 0Eh (with what it is made for), 15h and 10h."""
    add_disk(kernel, "sdb", "sas", starts=30, hours=2400, rated=10000, test=True)
    assert drives.health(kernel, look(kernel, "sdb")) == Health(Wear(30, 100.0, 10000), "a self-test runs")


def test_health_of_a_disk_that_keeps_no_count(kernel):
    """scsi_debug has none of the pages: that is unknown, not zero."""
    add_disk(kernel, "sdb", "scsi", silent=True)
    assert drives.health(kernel, look(kernel, "sdb")) == Health(unknown="it keeps no count of its starts")


@pytest.mark.parametrize(
    ("power", "unknown"), [("stopped", "it is stopped"), ("standby_z", "it is in standby_z")]
)
def test_health_of_a_sas_disk_that_stands_still(kernel, power, unknown):
    """Nothing is read from it."""
    add_disk(kernel, "sdb", "sas", power=power)
    asked()
    assert drives.health(kernel, look(kernel, "sdb")) == Health(unknown=unknown)
    assert asked() == [0x03]


@given(st.binary(max_size=600), st.binary(max_size=600))
def test_log_pages_of_any_bytes(one, other):
    """No page raises."""
    assert isinstance(drives.parse_wear(one, other), Wear)
    assert isinstance(drives.parse_self_test(one), str)


# ------------------------------------------------------------ SAS power conditions


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("70000000000000 0a 00000000 5e06 00000000", Condition("idle_b", commanded=True)),
        ("70000000000000 0a 00000000 5e05 00000000", Condition("idle_b")),
        ("7200 5e02 00000000", Condition("standby_z")),
        ("7200 5e04 00000000", Condition("standby_z", commanded=True)),
        ("7202 0402 00000000", Condition("stopped", commanded=True)),
        ("7202 0401 00000000", Condition("active")),
        ("", Condition("active")),
    ],
)
def test_condition(data, expected):
    """Where it is, and whether a timer or a command brought it there."""
    assert drives.parse_condition(bytes.fromhex(data.replace(" ", ""))) == expected


def test_conditions(kernel):
    """Page 8Ah: which there are, and how long each takes to recover; 0 and FFFFh say nothing."""
    add_disk(
        kernel, "sdb", "sas", conditions={"idle_a": 0, "idle_b": 650, "idle_c": 0xFFFF, "standby_z": 15000}
    )
    found = drives.conditions(kernel, look(kernel, "sdb"))
    assert found == {"standby_z": 15000, "idle_c": None, "idle_b": 650, "idle_a": None}


@given(st.binary(max_size=64))
def test_conditions_of_any_bytes(page):
    """A short page, or another one, has none."""
    assert isinstance(drives.parse_conditions(page), dict)


def test_timers_come_back_whatever_the_state(kernel):
    """LU_CONTROL is sent to a disk that has long been active again, because its timers are still off."""
    device = add_disk(kernel, "sdb", "sas", conditions=CONDITIONS)
    drives.write_condition(kernel, device, "idle_b")
    read(kernel, "sdb")
    assert drive_of(kernel, "sdb")["timers"] is False
    assert drives.condition(kernel, device) == Condition("active")
    drives.write_condition(kernel, device, "timers")
    assert drive_of(kernel, "sdb")["timers"] is True


def test_a_disk_that_somebody_stopped_is_left_alone(kernel):
    """It is not told anything until it is started, which starts its timers."""
    device = add_disk(kernel, "sdb", "sas", conditions=CONDITIONS)
    set_drive(kernel, "sdb", power="stopped")
    asked()
    drives.write_condition(kernel, device, "timers")
    assert asked() == [0x03]


def test_the_fake_disks_node_is_a_file(kernel):
    """What a test on the fake shows is about this door and no other."""
    add_disk(kernel, "sdb")
    assert status(kernel, "/dev/sgb") is not None
