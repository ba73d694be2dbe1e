"""What the daemon says, and to whom: the history, the journal, and whoever watches live. Saying something never fails.

Owns when a reading is worth a word. The words are in words.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from powernap.core.reading import Reading
from powernap.core.verdict import Blocker
from powernap.daemon.history import History
from powernap.daemon.words import sentence
from powernap.host.clock import Clock
from powernap.host.journal import INFO, WARNING, Journal

LOUD = frozenset(
    {
        "apply-failed", "restore-failed", "sleep-refused", "sleep-failed", "unguarded", "action-spent", "loop", "kept-foreign", "reload-refused", "monitor-failed", "unalarmed",
        "defect", "conflict", "damaged", "schedule-failed", "schedule-missed", "warn-failed", "alarm-taken",
    }
)  # fmt: skip
TRACE_MAX = 12
"""Lines of a traceback that are logged, the last ones: where it happened."""


class Voice:
    """Says each thing once, to all.

    :ivar told: called with each entry and each changed reading (the live views).
    :ivar acting: in watch mode entries say that nothing was really done.
    :ivar stage_began: when the machine went below AWAKE.
    :ivar may_write: whether the history may go to disk now: while it naps that may wake a disk.
    """

    def __init__(self, clock: Clock, journal: Journal, history: History) -> None:
        self.clock, self.journal, self.history = clock, journal, history
        self.told: list[Callable[[dict[str, Any]], None]] = []
        self.acting = True
        self.stage_began = clock.boottime()
        self.may_write: Callable[[], bool] = lambda: False

    def say(
        self,
        what: str,
        stage: str = "",
        detail: str = "",
        blockers: tuple[Blocker, ...] = (),
        idle: float | None = None,
    ) -> None:
        """One entry. ``idle``: seconds since the last activity, of a stage that was entered."""
        now = self.clock.boottime()
        entry: dict[str, Any] = {"event": what, "at": round(now, 3), "time": round(self.clock.wall(), 3)}
        if stage:
            entry["stage"] = stage
        if detail:
            entry["detail"] = detail
        if blockers:
            entry["because"] = [
                {"kind": b.kind, "name": b.name, "reason": b.reason, "who": list(b.who)} for b in blockers
            ]
        if not self.acting and what in ("entered", "left", "sleep"):
            entry["watching"] = True
        if idle is not None:
            entry["idle_s"] = round(idle, 3)
        if what == "left":
            entry["seconds"] = round(now - self.stage_began, 3)
        self.history.add(entry)
        if self.may_write():
            self.history.flush()
        self.journal.log(
            sentence(entry),
            WARNING if what in LOUD else INFO,
            event=what,
            stage=stage,
            reason=detail,
            monitor=blockers[0].name if blockers else "",
        )
        self._tell_all(entry)

    def trace(self, traceback: list[str]) -> None:
        """Where a defect happened: for the journal only."""
        for line in "".join(traceback).splitlines()[-TRACE_MAX:]:
            self.journal.log(line, WARNING)

    def heard(self, old: Reading | None, new: Reading) -> None:
        """Live views see a reading when it changes; the log sees a monitor fail once and recover once."""
        if new.failed is not (old is not None and old.failed):
            what = "monitor-failed" if new.failed else "monitor-recovered"
            self.say(what, detail=f"{new.monitor}: {new.reason}")
        if self.told and (old is None or _shown(old) != _shown(new)):
            facts = {
                key: value for key, value in dataclasses.asdict(new).items() if value not in (None, "", ())
            }
            self._tell_all({"event": "reading", **facts})

    def _tell_all(self, entry: dict[str, Any]) -> None:
        for told in list(self.told):
            try:
                told(entry)
            except Exception as error:
                # Nobody reads any more what it prints.
                self.told = [each for each in self.told if each != told]
                self.journal.log(f"a live view failed ({type(error).__name__}: {error}); going on without it")


def _shown(reading: Reading) -> tuple[object, ...]:
    return reading.active, reading.reason, reading.last, reading.failed
