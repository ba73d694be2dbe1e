"""Somebody presses a key, moves a mouse or touches a screen of this machine.

Owns which devices count and when to listen to them. Every press or movement is a pulse; only its instant is kept, never which key
it was (host/evdev.py). Buttons count too, when they are pressed: who presses the power button of a napping server wants something of
it. Lids and other switches, accelerometers and what ``exclude`` names never do. A device that is plugged in is no activity yet: a
loose cable would keep the machine awake.
"""

from __future__ import annotations

import os
import re

from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import evdev
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.evdev import Device, InputFd
from powernap.host.host import Host
from powernap.host.inotify import on_disk
from powernap.host.uevents import NewDevices
from powernap.monitors import Context

EVENTS = True

NOT_ALLOWED = "run powernapd as root, or add its user to the group input"


def unknown_kinds(kinds: tuple[str, ...]) -> str | None:
    """What is wrong with a list of kinds."""
    wrong = [kind for kind in kinds if kind not in evdev.KINDS]
    return (
        f"no such kind: {', '.join(wrong)}; write some of {', '.join(evdev.KINDS)}"
        if wrong or not kinds
        else None
    )


@dataclass(frozen=True)
class Options:
    """What counts as a person's device."""

    kinds: tuple[str, ...] = option(
        ("keyboard", "mouse", "touch", "button"),
        help="Kinds of device that count: keyboard, mouse, touch (pads, screens, tablets), button (power and media keys), joystick.",
        example='["keyboard", "mouse"]',
        check=unknown_kinds,
    )
    exclude: str | None = option(
        None,
        help="Devices whose name matches this regular expression do not count (a jittering sensor, a virtual keyboard).",
        unit="regex",
        example='"Virtual|Video Bus"',
    )


def counted(host: Host, options: Options) -> list[Device]:
    """The devices there are now that count."""
    named_out = re.compile(options.exclude) if options.exclude else None
    return [
        device
        for device in evdev.devices(host.files)
        if device.kind in options.kinds and not (named_out and named_out.search(device.label))
    ]


def probe(host: Host, options: Options) -> Availability:
    """Which devices there are; none is no obstacle, for one may be plugged in."""
    found = counted(host, options)
    if not found:
        return available("no input devices now; hotplug is watched")
    shut = [
        device for device in found if not os.access(on_disk(host.files, f"/dev/input/{device.node}"), os.R_OK)
    ]
    if shut and host.live:
        return unavailable(f"/dev/input/{shut[0].node} ({shut[0].label}) may not be read", NOT_ALLOWED)
    return available(", ".join(f"{device.kind} {device.label}" for device in found))


def open(context: Context, options: Options) -> InputMonitor:  # noqa: A001 - the name every monitor has
    """Listen to the devices and to new ones."""
    if not context.host.live:
        raise UnavailableError(unavailable("a recorded machine has no keys to press"))
    monitor = InputMonitor(context, options)
    try:
        monitor.begin()
    except BaseException:
        monitor.close()
        raise
    return monitor


class InputMonitor:
    """Deaf after hearing: once one device was used, none is listened to until the next look, which finds the newest use in the
    kernel's buffers (they keep the latest events when they overrun).
    """

    def __init__(self, context: Context, options: Options) -> None:
        self.context = context
        self.options = options
        self.open: dict[str, InputFd] = {}
        self.refused: dict[str, str] = {}
        self.last: float | None = None
        self.used = ""
        self.armed = False
        self.hotplug: NewDevices | None = None

    @property
    def source(self) -> str:
        """How new devices are noticed."""
        return f"evdev, {many(len(self.open), 'device')}; new ones: {self.hotplug.source if self.hotplug else 'found by a look'}"

    def begin(self) -> None:
        """Hear of new devices first, then open those there are: nothing falls between."""
        self.hotplug = NewDevices(self.context.host, "input", "/dev/input", self._rescan)
        self._arm()
        self._rescan()
        if self.refused and not self.open:
            node, why = next(iter(self.refused.items()))
            raise UnavailableError(unavailable(f"/dev/input/{node}: {why}", NOT_ALLOWED))

    def check(self, now: float) -> Reading:
        """The newest use of any device."""
        self._arm()
        for device in list(self.open.values()):
            self._drain(device)
        self._rescan()
        if self.refused:
            node, why = next(iter(self.refused.items()))
            raise PermissionError(f"/dev/input/{node}: {why}; {NOT_ALLOWED}; staying awake")
        return self._reading(now)

    def close(self) -> None:
        """Give back every descriptor."""
        self._disarm()
        for device in self.open.values():
            device.close()
        self.open.clear()
        if self.hotplug:
            self.hotplug.close()
            self.hotplug = None

    # --- devices

    def _rescan(self) -> None:
        """Open what came, close what went. A listing of some twenty names: about 0.2 ms."""
        there = {device.node: device for device in counted(self.context.host, self.options)}
        for node in [node for node, device in self.open.items() if device.device != there.get(node)]:
            self._forget(self.open[node])
        self.refused = {}
        for node, device in there.items():
            if node not in self.open:
                self._open(device)

    def _open(self, device: Device) -> None:
        try:
            opened = InputFd(self.context.host.files, device)
        except (FileNotFoundError, IsADirectoryError):
            return  # gone again, or its node is not made yet: the next look finds it
        except OSError as error:
            if error.errno not in {19, 6}:  # ENODEV, ENXIO: gone between the listing and now
                self.refused[device.node] = error.strerror or str(error)
            return
        self.open[device.node] = opened
        if self.armed:
            self._listen(opened)

    def _forget(self, device: InputFd) -> None:
        self._ignore(device.fd)
        self.open.pop(device.device.node, None)
        device.close()

    def _drain(self, device: InputFd) -> bool:
        """Keep the instant of its newest use; answers whether there was one."""
        instant = device.drain()
        if instant is not None and (self.last is None or instant >= self.last):
            self.last, self.used = instant, f"{device.device.kind} {device.device.label}"
        if device.gone:
            self._forget(device)
        return instant is not None

    # --- hearing

    def _listen(self, device: InputFd) -> None:
        if self.context.host.ears:
            self.context.host.ears.listen(device.fd, lambda: self._heard(device))

    def _ignore(self, fd: int) -> None:
        if self.context.host.ears:
            self.context.host.ears.ignore(fd)

    def _arm(self) -> None:
        if not self.armed:
            self.armed = True
            for device in self.open.values():
                self._listen(device)

    def _disarm(self) -> None:
        self.armed = False
        for device in self.open.values():
            self._ignore(device.fd)

    def _heard(self, device: InputFd) -> None:
        if self._drain(device) and self.armed:
            self._disarm()
            self.context.tell(self._reading(self.context.host.clock.boottime()))

    def _reading(self, now: float) -> Reading:
        if self.last is None:
            watched = many(len(self.open), "input device")
            return Reading(self.context.name, now, reason=f"nothing was done on {watched}")
        return Reading(
            self.context.name, now, last=min(self.last, now), reason=f"{self.used} was used", who=(self.used,)
        )
