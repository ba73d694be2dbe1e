"""pci-runtime lets sleep the classes that were asked for, and never what hangs, shows, stores, or is on the wake path."""

from __future__ import annotations

import errno

import pytest

import fakebuses
from fakebuses import ROOT, add_network, add_pci, bare_machine, let_idle
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import pci_runtime
from powernap.host.devices import path_of
from powernap.host.pci_guards import GUARDS

ACTION = "pci-runtime"
SATA, SOUND, READER = f"{ROOT}/0000:00:17.0", f"{ROOT}/0000:00:1f.3", f"{ROOT}/0000:00:1d.0/0000:03:00.0"


@pytest.fixture
def machine(tmp_path):
    """A small server's buses."""
    kernel = bare_machine(tmp_path / "machine")
    fakebuses.add_buses(kernel)
    return kernel


@pytest.fixture
def bare(tmp_path):
    """Nothing but a root bus and the card that carries the default route."""
    kernel = bare_machine(tmp_path / "machine")
    add_pci(kernel, f"{ROOT}/0000:00:03.0", "8086:100e", "020000", driver="e1000")
    add_network(kernel, f"{ROOT}/0000:00:03.0", "eth0", default_route=True)
    return kernel


def put_to_sleep(kernel, **options):
    """Addresses of the devices whose switch is turned."""
    with napping(kernel, ACTION, **options) as entries:
        return [path_of(where).split("/")[-3] for where in written(entries)]


def test_sleep_and_back(machine):
    """Sound, the SD reader and the SATA controller without disks sleep, its ports first; everything comes back."""
    before = machine.snapshot()
    with napping(machine, ACTION) as entries:
        assert [path_of(where).split("/")[-3] for where in written(entries)][:3] == [
            "ata1",
            "ata2",
            "0000:00:17.0",
        ]
        let_idle(machine, 1)
        for place in (SATA, SOUND, READER):
            assert machine.read(f"{place}/power/runtime_status") == "suspended\n"
    assert machine.changes(before) == {}


def test_controller_stays_awake_with_its_ports(machine):
    """Why the ports are switched too: a port that is held awake holds its controller."""
    machine.write(f"{SATA}/power/control", "auto")
    let_idle(machine, 1)
    assert machine.read(f"{SATA}/power/runtime_status") == "active\n"


def test_probe_counts_and_says_why(machine):
    """What sleeps, and of each device that was asked for and stays, the reason."""
    found = probe(machine, ACTION, allow=("8086:1533", "class:03"))
    assert found.detail.startswith(
        "3 of 13 PCI devices can sleep: 0000:00:17.0 SATA controller (8086:a352) and "
    )
    assert "0000:02:00.0 network card (8086:1533) stays: eth0 carries the default route" in found.detail
    assert (
        "0000:04:00.0 graphics (1a03:2000) stays: it is graphics, or part of a graphics card" in found.detail
    )


@pytest.mark.parametrize(
    "kind", ["0000:00:14.0", "0000:00:16.0", "0000:00:1c.0", "0000:02:00.0", "0000:04:00.0"]
)
def test_never(machine, kind):
    """The host's USB, firmware's engine, the card with the default route, its port and graphics: no option reaches them."""
    everything = tuple(f"class:{number:02x}" for number in range(256))
    guards = tuple(guard.name for guard in GUARDS)
    assert kind not in put_to_sleep(machine, allow=everything, bridges=True, despite=guards)


@pytest.mark.parametrize(
    ("ids", "kind", "driver", "why"),
    [
        ("8086:125c", "020000", "", "Intel I225 and I226 hung machines"),
        ("8086:9999", "0c0330", "xhci_hcd", "devices of the driver xhci_hcd hung"),
        ("10de:1eb8", "0b4000", "vfio-pci", "vfio-pci has it for a guest or a program"),
        ("8086:1572", "120000", "igb_uio", "igb_uio has it for a guest or a program"),
        ("8086:a304", "060100", "", "the machine itself hangs on it"),
        ("102b:0538", "030000", "", "it is graphics"),
    ],
)
def test_devices_that_are_never_let_sleep(bare, ids, kind, driver, why):
    """Each with its reason, also where they are named."""
    add_pci(bare, f"{ROOT}/0000:00:09.0", ids, kind, driver=driver)
    found = probe(bare, ACTION, allow=(ids,), despite=tuple(guard.name for guard in GUARDS))
    assert not found
    assert why in found.detail


def test_sound_of_a_graphics_card(bare):
    """The second function of a graphics card is the card's; a sound chip on the root bus is not the neighbour's."""
    add_pci(bare, f"{ROOT}/0000:00:01.0", "8086:1901", "060400")
    add_pci(bare, f"{ROOT}/0000:00:01.0/0000:01:00.0", "10de:1eb8", "030000")
    add_pci(bare, f"{ROOT}/0000:00:01.0/0000:01:00.1", "10de:10f8", "040300")
    add_pci(bare, f"{ROOT}/0000:00:02.0", "8086:3e92", "030000")
    add_pci(bare, f"{ROOT}/0000:00:02.1", "8086:a348", "040300")
    assert put_to_sleep(bare) == ["0000:00:02.1"]


def test_controller_with_disks(machine):
    """One disk is enough."""
    place = f"{SATA}/ata1/host1/target1:0:0/1:0:0:0/block/sda"
    machine.add(f"{place}/size", "1")
    machine.link("/sys/block/sda", place)
    assert "0000:00:17.0 SATA controller (8086:a352) stays: sda is behind it" in probe(machine, ACTION).detail
    assert "0000:00:17.0" not in put_to_sleep(machine)


@pytest.mark.parametrize(
    ("bits", "sleeps"), [("4017", True), ("44017", False), ("204017", False), ("odd", True)]
)
def test_ports_for_plugging_in(machine, bits, sleeps):
    """With a hot-plug or eSATA port the controller stays, unless the guard is passed over."""
    machine.add(f"{SATA}/ata2/host2/scsi_host/host2/ahci_port_cmd", bits)
    assert ("0000:00:17.0" in put_to_sleep(machine)) is sleeps
    assert "0000:00:17.0" in put_to_sleep(machine, despite=("hotplug",))


def test_while_something_plays(machine):
    """An open stream keeps the sound chip."""
    machine.add("/proc/asound/card0/pcm0p/sub0/status", "state: RUNNING")
    assert 'stays: card0 pcm0p is open (guard "sound")' in probe(machine, ACTION).detail
    assert "0000:00:1f.3" in put_to_sleep(machine, despite=("sound",))


def test_empty_bridges_only_when_asked(machine):
    """And never one with something behind it."""
    add_pci(machine, f"{ROOT}/0000:00:1a.0", "8086:a333", "060400", driver="pcieport")
    assert "0000:00:1a.0" not in put_to_sleep(machine)
    found = put_to_sleep(machine, bridges=True)
    assert "0000:00:1a.0" in found
    assert not {"0000:00:1b.0", "0000:00:1c.0", "0000:00:1d.0", "0000:00:1e.0"} & set(found)


def test_network_card_without_a_link(bare):
    """Named, it may sleep; with a link, never."""
    for number, carrier in ((1, True), (2, False)):
        place = add_pci(bare, f"{ROOT}/0000:00:0{number}.0", "8086:1533", "020000", driver="igb")
        add_network(bare, place, f"lan{number}", carrier=carrier)
    assert put_to_sleep(bare, allow=("8086:1533",)) == ["0000:00:02.0"]


def test_device_without_a_driver(bare):
    """Named by its ids, it sleeps at once: nobody uses it."""
    place = add_pci(bare, f"{ROOT}/0000:00:05.0", "1234:11e8", "00ff00")
    assert probe(bare, ACTION).detail == "no more PCI device can be let sleep"
    with napping(bare, ACTION, allow=("1234:*",)):
        let_idle(bare, 1)
        assert bare.read(f"{place}/power/runtime_status") == "suspended\n"


def test_deny_and_what_sleeps_already(machine):
    """What is denied or already allowed to sleep is left."""
    machine.put(f"{READER}/power/control", "auto")
    assert "1 may already" in probe(machine, ACTION).detail
    assert put_to_sleep(machine, deny=("class:0106",)) == ["0000:00:1f.3"]


def test_port_that_sleeps_already_is_left(machine):
    """Only what holds the controller awake is switched."""
    machine.put(f"{SATA}/ata1/power/control", "auto")
    assert put_to_sleep(machine, classes=("0106",)) == ["ata2", "0000:00:17.0"]


def test_sick_device_does_not_hinder_the_others(machine):
    """EIO of one: it stays as it was, and the rest sleeps."""
    machine.fail(f"{SOUND}/power/control", errno.EIO)
    before = machine.snapshot()
    with ledger_of(machine) as ledger:
        done = ledger.perform(ACTION, "nap", pci_runtime.plan(host_of(machine), pci_runtime.Options()))
        assert (done.changed, len(done.refused)) == (4, 1)
        ledger.restore()
    assert machine.changes(before) == {}


def test_no_pci(tmp_path):
    """A machine without PCI, and one where nothing may be written."""
    kernel = bare_machine(tmp_path / "machine")
    assert probe(kernel, ACTION).detail == "there is no PCI device"
    fakebuses.add_buses(kernel)
    kernel.read_only_mount()
    assert probe(kernel, ACTION).remedy == "run as root, outside a container"


def test_classes_are_checked():
    """A class is four digits."""
    fields = pci_runtime.Options.__dataclass_fields__
    assert fields["classes"].metadata["check"](("0403",)) is None
    assert '"sound" is no class' in fields["classes"].metadata["check"](("sound",))
