"""What was measured on this machine: which actions pay and by how much, kept for the daemon and for reports.

Owns the file, a JSON object that is replaced whole. A result is good for the machine and the kernel that it was measured on: a copy of the
disk in another machine, or another kernel, has no results until it is measured again.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from powernap.core.value import dataclass
from powernap.host import documents
from powernap.host.files import Files, text

VERSION = 1
NAME = "measured.json"
KEPT = 20
"""Machines and kernels that are remembered, the latest."""


@dataclass(frozen=True)
class Saving:
    """One action: the watts that it saves, give or take ``spread``, and the energy of one way there and back at most (joules)."""

    verdict: str
    saved: float | None
    spread: float | None
    transition_most: float | None


def identity(files: Files) -> dict[str, str]:
    """Which machine and kernel this is. The machine id is confidential (machine-id(5)): only a hash of it is kept."""
    machine = text(files, "/etc/machine-id") or text(files, "/sys/class/dmi/id/product_uuid")
    name = hashlib.sha256(f"powernap {machine}".encode()).hexdigest()[:16] if machine else ""
    return {"machine": name, "kernel": text(files, "/proc/sys/kernel/osrelease")}


def load(path: str) -> dict[str, Any]:
    """The whole document; an empty one where there is none, or none that we understand."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read())
    except OSError:
        return parse("")


def parse(content: str) -> dict[str, Any]:
    """The document of a text; a broken or newer one is as none, since it can be measured again."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list) or document.get("version") != VERSION:
        return {"version": VERSION, "results": []}
    return {"version": VERSION, "results": [each for each in results if isinstance(each, dict)]}


def merge(document: dict[str, Any], who: dict[str, str], result: dict[str, Any]) -> dict[str, Any]:
    """With a new result: actions measured again replace what was known of them; those of another meter are forgotten."""
    others = [each for each in document["results"] if not _same(each, who)]
    before = _of(document, who)
    known = before.get("actions", {}) if before.get("meter") == result["meter"] else {}
    merged = {**who, **result, "actions": {**known, **result["actions"]}}
    return {"version": VERSION, "results": [*others, merged][-KEPT:]}


def save(path: str, document: dict[str, Any]) -> None:
    """Atomically: killed at any moment, the old or the new one is there. ``OSError``."""
    documents.replace(path, document)


def savings(path: str, files: Files) -> dict[str, Saving]:
    """What is known of this machine under this kernel, by action."""
    actions = _of(load(path), identity(files)).get("actions")
    return {
        name: Saving(
            each.get("verdict", ""), each.get("saved_w"), each.get("spread_w"), each.get("transition_most_j")
        )
        for name, each in (actions.items() if isinstance(actions, dict) else ())
        if isinstance(each, dict)
    }


def base(path: str, files: Files) -> dict[str, Any]:
    """By which meter this machine was measured, and its power without any action; empty and ``None`` where it was not."""
    found = _of(load(path), identity(files))
    actions = found.get("actions")
    each = actions.values() if isinstance(actions, dict) else ()
    told = [one["without_w"] for one in each if isinstance(one, dict) and one.get("without_w") is not None]
    return {
        "meter": str(found.get("meter", "")),
        "scope": str(found.get("scope", "")),
        "without_w": sum(told) / len(told) if told else None,
    }


def _of(document: dict[str, Any], who: dict[str, str]) -> dict[str, Any]:
    """The latest result of this machine and kernel; empty where there is none."""
    results: list[dict[str, Any]] = document["results"]
    return next((each for each in reversed(results) if _same(each, who)), {})


def _same(result: dict[str, Any], who: dict[str, str]) -> bool:
    return bool(who["machine"]) and all(result.get(key) == value for key, value in who.items())
