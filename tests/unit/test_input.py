"""Claims of monitors/input.py: real pipes stand for the devices of a small machine."""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ears import EpollEars
from powernap.core.reading import Reading
from powernap.host import uevents
from powernap.host.availability import UnavailableError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, input  # noqa: A004 - the monitor's name
from powernap.monitors.input import InputMonitor, Options

LED, KEY = 0x11, 1


class Desk:
    """A machine below a directory, in a user namespace of its own, whose devices are pipes."""

    def __init__(self, root: Path, ears: EpollEars) -> None:
        self.root, self.ears = root, ears
        self.host = Host(files=TreeFiles(str(root)), ears=ears)
        self.told: list[Reading] = []
        self.ends: dict[str, int] = {}
        for directory in ("dev/input", "sys/class/input", "run/udev/data", "proc/self"):
            (root / directory).mkdir(parents=True)
        (root / "proc/self/uid_map").write_text("0 100000 65536\n")

    def plug(self, node: str, kind: str, label: str) -> None:
        place = self.root / "sys/class/input" / node
        (place / "device").mkdir(parents=True)
        (place / "dev").write_text(f"13:{node}\n")
        (place / "device/name").write_text(label + "\n")
        (self.root / f"run/udev/data/c13:{node}").write_text(f"E:ID_INPUT=1\nE:ID_INPUT_{kind}=1\n")
        os.mkfifo(self.root / "dev/input" / node)
        self.ends[node] = os.open(self.root / "dev/input" / node, os.O_RDWR | os.O_NONBLOCK)

    def unplug(self, node: str) -> None:
        os.unlink(self.root / "dev/input" / node)
        shutil.rmtree(self.root / "sys/class/input" / node)
        os.close(self.ends.pop(node))

    def press(self, node: str, kind: int = KEY, ago: float = 0.0) -> None:
        at = time.time() - ago
        os.write(self.ends[node], struct.pack("@llHHi", int(at), int(at % 1 * 1e6), kind, 30, 1))

    def open(self, options: Options | None = None) -> InputMonitor:
        return input.open(Context("desk", self.host, self.told.append), options or Options())

    def now(self) -> float:
        return self.host.clock.boottime()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk without devices."""
    monkeypatch.setattr(uevents, "SETTLE", 0.01)
    with EpollEars() as ears:
        desk = Desk(tmp_path, ears)
        yield desk
        for end in desk.ends.values():
            os.close(end)


@pytest.fixture
def monitor(desk: Desk) -> Iterator[InputMonitor]:
    """Opened on a keyboard and a mouse."""
    desk.plug("event0", "KEYBOARD", "AT keyboard")
    desk.plug("event1", "MOUSE", "PS/2 mouse")
    monitor = desk.open()
    yield monitor
    monitor.close()


def test_a_key_press_is_told_once_then_nothing_is_heard(desk: Desk, monitor: InputMonitor) -> None:
    """Deaf after hearing: a hundred more presses on any device wake nobody."""
    desk.press("event0")
    assert desk.ears.run(2, lambda: desk.told)
    wakeups = desk.ears.wakeups
    for _ in range(50):
        desk.press("event0")
        desk.press("event1")
    desk.ears.run(0.05)
    assert [reading.reason for reading in desk.told] == ["keyboard AT keyboard was used"]
    assert desk.ears.wakeups == wakeups
    assert not desk.told[0].active


def test_a_look_finds_what_was_not_heard_and_listens_again(desk: Desk, monitor: InputMonitor) -> None:
    """Being deaf loses nothing: the instant of the newest use comes from the device's own queue."""
    desk.press("event0", ago=5)
    desk.ears.run(2, lambda: desk.told)
    desk.press("event1", ago=2)
    desk.press("event0", ago=3)
    reading = monitor.check(desk.now())
    assert reading.last == pytest.approx(desk.now() - 2, abs=0.2)
    assert reading.who == ("mouse PS/2 mouse",)
    desk.press("event1")
    assert desk.ears.run(2, lambda: len(desk.told) == 2)


def test_before_any_use_there_is_no_instant(desk: Desk, monitor: InputMonitor) -> None:
    """Nobody touched it: nothing is told."""
    reading = monitor.check(desk.now())
    assert (reading.active, reading.last, reading.failed) == (False, None, False)
    assert reading.reason == "nothing was done on 2 input devices"


def test_lights_are_no_use(desk: Desk, monitor: InputMonitor) -> None:
    """An event that no person makes is not told, and listening goes on."""
    desk.press("event0", LED)
    desk.ears.run(0.05)
    assert desk.told == []
    desk.press("event0")
    assert desk.ears.run(2, lambda: desk.told)


def test_a_keyboard_that_is_plugged_in_is_heard(desk: Desk, monitor: InputMonitor) -> None:
    """Hotplug: the new device is opened a little later, and counts from its first key."""
    desk.plug("event7", "KEYBOARD", "USB keyboard")
    assert desk.ears.run(2, lambda: "event7" in monitor.open)
    assert desk.told == []
    desk.press("event7")
    assert desk.ears.run(2, lambda: desk.told)
    assert desk.told[0].reason == "keyboard USB keyboard was used"


def test_a_device_that_is_unplugged_is_closed(desk: Desk, monitor: InputMonitor) -> None:
    """Its descriptor is given back, and the others go on."""
    desk.unplug("event1")
    assert desk.ears.run(2, lambda: "event1" not in monitor.open)
    desk.press("event0")
    assert desk.ears.run(2, lambda: desk.told)


def test_unplugged_and_replaced_while_deaf(desk: Desk, monitor: InputMonitor) -> None:
    """The next look closes the dead one and opens its successor of the same name."""
    desk.press("event0")
    desk.ears.run(2, lambda: desk.told)
    desk.unplug("event1")
    desk.plug("event1", "MOUSE", "PS/2 mouse")
    monitor.check(desk.now())
    desk.press("event1")
    assert desk.ears.run(2, lambda: len(desk.told) == 2)


def test_only_the_wanted_kinds_are_opened(desk: Desk) -> None:
    """By kind and by name; a lid and an accelerometer never."""
    for number, (kind, label) in enumerate(
        [
            ("KEYBOARD", "AT keyboard"),
            ("KEYBOARD", "Virtual thing"),
            ("KEY", "Power Button"),
            ("SWITCH", "Lid Switch"),
            ("ACCELEROMETER", "a"),
        ]
    ):
        desk.plug(f"event{number}", kind, label)
    monitor = desk.open(Options(exclude="^Virtual"))
    assert sorted(device.device.label for device in monitor.open.values()) == ["AT keyboard", "Power Button"]
    monitor.close()
    monitor = desk.open(Options(kinds=("keyboard",)))
    assert sorted(device.device.label for device in monitor.open.values()) == ["AT keyboard", "Virtual thing"]
    monitor.close()


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """The config error says what to write."""
    assert (
        input.unknown_kinds(("keybord",))
        == "no such kind: keybord; write some of keyboard, mouse, touch, button, joystick"
    )
    assert input.unknown_kinds(())
    assert input.unknown_kinds(("mouse",)) is None


def test_no_devices_is_no_obstacle(desk: Desk) -> None:
    """A server without a keyboard: available, for one may come."""
    answer = input.probe(desk.host, Options())
    assert (bool(answer), answer.detail) == (True, "no input devices now; hotplug is watched")
    monitor = desk.open()
    assert monitor.check(desk.now()).reason == "nothing was done on 0 input devices"
    assert monitor.source == "evdev, 0 devices; new ones: inotify"
    monitor.close()


def test_the_probe_names_the_devices(desk: Desk) -> None:
    """What is there, by kind and name."""
    desk.plug("event0", "TOUCHPAD", "SynPS/2")
    assert input.probe(desk.host, Options()).detail == "touch SynPS/2"


def loop(desk: Desk, node: str) -> None:
    """A device node that cannot be opened, for root neither (ELOOP)."""
    os.unlink(desk.root / "dev/input" / node)
    os.symlink(node, desk.root / "dev/input" / node)


def test_a_device_that_may_not_be_read_keeps_awake(desk: Desk, monitor: InputMonitor) -> None:
    """One of several is shut: the look fails, it does not pass for silence."""
    desk.plug("event2", "MOUSE", "Shut mouse")
    loop(desk, "event2")
    with pytest.raises(PermissionError, match="staying awake"):
        monitor.check(desk.now())


def test_if_none_can_be_opened_the_remedy_is_told(desk: Desk) -> None:
    """Unavailable, with what to do, and nothing left open."""
    desk.plug("event0", "MOUSE", "Shut mouse")
    loop(desk, "event0")
    assert not input.probe(desk.host, Options())
    with pytest.raises(UnavailableError) as raised:
        desk.open()
    assert "group input" in raised.value.availability.remedy


def test_a_recorded_machine_is_not_opened(desk: Desk) -> None:
    """Nobody types on a recording; its devices can still be listed."""
    desk.plug("event0", "MOUSE", "m")
    desk.host.live = False
    with pytest.raises(UnavailableError):
        desk.open()
    assert input.probe(desk.host, Options())


def test_everything_is_given_back(desk: Desk) -> None:
    """As many descriptors after closing as before opening."""
    desk.plug("event0", "MOUSE", "m")
    before = len(os.listdir("/proc/self/fd"))
    monitor = desk.open()
    monitor.close()
    assert (len(os.listdir("/proc/self/fd")), desk.ears.heard) == (before, {})


def test_without_ears_a_look_still_works(desk: Desk) -> None:
    """``powernap`` without a daemon opens, looks and closes."""
    desk.plug("event0", "MOUSE", "m")
    desk.host.ears = None
    monitor = desk.open()
    desk.press("event0")
    assert monitor.check(desk.now()).last
    monitor.close()
