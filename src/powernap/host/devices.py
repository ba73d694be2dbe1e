"""A setting of one plugged-in device: it belongs to that device, not to the path where it is found.

Owns the identity of a device and the knob kind ``device``. What the kernel keeps for a device ends with it: what is plugged in later
starts with the kernel's own values, also the same stick in the same port. So a setting is put back only on the very device that it was
changed on, known by its ids, its serial number and the inode of its directory (kernfs gives no number twice). Where that device has
gone, or another has its place, there is nothing left to put back: ``ESTALE``, on which the ledger closes the entry.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from powernap.host.files import text
from powernap.host.modes import status

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.knobs import Change, MachineKnobs

# what tells devices of a kind apart; devnum is counted up at each enumeration (drivers/usb/core/hub.c, choose_devnum)
NAMES = (
    "idVendor",
    "idProduct",
    "devnum",
    "serial",
    "vendor",
    "device",
    "subsystem_vendor",
    "subsystem_device",
)


def target(files: Files, place: str, attribute: str) -> str:
    """The target of a change of kind ``device``: ``/sys/devices/.../1-2 (046d:c31c:7#6812) power/control``.

    :param place: the device's directory; links are resolved. :param attribute: ``power/control``.
    """
    place = files.real(place)
    return f"{place} ({identity(files, place)}) {attribute}"


def identity(files: Files, place: str) -> str:
    """What a device is, and which plugging-in of it: its ids, and the number of its directory; empty where there is none."""
    found = status(files, place)
    words = [text(files, f"{place}/{name}").removeprefix("0x").replace(" ", "_") for name in NAMES]
    return "" if found is None else f"{':'.join(filter(None, words))}#{found.st_ino}"


def path_of(where: str) -> str:
    """The path of the setting that a target names."""
    place, _, rest = where.rpartition(" (")
    return f"{place}/{rest.rpartition(') ')[2]}"


def read(knobs: MachineKnobs, change: Change) -> str:
    """The setting of this very device. ``ESTALE`` when it has gone."""
    return knobs.files.read(_found(knobs.files, change.target)).rstrip("\n")


def write(knobs: MachineKnobs, change: Change, value: str) -> None:
    """Set it on this very device. ``ESTALE`` when it has gone."""
    knobs.files.write(_found(knobs.files, change.target), value)


def _found(files: Files, where: str) -> str:
    place, _, rest = where.rpartition(" (")
    known = rest.rpartition(") ")[0]
    now = identity(files, place)
    if now != known:
        after = f", and {now.partition('#')[0]} is in its place" if now else ""
        raise OSError(errno.ESTALE, f"the device was unplugged{after}", place)
    return path_of(where)
