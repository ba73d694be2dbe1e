"""Everything the core can ask of the world, as values."""

from __future__ import annotations

from powernap.core.value import dataclass
from powernap.core.verdict import Blocker


@dataclass(frozen=True, slots=True)
class Look:
    """Ask every monitor (or, with ``eventless``, only those that no event tells of).

    Each answer comes back as ``Heard``; a complete look is then closed by ``Looked`` with this serial number, an eventless one is not.

    :param sleep: the sleep state that would be entered after it; ``Looked`` says whether it can be.
    :param by_hand: an admin asked for that, so what speaks against sleeping *by itself* does not count.
    """

    serial: int
    eventless: bool = False
    sleep: str = ""
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a stage's actions, in this order; answer ``Applied``. A ``Restore`` that comes meanwhile cuts it short."""

    serial: int
    stage: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restore:
    """Put everything back, latest first, at once; answer ``Restored``."""

    serial: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """Enter a sleep state; answer ``SleepFailed`` or ``Pretended``, or ``Resumed`` once it is over.

    :param keep: the stage's own actions, which stay in force; everything else is put back before, so that the machine that wakes is
        the machine as it was.
    :param by_hand: as in the look before it.
    """

    serial: int
    state: str
    keep: tuple[str, ...] = ()
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class CancelSleep:
    """Do not enter the sleep state after all, if there is still time."""

    serial: int


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Send ``Due`` at this instant; replaces the one before. ``None``: there is nothing to wait for."""

    at: float | None


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the users that this stage is entered at this instant."""

    stage: str
    at: float


@dataclass(frozen=True, slots=True)
class Unwarn:
    """Tell the users that it is not."""

    stage: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Something worth a line in the history and the journal.

    :param what: ``asked``, ``entered``, ``left``, ``activity``, ``refused``, ``apply-failed``, ``restore-failed``, ``sleep``, ``sleep-refused``,
        ``sleep-failed``, ``resumed``, ``woken``, ``loop``, ``action-spent``.
    """

    what: str
    stage: str = ""
    detail: str = ""
    blockers: tuple[Blocker, ...] = ()


Command = Look | Apply | Restore | Sleep | CancelSleep | SetTimer | Warn | Unwarn | Tell
