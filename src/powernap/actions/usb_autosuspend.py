"""Lets USB devices sleep while nobody uses them: those that wake by themselves and lose nothing by it.

A device qualifies when every driver of it supports it and no guard stands: input devices, storage, printers, serial consoles, power supplies,
BMC and KVM devices and live network adapters stay awake, and so does, always, what is on the wake path (host/wake_path.py). Owns
``power/control`` of USB devices, and ``power/autosuspend_delay_ms`` where a delay is asked for. A device that is unplugged takes its
setting along; what is plugged in later is not touched. About 1 W for a keyboard's port; 20 ms to 1 s until a device answers again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import device_guards, usb
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.conflicts import advice
from powernap.host.devices import target
from powernap.host.knobs import Change
from powernap.host.modes import writable
from powernap.host.usb_guards import GUARDS
from powernap.host.wake_path import wake_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from powernap.host.files import Files
    from powernap.host.host import Host
    from powernap.host.usb import UsbDevice

RISK = "careful"
LANE = "fast"


def _delay(seconds: float | None) -> str | None:
    wrong = seconds is not None and not 0 <= seconds <= 3600
    return 'must be between nothing and 1 hour; write for example "2s"' if wrong else None


@dataclass(frozen=True)
class Options:
    """Which devices, and how soon."""

    allow: tuple[str, ...] = option(
        (),
        example='["046d:c52b"]',
        check=device_guards.unnamed,
        help="Devices that may sleep although a guard stands, by ids or class; never those of the wake path.",
    )
    deny: tuple[str, ...] = option(
        (),
        example='["0bda:*", "class:0e"]',
        check=device_guards.unnamed,
        help="Devices that stay awake, by ids or class.",
    )
    delay: float | None = option(
        None,
        unit="duration",
        example="2s",
        check=_delay,
        help="How long a device must be idle before it sleeps. Not set: as the kernel has it, normally 2 s.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["input"]',
        choices=device_guards.passable(GUARDS),
        help="Guards to pass over for every device, at your own risk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """How many devices can sleep, and why each other stays awake."""
    files = host.files
    devices = usb.devices(files)
    if not devices:
        return unavailable("there is no USB device")
    able, asleep, staying = _judged(files, devices, options)
    kept = device_guards.told(staying)
    if able and not any(writable(files, f"{each.place}/power/control") for each in able):
        return unwritable(f"{able[0].place}/power/control")
    done = [f"{len(asleep)} may already"] if asleep else []
    if not able:
        return unavailable("; ".join(["no more USB device can be let sleep", *done, *kept]))
    rivals = advice(files, "usb-autosuspend")
    return available(
        "; ".join([f"{len(able)} of {many(len(devices), 'USB device')} can sleep", *done, *kept, *rivals])
    )


def plan(host: Host, options: Options) -> Iterator[Change]:
    """The delay where one is asked for, then the switch, of each device. One that fails does not hinder the others."""
    files = host.files
    for each in _judged(files, usb.devices(files), options)[0]:
        # a hub has no delay of its own: it sleeps as soon as all behind it do
        if options.delay is not None and usb.HUB not in each.kinds:
            where = target(files, each.place, "power/autosuspend_delay_ms")
            yield Change(where, str(round(options.delay * 1000)), "device", "number", optional=True)
        yield Change(target(files, each.place, "power/control"), "auto", "device", optional=True)


def _judged(
    files: Files, devices: list[UsbDevice], options: Options
) -> tuple[list[UsbDevice], list[UsbDevice], list[tuple[str, str]]]:
    """The devices that can be let sleep, those that are already, and the others, each with the reason."""
    path = wake_path(files)
    asleep = [each for each in devices if each.control == "auto" and each.place not in path]
    reasons = {each.place: _stays(files, each, options, path) for each in devices if each not in asleep}
    able = [each for each in devices if reasons.get(each.place) == ""]
    return able, asleep, [(str(each), why) for each in devices if (why := reasons.get(each.place))]


def _stays(files: Files, device: UsbDevice, options: Options, path: Mapping[str, str]) -> str:
    """Why a device stays awake; empty when it can sleep."""
    if why := path.get(device.place):
        return why
    if device_guards.named(device.ids, device.kinds, options.deny):
        return "`deny` names it"
    if not device.control:
        return "this kernel gives it no power/control"
    unable = next((each for each in device.interfaces if not each.sleeps), None)
    if unable or not device.interfaces:
        return f"its driver {unable.driver if unable else ''} cannot be suspended".replace("  ", " ")
    if device_guards.named(device.ids, device.kinds, options.allow):
        return ""
    return device_guards.standing(files, GUARDS, device, options.despite)
