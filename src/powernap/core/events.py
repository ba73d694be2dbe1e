"""Everything that can happen to the machine, as values. The whole vocabulary from the world to the core.

``at`` is the instant it happened, in seconds of ``CLOCK_BOOTTIME``.
"""

from __future__ import annotations

from powernap.core.ladder import Settings
from powernap.core.plan import Plan
from powernap.core.reading import Reading
from powernap.core.value import dataclass
from powernap.core.verdict import Lease


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that could not be applied or restored, and why."""

    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A monitor answered, or heard something."""

    at: float
    reading: Reading


@dataclass(frozen=True, slots=True)
class Looked:
    """The look with this serial number is complete: every monitor has answered or failed.

    :param refusal: why the sleep state that was asked about cannot be entered now; empty when it can.
    """

    at: float
    serial: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """The timer that was asked for has come."""

    at: float


@dataclass(frozen=True, slots=True)
class LeaseTaken:
    """Somebody asks for the machine to stay up."""

    at: float
    lease: Lease


@dataclass(frozen=True, slots=True)
class LeaseEnded:
    """... and no longer does."""

    at: float
    id: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What the schedules ask from now on; all that they asked before is void."""

    at: float
    plan: Plan


@dataclass(frozen=True, slots=True)
class NapAsked:
    """An admin asks to nap now, down to ``stage`` (the first one when empty)."""

    at: float
    who: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class WakeAsked:
    """An admin asks to come back now."""

    at: float
    who: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The actions of a stage have been applied, but for those that failed."""

    at: float
    serial: int
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """Everything has been put back, but for what failed."""

    at: float
    serial: int
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class SleepFailed:
    """The sleep that was asked for did not happen. Actions of the stages above it may have been put back for it.

    :param wanted: somebody or something needed the machine meanwhile, which is no fault.
    """

    at: float
    serial: int
    reason: str
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Unblocked:
    """What a sleep was refused for is gone: another attempt need not wait."""

    at: float


@dataclass(frozen=True, slots=True)
class Pretended:
    """The machine would sleep now, but only watches: it stays up, and everything is looked at as in any other stage."""

    at: float
    serial: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The machine was asleep, by us or by somebody else, and is back.

    :param by: what woke it, in words; empty where nothing tells.
    """

    at: float
    slept: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """A new configuration holds from now on. Readings of monitors that it no longer has are forgotten."""

    at: float
    settings: Settings


Event = (
    Heard | Looked | Due | LeaseTaken | LeaseEnded | Scheduled | NapAsked | WakeAsked
    | Applied | Restored | SleepFailed | Unblocked | Pretended | Resumed | Reconfigured
)  # fmt: skip
