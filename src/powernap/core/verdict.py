"""Is the machine in use, by whom, and since when has it been idle? Readings, leases and windows in; reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from powernap.core.ladder import MonitorRule, Rule, Settings
from powernap.core.reading import Reading


@dataclass(frozen=True, slots=True)
class Lease:
    """Somebody's request to stay awake.

    :param until: ``CLOCK_BOOTTIME`` seconds, or ``None`` when it lasts as long as its holder keeps a descriptor open.
    """

    id: str
    who: str
    why: str
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that keeps the machine awake now.

    :param kind: ``monitor``, ``rule``, ``lease``, ``window``, or ``resume``.
    :param until: when it ends by itself, where that is known.
    :param told: its end will be told by an event; otherwise somebody must look again.
    """

    kind: str
    name: str
    reason: str
    since: float | None = None
    until: float | None = None
    told: bool = False
    who: tuple[str, ...] = ()
    remedy: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What keeps the machine awake; and from when idle time counts (meaningful when nothing does)."""

    blockers: tuple[Blocker, ...]
    idle_since: float

    @property
    def look_again(self) -> bool:
        """Nothing will tell when the machine becomes idle: somebody must look."""
        return bool(self.blockers) and all(b.until is None and not b.told for b in self.blockers)

    @property
    def ends(self) -> float | None:
        """When the last of the blockers has ended by itself, if all with a certain end do; ``None`` when an event will tell."""
        if any(b.until is None and b.told for b in self.blockers):
            return None
        return max((b.until for b in self.blockers if b.until is not None), default=None)


@dataclass(frozen=True, slots=True)
class Activity:
    """One monitor's or rule's contribution: a blocker now, or the instant of its latest activity."""

    blocker: Blocker | None
    last: float | None


def of_reading(name: str, reading: Reading | None, rule: MonitorRule, now: float) -> Activity:
    """How one reading counts. No reading yet, and failure, count as activity: awake when unsure."""
    if reading is None:
        return Activity(Blocker("monitor", name, "has not answered yet"), None)
    if reading.failed:
        return _of_failure(name, reading, rule, now)
    if reading.active:
        return Activity(
            Blocker("monitor", name, reading.reason, reading.since, None, reading.told, reading.who), now
        )
    if reading.last is None:
        return Activity(None, None)
    until = reading.last + rule.hold
    if now < until:
        return Activity(
            Blocker("monitor", name, reading.reason, reading.last, until, told=True, who=reading.who), now
        )
    return Activity(None, until)


def _of_failure(name: str, reading: Reading, rule: MonitorRule, now: float) -> Activity:
    since = reading.at if reading.since is None else reading.since
    spent = rule.error_limit > 0 and now >= since + rule.error_limit
    if not rule.on_error_active or spent:
        return Activity(None, reading.last)
    blocker = Blocker("monitor", name, reading.reason, since, remedy=reading.remedy, failed=True)
    return Activity(blocker, now)


def of_rule(rule: Rule, members: Mapping[str, Activity]) -> Activity:
    """How monitors that were put together count."""
    parts = [members[name] for name in rule.members]
    blockers = [part.blocker for part in parts if part.blocker]
    if rule.every:
        lasts = [part.last for part in parts]
        last = None if None in lasts else min(part for part in lasts if part is not None)
        return Activity(_together(rule, blockers) if len(blockers) == len(parts) else None, last)
    return Activity(
        _together(rule, blockers), max((part.last for part in parts if part.last is not None), default=None)
    )


def _together(rule: Rule, blockers: list[Blocker]) -> Blocker | None:
    if not blockers:
        return None
    reason = "; ".join(f"{b.name}: {b.reason}" for b in blockers)
    # Any-of stands until the last of its parts ends, all-of only until the first; without a sure time, somebody looks again.
    untils = [b.until for b in blockers if b.until is not None]
    sure = bool(untils) if rule.every else len(untils) == len(blockers)
    until = (min(untils) if rule.every else max(untils)) if sure else None
    told = sure or all(b.told for b in blockers)
    who = tuple(dict.fromkeys(name for b in blockers for name in b.who))
    failed = any(b.failed for b in blockers)
    remedy = "; ".join(b.remedy for b in blockers if b.remedy)
    return Blocker(
        "rule",
        rule.name,
        reason,
        min((b.since for b in blockers if b.since is not None), default=None),
        until,
        told,
        who,
        remedy,
        failed,
    )


def judge(
    settings: Settings,
    readings: Mapping[str, Reading],
    leases: Mapping[str, Lease],
    windows: Mapping[str, float | None],
    began: float,
    awake_until: float,
    now: float,
) -> Verdict:
    """The verdict at ``now``.

    :param windows: keep-awake windows that are open, with their ends where known.
    :param began: idle time never counts from before this (start, resume, ``powernap wake``).
    :param awake_until: end of the hold-off after a resume.
    """
    members = {name: of_reading(name, readings.get(name), rule, now) for name, rule in settings.monitors}
    parts = [of_rule(rule, members) for rule in settings.rules]
    grouped = {name for rule in settings.rules for name in rule.members}
    parts += [activity for name, activity in members.items() if name not in grouped]
    blockers = [part.blocker for part in parts if part.blocker]
    blockers += [_of_lease(lease) for lease in leases.values() if lease.until is None or now < lease.until]
    blockers += [
        Blocker("window", name, "the schedule keeps it up", None, until, told=True)
        for name, until in windows.items()
        if until is None or now < until
    ]
    if now < awake_until:
        blockers.append(
            Blocker("resume", "min_awake", "it stays up for a while after each resume", began, awake_until)
        )
    # Leases and windows are no activity: when one ends, idle time is as long as it was.
    return Verdict(tuple(blockers), max([began, *(part.last for part in parts if part.last is not None)]))


def _of_lease(lease: Lease) -> Blocker:
    return Blocker("lease", lease.id, lease.why, lease.since, lease.until, told=True, who=(lease.who,))
