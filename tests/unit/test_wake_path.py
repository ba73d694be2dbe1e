"""What can wake the machine, or is its way in, is found with every bus above it."""

from __future__ import annotations

import pytest

import fakeplatform
from fakebuses import bare_machine
from machines import Machine
from powernap.host import wake_path
from powernap.host.wake_path import default_routes, exempt

ROOT = "/sys/devices/pci0000:00"
PORT = f"{ROOT}/0000:00:1c.0"
CARD = f"{PORT}/0000:02:00.0"
XHCI = f"{ROOT}/0000:00:14.0"
ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
SIX = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 27}1 00000400 00000001 00000000 00000003"


@pytest.fixture
def machine(tmp_path):
    """Two network cards and a USB keyboard behind a hub; nothing is armed, no route is there."""
    machine = Machine(tmp_path, {"/proc/net/route": ROUTES})
    for place in (ROOT, PORT, CARD, XHCI):
        device(machine, place, vendor="0x8086", **{"class": "0x020000" if place == CARD else "0x060400"})
    network(machine, "eth0", CARD)
    device(machine, f"{XHCI}/usb1", bDeviceClass="09", idVendor="1d6b")
    device(machine, f"{XHCI}/usb1/1-2", bDeviceClass="09", idVendor="05e3")
    keyboard = device(
        machine, f"{XHCI}/usb1/1-2/1-2.1", bDeviceClass="00", idVendor="046d", product="USB Keyboard"
    )
    device(machine, f"{keyboard}/1-2.1:1.0")
    device(machine, f"{keyboard}/1-2.1:1.0/0003:046D:C31C.0001/input/input5", name="Logitech USB Keyboard")
    machine.link(
        "/sys/class/input/input5", f"{tmp_path}{keyboard}/1-2.1:1.0/0003:046D:C31C.0001/input/input5"
    )
    for name in ("usb1", "1-2", "1-2.1", "1-2.1:1.0"):
        path = {"usb1": "usb1", "1-2": "usb1/1-2", "1-2.1": "usb1/1-2/1-2.1"}.get(
            name, "usb1/1-2/1-2.1/1-2.1:1.0"
        )
        machine.link(f"/sys/bus/usb/devices/{name}", f"{tmp_path}{XHCI}/{path}")
    return machine


def device(machine, place, **attributes):
    """A device directory."""
    machine.put(f"{place}/uevent", "")
    machine.put(f"{place}/power/control", "on\n")
    for name, value in attributes.items():
        machine.put(f"{place}/{name}", f"{value}\n")
    return place


def network(machine, name, above):
    """A network card of a bus device."""
    place = device(machine, f"{above}/net/{name}", carrier="1")
    machine.link(f"/sys/class/net/{name}", f"{machine.root}{place}")
    machine.link(f"{place}/device", f"{machine.root}{above}")
    return place


def virtual(machine, name, *lower):
    """A bridge, bond, VLAN or tunnel."""
    place = device(machine, f"/sys/devices/virtual/net/{name}", carrier="1")
    machine.link(f"/sys/class/net/{name}", f"{machine.root}{place}")
    for each in lower:
        machine.link(f"{place}/lower_{each}", f"{machine.root}/sys/class/net/{each}")


def route(machine, name, destination="00000000", mask="00000000"):
    """An IPv4 route over an interface, and one that is no default."""
    machine.put(
        "/proc/net/route",
        f"{ROUTES}{name}\t{destination}\t010200C0\t0003\t0\t0\t0\t{mask}\t0\t0\t0\neth9\t000200C0\t0\t1\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
    )


def found(machine):
    """The path and the reasons."""
    return wake_path.wake_path(machine.host.files)


def test_card_with_the_default_route_and_all_above_it(machine):
    """The card, its port and the root bridge stay; another port does not."""
    route(machine, "eth0")
    path = found(machine)
    assert path[f"{CARD}/net/eth0"] == path[CARD] == "eth0 carries the default route"
    assert path[PORT] == path[ROOT] == "eth0 carries the default route, and is reached through it"
    assert XHCI not in path


def test_card_that_is_armed(machine):
    """Armed for wake, with or without a route."""
    network(
        machine, "eth1", device(machine, f"{ROOT}/0000:00:1f.6", vendor="0x8086", **{"class": "0x020000"})
    )
    machine.put(f"{ROOT}/0000:00:1f.6/power/wakeup", "enabled\n")
    route(machine, "eth0")
    assert found(machine)[f"{ROOT}/0000:00:1f.6/net/eth1"] == "eth1 is armed to wake this machine"


def test_card_that_could_be_armed(machine):
    """A card whose wake-up is off today may be armed before the machine sleeps."""
    machine.put(f"{CARD}/power/wakeup", "disabled\n")
    machine.put(f"{CARD}/net/eth0/carrier", "0\n")
    assert found(machine)[f"{CARD}/net/eth0"] == "eth0 can be armed to wake this machine"


def test_switch_of_the_port_is_not_the_cards(machine):
    """A port that can signal hot-plug says nothing of the card behind it."""
    machine.put(f"{PORT}/power/wakeup", "enabled\n")
    machine.put(f"{CARD}/net/eth0/carrier", "0\n")
    assert found(machine) == {}


@pytest.mark.parametrize("name", ["bond0", "br0", "vlan7"])
def test_route_over_a_virtual_interface(machine, name):
    """The cards below a bond, a bridge or a VLAN carry its route, also two layers down."""
    virtual(machine, "middle", "eth0")
    virtual(machine, name, "middle")
    route(machine, name)
    assert found(machine)[f"{CARD}/net/eth0"] == f"eth0 carries the default route of {name}"


@pytest.mark.parametrize("routed", ["wg0", ""])
def test_any_card_with_a_link_may_be_the_way_in(machine, routed):
    """A tunnel, or no route at all: which card it is cannot be told, so all that have a link stay."""
    if routed:
        virtual(machine, routed)
        route(machine, routed)
    assert found(machine)[f"{CARD}/net/eth0"] == "eth0 has a link and may carry the only way in"


def test_ports_that_a_virtual_function_borrows(machine):
    """With the default route on a virtual function, the physical function stays too."""
    lender = device(machine, f"{PORT}/0000:02:00.7", vendor="0x8086")
    machine.link(f"{CARD}/physfn", f"{machine.root}{lender}")
    route(machine, "eth0")
    assert found(machine)[lender] == "eth0 carries the default route"


def test_keyboard_with_its_hubs_and_controller(machine):
    """A keyboard that may wake keeps every hub above it, and the controller."""
    machine.put(f"{XHCI}/usb1/1-2/1-2.1/power/wakeup", "enabled\n")
    route(machine, "eth0")
    path = found(machine)
    for place in ("", "/usb1", "/usb1/1-2", "/usb1/1-2/1-2.1"):
        assert "Logitech USB Keyboard wakes this machine" in path[XHCI + place]


@pytest.mark.parametrize("switch", ["disabled", ""])
def test_input_that_does_not_wake(machine, switch):
    """A mouse that is not armed is not on the path."""
    machine.put(f"{XHCI}/usb1/1-2/1-2.1/power/wakeup", f"{switch}\n")
    route(machine, "eth0")
    assert XHCI not in found(machine)


def test_usb_device_that_is_armed_whatever_it_is(machine):
    """A receiver or a Bluetooth stick that somebody armed; a hub that is armed is no waker by itself."""
    machine.put(f"{XHCI}/usb1/power/wakeup", "enabled\n")
    route(machine, "eth0")
    assert XHCI not in found(machine)
    other = device(machine, f"{XHCI}/usb1/1-7", bDeviceClass="e0", idVendor="8087")
    machine.link("/sys/bus/usb/devices/1-7", f"{machine.root}{other}")
    machine.put(f"{other}/power/wakeup", "enabled\n")
    assert found(machine)[other] == "1-7 wakes this machine"


def test_clock(machine):
    """The RTC is how a schedule wakes the machine: always on the path, with the bus that it is on."""
    device(machine, "/sys/devices/pnp0/00:03/rtc/rtc0")
    machine.link("/sys/class/rtc/rtc0", f"{machine.root}/sys/devices/pnp0/00:03/rtc/rtc0")
    path = found(machine)
    assert path["/sys/devices/pnp0/00:03/rtc/rtc0"] == "rtc0 wakes this machine at an alarm"
    assert "/sys/devices/pnp0/00:03" in path


def test_exempt_by_any_name(machine):
    """A device is found by a link, by its real path, or by a file of it; what is beside it is not exempt."""
    machine.put(f"{XHCI}/usb1/1-2/1-2.1/power/wakeup", "enabled\n")
    route(machine, "eth0")
    other = device(machine, f"{XHCI}/usb1/1-2/1-2.2", bDeviceClass="00")
    files, known = machine.host.files, found(machine)
    for path in ("/sys/bus/usb/devices/1-2.1", f"{XHCI}/usb1/1-2/power/control", "/sys/class/net/eth0"):
        assert exempt(files, path), path
        assert exempt(files, path, known), path
    assert exempt(files, f"{other}/power/control") == ""
    assert exempt(files, "/sys/bus/usb/devices/9-9") == ""


def test_default_routes_of_both_protocols():
    """A default route has destination and mask zero; the one over lo is IPv6's "unreachable"."""
    four = f"{ROUTES}eth0\t00000000\t1\t3\t0\t0\t0\t00000000\t0\t0\t0\neth1\t00000000\t1\t1\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    assert default_routes(four, f"{SIX} wlan0\n{SIX} lo\n{SIX[:-1]}\n") == ["eth0", "wlan0"]
    assert default_routes("", "") == []


def test_interfaces_that_are_below_each_other(machine):
    """Links that lead round in a ring end."""
    virtual(machine, "one", "two")
    virtual(machine, "two", "one")
    route(machine, "one")
    assert f"{CARD}/net/eth0" in found(machine)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"wake": "pumbg", "armed": "g"}, "eth7 is armed to wake this machine"),
        ({"wake": "pumbg"}, "eth7 can be armed to wake this machine"),
        ({}, None),
    ],
)
def test_card_whose_driver_alone_tells(tmp_path, flags, reason):
    """A card without PCI power management has no power/wakeup (an 8139): its driver is asked."""
    kernel = bare_machine(tmp_path)
    fakeplatform.add_port(kernel, "eth7", carrier="0", **flags)
    kernel.delete(f"{ROOT}/0000:00:19.0/power/wakeup")
    assert wake_path.wake_path(kernel).get(f"{ROOT}/0000:00:19.0") == reason
