"""History entries as sentences: the journal, ``powernap history`` and the live view say the same."""

from __future__ import annotations

from typing import Any

from powernap.core.units import show_duration

SENTENCES = {
    "entered": "nobody needs this machine: entered stage {stage}",
    "left": "put everything back after {length} in stage {stage}",
    "activity": "coming back: {because}",
    "asked": "{detail} asked to nap down to stage {stage}",
    "refused": "asked to nap, staying awake: {detail}{because}",
    "warned": "users were told that stage {stage} comes in {detail}",
    "unwarned": "users were told that stage {stage} does not come",
    "warn-failed": "not all users were told of stage {stage}: {detail}",
    "apply-failed": "stage {stage}: {detail}; going on without it",
    "action-spent": "stage {stage}: {detail} failed too often; leaving it out until the configuration is loaded again",
    "restore-failed": "could not put back {detail}; trying again",
    "kept-foreign": "left alone, since somebody else changed it meanwhile: {detail}",
    "sleep": "stage {stage}: going to {detail}",
    "sleep-ready": "before the sleep: {detail}",
    "sleep-refused": "stage {stage} is not entered: {detail}; trying again later",
    "sleep-failed": "stage {stage}: {detail}; staying up",
    "chosen": "idle times chosen by what this machine does: {detail}",
    "unguarded": "{detail}; what is changed then is put back after it",
    "unalarmed": "no alarm is set for the sleep that somebody else asked for: {detail}",
    "alarm-taken": "another program took the alarm that wakes this machine: {detail}; it is set again",
    "resumed": "back: {detail}",
    "woken": "{detail} asked to come back",
    "loop": "sleep-wake loop, {detail}: doing nothing more until `powernap wake`",
    "reloaded": "configuration loaded: {detail}",
    "reload-refused": "the new configuration has faults, keeping the old one: {detail}",
    "monitor-failed": "monitor {detail}; it counts as its on_error says",
    "monitor-recovered": "monitor answers again: {detail}",
    "monitor-changed": "monitor {detail}",
    "defect": "defect of powernapd: {detail}",
    "conflict": "another tool changes the same things: {detail}",
    "damaged": "what an earlier life left may not all be put back, the undo ledger was damaged: {detail}",
    "undone": "put back what an earlier life left: {detail}",
    "schedule-failed": "a schedule cannot tell: {detail}",
    "schedule-recovered": "the schedule can tell again: {detail}",
    "schedule-missed": "not up in time for a schedule: {detail}",
    "clock-set": "somebody set the clock {detail}; the schedules go by it from now on",
    "schedule-skipped": "an exception: {detail}",
    "schedule-extended": "an exception: {detail}",
    "schedule-restored": "{detail}",
    "postponed": "{detail}",
    "started": "powernapd {detail}",
    "note": "configuration: {detail}",
    "stopped": "powernapd stopped; {detail}",
    "lease-taken": "{detail}; staying awake",
    "lease-ended": "{detail} no longer needs the machine",
}


def because(entry: dict[str, Any]) -> str:
    """Who or what, from an entry's blockers."""
    return "; ".join(
        f"{b['name']}: {b['reason']}" if b.get("reason") else str(b["name"]) for b in entry.get("because", [])
    )


def sentence(entry: dict[str, Any]) -> str:
    """One entry as a sentence without a full stop; an unknown kind is shown as it is."""
    template = SENTENCES.get(entry.get("event", ""), "{event} {stage} {detail}")
    if entry.get("event") == "left" and not entry.get("stage"):
        template = "put everything back after {length}"
    reasons = because(entry)
    if entry.get("event") == "activity" and not reasons:
        reasons = "asked to"
    if entry.get("event") == "refused" and reasons:
        reasons = f" ({reasons})"
    detail = entry.get("detail", "")
    if entry.get("event") == "stopped" and not detail:
        detail = "everything is as it was"
    length = show_duration(entry["seconds"]) if "seconds" in entry else "a while"
    words = template.format(
        event=entry.get("event", ""),
        stage=entry.get("stage", ""),
        detail=detail,
        because=reasons,
        length=length,
    ).strip()
    return f"watching only, would have: {words}" if entry.get("watching") else words
