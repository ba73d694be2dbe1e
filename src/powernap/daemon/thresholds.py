"""The idle times of stages with ``after = "auto"``: chosen by the break-even rule, improved by the idle gaps that this machine had.

Owns where the numbers come from and where the gaps are kept. The rule itself, and why it is never worse than twice the clairvoyant
choice, is core/break_even.py's. What a stage saves is known once `powernap measure` was run; until then it is an estimate, and says so.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from powernap.config.model import AUTO, Config, Stage
from powernap.core.break_even import Learned, begin, break_even, choose, learn, reprice
from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.daemon import measured
from powernap.host import documents
from powernap.host.files import Files

VERSION = 1
NAME = "gaps.json"
UNMEASURED = 300.0
"""Break-even time, in seconds, of a reversible stage that nobody measured: a guess on the careful side, which `powernap measure` replaces."""
SLEEP_PASSAGE = {
    "suspend": 30.0,
    "hybrid-sleep": 60.0,
    "hibernate": 120.0,
    "suspend-then-hibernate": 30.0,
    "power-off": 240.0,
}
"""Seconds down and up together, at full power, of a sleep state that nobody measured. A sleeping machine draws next to nothing, so these
are about its break-even times, whatever it draws awake."""
SLEEP_DRAW = 1.5
"""What going down and coming up draw, in units of the idle power that the sleep saves (all processors at work against none)."""
SHORTEST = 1.0
"""Seconds; a gap below it is a pause between two packets."""
AGAIN = 3600.0
"""Seconds for which a choice stands: each new one climbs the ladder from its foot."""
CLEARLY = 0.1
"""A new wait that differs from the old one by a smaller share than this is none."""
SPACE = 1.0
"""Seconds that a stage stays in force at least before the next one."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a stage must stay in force for to pay, in seconds; ``known``: measured on this machine."""

    paid: float
    known: bool


def gaps(directory: str) -> dict[str, tuple[float, ...]]:
    """The latest gaps that each automatic stage has learnt from, also the short ones that are in no history."""
    try:
        with open(os.path.join(directory, NAME), encoding="utf-8") as file:
            stages = json.load(file)["stages"]
        return {name: tuple(map(float, each["gaps"])) for name, each in stages.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def price(stage: Stage, savings: Mapping[str, measured.Saving]) -> Price:
    """By what was measured of its actions; a sleep state by the time that it takes."""
    if stage.sleep != "none":
        return Price(SLEEP_DRAW * SLEEP_PASSAGE[stage.sleep], known=False)
    found = [savings[name] for name in stage.actions if name in savings]
    saved = sum(each.saved or 0.0 for each in found)
    cost = sum(each.transition_most or 0.0 for each in found)
    if len(found) < len(stage.actions):
        return Price(UNMEASURED, known=False)
    return Price(break_even(cost, saved), known=True)


def between(stages: Iterable[Stage], waits: Mapping[str, float]) -> dict[str, float]:
    """The idle time of each stage: as written, or the wait within its own limits and those of its neighbours."""
    ladder = list(stages)
    found: dict[str, float] = {}
    begun = 0.0
    for number, stage in enumerate(ladder):
        after = stage.after
        if after == AUTO:
            fixed = (later for later in ladder[number + 1 :] if later.after != AUTO)
            last = min([stage.most, *(later.after - later.warn - SPACE for later in fixed)])
            first = max(stage.least, begun + stage.warn + (SPACE if number or stage.warn else 0.0))
            after = max(min(waits[stage.name], last), first)
        found[stage.name] = begun = after
    return found


class Thresholds:
    """The waits of one configuration. ``waits`` has each stage's idle time in seconds; ``prices`` that of each automatic one.

    :param directory: where gaps and measurements are kept; empty: nowhere.
    """

    def __init__(self, config: Config, files: Files, directory: str) -> None:
        self.path = os.path.join(directory, NAME) if directory else ""
        self.stages = config.stages
        savings = measured.savings(os.path.join(directory, measured.NAME), files) if directory else {}
        self.prices = {stage.name: price(stage, savings) for stage in config.stages if stage.after == AUTO}
        self.learned = self._load()
        self.chosen_at = -math.inf
        self.waits = self._best()
        self.idle_since: float | None = None
        self.learned_until = -math.inf
        self.unsaved = False

    def text(self) -> str:
        """For the history: "ease after 3min, bed after 20min (not measured)"."""
        return ", ".join(
            f"{name} after {show_duration(round(self.waits[name]))}"
            + ("" if each.known else " (not measured)")
            for name, each in self.prices.items()
        )

    # ------------------------------------------------------------ gaps

    def note(self, idle_since: float | None, now: float) -> bool:
        """Idle since then, or in use (``None``); whether another wait is clearly better now and the old one has stood for long enough.

        What ends without being use (a keep-awake window) leaves idle time as long as it was: what was learnt of it is not learnt again.
        """
        before, self.idle_since = self.idle_since, idle_since
        if before is None or before == idle_since:
            return False
        end = now if idle_since is None else idle_since
        gap = end - max(before, self.learned_until)
        if gap < SHORTEST:
            return False
        self.learned_until = end
        for name, each in self.prices.items():
            self.learned[name] = learn(self.learned[name], gap, self.waits[name], each.paid)
        self.unsaved = True
        return now >= self.chosen_at + AGAIN and self._choose(now)

    def _choose(self, now: float) -> bool:
        self.save()
        self.chosen_at = now
        waits = self._best()
        if all(abs(wait - self.waits[name]) <= CLEARLY * self.waits[name] for name, wait in waits.items()):
            return False
        self.waits = waits
        return True

    def _best(self) -> dict[str, float]:
        automatic = [stage for stage in self.stages if stage.name in self.prices]
        chosen = {
            stage.name: choose(self.learned[stage.name], self.prices[stage.name].paid, stage.least)
            for stage in automatic
        }
        return between(self.stages, chosen)

    # ------------------------------------------------------------ the file

    def _load(self) -> dict[str, Learned]:
        """Of each automatic stage; what is broken, or was learnt at another price, is worth less and never an error."""
        document: Any = {}
        with (
            contextlib.suppress(OSError, ValueError, RecursionError),
            open(self.path, encoding="utf-8") as file,
        ):
            document = json.load(file)
        sound = isinstance(document, dict) and document.get("version") == VERSION
        known = document.get("stages") if sound else None
        known = known if isinstance(known, dict) else {}
        return {name: self._learned(known.get(name), each.paid) for name, each in self.prices.items()}

    def _learned(self, found: Any, paid: float) -> Learned:
        try:
            gaps = tuple(float(gap) for gap in found["gaps"] if 0 < float(gap) < math.inf)
            old, credit = float(found["paid"]), float(found["credit"])
        except (TypeError, KeyError, ValueError):
            return begin(paid)
        return reprice(Learned(max(0.0, credit), gaps), old, paid)

    def save(self) -> None:
        """Replace the file, if something was learnt. A disk that takes nothing costs what was learnt, nothing else."""
        if not self.path or not self.unsaved:
            return
        stages = {
            name: {
                "paid": each.paid,
                "credit": round(self.learned[name].credit, 3),
                "gaps": [round(gap, 1) for gap in self.learned[name].gaps],
            }
            for name, each in self.prices.items()
        }
        with contextlib.suppress(OSError):
            # at the end of idle time everything is put back: that waits for no disk, which may stand still
            documents.replace(self.path, {"version": VERSION, "stages": stages}, durable=False)
            self.unsaved = False
