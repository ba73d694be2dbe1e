"""Lets the processors into their deepest idle states, where somebody closed the way: states, latency limits, the idle governor.

The largest saving of an idle machine is every thread in its deepest state (81 to 97 W on machines with two sockets, arXiv 2108.00808); one that stays
awake costs most of it. A state is switched off, and a limit set, on purpose: for latency, or against a processor's fault. So each is only reported
until an admin allows it here. Owns ``cpuN/cpuidle``, the per-processor limits and the governor; never touches another process's own request
(/dev/cpu_dma_latency), which `powernap doctor` names.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.cpus import CPU, format_cpulist, number, read_cpulist
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "fast"

CPUIDLE = f"{CPU}/cpuidle"
GOVERNOR = f"{CPUIDLE}/current_governor"
DEMOTION = f"{CPUIDLE}/intel_c1_demotion"
SHALLOW = {"ladder", "haltpoll"}
"""Governors that stay shallow: step by step down (ladder), or polling before each halt (haltpoll)."""


@dataclass(frozen=True)
class Options:
    """What may be opened."""

    enable: tuple[str, ...] = option(
        (),
        example='["C6"]',
        help='Idle states that may be switched on where somebody switched them off, by name; "all" for every one that the driver itself did not.',
    )
    limits: bool = option(
        False, help="Lift the latency limits of single processors (pm_qos_resume_latency_us)."
    )
    governor: bool = option(True, help="Take teo or menu instead of ladder or haltpoll.")
    c1_demotion: bool = option(
        True,
        help="Stop the processor from taking C1 where the kernel asked for a deeper state (Intel, since 2025).",
    )


@dataclass(frozen=True)
class Closed:
    """Something that is switched off or limited. :param allowed: the options let us change it."""

    path: str
    cpu: int
    what: str
    allowed: bool


def probe(host: Host, options: Options) -> Availability:
    """What keeps the processors shallow, and which of it may be changed."""
    files = host.files
    driver = text(files, f"{CPUIDLE}/current_driver")
    if driver in {"", "none"}:
        return unavailable(
            "no idle driver: the hypervisor or the firmware puts the processors to sleep",
            "none here; see `powernap doctor` on the host",
        )
    closed, changes = _closed(files, options), list(plan(host, options))
    notes = [f"{each} and stays" for each in _told(closed, allowed=False)]
    if not changes:
        locked = [each.path for each in closed if each.allowed and not writable(files, each.path)]
        if locked:
            return unwritable(locked[0])
        return unavailable("; ".join(notes) or f"nothing is closed ({driver})", _remedy(closed))
    would = _told(closed, allowed=True) + [
        f"{change.target.rpartition('/')[2]} becomes {change.new}"
        for change in changes
        if change.target.startswith(CPUIDLE)
    ]
    return available("; ".join([*would, *notes]))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """States, limits, then the governor that chooses among them."""
    files = host.files
    for each in _closed(files, options):
        if each.allowed and writable(files, each.path):
            # a limit of 0 is none; "n/a" (not even that) comes back as the text that it was
            yield Change(each.path, "0")
    better = _better(files)
    if options.governor and better and writable(files, GOVERNOR):
        yield Change(GOVERNOR, better, optional=True)
    if options.c1_demotion and text(files, DEMOTION) == "1" and writable(files, DEMOTION):
        yield Change(DEMOTION, "0", form="number", optional=True)


def _closed(files: Files, options: Options) -> list[Closed]:
    """States that are switched off and limits that are set, of the processors that are online."""
    found: list[Closed] = []
    for cpu in sorted(read_cpulist(files, f"{CPU}/online")):
        states = sorted(matching(files, f"{CPU}/cpu{cpu}/cpuidle/state[0-9]*"), key=number)
        off = [state for state in states if text(files, f"{state}/disable") == "1"]
        found += [_state(files, state, cpu, options) for state in off]
        path = f"{CPU}/cpu{cpu}/power/pm_qos_resume_latency_us"
        limit = text(files, path)
        if limit not in {"", "0"}:
            what = "may not idle at all" if limit == "n/a" else f"must wake within {limit} us"
            found.append(Closed(path, cpu, what, options.limits))
    return found


def _state(files: Files, path: str, cpu: int, options: Options) -> Closed:
    """One that is off. What the driver switched off by itself is allowed by its own name only: it has a fault there, or costs more."""
    name = text(files, f"{path}/name") or path.rpartition("/")[2]
    by_driver = text(files, f"{path}/default_status") == "disabled"
    allowed = name in options.enable or ("all" in options.enable and not by_driver)
    return Closed(
        f"{path}/disable", cpu, f"{name} is switched off{' by its driver' if by_driver else ''}", allowed
    )


def _told(closed: list[Closed], *, allowed: bool) -> list[str]:
    """``"C6 is switched off on 0-3"``, one for each kind."""
    groups: dict[str, set[int]] = {}
    for each in closed:
        if each.allowed is allowed:
            groups.setdefault(each.what, set()).add(each.cpu)
    return [f"{what} on {format_cpulist(cpus)}" for what, cpus in groups.items()]


def _remedy(closed: list[Closed]) -> str:
    """Which options would allow it."""
    names = sorted(
        {each.what.split()[0] for each in closed if each.path.endswith("/disable") and not each.allowed}
    )
    words = [f"enable = {json.dumps(names)}"] if names else []
    if any(not each.path.endswith("/disable") and not each.allowed for each in closed):
        words.append("limits = true")
    return f"find out who did it and why; then set {' and '.join(words)}" if words else ""


def _better(files: Files) -> str:
    """The governor to take; empty where the present one is good."""
    offered = text(files, f"{CPUIDLE}/available_governors").split()
    wanted = next((name for name in ("teo", "menu") if name in offered), "")
    return wanted if text(files, GOVERNOR) in SHALLOW else ""
