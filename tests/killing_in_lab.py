"""Kills a process at writes of an action on the lab's real files, and meddles with what it wrote. Runs in the guest, called by its agent.

Each attempt is a fork that carries the action's plan out and restores it through the ledger, and ends itself with SIGKILL at its n-th moment
(mortal.py); then everything is undone. What the action had touched must be as it was, and the ledger empty. The plan is made once: it reads,
for seconds in the guest, and would find the same each time.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from killing import child
from lab.actions import CASES, section
from mortal import Mortal, sample
from powernap import actions
from powernap.config.load import build
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles, text
from powernap.host.host import Host
from powernap.host.knobs import Change, Knobs, MachineKnobs, same
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile
from powernap.host.undo import undo

PLACE = Path("/run/killing")
FILES = TreeFiles()
KNOBS = MachineKnobs(FILES)
CONFIG = '[[stage]]\nname = "ease"\nafter = "1h"\nactions = ["{}"]\n[monitor.input]\n{}'
MOST = 20
"""Lines of what was wrong."""
Pairs = Iterable[tuple[str, str]]
Steps = Generator[Change, str | None, None]


@dataclass(frozen=True)
class Subject:
    """An action, all that it touches and what that was before, and how many moments it has."""

    action: str
    plan: tuple[Change, ...]
    moments: int
    touched: tuple[Change, ...]
    before: dict[str, str]

    def differing(self) -> list[str]:
        """What is not as it was."""
        now = _values(self.action, self.touched)
        return [f"{name} was {old}, is {now[name]}" for name, old in self.before.items() if now[name] != old]

    def set_back(self, theirs: Iterable[str]) -> None:
        """By hand, what somebody else had set."""
        for change in self.touched:
            if change.target in theirs:
                KNOBS.write(change, self.before[_name(change)])


# --- called from outside


def usable(names: Iterable[str]) -> list[str]:
    """Those that can be used here."""
    return [name for name in names if actions.find(name).probe(Host(), _options(name))]


def attack(names: Iterable[str], kills: int, meddled: int) -> dict[str, dict[str, Any]]:
    """Kill each action at so many of its moments (0: at each), at so many once more with a second writer after the kill, and let him come once
    without any kill: how many moments there are, how often it was killed, what of his was kept, and what was wrong.
    """
    return {name: _attacked(name, kills, meddled) for name in names}


def _attacked(action: str, kills: int, meddled: int) -> dict[str, Any]:
    began, subject = time.monotonic(), _subject(action)
    moments = sample(subject.moments, kills or subject.moments)
    wrong = [line for nth in moments for line in _killed(subject, nth)[1]]
    kept = 0
    for nth in _within(subject.moments, meddled) if CASES[action].foreign else []:
        theirs, lines = _killed(subject, nth, CASES[action].foreign[:1])
        kept, wrong = kept + len(theirs), wrong + lines
    met, lines = _met(subject)
    return {
        "moments": subject.moments,
        "killed": len(moments),
        "kept": kept,
        "met": met,
        "wrong": [*wrong, *lines][:MOST],
        "seconds": round(time.monotonic() - began, 1),
    }


def _within(count: int, at_most: int) -> list[int]:
    """Numbers between 1 and ``count``, spread evenly and away from both ends, where nothing is changed."""
    return sorted({round(count * step / (at_most + 1)) for step in range(1, at_most + 1)} - {0})


def _killed(subject: Subject, nth: int, pairs: Pairs = ()) -> tuple[dict[str, str], list[str]]:
    """Once, with somebody else's hands on what is ours then: what they set, and what was wrong."""
    status, _ = child(lambda: _there_and_back(subject.action, subject.plan, nth))
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    theirs = _meddle(subject, subject.touched, pairs)
    wrong = ([] if died else [f"it ended with {status}"]) + _judged(subject, _undo(), theirs)
    return theirs, [f"moment {nth}: {each}" for each in wrong]


def _met(subject: Subject) -> tuple[dict[str, str], list[str]]:
    """Nobody is killed: apply, meddle, also with what is only remembered, restore."""
    status, done = child(lambda: _met_in_nap(subject))
    theirs, results = ({}, None) if status else done
    return theirs, [f"in the nap: {each}" for each in _judged(subject, results, theirs)]


# --- each in a process of its own


def _there_and_back(action: str, plan: Iterable[Change], nth: int) -> tuple[int, list[dict[str, Any]]]:
    """Apply and restore, dying at the ``nth`` moment; how many there were, and what was touched."""
    knobs = Mortal(KNOBS, nth, PLACE / "tally")
    ledger = _applied(action, plan, knobs)
    touched = [asdict(entry.change) for entry in ledger.live()]
    ledger.restore()
    return knobs.seen, touched


def _applied(action: str, plan: Iterable[Change], knobs: Knobs) -> Ledger:
    ledger = Ledger(LedgerFile(str(PLACE / "ledger")), knobs, SystemClock(), boot_id(FILES))
    ledger.perform(action, "nap", plan)
    return ledger


def _planned(action: str) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """Apply and restore, unharmed: the moments, what was touched, and the steps of the plan."""
    steps = list[dict[str, Any]]()
    plan = cast("Steps", actions.find(action).plan(Host(), _options(action)))
    moments, touched = _there_and_back(action, _noting(plan, steps), 0)
    return moments, touched, steps


def _noting(plan: Steps, steps: list[dict[str, Any]]) -> Steps:
    """The plan as it is; its steps, too."""
    with contextlib.suppress(StopIteration):
        change = next(plan)
        while True:
            steps.append(asdict(change))
            change = plan.send((yield change))


def _undo() -> list[dict[str, str]]:
    """What `powernap undo` does, and did."""
    return [_told(each) for each in undo(str(PLACE / "ledger"), FILES, KNOBS).results]


def _met_in_nap(subject: Subject) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Apply, meddle, restore: what somebody else set, and what became of everything."""
    ledger, case = _applied(subject.action, subject.plan, KNOBS), CASES[subject.action]
    changed = [each for each in subject.touched if each.new is not None]
    aside = [each for each in subject.touched if each.new is None]
    theirs = {**_meddle(subject, changed, case.foreign), **_meddle(subject, aside, case.aside)}
    return theirs, [_told(each) for each in ledger.restore()]


def _meddle(subject: Subject, among: Iterable[Change], pairs: Pairs) -> dict[str, str]:
    """Somebody sets, for each pattern, the first target that is ours now and takes the value: what it is then, by target."""
    theirs = {}
    for pattern, value in pairs:
        for change in among:
            if re.fullmatch(pattern, change.target) and _taken(subject, change, value):
                theirs[change.target] = _value(change)
                break
    return theirs


def _taken(subject: Subject, change: Change, value: str) -> bool:
    """Whether a value that is ours now could be set to theirs. One that is remembered only is ours all the time."""
    now = _value(change)
    if change.new is not None and not same(change.form, now, change.new):
        return False
    try:
        KNOBS.write(change, value)
    except OSError:
        return False
    return not any(same(change.form, _value(change), each) for each in (now, subject.before[_name(change)]))


# --- judging


def _judged(subject: Subject, results: list[dict[str, str]] | None, theirs: dict[str, str]) -> list[str]:
    """What a restore should have said or done, and what should not have; then all is set back."""
    if results is None:
        return ["the undo failed"]
    bad = [f"{each}" for each in results if each["outcome"] not in {"restored", "already", "foreign"}]
    told = {each["target"] for each in results if each["outcome"] == "foreign"}
    if told != theirs.keys():
        bad.append(f"kept as somebody else's: {sorted(told)}, not {sorted(theirs)}")
    left = os.path.getsize(PLACE / "ledger")
    bad += [f"the ledger has {left} bytes left"] if left else []
    stands = {each.target: _value(each) for each in subject.touched if each.target in theirs}
    bad += [] if stands == theirs else [f"somebody's {theirs} became {stands}"]
    subject.set_back(theirs)
    return bad + subject.differing()


def _subject(action: str) -> Subject:
    """It goes there and back once, unharmed; what it touched is looked at afterwards."""
    PLACE.mkdir(exist_ok=True)
    told = _told_files(action)
    status, done = child(lambda: _planned(action))
    if status:
        raise RuntimeError(f"applying and restoring {action} ended with {status}")
    moments, *documents = done
    touched, plan = (tuple(Change(**each) for each in some) for some in documents)
    return Subject(action, plan, moments, touched, {**_values(action, touched), **told})


def _options(action: str) -> Any:
    """As a configuration with the case's section gives them; those by default where it has none."""
    if action not in CASES:
        return actions.find(action).Options()
    return build([("lab.toml", CONFIG.format(action, section(action)))]).actions[action].options


def _values(action: str, touched: Iterable[Change]) -> dict[str, str]:
    """What they are now, with what its programs did."""
    return {**{_name(each): _value(each) for each in touched}, **_told_files(action)}


def _told_files(action: str) -> dict[str, str]:
    return {path: text(FILES, path) for path in (CASES[action].told if action in CASES else ())}


def _name(change: Change) -> str:
    """One for each value: several controllers are in one file."""
    return f"{change.kind} {change.target}" + (f" {change.new}" if change.form == "controller" else "")


def _value(change: Change) -> str:
    """An error is a value, too."""
    try:
        return KNOBS.read(change).strip()
    except OSError as error:
        return f"<{error.strerror}>"


def _told(result: Any) -> dict[str, str]:
    return {"target": result.target, "outcome": result.outcome, "detail": result.detail}
