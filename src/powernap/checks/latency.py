"""Latency limits (PM QoS): who asks that processors wake within microseconds, and which idle states that forbids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.checks import AS_ROOT, SHALLOW, Finding, Unseen, some
from powernap.host.cpus import CPU
from powernap.host.idle_states import GLOBAL_LIMIT, UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look

NAME = "latency"


def judge(_: Look, after: Look) -> Iterator[Finding | Unseen]:
    """The limit for all processors with its holders, then those of single ones."""
    yield from for_all(after)
    yield from for_one(after)
    if not after.live:
        yield Unseen(
            "who holds latency limits, and contexts on graphics processors", "open files are not recorded"
        )
    if after.limit is None and after.limit_error:
        yield Unseen("the latency limit", f"{GLOBAL_LIMIT} may not be read ({after.limit_error})", AS_ROOT)


def forbidden(after: Look, limit: int) -> list[str]:
    """States that take longer to leave than a limit allows, deepest last."""
    states = next(iter(after.idling.cpus.values()), ())
    return [state.name for state in states if state.latency > limit]


def for_all(after: Look) -> Iterator[Finding]:
    """The limit that holds everywhere. One that forbids nothing is harmless, and no finding."""
    limit = after.limit
    if limit is None or limit >= UNLIMITED:
        return
    lost = forbidden(after, limit)
    if after.idling.cpus and not lost:
        return
    holders = sorted({str(each) for each in after.opened.below(GLOBAL_LIMIT)})
    by = some(holders) if holders else "somebody in the kernel, or a process that could not be seen"
    what = f"forbids {some(lost, 4)}" if lost else "forbids whatever takes longer to leave"
    services = sorted(
        {
            after.services[each.pid]
            for each in after.opened.below(GLOBAL_LIMIT)
            if after.services.get(each.pid)
        }
    )
    yield Finding(
        NAME,
        SHALLOW,
        f"every processor must wake within {limit} us, asked by {by}",
        f"that {what}: no package can sleep",
        f"stop or configure {some(services) or some(holders) or 'who asks'}; in TuneD it is force_latency of the profile",
        "units" if services else "",
    )


def for_one(after: Look) -> Iterator[Finding]:
    """Limits of single processors."""
    limits = {
        cpu: limit
        for cpu, limit in after.own_limits.items()
        if not after.idling.cpus or forbidden(after, limit)
    }
    if limits:
        said = some([f"{cpu} within {limit} us" for cpu, limit in sorted(limits.items())], 4)
        yield Finding(
            NAME,
            SHALLOW,
            f"processors have latency limits of their own: {said}",
            "their deeper idle states are forbidden, and with them the package's",
            f"`echo 0 | sudo tee {CPU}/cpuN/power/pm_qos_resume_latency_us`, unless somebody needs the latency",
            "cpu-idle",
        )
