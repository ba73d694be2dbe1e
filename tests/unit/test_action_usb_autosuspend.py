"""usb-autosuspend lets sleep what supports it and loses nothing by it, and never what is on the wake path."""

from __future__ import annotations

import errno

import pytest

import fakebuses
from fakebuses import HUB, add_hub, add_input, add_network, add_usb, bare_machine, let_idle
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import usb_autosuspend
from powernap.host.device_guards import unnamed
from powernap.host.devices import path_of
from powernap.host.usb_guards import GUARDS

ACTION = "usb-autosuspend"
CAMERA, READER, MOUSE, KEYBOARD = f"{HUB}/1-3", f"{HUB}/1-4", f"{HUB}/1-2", f"{HUB}/1-1/1-1.1"
EVERYTHING = ("046d:*", "0403:6001", "class:09")


@pytest.fixture
def machine(tmp_path):
    """A small server's buses."""
    kernel = bare_machine(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    return kernel


@pytest.fixture
def bare(tmp_path):
    """A controller with one hub that no waker is behind."""
    kernel = bare_machine(tmp_path / "machine")
    add_usb(kernel, HUB, "1d6b:0002", ("09", "hub"), kind="09", control="auto", devnum=1)
    return kernel


def put_to_sleep(kernel, **options):
    """Ports of the devices whose switch is turned."""
    with napping(kernel, ACTION, **options) as entries:
        return [path_of(where).split("/")[-3] for where, value in written(entries).items() if value == "auto"]


def test_sleep_and_back(machine):
    """What may sleep does once it has been idle for its delay, and everything comes back."""
    before = machine.snapshot()
    with napping(machine, ACTION):
        assert machine.read(f"{CAMERA}/power/runtime_status") == "active\n"
        let_idle(machine, 2001)
        for place in (CAMERA, READER):
            assert machine.read(f"{place}/power/runtime_status") == "suspended\n"
        assert machine.read(f"{CAMERA}/power/autosuspend_delay_ms") == "2000\n"
    assert machine.changes(before) == {}


def test_probe_counts_and_says_why(machine):
    """Of each device that stays awake, the reason."""
    found = probe(machine, ACTION)
    assert found
    assert found.detail.startswith("2 of 7 USB devices can sleep; ")
    assert "046d:c31c USB Keyboard stays: Logitech USB Keyboard wakes this machine" in found.detail
    assert (
        '046d:c077 USB Optical Mouse stays: asleep, it loses the first key or movement (guard "input")'
        in found.detail
    )


def test_wake_path_stays_whatever_is_allowed(machine):
    """The keyboard that wakes the machine, its hub and the root hub: no option reaches them."""
    machine.put(f"{HUB}/power/control", "on")
    machine.put(f"{HUB}/1-1/power/control", "on")
    guards = tuple(guard.name for guard in GUARDS)
    assert put_to_sleep(machine, allow=EVERYTHING, despite=guards) == ["1-2", "1-3", "1-4", "1-5"]


def test_delay_only_where_asked_and_put_back(machine):
    """Before the switch, so that the device does not sleep at once; and it comes back exactly."""
    before = machine.snapshot()
    with napping(machine, ACTION, delay=5.0) as entries:
        assert [path_of(each.change.target).rpartition("/")[2] for each in entries][:2] == [
            "autosuspend_delay_ms",
            "control",
        ]
        assert machine.read(f"{CAMERA}/power/autosuspend_delay_ms") == "5000\n"
    assert machine.changes(before) == {}


def test_hub_keeps_its_delay(bare):
    """A hub sleeps as soon as all behind it do, however long that takes."""
    bare.put(f"{HUB}/power/control", "on")
    bare.put(f"{HUB}/power/autosuspend_delay_ms", "0")
    with napping(bare, ACTION, delay=5.0) as entries:
        assert [path_of(where) for where in written(entries)] == [f"{HUB}/power/control"]


def test_deny_and_allow(machine):
    """By ids or class; what is denied stays, also where it is allowed."""
    assert put_to_sleep(machine, deny=("class:0e",)) == ["1-4"]
    assert put_to_sleep(machine, allow=("046d:c077",), deny=("0bda:*",)) == ["1-2", "1-4"]
    assert put_to_sleep(machine, allow=("class:0e",), deny=("class:0e",)) == ["1-4"]
    assert put_to_sleep(machine, despite=("input",)) == ["1-2", "1-3", "1-4"]


@pytest.mark.parametrize(
    ("names", "fine"),
    [
        (("046d:c31c", "046d:*", "class:0e"), True),
        (("046D:C31C",), False),
        (("mouse",), False),
        (("class:3",), False),
    ],
)
def test_names_of_devices_are_checked(names, fine):
    """A name that could match nothing is an error of the configuration."""
    assert (unnamed(names) is None) is fine


@pytest.mark.parametrize(
    ("ids", "interfaces", "extra", "guard"),
    [
        ("0951:1666", [("08", "usb-storage")], {}, "storage"),
        ("03f0:2b17", [("07", "usblp")], {}, "printer"),
        ("0525:a4a7", [("02", "cdc_acm"), ("0a", "cdc_acm")], {}, "serial"),
        ("051d:0002", [("ff", "")], {}, "ups"),
        ("1234:0001", [("ff", "")], {"product": "Smart-UPS 750"}, "ups"),
        ("046b:ff10", [("08", "usb-storage")], {"product": "Virtual CDROM"}, "storage"),
        ("046b:ff20", [("ff", "")], {"product": "Virtual Hub"}, "console"),
        ("0557:7000", [("ff", "")], {}, "console"),
        ("1234:0002", [("ff", "")], {"product": "8-port KVM switch"}, "console"),
    ],
)
def test_guards(bare, ids, interfaces, extra, guard):
    """What loses something by sleeping stays awake, named; and sleeps where the guard is passed over."""
    add_usb(bare, f"{HUB}/1-7", ids, *interfaces, **extra)
    assert f'(guard "{guard}")' in probe(bare, ACTION).detail
    assert put_to_sleep(bare, allow=(ids,)) == ["1-7"]


def test_behind_the_hub_of_a_management_controller(bare):
    """What hangs below a BMC's hub is remote too, whatever it says it is."""
    add_hub(bare, f"{HUB}/1-1", "046b:ff01")
    add_usb(bare, f"{HUB}/1-1/1-1.2", "1234:0003", ("ff", ""))
    assert (
        '1234:0003 device stays: it is the console of somebody far away (BMC or KVM switch) (guard "console")'
        in probe(bare, ACTION).detail
    )


def test_network_adapter(bare):
    """With a link it stays; without one, and not to be armed, it may sleep."""
    machine_route(bare)
    for port, carrier in ((7, True), (8, False)):
        place = add_usb(bare, f"{HUB}/1-{port}", f"0b95:000{port}", ("ff", "ax88179_178a"))
        add_network(bare, f"{place}/1-{port}:1.0", f"usb{port}", carrier=carrier)
    assert '0b95:0007 device stays: usb7 has a link (guard "network")' in probe(bare, ACTION).detail
    assert put_to_sleep(bare) == ["1-8"]


def machine_route(kernel):
    """The default route is elsewhere."""
    fakebuses.add_pci(kernel, f"{fakebuses.ROOT}/0000:00:03.0", "8086:100e", "020000", driver="e1000")
    add_network(kernel, f"{fakebuses.ROOT}/0000:00:03.0", "eth0", default_route=True)


def test_driver_that_cannot_sleep(bare):
    """One interface is enough; and a device without interfaces is not configured."""
    add_usb(bare, f"{HUB}/1-7", "1234:0004", ("ff", "good"), ("ff", "-bad"))
    add_usb(bare, f"{HUB}/1-8", "1234:0005")
    found = probe(bare, ACTION, allow=("1234:*",))
    assert not found
    assert "1234:0004 device stays: its driver bad cannot be suspended" in found.detail
    assert "1234:0005" in found.detail


def test_what_sleeps_already_is_left(bare):
    """Its delay too."""
    add_usb(bare, f"{HUB}/1-7", "1234:0004", ("ff", "good"), control="auto")
    found = probe(bare, ACTION, delay=9.0)
    assert not found
    assert "2 may already" in found.detail
    assert list(usb_autosuspend.plan(host_of(bare), usb_autosuspend.Options(delay=9.0))) == []


def test_sick_device_does_not_hinder_the_others(machine):
    """EIO of one: it stays as it was, and the rest sleeps."""
    machine.fail(f"{CAMERA}/power/control", errno.EIO)
    before = machine.snapshot()
    module, host = usb_autosuspend, host_of(machine)
    with ledger_of(machine) as ledger:
        done = ledger.perform(ACTION, "nap", module.plan(host, module.Options()))
        assert (done.changed, len(done.refused)) == (1, 1)
        assert machine.read(f"{READER}/power/control") == "auto\n"
        ledger.restore()
        assert ledger.live() == []
    assert machine.changes(before) == {}


def test_unplugged_during_the_nap(machine):
    """The rest is put back, and nothing is left in the ledger to be tried for ever."""
    with napping(machine, ACTION):
        fakebuses.unplug(machine, CAMERA)
    assert machine.read(f"{READER}/power/control") == "on\n"


def test_no_usb(tmp_path):
    """A machine without USB, and one where nothing may be written."""
    kernel = bare_machine(tmp_path / "machine")
    assert probe(kernel, ACTION).detail == "there is no USB device"
    fakebuses.add_buses(kernel)
    kernel.read_only_mount()
    assert probe(kernel, ACTION).remedy == "run as root, outside a container"


def test_keyboard_that_wakes_by_another_interface(bare):
    """A composite device is one device: the switch is its own, not its interface's."""
    machine_route(bare)
    place = add_usb(
        bare, f"{HUB}/1-7", "1234:0006", ("01", "snd-usb-audio"), ("03", "usbhid"), wakeup="enabled"
    )
    add_input(bare, f"{place}/1-7:1.1", 9, "Headset")
    assert put_to_sleep(bare, despite=("input",), allow=("1234:*",)) == []
