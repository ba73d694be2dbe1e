"""Kills a process at writes of an action on the lab's real files. Runs in the guest, called there by the lab's agent (lab/guest.py).

Each attempt is a fork that applies and restores the action through the ledger, and ends itself with SIGKILL at its n-th moment (mortal.py);
another fork undoes. What the action had touched must be as it was, and the ledger empty.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from killing import child
from mortal import Mortal, sample
from powernap import actions
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile
from powernap.host.undo import undo

PLACE = Path("/run/killing")


def available() -> dict[str, str]:
    """What each action says that can be used here, with its options as they are by default."""
    found = {}
    for name in actions.kinds():
        module = actions.find(name)
        answer = module.probe(Host(), module.Options())
        if answer:
            found[name] = answer.detail
    return found


def kill(action: str, at_most: int, meddle: str = "") -> dict[str, Any]:
    """Kill it at so many of its moments: how many there were, and what was wrong.

    :param meddle: a target that somebody else sets to "7" after each kill; it must be kept and named.
    """
    PLACE.mkdir(exist_ok=True)
    status, done = child(lambda: _work(action, 0))
    if status:
        return {"moments": 0, "wrong": [f"applying and restoring ended with {status}"]}
    moments, touched = done
    before, wrong, kept = _values(touched), [], 0
    for nth in sample(moments, at_most):
        status, _ = child(lambda nth=nth: _work(action, nth))  # type: ignore[misc]
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            wrong.append(f"moment {nth}: it ended with {status}")
        foreign = bool(meddle) and Path(meddle).read_text().strip() != before[meddle]
        if foreign:
            Path(meddle).write_text("7")
        status, results = child(_undo)
        kept += foreign
        wrong += [f"moment {nth}: {each}" for each in _judged(results, meddle if foreign else "")]
        if foreign:
            Path(meddle).write_text(before[meddle])
        now = _values(touched)
        wrong += [
            f"moment {nth}: {path} was {before[path]}, is {now[path]}"
            for path in before
            if now[path] != before[path]
        ]
    return {"moments": moments, "kept": kept, "wrong": wrong[:20]}


def _judged(results: list[dict[str, str]] | None, foreign: str) -> list[str]:
    """What an undo should not have said, or should have."""
    if results is None:
        return ["the undo failed"]
    bad = [f"{each}" for each in results if each["outcome"] not in {"restored", "already", "foreign"}]
    told = [each["target"] for each in results if each["outcome"] == "foreign"]
    if told != ([foreign] if foreign else []):
        bad.append(f"kept as somebody else's: {told}")
    left = os.path.getsize(PLACE / "ledger")
    return [*bad, *([f"the ledger has {left} bytes left"] if left else [])]


def _work(action: str, nth: int) -> tuple[int, list[list[str]]]:
    """Apply and restore, dying at the ``nth`` moment; how many there were, and what was touched."""
    files, module = TreeFiles(), actions.find(action)
    knobs = Mortal(MachineKnobs(files), nth, PLACE / "tally")
    ledger = Ledger(LedgerFile(str(PLACE / "ledger")), knobs, SystemClock(), boot_id(files))
    ledger.perform(action, "nap", module.plan(Host(), module.Options()))
    touched = [[entry.change.target, entry.change.kind, entry.change.form] for entry in ledger.live()]
    ledger.restore()
    return knobs.seen, touched


def _undo() -> list[dict[str, str]]:
    """What `powernap undo` does, and did."""
    files = TreeFiles()
    report = undo(str(PLACE / "ledger"), files, MachineKnobs(files))
    return [
        {"target": each.target, "outcome": each.outcome, "detail": each.detail} for each in report.results
    ]


def _values(touched: list[list[str]]) -> dict[str, str]:
    """What they are now."""
    return {target: _value(Change(target, None, kind=kind, form=form)) for target, kind, form in touched}


def _value(change: Change) -> str:
    """An error is a value, too."""
    try:
        return MachineKnobs(TreeFiles()).read(change).strip()
    except OSError as error:
        return f"<{error.strerror}>"
