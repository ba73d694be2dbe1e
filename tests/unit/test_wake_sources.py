"""sleep/wake_sources.py: what woke the machine, from the difference of two readings."""

from __future__ import annotations

from pathlib import Path

import pytest

import fakesleep
from fakekernel import FakeKernel
from powernap.sleep import wake_sources
from powernap.sleep.wake_sources import Snapshot, Source


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return fakesleep.sleeper(tmp_path)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("00:04", "rtc", "the clock's alarm (rtc0)"),
        ("serio0", "input", "the keyboard or mouse (i8042 KBD port, serio0)"),
        ("LNXPWRBN:00", "button", "the power button (LNXPWRBN:00)"),
        ("0000:00:03.0", "network", "the network card enp3s0 (a magic packet, or its link)"),
    ],
)
def test_who_counted_is_named(kernel: FakeKernel, source: str, kind: str, words: str) -> None:
    """In an admin's words, by what the device is."""
    before = wake_sources.read(kernel)
    fakesleep.event(kernel, source)
    found = wake_sources.woke(kernel, before, wake_sources.read(kernel))
    assert (kind, words) == (found.kind, found.words)
    assert kernel.exists(found.devices[0])


def test_nobody_counted(kernel: FakeKernel) -> None:
    """Unknown is said as such: firmware often keeps it to itself."""
    before = wake_sources.read(kernel)
    assert wake_sources.NOBODY == wake_sources.woke(kernel, before, wake_sources.read(kernel))


def test_a_bus_beside_its_device_is_not_named(kernel: FakeKernel) -> None:
    """A root port counts with the card behind it, and tells nothing."""
    fakesleep.add_source(kernel, "/sys/devices/pci0000:00/0000:00:1c.0", "0000:00:1c.0")
    before = wake_sources.read(kernel)
    fakesleep.event(kernel, "0000:00:1c.0")
    assert "other" == wake_sources.woke(kernel, before, wake_sources.read(kernel)).kind
    fakesleep.event(kernel, "0000:00:03.0")
    found = wake_sources.woke(kernel, before, wake_sources.read(kernel))
    assert ("network", "the network card enp3s0 (a magic packet, or its link)") == (found.kind, found.words)


def test_the_bridge_of_a_card_is_the_card(kernel: FakeKernel) -> None:
    """PCI Express reports a wake-up at the root port."""
    port = "/sys/devices/pci0000:00/0000:00:1c.0"
    fakesleep.add_source(kernel, port, "0000:00:1c.0")
    kernel.add(f"{port}/0000:02:00.0/net/enp2s0/address", "52:54:00:00:00:02")
    before = wake_sources.read(kernel)
    fakesleep.event(kernel, "0000:00:1c.0")
    assert "enp2s0" in wake_sources.woke(kernel, before, wake_sources.read(kernel)).words


def test_two_at_once(kernel: FakeKernel) -> None:
    """Both are named, the more telling first."""
    before = wake_sources.read(kernel)
    fakesleep.event(kernel, "serio0")
    fakesleep.event(kernel, "00:04")
    found = wake_sources.woke(kernel, before, wake_sources.read(kernel))
    assert "rtc" == found.kind
    assert found.words.startswith("the clock's alarm (rtc0), the keyboard")


def test_a_usb_device(kernel: FakeKernel) -> None:
    """By its product."""
    place = "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2"
    fakesleep.add_source(kernel, place, "1-2")
    kernel.add(f"{place}/idVendor", "046d")
    kernel.add(f"{place}/product", "USB Receiver")
    before = wake_sources.read(kernel)
    fakesleep.event(kernel, "1-2")
    assert (
        "the USB device USB Receiver (1-2)"
        == wake_sources.woke(kernel, before, wake_sources.read(kernel)).words
    )


@pytest.mark.parametrize(
    ("handlers", "kind"),
    [("rtc0", "rtc"), ("i8042", "input"), ("enp3s0-TxRx-0", "network"), ("acpi", "unknown"), ("", "unknown")],
)
def test_the_interrupt_tells_when_no_source_does(kernel: FakeKernel, handlers: str, kind: str) -> None:
    """/sys/power/pm_wakeup_irq, by the names of its handlers."""
    kernel.add("/sys/kernel/irq/9/actions", handlers)
    before = wake_sources.read(kernel)
    kernel.put("/sys/power/pm_wakeup_irq", "9")
    found = wake_sources.woke(kernel, before, wake_sources.read(kernel))
    assert kind == found.kind
    assert "interrupt 9" in found.words


def test_a_source_that_went_away_says_nothing() -> None:
    """A device that is enumerated anew after resume begins at 0: that is no event."""
    old = Source("1-2", "/sys/devices/usb1/1-2", 7, 7, 7)
    new = Source("1-3", "/sys/devices/usb1/1-3", 0, 0, 0)
    assert [] == wake_sources.stirred(Snapshot({"a": old}), Snapshot({"b": new}))
    again = Source("1-2", "/sys/devices/usb1/1-2", 0, 0, 0)
    assert [] == wake_sources.stirred(Snapshot({"a": old}), Snapshot({"a": again}))


def test_who_may_wake_it(kernel: FakeKernel) -> None:
    """By the switch of each device."""
    kernel.put(f"{fakesleep.KEYBOARD}/power/wakeup", "disabled")
    assert {"rtc", "button", "network"} == {each.kind for each in wake_sources.armed(kernel)}


def test_no_files_at_all(tmp_path: Path) -> None:
    """A container: nothing is counted, and nothing breaks."""
    empty = FakeKernel(tmp_path)
    assert Snapshot() == wake_sources.read(empty)
    assert () == wake_sources.armed(empty)
