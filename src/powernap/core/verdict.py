"""Is the machine in use, by whom, and since when has it been idle? Readings, leases and windows in; reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from math import isfinite

from powernap.core.ladder import MonitorRule, Rule, Settings
from powernap.core.plan import NOTHING, Plan
from powernap.core.reading import Reading
from powernap.core.value import dataclass


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
class Evidence:
    """Everything besides the settings that a verdict rests on.

    :param began: idle time never counts from before this (start, resume, ``powernap wake``).
    :param fresh: readings from before this are dropped (they were queued before a sleep, or are another configuration's).
    :param awake_until: end of the hold-off after a resume.
    :param readings: the latest of each monitor, with what the earlier ones knew of activity.
    :param plan: what the schedules ask.
    :param released: the latest end of a lease that is no more among them.
    """

    began: float
    fresh: float = float("-inf")
    awake_until: float = float("-inf")
    readings: Mapping[str, Reading] = field(default_factory=dict)
    leases: Mapping[str, Lease] = field(default_factory=dict)
    plan: Plan = NOTHING
    released: float = float("-inf")


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
        return Activity(Blocker("monitor", name, "has not answered yet"), now)
    last = reading.last
    if reading.failed:
        end = failure_counts_until(reading, rule)
        if now < end:
            return Activity(_blocking(name, reading), now)
        last = max(
            (instant for instant in (last, end) if instant is not None and isfinite(instant)), default=None
        )
    elif reading.active:
        return Activity(_blocking(name, reading), now)
    if last is None:
        return Activity(None, None)
    until = last + rule.hold
    if now < until:
        held = Blocker("monitor", name, reading.reason, last, until, told=True, who=reading.who)
        return Activity(held, now)
    return Activity(None, until)


def _blocking(name: str, reading: Reading) -> Blocker:
    told = reading.told and not reading.failed
    return Blocker(
        "monitor",
        name,
        reading.reason,
        reading.at if reading.failed and reading.since is None else reading.since,
        told=told,
        who=reading.who,
        remedy=reading.remedy,
        failed=reading.failed,
    )


def failure_counts_until(reading: Reading, rule: MonitorRule) -> float:
    """When a failed reading ceases to keep the machine awake; ``-inf`` if it never does, ``inf`` if without end."""
    if not rule.on_error_active:
        return float("-inf")
    since = reading.at if reading.since is None else reading.since
    return since + rule.error_limit if rule.error_limit > 0 else float("inf")


def of_rule(rule: Rule, members: Mapping[str, Activity]) -> Activity:
    """How monitors that were put together count."""
    parts = [members[name] for name in rule.members]
    blockers = [part.blocker for part in parts if part.blocker]
    lasts = [part.last for part in parts if part.last is not None]
    if rule.every:
        # They were active together no later than the one that was active longest ago.
        together = len(lasts) == len(parts)
        blocked = len(blockers) == len(parts)
        return Activity(
            _together(rule, blockers) if blocked else None, min(lasts, default=None) if together else None
        )
    return Activity(_together(rule, blockers), max(lasts, default=None))


def _together(rule: Rule, blockers: list[Blocker]) -> Blocker | None:
    if not blockers:
        return None
    reason = "; ".join(f"{b.name}: {b.reason}" for b in blockers)
    # Any-of stands until the last of its parts ends, all-of only until the first. An any-of need not be looked at while an event
    # is to tell the end of one part; an all-of must be, for the parts whose end nothing tells.
    untils = [b.until for b in blockers if b.until is not None]
    sure = bool(untils) if rule.every else len(untils) == len(blockers)
    until = (min(untils) if rule.every else max(untils)) if sure else None
    tells = [b.told and b.until is None for b in blockers]
    told = sure or (all(b.told for b in blockers) if rule.every else any(tells))
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


def judge(settings: Settings, evidence: Evidence, now: float) -> Verdict:
    """The verdict at ``now``."""
    members = {
        name: of_reading(name, evidence.readings.get(name), rule, now) for name, rule in settings.monitors
    }
    parts = [of_rule(rule, members) for rule in settings.rules]
    parts += [activity for name, activity in members.items() if name not in settings.grouped]
    blockers = [part.blocker for part in parts if part.blocker]
    blockers += [_of_lease(lease) for lease in evidence.leases.values() if standing(lease.until, now)]
    blockers += [
        Blocker("window", each.name, each.reason, None, each.until, told=True)
        for each in evidence.plan.up
        if standing(each.until, now)
    ]
    if now < evidence.awake_until:
        reason = "it stays up for a while after each resume"
        blockers.append(Blocker("resume", "min_awake", reason, evidence.began, evidence.awake_until))
    # Somebody used the machine until the end of a lease. A window is no activity: when it ends, idle time is as long as it was.
    lasts = [part.last for part in parts if part.last is not None]
    ends = [lasted_until(lease, now) for lease in evidence.leases.values()]
    return Verdict(tuple(blockers), max([evidence.began, evidence.released, *ends, *lasts]))


def lasted_until(lease: Lease, now: float) -> float:
    """Until when it has counted as use, if it is given back, lost or looked at now; its time may have been over before."""
    return now if lease.until is None else min(lease.until, now)


def standing(until: float | None, now: float) -> bool:
    """Whether a lease or window with this end still stands."""
    return until is None or now < until


def _of_lease(lease: Lease) -> Blocker:
    return Blocker("lease", lease.id, lease.why, lease.since, lease.until, told=True, who=(lease.who,))
