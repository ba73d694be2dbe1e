"""Keyboards, mice and the like (/dev/input/event*): what each is, and when it was last used.

Owns which device is of which kind and the one thing that is read from it: *when*. **Never which key**: of each event only its
timestamp and its type (key, movement, switch) are looked at, and the buffer is zeroed at once.
Format: ``struct input_event`` and ``EVIOCSCLOCKID`` of <linux/input.h>, Documentation/input/input.rst; kinds as
udev's ``input_id`` names them, or by the same rules from the capability bits where udev does not run.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
import time

from powernap.core.value import dataclass
from powernap.host.files import Files, text
from powernap.host.inotify import on_disk

EVENT = struct.Struct("@llHHi")
TYPE_OFFSET = struct.calcsize("@ll")
EV_KEY, EV_REL, EV_ABS, EV_SW = 1, 2, 3, 5
EVIOCSCLOCKID = 0x400445A0
KEY_MISC_END = 0x100
BTN_LEFT, BTN_GAMEPAD, BTN_JOYSTICK = 0x110, 0x130, 0x120
BTN_TOOL_PEN, BTN_TOOL_FINGER, BTN_TOUCH = 0x140, 0x145, 0x14A
PROPERTY_ACCELEROMETER = 6
REL_X_Y = ABS_X_Y = 0b11
ESC_TO_S = 0xFFFFFFFE
"""Keys 1 to 31: who has them all is a keyboard (udev-builtin-input_id.c)."""

KINDS = ("keyboard", "mouse", "touch", "button", "joystick")
UDEV_KINDS = (
    ("ID_INPUT_ACCELEROMETER", ""),
    ("ID_INPUT_KEYBOARD", "keyboard"),
    ("ID_INPUT_TOUCHPAD", "touch"),
    ("ID_INPUT_TOUCHSCREEN", "touch"),
    ("ID_INPUT_TABLET", "touch"),
    ("ID_INPUT_JOYSTICK", "joystick"),
    ("ID_INPUT_MOUSE", "mouse"),
    ("ID_INPUT_POINTINGSTICK", "mouse"),
    ("ID_INPUT_TRACKBALL", "mouse"),
    ("ID_INPUT_KEY", "button"),
)
"""First match wins. A switch (lid, dock, headphone jack) is none: a lid that closes means that somebody leaves."""

USED_BY = {"button": (EV_KEY,)}
USED = (EV_KEY, EV_REL, EV_ABS)


@dataclass(frozen=True, slots=True)
class Device:
    """An input device: ``node`` ("event3"), its ``kind`` (one of ``KINDS``, or "" for what no person uses) and its ``label``."""

    node: str
    kind: str
    label: str


def devices(files: Files) -> list[Device]:
    """The input devices there are now, also those that no person uses."""
    nodes = [name for name in files.names("/sys/class/input") if re.fullmatch(r"event\d+", name)]
    return [
        Device(node, kind(files, node), text(files, f"/sys/class/input/{node}/device/name", node))
        for node in nodes
    ]


def kind(files: Files, node: str) -> str:
    """What a device is: udev's word where there is one, else by its capabilities."""
    number = text(files, f"/sys/class/input/{node}/dev")
    told = parse_udev(text(files, f"/run/udev/data/c{number}"))
    if "ID_INPUT" in told:
        return next((word for key, word in UDEV_KINDS if told.get(key) == "1"), "")
    device = f"/sys/class/input/{node}/device"
    bits = {
        name: parse_bits(text(files, f"{device}/capabilities/{name}")) for name in ("ev", "key", "rel", "abs")
    }
    return by_capabilities(**bits, properties=parse_bits(text(files, f"{device}/properties")))


def parse_udev(data: str) -> dict[str, str]:
    """The ``E:KEY=value`` lines of a file in /run/udev/data."""
    return dict(line[2:].split("=", 1) for line in data.splitlines() if line.startswith("E:") and "=" in line)


def parse_bits(words: str, word: int = struct.calcsize("@l") * 8) -> int:
    """A bitmap as sysfs writes it (hexadecimal words of the kernel's long, the highest first); 0 for what is none."""
    try:
        return sum(int(part, 16) << word * place for place, part in enumerate(reversed(words.split())))
    except ValueError:
        return 0


def by_capabilities(ev: int, key: int, rel: int, abs: int, properties: int) -> str:  # noqa: A002 - the kernel's word
    """The kind of a device that udev says nothing of."""
    moves = bool(ev >> EV_ABS & 1) and abs & ABS_X_Y == ABS_X_Y
    if properties >> PROPERTY_ACCELEROMETER & 1 or (moves and not ev >> EV_KEY & 1):
        return ""
    if key & 0xFFFFFFFF & ESC_TO_S == ESC_TO_S:
        return "keyboard"
    if moves and (key >> BTN_TOUCH & 1 or key >> BTN_TOOL_FINGER & 1 or key >> BTN_TOOL_PEN & 1):
        return "touch"
    if moves and (key >> BTN_JOYSTICK & 1 or key >> BTN_GAMEPAD & 1):
        return "joystick"
    if key >> BTN_LEFT & 1 and (moves or (ev >> EV_REL & 1 and rel & REL_X_Y == REL_X_Y)):
        return "mouse"
    return "button" if key and (key & (1 << KEY_MISC_END) - 1 or key >> 0x160) else ""


def newest(data: bytes | bytearray | memoryview, types: tuple[int, ...]) -> float | None:
    """Seconds of the last event of these types, on the clock of its descriptor; ``None`` when there is none.

    Reads each event's first two words and its type, nothing else. A device's queue is in order of time.
    """
    last = None
    for at in range(0, len(data) - EVENT.size + 1, EVENT.size):
        if struct.unpack_from("@H", data, at + TYPE_OFFSET)[0] in types:
            seconds, micros = struct.unpack_from("@ll", data, at)
            last = seconds + micros / 1e6
    return last


class InputFd:
    """An open device. ``OSError`` when it cannot be opened; it may vanish at any time, which ``drain`` tells by ``gone``."""

    def __init__(self, files: Files, device: Device) -> None:
        self.device = device
        self.types = USED_BY.get(device.kind, USED)
        self.gone = False
        self.fd = os.open(
            on_disk(files, f"/dev/input/{device.node}"), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )
        self.clock = choose_clock(self.fd)
        self.buffer = bytearray(EVENT.size * 64)

    def drain(self) -> float | None:
        """``CLOCK_BOOTTIME`` of the newest use since the last call, ``None`` when there was none."""
        last = None
        while not self.gone and (size := self._read()):
            last = newest(memoryview(self.buffer)[:size], self.types) or last
            self.buffer[:] = bytes(len(self.buffer))
        return None if last is None else to_boottime(last, self.clock)

    def _read(self) -> int:
        try:
            size = os.readv(self.fd, [self.buffer])
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            size = 0
        self.gone = size == 0
        return size

    def close(self) -> None:
        """Give back the descriptor."""
        os.close(self.fd)


def choose_clock(fd: int) -> int:
    """Have events stamped with ``CLOCK_BOOTTIME``, else ``CLOCK_MONOTONIC``; answers with the clock that it is.

    A pipe in a test refuses both and is stamped by its writer with wall time, as evdev does unless asked otherwise.
    """
    for clock in (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC):
        try:
            fcntl.ioctl(fd, EVIOCSCLOCKID, struct.pack("@i", clock))
        except OSError:
            continue
        return clock
    return time.CLOCK_REALTIME


def to_boottime(instant: float, clock: int) -> float:
    """An instant of another clock, never later than now. (A sleep between makes a monotonic one look later: on the safe side.)"""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return min(now, now - (time.clock_gettime(clock) - instant))
