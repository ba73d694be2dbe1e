"""What the daemon says of itself: the documents behind ``status``, ``why`` and the metrics. Version 1, described in docs/json.md."""

from __future__ import annotations

import os
from math import inf
from typing import Any

from powernap import __version__
from powernap.core.deadlines import coming, verdict
from powernap.core.reading import Reading
from powernap.core.state import Phase
from powernap.core.verdict import Blocker, standing
from powernap.daemon.node import Node

VERSION = 1


def ago(at: float | None, now: float) -> float | None:
    """Seconds since an instant, to the millisecond."""
    return None if at is None else round(max(0.0, now - at), 3)


def of_blocker(blocker: Blocker, now: float) -> dict[str, Any]:
    """One thing that keeps the machine awake."""
    return {
        "kind": blocker.kind,
        "name": blocker.name,
        "reason": blocker.reason,
        "who": list(blocker.who),
        "for_s": ago(blocker.since, now),
        "ends_in_s": None if blocker.until is None else round(blocker.until - now, 3),
        "failed": blocker.failed,
        "remedy": blocker.remedy,
    }


def of_next(node: Node, now: float) -> dict[str, Any] | None:
    """The next stage if nobody comes; ``None`` at the foot of the ladder's end, or while something keeps the machine awake."""
    state = node.state
    found = coming(state, verdict(state, now), now)
    if found is None or state.phase is Phase.HALTED:
        return None
    at, target = found
    stage, wait = state.settings.stages[target], state.waits.get(target)
    return {
        "stage": stage.name,
        "in_s": round(max(0.0, at - now), 3),
        "refused": wait.refusal if wait else "",
        "actions": list(stage.actions),
        "sleep": stage.sleep,
    }


def of_monitor(node: Node, name: str, now: float) -> dict[str, Any]:
    """One monitor and its latest reading."""
    watch = node.lookout.watches[name]
    reading = node.state.readings.get(name, Reading(name, now, reason="has not answered yet"))
    return {
        "name": name,
        "type": watch.config.type,
        "source": watch.source,
        "events": watch.events,
        "active": reading.active,
        "failed": reading.failed,
        "reason": reading.reason,
        "remedy": reading.remedy,
        "who": list(reading.who),
        "last_s": ago(reading.last, now),
        "for_s": ago(reading.since, now),
        "measured": reading.measured,
        "limit": reading.limit,
        "unit": reading.unit,
    }


def why(node: Node) -> dict[str, Any]:
    """What keeps it awake, and what happens next."""
    now = node.host.clock.boottime()
    state = node.state
    judged = verdict(state, now)
    stage = state.settings.stages[state.stage].name if 0 <= state.stage < len(state.settings.stages) else None
    first = state.settings.stages[0] if state.settings.stages else None
    return {
        "version": VERSION,
        "mode": node.config.mode,
        "phase": state.phase.value,
        "stage": stage,
        "idle_s": 0.0 if judged.blockers else ago(judged.idle_since, now),
        "blockers": [of_blocker(blocker, now) for blocker in judged.blockers],
        "left_out": node.hands.skipped(),
        "next": of_next(node, now),
        "first_stage": None
        if first is None or first.after == inf
        else {"stage": first.name, "after_s": first.after},
    }


def status(node: Node) -> dict[str, Any]:
    """Everything: ``why``, each monitor, the ladder, the ledger, ourselves."""
    now = node.host.clock.boottime()
    usage = os.times()
    ears = node.host.ears
    return {
        **why(node),
        "powernap": __version__,
        "host": os.uname().nodename,
        "config": list(node.config.files),
        "monitors": [of_monitor(node, name, now) for name in node.lookout.watches],
        "stages": [
            {
                "name": s.name,
                "after_s": None if s.after == inf else s.after,
                "warn_s": s.warn,
                "actions": list(s.actions),
                "sleep": s.sleep,
            }
            for s in node.state.settings.stages
        ],
        "leases": [
            {"id": lease.id, "who": lease.who, "why": lease.why, "for_s": ago(lease.since, now)}
            for lease in node.state.leases.values()
            if standing(lease.until, now)
        ],
        "changed": node.hands.changed(),
        "conflicts": node.hands.conflicts(),
        "daemon": {
            "pid": os.getpid(),
            "cpu_s": round(usage.user + usage.system, 4),
            "wakeups": getattr(ears, "wakeups", None),
            "history": node.voice.history.trouble or node.voice.history.path,
            "meter": node.metering.words,
        },
    }
