"""What the schedules ask of the machine now, as far as decisions depend on it. Instants are seconds of ``CLOCK_BOOTTIME``.

The order in which contradicting schedules hold is ``timetable.py``'s; here it has been applied.
"""

from __future__ import annotations

from powernap.core.value import dataclass

OFF_STAGE = "scheduled-off"
"""The name of the stage that only a schedule (or an admin by name) enters: the last of the ladder, whose idle time never comes."""


@dataclass(frozen=True, slots=True)
class Window:
    """A schedule wants the machine up.

    :param until: when it ends by itself, where that is known.
    """

    name: str
    reason: str = "the schedule keeps it up"
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Off:
    """A schedule wants the machine off.

    :param at: from then on. It may lie ahead, so that users can be warned before it.
    :param until: when it must be up again, or may be.
    :param quiet: it is not switched off before it has been idle for this many seconds, and for a minute more than users are warned;
        somebody at its keyboard postpones it so.
    :param force: what monitors see does not count; leases, schedules that want it up, and ``min_awake`` after a start or resume do.
    """

    name: str
    at: float
    until: float | None = None
    quiet: float = 0.0
    force: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it.

    :param deepest: the deepest stage that is allowed now, by name; empty: all of them.
    :param why: the schedule that says so.
    """

    up: tuple[Window, ...] = ()
    deepest: str = ""
    why: str = ""
    off: Off | None = None


NOTHING = Plan()
