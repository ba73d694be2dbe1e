"""Claims of host/evdev.py."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import evdev
from powernap.host.evdev import EV_ABS, EV_KEY, EV_REL, EV_SW, USED, Device, InputFd
from powernap.host.files import TreeFiles

LED = 0x11
KEYBOARD_KEYS = "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe"
"""A PC keyboard's, from its sysfs."""


def event(at: float, kind: int = EV_KEY, code: int = 30, value: int = 1) -> bytes:
    """A struct input_event."""
    return struct.pack("@llHHi", int(at), round(at % 1 * 1e6), kind, code, value)


def tree(root: Path, node: str, files: dict[str, str], udev: str | None = None) -> TreeFiles:
    """A machine with one input device."""
    place = root / "sys/class/input" / node
    (place / "device/capabilities").mkdir(parents=True)
    (place / "dev").write_text("13:64\n")
    for name, content in files.items():
        (place / "device" / name).write_text(content + "\n")
    if udev is not None:
        (root / "run/udev/data").mkdir(parents=True)
        (root / "run/udev/data/c13:64").write_text(udev)
    return TreeFiles(str(root))


@pytest.mark.parametrize(
    ("udev", "kind"),
    [
        ("I:1\nE:ID_INPUT=1\nE:ID_INPUT_KEY=1\nE:ID_INPUT_KEYBOARD=1\nG:seat\n", "keyboard"),
        ("E:ID_INPUT=1\nE:ID_INPUT_MOUSE=1\n", "mouse"),
        ("E:ID_INPUT=1\nE:ID_INPUT_TOUCHPAD=1\n", "touch"),
        ("E:ID_INPUT=1\nE:ID_INPUT_MOUSE=1\nE:ID_INPUT_JOYSTICK=1\n", "joystick"),
        ("E:ID_INPUT=1\nE:ID_INPUT_KEY=1\n", "button"),
        ("E:ID_INPUT=1\nE:ID_INPUT_SWITCH=1\n", ""),
        ("E:ID_INPUT=1\nE:ID_INPUT_ACCELEROMETER=1\nE:ID_INPUT_MOUSE=1\n", ""),
        ("E:ID_INPUT=1\n", ""),
    ],
)
def test_udevs_word_decides(tmp_path: Path, udev: str, kind: str) -> None:
    """Each kind that udev names; switches and accelerometers are nobody."""
    files = tree(tmp_path, "event3", {"name": "A thing"}, udev)
    assert evdev.devices(files) == [Device("event3", kind, "A thing")]


@pytest.mark.parametrize(
    ("name", "capabilities", "kind"),
    [
        ("AT Translated Set 2 keyboard", {"ev": "120013", "key": KEYBOARD_KEYS}, "keyboard"),
        ("USB Optical Mouse", {"ev": "17", "key": "ff0000 0 0 0 0", "rel": "903"}, "mouse"),
        ("QEMU USB Tablet", {"ev": "1f", "key": "70000 0 0 0 0", "rel": "900", "abs": "3"}, "mouse"),
        ("SynPS/2 TouchPad", {"ev": "b", "key": "6420 30000 0 0 0 0", "abs": "260800011000003"}, "touch"),
        ("Power Button", {"ev": "3", "key": "8000 10000000000000 0"}, "button"),
        ("Lid Switch", {"ev": "21"}, ""),
        ("Accelerometer", {"ev": "9", "abs": "7"}, ""),
        ("Gamepad", {"ev": "20000b", "key": "7cdb000000000000 0 0 0 0", "abs": "3003f"}, "joystick"),
    ],
)
def test_without_udev_the_capabilities_decide(
    tmp_path: Path, name: str, capabilities: dict[str, str], kind: str
) -> None:
    """Recorded capability bitmaps of real devices."""
    files = tree(
        tmp_path,
        "event0",
        {"name": name, **{f"capabilities/{key}": bits for key, bits in capabilities.items()}},
    )
    assert evdev.kind(files, "event0") == kind


def test_an_accelerometer_by_property(tmp_path: Path) -> None:
    """INPUT_PROP_ACCELEROMETER makes it nobody's device, whatever keys it claims."""
    files = tree(
        tmp_path, "event0", {"capabilities/ev": "b", "capabilities/key": KEYBOARD_KEYS, "properties": "40"}
    )
    assert evdev.kind(files, "event0") == ""


def test_only_event_nodes_are_devices(tmp_path: Path) -> None:
    """mice, js0 and input7 are other faces of the same devices."""
    for name in ("mice", "js0", "input7", "mouse1", "event"):
        (tmp_path / "sys/class/input" / name).mkdir(parents=True)
    assert evdev.devices(TreeFiles(str(tmp_path))) == []


@given(st.integers(0, 2**400))
def test_bitmaps_are_read_as_sysfs_writes_them(bits: int) -> None:
    """Words of 64 bits, the highest first."""
    words = [f"{bits >> place & 2**64 - 1:x}" for place in range(0, 448, 64)]
    assert evdev.parse_bits(" ".join(reversed(words)), 64) == bits
    assert evdev.parse_bits("no bitmap") == 0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from([0, EV_KEY, EV_REL, EV_ABS, 4, EV_SW, LED]))))
def test_the_newest_use_counts(events: list[tuple[float, int]]) -> None:
    """Only presses and movements are use: no LED, switch, scan code or synchronisation."""
    data = b"".join(event(at, kind) for at, kind in events)
    uses = [struct.unpack("@ll", event(at, kind)[:16]) for at, kind in events if kind in USED]
    expected = uses[-1][0] + uses[-1][1] / 1e6 if uses else None
    assert evdev.newest(data, USED) == expected


@pytest.fixture
def pipe(tmp_path: Path):
    """A FIFO that stands for /dev/input/event0: opens it as a device, answers with a way to write to it."""
    (tmp_path / "dev/input").mkdir(parents=True)
    os.mkfifo(tmp_path / "dev/input/event0")
    writer = os.open(tmp_path / "dev/input/event0", os.O_RDWR | os.O_NONBLOCK)
    opened: list[InputFd] = []

    def make(kind: str = "keyboard") -> tuple[InputFd, Callable[[bytes], int]]:
        opened.append(InputFd(TreeFiles(str(tmp_path)), Device("event0", kind, "k")))
        return opened[-1], lambda data: os.write(writer, data)

    yield make
    for device in opened:
        device.close()
    os.close(writer)


def test_the_instant_of_a_press_is_told_in_boot_time(pipe) -> None:
    """A key pressed two seconds ago was pressed two seconds ago."""
    device, write = pipe()
    write(event(time.time() - 2) + event(time.time() - 2, 0))
    assert device.drain() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME) - 2, abs=0.1)
    assert device.drain() is None


def test_a_stamp_from_the_future_is_now(pipe) -> None:
    """A clock that stepped back cannot keep a machine awake for years."""
    device, write = pipe()
    write(event(time.time() + 1e6))
    assert device.drain() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_button_counts_when_it_is_pressed_only(pipe) -> None:
    """A device of buttons may also have a switch or a slider: those are not use."""
    device, write = pipe("button")
    write(event(time.time(), EV_SW) + event(time.time(), EV_ABS))
    assert device.drain() is None
    write(event(time.time(), EV_KEY))
    assert device.drain() is not None


def test_no_key_is_ever_kept(pipe) -> None:
    """After a read no byte of what was typed is left in the buffer, nor anywhere in the object."""
    device, write = pipe()
    write(b"".join(event(time.time(), EV_KEY, code, 1) for code in range(0x1100, 0x1100 + 150)))
    device.drain()
    assert device.buffer == bytes(len(device.buffer))
    assert set(vars(device)) == {"device", "types", "gone", "fd", "clock", "buffer"}


def test_a_device_that_went_away_says_so(tmp_path: Path) -> None:
    """End of file (a FIFO's ENODEV) is no error."""
    (tmp_path / "dev/input").mkdir(parents=True)
    os.mkfifo(tmp_path / "dev/input/event0")
    device = InputFd(TreeFiles(str(tmp_path)), Device("event0", "mouse", "m"))
    assert (device.drain(), device.gone) == (None, True)
    assert device.drain() is None
    device.close()


def test_another_error_is_raised(tmp_path: Path) -> None:
    """What cannot be read is not taken for silence."""
    (tmp_path / "dev/input").mkdir(parents=True)
    os.mkfifo(tmp_path / "dev/input/event0")
    device = InputFd(TreeFiles(str(tmp_path)), Device("event0", "mouse", "m"))
    os.close(device.fd)
    device.fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        device.drain()
    device.close()


@given(st.floats(0, 1e9))
def test_no_instant_is_later_than_now(instant: float) -> None:
    """Whatever clock it was taken from."""
    for clock in (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC, time.CLOCK_REALTIME):
        assert evdev.to_boottime(instant, clock) <= time.clock_gettime(time.CLOCK_BOOTTIME)
