"""Guards of single devices: why a device is left alone, and how an action says so.

Owns the form; which guards an action heeds, and what they look at, are in host/usb_guards.py, host/pci_guards.py and the actions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from powernap.core.value import dataclass

if TYPE_CHECKING:
    from powernap.host.files import Files

Device = TypeVar("Device")
MOST = 5
"""Sentences about devices that stay; the rest is counted."""


@dataclass(frozen=True)
class Guard(Generic[Device]):
    """:param finds: why the device is left alone ("it would lose the first key"), or an empty text; :param never: no ``despite`` passes it."""

    name: str
    finds: Callable[[Files, Device], str]
    never: bool = False


def standing(
    files: Files, guards: Iterable[Guard[Device]], device: Device, despite: Iterable[str] = ()
) -> str:
    """Why a device is left alone, by the first guard that stands; empty where none does."""
    passed = set(despite)
    for guard in guards:
        if (guard.never or guard.name not in passed) and (why := guard.finds(files, device)):
            return why if guard.never else f'{why} (guard "{guard.name}")'
    return ""


def passable(guards: Iterable[Guard[Device]]) -> tuple[str, ...]:
    """The names that ``despite`` may hold."""
    return tuple(guard.name for guard in guards if not guard.never)


def told(staying: Iterable[tuple[str, str]]) -> list[str]:
    """Sentences from pairs of device and reason: ``"a and b stay: they would lose the first key"``, the longest groups last."""
    groups: dict[str, list[str]] = {}
    for device, why in staying:
        groups.setdefault(why, []).append(device)
    sentences = [
        f"{' and '.join(names)} stay{'s' if len(names) == 1 else ''}: {why}"
        for why, names in sorted(groups.items(), key=lambda group: len(group[1]))
    ]
    rest = len(sentences) - MOST
    return sentences[:MOST] + ([f"{rest} more stay" if rest > 1 else "1 more stays"] if rest > 0 else [])


# --- devices named by an admin

NAME = re.compile(r"[0-9a-f]{4}:([0-9a-f]{4}|\*)|class:[0-9a-f]{2}([0-9a-f]{2})?")


def unnamed(names: Iterable[str]) -> str | None:
    """What is wrong with a list of devices in an option."""
    wrong = next((name for name in names if not NAME.fullmatch(name)), None)
    return wrong and (
        f'"{wrong}" names no device; write ids as lsusb and lspci -n show them ("046d:c31c", "046d:*") or a class ("class:0e")'
    )


def named(ids: str, kinds: Iterable[str], names: Iterable[str]) -> bool:
    """Whether a device of these ids and classes is one of those named."""
    wanted = set(names)
    return not wanted.isdisjoint({ids, f"{ids.partition(':')[0]}:*", *(f"class:{kind}" for kind in kinds)})
