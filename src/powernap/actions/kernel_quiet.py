"""Stops the kernel's own periodic work: the NMI watchdog, KSM, khugepaged and statistics; on request writeback.

Every interval is only ever made longer, and nothing that is off is touched. Owns no part of the soft lockup detector: it stays on, and the
`watchdog` switch above both detectors is never written, because 0 there clears its children, which 1 does not bring back as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.conflicts import advice, owners
from powernap.host.files import text, whole_number
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "safe"
LANE = "fast"

KERNEL = "/proc/sys/kernel"
VM = "/proc/sys/vm"
KSM = "/sys/kernel/mm/ksm/run"
HUGE = "/sys/kernel/mm/transparent_hugepage"
LONGEST = 3600.0


def _interval(seconds: float | None) -> str | None:
    wrong = seconds is not None and not 1 <= seconds <= LONGEST
    return 'must be between 1 second and 1 hour; write for example "60s"' if wrong else None


@dataclass(frozen=True)
class Options:
    """What may be quietened."""

    nmi_watchdog: bool = option(
        True,
        help="Stop the hard lockup detector, which interrupts every processor and holds a counter of each.",
    )
    ksm: bool = option(True, help="Pause the merging of equal memory pages; what is merged stays merged.")
    numa_balancing: bool = option(True, help="Pause the search for memory that lies on the wrong NUMA node.")
    memory_scan: float | None = option(
        60.0,
        unit="duration",
        example="60s",
        check=_interval,
        help="How often khugepaged looks for huge pages; longer intervals stay.",
    )
    statistics: float | None = option(
        60.0,
        unit="duration",
        example="60s",
        check=_interval,
        help="How often memory statistics are gathered; longer intervals stay.",
    )
    writeback: float | None = option(
        None,
        unit="duration",
        example="15s",
        check=_interval,
        help="How long written data may wait before it goes to disk. Not set: unchanged. A power cut loses up to this much more"
        " work, so set it only together with sleeping disks, and not under a database without a battery.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which of them run here, and which may not be touched."""
    blocked = [why for _, why in _refusals(host.files, options)]
    able = [change.target for change in _wanted(host.files, options)]
    if not able:
        locked = next((path for path, _ in _levels(host.files, options)), "")
        if locked and not writable(host.files, locked) and not blocked:
            return unwritable(locked)
        return unavailable("; ".join(["the kernel is quiet already", *blocked]))
    quiet = ", ".join(path.rpartition("/")[2] if path != KSM else "ksm" for path in able)
    rivals = advice(host.files, "kernel-quiet")
    return available("; ".join([quiet, *blocked, *rivals]))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One write for each that runs."""
    yield from _wanted(host.files, options)


def _wanted(files: Files, options: Options) -> Iterator[Change]:
    refused = {path for path, _ in _refusals(files, options)}
    for path, level in _levels(files, options):
        if path not in refused and writable(files, path):
            yield Change(path, str(level), form="number")


def _levels(files: Files, options: Options) -> Iterator[tuple[str, int]]:
    """What to write where: only what is on, and only longer intervals."""
    for path, wanted in (
        (f"{KERNEL}/nmi_watchdog", options.nmi_watchdog),
        (f"{KERNEL}/numa_balancing", options.numa_balancing),
    ):
        if wanted and whole_number(files, path) > 0:
            yield path, 0
    # 1 to 0 only: 2 has been asked to unmerge everything, and writing 2 could exhaust the memory
    if options.ksm and whole_number(files, KSM) == 1:
        yield KSM, 0
    # off, timers stay on the idle processor that started them, and wake it
    if whole_number(files, f"{KERNEL}/timer_migration") == 0:
        yield f"{KERNEL}/timer_migration", 1
    runs = "[never]" not in text(files, f"{HUGE}/enabled")
    yield from _longer(
        files, f"{HUGE}/khugepaged/scan_sleep_millisecs", options.memory_scan if runs else None, 1000
    )
    yield from _longer(files, f"{VM}/stat_interval", options.statistics, 1)
    # 0 means that nothing is written periodically at all
    for name in ("dirty_expire_centisecs", "dirty_writeback_centisecs"):
        yield from _longer(files, f"{VM}/{name}", options.writeback, 100)


def _longer(files: Files, path: str, seconds: float | None, scale: int) -> Iterator[tuple[str, int]]:
    if seconds is not None and 0 < whole_number(files, path) < seconds * scale:
        yield path, round(seconds * scale)


def _refusals(files: Files, options: Options) -> Iterator[tuple[str, str]]:
    """Knobs that run and stay as they are, each with the reason."""
    watchdog = f"{KERNEL}/nmi_watchdog"
    if options.nmi_watchdog and whole_number(files, watchdog) > 0:
        if whole_number(files, f"{KERNEL}/hardlockup_panic") == 1:
            yield watchdog, "nmi_watchdog stays on: hardlockup_panic=1 makes it this machine's way to restart"
        elif not writable(files, watchdog):
            yield watchdog, "nmi_watchdog stays on: it is read-only here"
    if options.ksm and whole_number(files, KSM) == 1:
        for owner in owners(files, "ksm"):
            yield KSM, f"KSM stays on: {owner} would start it again; {owner.tool.advice}"
