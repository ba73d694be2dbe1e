"""What the machine's decisions rest on: its phases, every change between them (``TABLE``), and the state that is carried along.

Owns no decision; those are machine.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from powernap.core.ladder import Settings
from powernap.core.reading import Reading
from powernap.core.value import dataclass
from powernap.core.verdict import Evidence, Lease


class Phase(Enum):
    """What the machine is doing."""

    AWAKE = "awake"
    CHECKING = "checking"
    WARNING = "warning"
    ENTERING = "entering"
    NAPPING = "napping"
    SLEEPING = "sleeping"
    LEAVING = "leaving"
    HALTED = "halted"


FREE = (Phase.AWAKE, Phase.HALTED)
"""Phases in which nothing is changed."""


class Trigger(Enum):
    """Why it changes."""

    DUE = "a stage is due"
    BUSY = "in use, nothing applied"
    NOT_YET = "not yet due, stay in the stage"
    WARN = "nobody there, users are told"
    ENTER = "nobody there"
    APPLIED = "applied"
    SLEEP = "applied, sleep"
    PRETEND = "only watching"
    NO_SLEEP = "sleep failed"
    UNDO = "activity"
    AGAIN = "put back again"
    RESTORED = "put back"
    STILL = "put back, still announced"
    LOOP = "sleep-wake loop"
    WAKE = "an admin says go on"


TABLE: dict[Phase, dict[Trigger, Phase]] = {
    Phase.AWAKE: {Trigger.DUE: Phase.CHECKING, Trigger.LOOP: Phase.HALTED},
    Phase.CHECKING: {
        Trigger.BUSY: Phase.AWAKE,
        Trigger.NOT_YET: Phase.NAPPING,
        Trigger.WARN: Phase.WARNING,
        Trigger.ENTER: Phase.ENTERING,
        Trigger.UNDO: Phase.LEAVING,
        Trigger.LOOP: Phase.HALTED,
    },
    Phase.WARNING: {
        Trigger.BUSY: Phase.AWAKE,
        Trigger.NOT_YET: Phase.NAPPING,
        Trigger.DUE: Phase.CHECKING,
        Trigger.UNDO: Phase.LEAVING,
        Trigger.LOOP: Phase.HALTED,
    },
    Phase.ENTERING: {
        Trigger.APPLIED: Phase.NAPPING,
        Trigger.SLEEP: Phase.SLEEPING,
        Trigger.UNDO: Phase.LEAVING,
    },
    Phase.NAPPING: {Trigger.DUE: Phase.CHECKING, Trigger.UNDO: Phase.LEAVING},
    Phase.SLEEPING: {
        Trigger.PRETEND: Phase.NAPPING,
        Trigger.NO_SLEEP: Phase.LEAVING,
        Trigger.UNDO: Phase.LEAVING,
    },
    Phase.LEAVING: {
        Trigger.RESTORED: Phase.AWAKE,
        Trigger.STILL: Phase.WARNING,
        Trigger.AGAIN: Phase.LEAVING,
        Trigger.LOOP: Phase.HALTED,
    },
    Phase.HALTED: {Trigger.WAKE: Phase.AWAKE},
}
"""Every change there is: from a phase, for a reason, to a phase. Anything else is a defect and raises ``KeyError``."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A sleep stage is not tried again before ``until``, after ``tries`` refusals and failures on end.

    :param refusal: why the latest one was refused, by a look that began at ``looked``; empty when it was not.
    """

    until: float
    tries: int
    looked: float
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Everything the next decision depends on. Instants are seconds of ``CLOCK_BOOTTIME``.

    :param evidence: what is known of the machine's use.
    :param stage: index of the deepest stage whose actions are applied, -1 for none.
    :param target: index of the stage that is being looked at, warned of, or entered.
    :param asked: an admin asked to nap at this instant, down to this stage.
    :param announced: when users have been told that the target is entered.
    :param looked: when the latest complete look began; ``sampled``: the latest look of any kind.
    :param restore_at: when what could not be put back is tried again, ``restore_tries`` times so far.
    :param failures: failed attempts per action.
    :param waits: the sleep stages that were refused or failed, by their index.
    :param asleep: the serial number of a sleep of ours that has neither failed nor ended yet, else 0.
    :param resumes: when the machine came back from sleeps of ours, within the loop window.
    :param looping: a sleep-wake loop was seen; halt when everything is put back.
    :param busy: something besides the monitors without events kept the machine awake at the latest step.
    :param timer: what the world was last asked to wait for.
    """

    settings: Settings
    evidence: Evidence
    phase: Phase = Phase.AWAKE
    stage: int = -1
    target: int = 0
    serial: int = 0
    asked: tuple[float, int] | None = None
    announced: float | None = None
    looked: float = float("-inf")
    sampled: float = float("-inf")
    restore_tries: int = 0
    restore_at: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    waits: Mapping[int, Wait] = field(default_factory=dict)
    asleep: int = 0
    resumes: tuple[float, ...] = ()
    looping: bool = False
    busy: bool = True
    timer: float | None = None

    @property
    def depth(self) -> int:
        """The deepest stage that has begun to be applied, -1 for none."""
        return self.target if self.phase in (Phase.ENTERING, Phase.SLEEPING) else self.stage

    @property
    def by_hand(self) -> bool:
        """The target is what an admin asked for, or on the way there."""
        return self.asked is not None and self.target <= self.asked[1]

    @property
    def resting(self) -> bool:
        """Nothing is in flight: only news or the timer will change anything."""
        return self.phase in (Phase.AWAKE, Phase.WARNING, Phase.NAPPING)

    @property
    def sampling(self) -> bool:
        """A stage is in force that must be left quickly, and some activity is told by no event."""
        inside = self.stage >= 0 and self.phase in (Phase.CHECKING, Phase.WARNING, Phase.NAPPING)
        return inside and bool(self.settings.eventless)

    @property
    def refusal(self) -> str:
        """Why a sleep is refused at present; empty when none is."""
        return next((wait.refusal for wait in self.waits.values() if wait.refusal), "")

    @property
    def readings(self) -> Mapping[str, Reading]:
        """The latest reading of each monitor that has answered."""
        return self.evidence.readings

    @property
    def leases(self) -> Mapping[str, Lease]:
        """The leases that stand."""
        return self.evidence.leases
