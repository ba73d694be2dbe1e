"""Lets graphics processors rest: their lowest level, runtime suspend where nobody uses them, persistence of NVIDIA's driver.

Owns the level and the frequency limits of AMD and Intel cards, ``power/control`` of cards without a user or a display, and the persistence mode
of NVIDIA cards (the extra ``powernapd[nvidia]``). Never locks clocks, which doubled a card's idle power, never resets a card, and asks
nothing of one that is suspended: that would wake it. An idle program that keeps a context open costs most (an A40: 110 W
instead of 30 W); which one that is stands in the probe, and `powernap doctor` says more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import nvml
from powernap.host.availability import Availability, available, unavailable
from powernap.host.files import matching, text, whole_number
from powernap.host.gpus import DEVICES, contexts, gpus
from powernap.host.knobs import Change
from powernap.host.modes import writable
from powernap.host.open_files import open_files
from powernap.host.wake_path import exempt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.gpus import Gpu
    from powernap.host.host import Host

RISK = "careful"
LANE = "fast"

PCI = "/sys/bus/pci/devices"
OURS = ("amdgpu", "i915", "xe", "nvidia")
RUNTIME = {"amdgpu", "i915", "xe"}
"""Drivers whose runtime suspend is the kernel's own. NVIDIA's is set by its module's option and a udev rule."""
FREQUENCIES = {
    "i915": ("drm/card*/gt_{}_freq_mhz", "RPn"),
    "xe": ("tile*/gt*/freq*/{}_freq", "rpn"),
}
"""Where a driver keeps its limits, by ``min``, ``max`` and the name of the lowest."""


@dataclass(frozen=True)
class Options:
    """Which savings."""

    level: bool = option(
        True,
        help="AMD cards without a display: the lowest performance level. Intel cards: the lowest frequency as minimum and as maximum.",
    )
    suspend: bool = option(
        True,
        help="Cards that nobody uses and that show nothing: runtime suspend, from which a program's first access wakes them.",
    )
    persistence: bool = option(
        True,
        help="NVIDIA cards: keep the driver loaded, without which an idle card draws as much as a working one.",
    )


def probe(host: Host, options: Options) -> Availability:
    """What each card would do, and who keeps it busy."""
    files = host.files
    cards = [card for card in gpus(files) if card.driver in OURS]
    if not cards:
        return unavailable("no graphics processor that can be saved from (amdgpu, i915, xe, nvidia)")
    changes, users = list(plan(host, options)), _users(files)
    notes = [f"{card.name} is suspended already" for card in cards if card.status == "suspended"]
    notes += [
        f"{card.address} is kept by {', '.join(users[card.address])}"
        for card in cards
        if card.address in users
    ]
    if any(card.driver == "nvidia" for card in cards) and not nvml.installed(files):
        notes.append(f"persistence is not looked at: nvidia-ml-py is not installed ({nvml.INSTALL})")
    if not changes:
        return unavailable("; ".join(notes) or "every card rests as deep as it can")
    return available("; ".join([*dict.fromkeys(_said(change) for change in changes), *notes]))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """For each card that is awake: level or limits, then whether it may suspend."""
    files = host.files
    users = _users(files)
    for card in gpus(files):
        if card.driver not in OURS or card.status == "suspended":
            continue
        place = f"{PCI}/{card.address}"
        if options.level:
            yield from _level(files, card, place)
        if options.persistence and card.driver == "nvidia":
            yield from _persistence(files, card)
        free = card.address not in users and not _displays(files, place) and not exempt(files, place)
        if options.suspend and card.driver in RUNTIME and free and not _boots(files, place):
            yield from _set(files, f"{place}/power/control", "auto")


def _level(files: Files, card: Gpu, place: str) -> Iterator[Change]:
    if card.driver == "amdgpu":
        # only from "auto": a manual level has settings of its own, which leaving it would lose
        path = f"{place}/power_dpm_force_performance_level"
        if not _displays(files, place) and text(files, path) == "auto":
            yield from _set(files, path, "low")
    for pattern, lowest in [FREQUENCIES[card.driver]] if card.driver in FREQUENCIES else []:
        # the minimum first: a maximum below it is refused
        for minimum in matching(files, f"{place}/{pattern.format('min')}"):
            floor = whole_number(files, minimum.replace("min_freq", f"{lowest}_freq"))
            for path in (minimum, minimum.replace("min_freq", "max_freq")):
                if 0 < floor < whole_number(files, path):
                    yield from _set(files, path, str(floor), form="number")


def _persistence(files: Files, card: Gpu) -> Iterator[Change]:
    """Only where it can be read: what NVIDIA's daemon or a missing driver keeps from us is left alone."""
    try:
        if nvml.read_persistence(files, card.address) == "off":
            yield Change(card.address, "on", kind="gpu-persistence", optional=True)
    except OSError:
        return


def _set(files: Files, path: str, value: str, form: str = "text") -> Iterator[Change]:
    if text(files, path) not in {"", value} and writable(files, path):
        yield Change(path, value, form=form, optional=True)


def _users(files: Files) -> dict[str, list[str]]:
    """Programs with a context on a card, by its PCI address; those of which the card is not told stand against all."""
    opened = open_files(files, *DEVICES).files
    found: dict[str, list[str]] = {}
    for each in contexts(files, opened):
        node = each.path.rpartition("/")[2]
        address = (
            files.real(f"/sys/class/drm/{node}/device").rpartition("/")[2] if "/dri/" in each.path else ""
        )
        for card in (
            [address] if address else [card.address for card in gpus(files) if card.driver == "nvidia"]
        ):
            found.setdefault(card, []).append(f"{each.name} (pid {each.pid})")
    return found


def _displays(files: Files, place: str) -> bool:
    """Whether a display is connected, as the driver saw it last: reading ``status`` looks at nothing anew."""
    return any(
        text(files, path) == "connected" for path in matching(files, f"{place}/drm/card*/card*-*/status")
    )


def _boots(files: Files, place: str) -> bool:
    """Whether the firmware's and the kernel's own text is shown by it."""
    return text(files, f"{place}/boot_vga") == "1"


def _said(change: Change) -> str:
    what = change.target.removeprefix(f"{PCI}/")
    return f"{what} becomes {change.new}" if change.kind == "file" else f"{what}: persistence {change.new}"
