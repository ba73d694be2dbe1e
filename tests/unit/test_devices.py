"""A setting belongs to the very device that it was changed on: what is plugged in later never gets it."""

from __future__ import annotations

import errno
import os

import pytest

import fakebuses
from fakebuses import bare_machine
from plans import ledger_of
from powernap.host.devices import identity, path_of, target
from powernap.host.knobs import Change, MachineKnobs

STICK = f"{fakebuses.HUB}/1-3"
CONTROL = f"{STICK}/power/control"


@pytest.fixture
def machine(tmp_path):
    """With a small server's buses."""
    kernel = bare_machine(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    return kernel


@pytest.fixture
def ledger(machine):
    """In which the camera's setting has been changed."""
    with ledger_of(machine) as ledger:
        ledger.apply(
            Change(target(machine, STICK, "power/control"), "auto", "device"), "usb-autosuspend", "nap"
        )
        yield ledger


def plug(machine, ids="0bda:5411", control="on", devnum=9, serial="SN 01"):
    """A device comes into the same port."""
    fakebuses.unplug(machine, STICK)
    fakebuses.add_usb(machine, STICK, ids, ("0e", "uvcvideo"), control=control, devnum=devnum, serial=serial)


def outcomes(ledger):
    """What became of each entry."""
    return [(each.outcome, each.detail) for each in ledger.restore()]


def test_identity_says_who_it_is(machine):
    """Ids, the number of its plugging-in, the serial number, and the inode of its directory."""
    inode = os.stat(machine.root + STICK).st_ino
    assert identity(machine, STICK) == f"0bda:5411:6:SN_01#{inode}"
    assert (
        identity(machine, f"{fakebuses.XHCI}") == f"8086:a36d#{os.stat(machine.root + fakebuses.XHCI).st_ino}"
    )
    assert identity(machine, "/sys/devices/none") == ""


def test_target_by_any_name(machine):
    """A link or the real path: one target, which holds the path."""
    where = target(machine, "/sys/bus/usb/devices/1-3", "power/control")
    assert where == target(machine, STICK, "power/control")
    assert path_of(where) == CONTROL


def test_same_device_gets_its_value_back(machine, ledger):
    """Nothing was unplugged."""
    assert machine.read(CONTROL) == "auto\n"
    assert outcomes(ledger) == [("restored", 'put back to "on"')]
    assert machine.read(CONTROL) == "on\n"


def test_unplugged(machine, ledger):
    """The setting went with the device: nothing is left to undo, and nobody waits for its return."""
    fakebuses.unplug(machine, STICK)
    assert outcomes(ledger) == [("already", "the device was unplugged: its setting went with it")]
    assert ledger.live() == []


@pytest.mark.parametrize("control", ["on", "auto"])
def test_another_device_in_its_place(machine, ledger, control):
    """It keeps what it came with, also where that is what we had written to the first."""
    plug(machine, ids="0951:1666", control=control)
    ((outcome, detail),) = outcomes(ledger)
    assert outcome == "already"
    assert detail == (
        "the device was unplugged, and 0951:1666:9:SN_01 is in its place: its setting went with it"
    )
    assert machine.read(CONTROL) == f"{control}\n"


@pytest.mark.parametrize("devnum", [6, 9])
def test_same_device_plugged_in_again(machine, ledger, devnum):
    """The same stick in the same port is a new device to the kernel: a rule of udev that set it is not undone."""
    plug(machine, control="auto", devnum=devnum)
    assert [outcome for outcome, _ in outcomes(ledger)] == ["already"]
    assert machine.read(CONTROL) == "auto\n"
    assert ledger.live() == []


def test_same_device_in_another_port(machine, ledger):
    """What it is given there is not ours."""
    fakebuses.unplug(machine, STICK)
    other = fakebuses.add_usb(
        machine, f"{fakebuses.HUB}/1-6", "0bda:5411", ("0e", "uvcvideo"), control="auto", serial="SN 01"
    )
    assert [outcome for outcome, _ in outcomes(ledger)] == ["already"]
    assert machine.read(f"{other}/power/control") == "auto\n"


def test_somebody_else_set_it(machine, ledger):
    """On the same device the other owner wins, as for any value."""
    delay = Change(target(machine, STICK, "power/autosuspend_delay_ms"), "5000", "device", "number")
    ledger.apply(delay, "usb-autosuspend", "nap")
    machine.write(f"{STICK}/power/autosuspend_delay_ms", "100")
    assert [outcome for outcome, _ in outcomes(ledger)] == ["foreign", "restored"]
    assert machine.read(f"{STICK}/power/autosuspend_delay_ms") == "100\n"


def test_attribute_that_went_alone(machine, ledger):
    """The device is there and its file is not (a driver is between two states): kept until it returns."""
    machine.vanish(CONTROL)
    assert [outcome for outcome, _ in outcomes(ledger)] == ["gone"]
    machine.reappear(CONTROL)
    assert [outcome for outcome, _ in outcomes(ledger)] == ["restored"]


def test_sick_device(machine, ledger):
    """EIO on the way back: kept, and tried again."""
    machine.fail(CONTROL, errno.EIO, times=1)
    assert [outcome for outcome, _ in outcomes(ledger)] == ["failed"]
    assert [outcome for outcome, _ in outcomes(ledger)] == ["restored"]


def test_unplugged_before_it_could_be_changed(machine):
    """A plan that is older than the device changes nothing."""
    change = Change(target(machine, STICK, "power/control"), "auto", "device")
    plug(machine)
    with pytest.raises(OSError, match="is in its place") as raised:
        MachineKnobs(machine).write(change, "auto")
    assert raised.value.errno == errno.ESTALE
    assert machine.read(CONTROL) == "on\n"
