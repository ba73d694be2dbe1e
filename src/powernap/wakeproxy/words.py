"""What powerwaked says, by kind: sentences for the journal, without a full stop."""

from __future__ import annotations

SENTENCES = {
    "started": "{detail}",
    "stopped": "stopped",
    "reloaded": "read the inventory again: {detail}",
    "reload-refused": "the inventory has faults and stays as it was: {detail}",
    "note": "{detail}",
    "waking": "waking {host} {detail}",
    "woke": "{host} is up {detail}",
    "is-up": "{host} is up already, {detail}",
    "not-up": "{host} is not up, {detail}",
    "late": "{host} was up late: {detail}",
    "missed": "{host} was not woken: {detail}",
    "not-off": "{host} is up, and {detail}; it must go off by itself, nothing here switches it off",
    "schedule-failed": "{host}: a schedule cannot tell: {detail}",
    "schedule-recovered": "{host}: {detail} can tell again",
    "clock-set": "the clock was set by {detail}: every machine that is needed now is looked at",
    "defect": "{host} {detail}; going on",
}
LOUD = frozenset({"reload-refused", "not-up", "late", "missed", "schedule-failed", "defect"})
"""Warnings; the others are for the record."""


def sentence(what: str, host: str, detail: str, remedy: str) -> str:
    """One line."""
    text = SENTENCES[what].format(host=host, detail=detail).strip()
    return f"{text}; {remedy}" if remedy else text
