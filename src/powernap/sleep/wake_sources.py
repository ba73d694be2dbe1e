"""What woke the machine: the kernel's counters of wake-up sources before and after a sleep, and their difference in an admin's words.

Reading (:func:`read`) and judging (:func:`woke`) are apart. The kernel counts an event where its driver reports one
(Documentation/driver-api/pm/devices.rst, /sys/class/wakeup); what the firmware keeps to itself stays unknown, and is called so.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import matching, text, whole_number
from powernap.sleep.failure import STATS

if TYPE_CHECKING:
    from powernap.host.files import Files

CLASS = "/sys/class/wakeup"
RTC, NETWORK, INPUT, BUTTON, OTHER, UNKNOWN = "rtc", "network", "input", "button", "other", "unknown"
BUTTONS = {
    "PNP0C0C": "the power button",
    "LNXPWRBN": "the power button",
    "PNP0C0E": "the sleep button",
    "LNXSLPBN": "the sleep button",
    "PNP0C0D": "the lid",
}
"""ACPI devices (ACPI specification, section 5.6.7)."""
HANDLERS = {
    "rtc": RTC, "i8042": INPUT, "eth": NETWORK, "en": NETWORK,
}  # fmt: skip
"""How the names of interrupt handlers begin, and what they are of."""
ORDER = (RTC, NETWORK, BUTTON, INPUT, OTHER)
"""Where several sources counted, the most telling first: a bus counts beside the device behind it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One wake-up source.

    :param device: real path of its device, empty for one of the kernel's own.
    :param active: times it was activated; ``events``: events that it reported; ``wakeups``: sleeps that it ended or prevented.
    """

    name: str
    device: str
    active: int
    events: int
    wakeups: int


@dataclass(frozen=True)
class Snapshot:
    """All that is counted. :param irq: the interrupt that ended the latest sleep, -1 where the kernel does not tell.

    :param hardware_sleep: microseconds that the latest sleep was in the hardware's deepest state, -1 where it is not told.
    """

    sources: dict[str, Source] = field(default_factory=dict)
    irq: int = -1
    success: int = -1
    hardware_sleep: int = -1


@dataclass(frozen=True, slots=True)
class Wake:
    """What ended a sleep. :param words: for an admin; ``kind``: one of ``rtc``, ``network``, ``button``, ``input``, ``other``,
    ``unknown``; ``devices``: their real paths.
    """

    kind: str
    words: str
    devices: tuple[str, ...] = ()


NOBODY = Wake(UNKNOWN, "the kernel does not tell what it was")


# --- reading


def read(files: Files) -> Snapshot:
    """The counters now. Sources come and go; they are told apart by name and device."""
    sources = {}
    for path in matching(files, f"{CLASS}/*"):
        device = files.real(f"{path}/device") if files.exists(f"{path}/device") else ""
        name = text(files, f"{path}/name")
        counts = (
            whole_number(files, f"{path}/{count}")
            for count in ("active_count", "event_count", "wakeup_count")
        )
        sources[f"{name} {device}"] = Source(name, device, *counts)
    return Snapshot(
        sources,
        whole_number(files, "/sys/power/pm_wakeup_irq"),
        whole_number(files, f"{STATS}/success"),
        whole_number(files, f"{STATS}/last_hw_sleep"),
    )


def armed(files: Files) -> tuple[Wake, ...]:
    """Every device that may wake the machine now, by its ``power/wakeup``."""
    devices = {
        files.real(f"{path}/device")
        for path in matching(files, f"{CLASS}/*")
        if files.exists(f"{path}/device")
    }
    able = sorted(device for device in devices if text(files, f"{device}/power/wakeup") == "enabled")
    return tuple(described(files, Source("", device, 0, 0, 0)) for device in able)


# --- judging


def woke(files: Files, before: Snapshot, after: Snapshot) -> Wake:
    """What ended the sleep between two readings: by the counters, else by the interrupt, else it is unknown."""
    found = [described(files, source) for source in stirred(before, after)]
    found.sort(key=lambda wake: ORDER.index(wake.kind))
    telling = [wake for wake in found if wake.kind != OTHER] or found
    if telling:
        words = dict.fromkeys(wake.words for wake in telling)
        devices = dict.fromkeys(device for wake in telling for device in wake.devices)
        return Wake(telling[0].kind, ", ".join(words), tuple(devices))
    return of_interrupt(files, after.irq) if after.irq >= 0 else NOBODY


def stirred(before: Snapshot, after: Snapshot) -> list[Source]:
    """Sources that reported something in between. One that is new, as after re-enumeration, began at 0."""
    quiet = Source("", "", 0, 0, 0)
    earlier = {name: before.sources.get(name, quiet) for name in after.sources}
    return [
        now
        for name, now in after.sources.items()
        if (now.active, now.events, now.wakeups)
        != (earlier[name].active, earlier[name].events, earlier[name].wakeups)
        and now.active + now.events > earlier[name].active + earlier[name].events
    ]


def described(files: Files, source: Source) -> Wake:
    """One source in words, by what its device is."""
    place, name = source.device, source.device.rpartition("/")[2] or source.name
    where = (place,) if place else ()
    if "alarmtimer" in source.name or "alarmtimer" in name:
        return Wake(RTC, "a timer of the kernel (alarmtimer)", where)
    if clocks := matching(files, f"{place}/rtc/rtc*") if place else []:
        return Wake(RTC, f"the clock's alarm ({_last(clocks[0])})", where)
    if "/rtc/rtc" in place:
        return Wake(RTC, f"the clock's alarm ({name})", where)
    if cards := cards_of(files, place):
        return Wake(NETWORK, f"the network card {', '.join(cards)} (a magic packet, or its link)", where)
    button = next((words for number, words in BUTTONS.items() if name.startswith(number)), "")
    if button:
        return Wake(BUTTON, f"{button} ({name})", where)
    if "/serio" in place or "i8042" in place:
        return Wake(
            INPUT, f"the keyboard or mouse ({text(files, f'{place}/description', 'PS/2')}, {name})", where
        )
    if files.exists(f"{place}/idVendor"):
        return Wake(
            INPUT, f"the USB device {text(files, f'{place}/product', 'without a name')} ({name})", where
        )
    return Wake(
        OTHER,
        f"{text(files, f'{place}/label', 'the device')} {name}" if place else f"the kernel's {name}",
        where,
    )


def cards_of(files: Files, device: str) -> list[str]:
    """Names of the network cards that a device is, or is the bridge of."""
    if not device:
        return []
    own = [*matching(files, f"{device}/net/*"), *matching(files, f"{device}/virtio*/net/*")]
    behind = matching(files, f"{device}/0000:*/net/*")
    return [_last(path) for path in own or behind]


def of_interrupt(files: Files, number: int) -> Wake:
    """By who handles it (/sys/kernel/irq)."""
    handlers = text(files, f"/sys/kernel/irq/{number}/actions")
    kinds = [
        kind
        for start, kind in HANDLERS.items()
        for handler in handlers.split(",")
        if handler.startswith(start)
    ]
    if kinds:
        return Wake(kinds[0], f"interrupt {number} ({handlers})")
    return Wake(UNKNOWN, f"interrupt {number} ({handlers or 'nobody handles it now'}), which says no more")


def _last(path: str) -> str:
    return path.rpartition("/")[2]
