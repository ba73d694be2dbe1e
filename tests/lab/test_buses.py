"""USB, PCI and sound devices of the guest sleep by its own kernel, and every switch is as it was; the wake path is left alone."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.root]

XHCI = "/sys/devices/pci0000:00/0000:00:05.0"
MOUSE, KEYBOARD, HUB, TABLET, READER = (
    f"{XHCI}/usb1/{port}" for port in ("1-1", "1-2", "1-3", "1-3/1-3.1", "1-4")
)
SOUND, EDU = "/sys/devices/pci0000:00/0000:00:06.0", "/sys/devices/pci0000:00/0000:00:0a.0"
HDA = "/sys/module/snd_hda_intel/parameters"
SLEEPS = {"suspended"}


@pytest.fixture
def plugged(lab):
    """With a hub, a tablet behind it, and a smart-card reader; every USB device is held awake, as a server without udev's rules has them."""
    for words in (
        {"driver": "usb-hub", "port": "3", "id": "hub"},
        {"driver": "usb-tablet", "port": "3.1", "id": "tablet"},
        {"driver": "usb-ccid", "port": "4", "id": "reader"},
    ):
        plug(lab, **words)
    lab.shell(
        f"until [ -e {TABLET}/power/control ] && [ -e {READER}/power/control ]; do sleep 0.1; done; udevadm settle"
    ).text()
    lab.shell(
        f"for each in {XHCI}/usb* {MOUSE} {KEYBOARD} {HUB} {TABLET} {READER}; do echo on > $each/power/control; done"
    ).text()
    return lab


def plug(lab, **words):
    """Plug a USB device in."""
    lab.qmp.ask("device_add", bus="usb.0", **words)


def wrote(answer):
    """The devices whose switch was turned."""
    return {path.removesuffix("/power/control") for path in answer["wrote"] if path.endswith("/control")}


@pytest.mark.long
def test_usb_devices_sleep_and_the_keyboard_does_not(plugged):
    """What nobody uses sleeps; with the guard passed over the mouse and the tablet too; the keyboard and what is above it never."""
    path = plugged.call("guest_buses:found")["path"]
    assert {KEYBOARD, f"{XHCI}/usb1", XHCI} <= path.keys()
    for options, sleeping in (
        ({}, {READER, f"{XHCI}/usb2"}),
        ({"despite": ["input"], "delay": 0.5}, {READER, f"{XHCI}/usb2", MOUSE, TABLET, HUB}),
    ):
        answer = plugged.call("guest_buses:nap", "usb-autosuspend", options)
        assert wrote(answer) == sleeping | {HUB}
        assert {answer["states"][f"{place}/power/control"] for place in sleeping} == SLEEPS
        assert (answer["refused"], answer["left"], answer["differs"]) == ([], 0, {})
    usable, detail, _ = plugged.call("guest_buses:probe", "usb-autosuspend", {})
    assert usable
    assert "0627:0001 QEMU USB Keyboard stays: QEMU QEMU USB Keyboard wakes this machine" in detail


@pytest.mark.long
def test_what_is_plugged_in_again_is_left_alone(plugged):
    """The tablet is pulled out and put in again during the nap, and the admin lets it sleep: that is not undone, the rest is."""
    plugged.call("guest_buses:apply", "usb-autosuspend", {"despite": ["input"]})
    plugged.qmp.ask("device_del", id="tablet")
    plugged.shell(f"while [ -e {TABLET} ]; do sleep 0.1; done").text()
    plug(plugged, driver="usb-tablet", port="3.1", id="tablet")
    plugged.shell(f"until [ -e {TABLET}/power/control ]; do sleep 0.1; done; udevadm settle").text()
    plugged.write(f"{TABLET}/power/control", "auto")
    answer = plugged.call("guest_buses:restore")
    outcomes = [outcome for outcome, _ in answer["results"]]
    assert (sorted(outcomes), answer["left"]) == (["already"] + ["restored"] * 4, 0)
    assert "the device was unplugged" in dict(answer["results"])["already"]
    assert plugged.read(f"{TABLET}/power/control") == "auto"
    assert plugged.read(f"{MOUSE}/power/control") == "on"


@pytest.mark.long
def test_pci_devices_and_sound(lab):
    """A device without a driver sleeps at once, a disk controller with a disk stays; the sound driver's parameters come back as texts."""
    lab.qmp.ask("device_add", driver="edu", id="edu")
    lab.shell(f"until [ -e {EDU}/power/control ]; do sleep 0.1; done").text()
    lab.shell(
        f"echo 0000:00:06.0 > /sys/bus/pci/drivers/snd_hda_intel/unbind; echo 0 > {HDA}/power_save; echo N > {HDA}/power_save_controller"
    ).text()
    detail = lab.call("guest_buses:probe", "pci-runtime", {"allow": ["class:02"]})[1]
    assert "0000:00:04.0 SATA controller (8086:2922) stays: sd" in detail
    assert "0000:00:08.0 network card (10ec:8139) stays: eth" in detail
    answer = lab.call("guest_buses:nap", "pci-runtime", {"allow": ["1234:11e8"]})
    assert wrote(answer) == {SOUND, EDU}
    assert set(answer["states"].values()) == SLEEPS
    assert (answer["refused"], answer["left"], answer["differs"]) == ([], 0, {})
    answer = lab.call("guest_buses:nap", "audio", {})
    assert answer["wrote"] == {f"{HDA}/power_save": "1", f"{HDA}/power_save_controller": "Y"}
    assert (answer["refused"], answer["left"], answer["differs"]) == ([], 0, {})


def test_links_that_firmware_does_not_offer(lab):
    """This board has no PCI Express link: said, and nothing is tried."""
    usable, detail, _ = lab.call("guest_buses:probe", "pcie-aspm", {"policy": "powersave"})
    assert not usable
    assert "no PCI Express link is Linux's to set" in detail
