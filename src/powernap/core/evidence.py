"""What becomes known of the machine's use, piece by piece. Owns how news joins what was known before; what follows from it is
``verdict.py``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from powernap.core.ladder import MonitorRule, Settings
from powernap.core.reading import Reading
from powernap.core.verdict import Evidence, Lease, failure_counts_until, judge, lasted_until, standing


def hear(evidence: Evidence, settings: Settings, reading: Reading) -> Evidence:
    """A monitor answered. What is older than ``fresh``, or from a monitor that is no more, is dropped."""
    rule = settings.taken.get(reading.monitor)
    if rule is None or reading.at < evidence.fresh:
        return evidence
    before = evidence.readings.get(reading.monitor)
    return replace(evidence, readings={**evidence.readings, reading.monitor: follow(before, reading, rule)})


def follow(before: Reading | None, reading: Reading, rule: MonitorRule) -> Reading:
    """The newer of two readings, with what the older one knew.

    Activity that is known stays known, a failure keeps the instant at which it began, and an answer that was overtaken by a newer
    one does not undo that.
    """
    overtaken = before is not None and reading.at < before.at
    if before is not None and overtaken:
        before, reading = reading, before
    since = _failing_since(before, reading) if reading.failed else reading.since
    last = reading.last
    if before is not None:
        instants = (last, before.last, _ended(before, reading, rule, sure=not overtaken))
        last = max((instant for instant in instants if instant is not None), default=None)
    # Most readings are kept as they are: this runs for each key pressed on a machine that naps.
    changed = last != reading.last or since != reading.since
    return replace(reading, last=last, since=since) if changed else reading


def _failing_since(before: Reading | None, reading: Reading) -> float:
    since = reading.at if reading.since is None else reading.since
    if before is None or not before.failed:
        return since
    return min(since, before.at if before.since is None else before.since)


def _ended(before: Reading, reading: Reading, rule: MonitorRule, *, sure: bool) -> float | None:
    """Until when a hold, or a failure that counts, lasted if ``reading`` ends it. Awake when unsure: unless the monitor knows
    better, until now.

    :param sure: what ``reading`` says is all its own; what was added to it since would be taken for knowledge of this end.
    """
    if reading.active or not (before.active or before.failed):
        return None
    knows = sure and reading.last is not None and (reading.last > before.at or before.told)
    end = max(before.at, reading.last) if knows and reading.last is not None else reading.at
    if not before.failed:
        return end
    # While the failure goes on it counts by itself.
    counted = failure_counts_until(before, rule)
    return None if reading.failed or counted == float("-inf") else min(end, counted)


def take_lease(evidence: Evidence, lease: Lease, now: float) -> Evidence:
    """A new lease, or another end for an old one, which has counted until now."""
    evidence = end_lease(evidence, lease.id, now)
    return replace(evidence, leases={**evidence.leases, lease.id: lease})


def end_lease(evidence: Evidence, id_: str, now: float) -> Evidence:
    """Nothing happens if it has ended before."""
    return _keep_leases(evidence, {key: each for key, each in evidence.leases.items() if key != id_}, now)


def _keep_leases(evidence: Evidence, kept: Mapping[str, Lease], now: float) -> Evidence:
    """Without the others; idle time begins anew where the last of them ended."""
    ends = (lasted_until(lease, now) for key, lease in evidence.leases.items() if key not in kept)
    return replace(evidence, leases=kept, released=max([evidence.released, *ends]))


def forget_ended(evidence: Evidence, now: float) -> Evidence:
    """Without the leases whose time is over. (A plan is replaced as a whole.)"""
    leases = {key: lease for key, lease in evidence.leases.items() if standing(lease.until, now)}
    return evidence if len(leases) == len(evidence.leases) else _keep_leases(evidence, leases, now)


def resume(evidence: Evidence, now: float, min_awake: float) -> Evidence:
    """After a sleep idle time begins anew, and what was queued before it is dropped."""
    return replace(evidence, began=now, fresh=now, awake_until=now + min_awake)


def reconfigure(evidence: Evidence, settings: Settings, now: float) -> Evidence:
    """For other monitors: idle time goes on as far as they know it, but every one of them must answer anew.

    An old hold whose end was to be told is nothing that the new monitor of that name knows of.
    """
    kept = {name: reading for name, reading in evidence.readings.items() if name in settings.taken}
    monitors = tuple((name, rule) for name, rule in settings.monitors if name in kept)
    rules = tuple(rule for rule in settings.rules if kept.keys() >= set(rule.members))
    judged = judge(replace(settings, monitors=monitors, rules=rules), replace(evidence, readings=kept), now)
    return replace(evidence, began=judged.idle_since, fresh=now, readings={})
