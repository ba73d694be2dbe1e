"""Which sleep states the kernel of this machine offers, and what is missing for the others.

Reads only (Documentation/admin-guide/pm/sleep-states.rst, Documentation/ABI/testing/sysfs-power). What the login manager would allow is
its own to say; a state that is not offered here is not to be had through it either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.units import show_size
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable
from powernap.host.files import text
from powernap.host.modes import writable

if TYPE_CHECKING:
    from powernap.host.files import Files

POWER = "/sys/power"
SUSPEND, HIBERNATE, HYBRID, OFF = "suspend", "hibernate", "hybrid-sleep", "power-off"
SUSPEND_THEN_HIBERNATE = "suspend-then-hibernate"
STATES = (SUSPEND, HIBERNATE, SUSPEND_THEN_HIBERNATE, HYBRID, OFF)
ENDING = frozenset({"platform", "shutdown", "suspend"})
"""Ways to end a hibernation that leave the machine down; ``reboot`` and the test modes bring it straight back up."""
FIRMWARE = "look for S3 or Modern Standby in the firmware's settings; many servers have neither"


@dataclass(frozen=True, slots=True)
class Words:
    """An attribute that lists its choices, one of them in brackets."""

    all: tuple[str, ...]
    chosen: str


def words(content: str) -> Words:
    """``"s2idle [deep]"``; without brackets nothing is chosen."""
    found = re.search(r"\[([^][\s]+)\]", content)
    return Words(tuple(content.replace("[", " ").replace("]", " ").split()), found[1] if found else "")


def memory_sleep(files: Files) -> str:
    """What suspend means here: ``deep`` (S3), ``s2idle`` or ``shallow``; empty where there is no choice to be read."""
    return words(text(files, f"{POWER}/mem_sleep")).chosen


def offered(files: Files) -> dict[str, Availability]:
    """Each sleep state, by the name it has in the configuration."""
    suspend, hibernate = _suspend(files), _hibernate(files)
    both = suspend if not suspend else hibernate
    return {
        SUSPEND: suspend,
        HIBERNATE: hibernate,
        SUSPEND_THEN_HIBERNATE: both and available("the kernel does both; the login manager joins them"),
        HYBRID: both and _hybrid(files),
        OFF: _off(files),
    }


def _suspend(files: Files) -> Availability:
    if (trouble := _closed(files)) is not None:
        return trouble
    if "mem" not in words(text(files, f"{POWER}/state")).all:
        return unavailable("this machine has no suspend: its kernel or firmware does not offer it", FIRMWARE)
    return available(f"to memory, {memory_sleep(files) or 'as the firmware has it'}")


def _closed(files: Files) -> Availability | None:
    path = f"{POWER}/state"
    if not files.exists(path):
        return unavailable(
            "the kernel offers no sleep states",
            "run outside a container; in a guest, let its host suspend it",
        )
    if not writable(files, path):
        return unavailable(f"{path} cannot be written from here", "run as root, outside a container")
    return None


# --- hibernation


def _hibernate(files: Files) -> Availability:
    """The kernel must be able to, room must be there for the image, and the next boot must know where to look for it."""
    if (trouble := _closed(files)) is not None:
        return trouble
    if "disk" not in words(text(files, f"{POWER}/state")).all:
        return _no_disk(files)
    mode = words(text(files, f"{POWER}/disk")).chosen
    if mode not in ENDING:
        what = (
            f'with {POWER}/disk set to "{mode}" it would not stay down'
            if mode
            else "the kernel has it disabled"
        )
        return unavailable(f"a hibernation is of no use here: {what}", f"echo platform > {POWER}/disk")
    needed, room = image_size(files), free_swap(text(files, "/proc/swaps"))
    if room < needed:
        has = f"{show_size(room)} of swap free" if room else "no free swap"
        return unavailable(
            f"the image needs up to {show_size(needed)} and there is {has}", "add swap on a disk"
        )
    if not resume_device(files):
        return unavailable(
            "the next boot would not look for the image: no resume device is set",
            "add resume=UUID=... of the swap to the kernel's command line, and to the initramfs",
        )
    return available(f"to swap, {mode}, image at most {show_size(needed)}")


def _no_disk(files: Files) -> Availability:
    """Why ``disk`` is not in /sys/power/state (kernel/power/hibernate.c, hibernation_available)."""
    locked = words(text(files, "/sys/kernel/security/lockdown")).chosen
    if locked in {"integrity", "confidentiality"}:
        return unavailable(
            f"kernel lockdown ({locked}) forbids hibernation",
            "it comes with Secure Boot: switch that off, or use suspend",
        )
    asked = {"nohibernate", "noresume", "hibernate=no"} & set(text(files, "/proc/cmdline").split())
    if asked:
        return unavailable(
            f"hibernation is switched off by {min(asked)}", "remove it from the kernel's command line"
        )
    return unavailable(
        "the kernel does not offer hibernation: built without it, or a program holds secret memory (memfd_secret(2))",
        "use a distribution's kernel, or suspend",
    )


def image_size(files: Files) -> float:
    """Bytes that an image takes at most: the kernel's aim, or what is in use when that is less.

    The aim is not a promise: what cannot be freed is saved beyond it.
    """
    aim = text(files, f"{POWER}/image_size")
    used = memory_used(text(files, "/proc/meminfo"))
    return min(float(aim), used) if aim.isdecimal() else used


def memory_used(meminfo: str) -> float:
    """Bytes in use, of /proc/meminfo (proc_meminfo(5))."""
    found = {
        name: float(amount) * 1024
        for name, amount in re.findall(r"^(\w+):\s+(\d+) kB$", meminfo, re.MULTILINE)
    }
    return max(0.0, found.get("MemTotal", 0.0) - found.get("MemFree", 0.0))


def free_swap(swaps: str) -> float:
    """Bytes free in swap on disks, of /proc/swaps (proc_swaps(5)). Compressed memory (zram) holds no image."""
    rows = [line.split() for line in swaps.splitlines()[1:]]
    return sum(
        (int(row[-3]) - int(row[-2])) * 1024.0
        for row in rows
        if len(row) >= 5
        and row[-3].isdecimal()
        and row[-2].isdecimal()
        and not row[0].startswith("/dev/zram")
    )


def resume_device(files: Files) -> str:
    """Where the next boot looks for an image; empty when nowhere: it would start afresh, and what was open would be lost."""
    number = text(files, f"{POWER}/resume")
    if number not in {"", "0:0"}:
        return number
    asked = [word[7:] for word in text(files, "/proc/cmdline").split() if word.startswith("resume=")]
    return asked[-1] if asked else ""


def _hybrid(files: Files) -> Availability:
    if "suspend" not in words(text(files, f"{POWER}/disk")).all:
        return unavailable(f'{POWER}/disk offers no "suspend"', "use suspend, or hibernate")
    return available("an image to swap, then suspend to memory")


# --- power-off


def _off(files: Files) -> Availability:
    if files.exists("/run/systemd/container") or files.exists("/.dockerenv"):
        return unavailable(
            "this is a container: only its host can be powered off", "run powernapd on the host"
        )
    return available("an orderly shutdown")
