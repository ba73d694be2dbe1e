"""The ladder of power stages, and every number that the machine's decisions depend on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from powernap.core.plan import OFF_STAGE
from powernap.core.value import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One rung.

    :param after: idle time in seconds at which it is entered; above 0.
    :param warn: users are told this many seconds before; lies inside ``after``.
    :param actions: names of the actions applied on entry, in order.
    :param sleep: ``suspend``, ``hibernate``, ``suspend-then-hibernate``, ``hybrid-sleep``, ``power-off``, or ``None``.
    """

    name: str
    after: float
    actions: tuple[str, ...] = ()
    warn: float = 0.0
    sleep: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Monitors that count together: all of them (``every``) or any one of them. Each member is a monitor of the settings."""

    name: str
    members: tuple[str, ...]
    every: bool


@dataclass(frozen=True, slots=True)
class MonitorRule:
    """How one monitor's readings are taken.

    :param events: an event tells when its activity begins; otherwise it must be looked at while napping.
    :param hold: activity counts this many seconds longer than it lasted.
    :param on_error_active: a failed reading keeps the machine awake ...
    :param error_limit: ... for at most this many seconds on end; 0 means without end.
    """

    events: bool = True
    hold: float = 0.0
    on_error_active: bool = True
    error_limit: float = 0.0


@dataclass(frozen=True)
class Settings:
    """The configuration as far as decisions depend on it; not the mode: watching decides as acting does. Durations are seconds.

    :param stages: ascending in ``after``; perhaps with :data:`~powernap.core.plan.OFF_STAGE` as the last, whose time never comes by itself.
    :param min_awake: the machine stays up at least this long after any resume.
    :param restore_within: while napping, monitors without an event are looked at this often.
    :param loop_limit: more sleeps of ours than this within ``loop_window`` are a sleep-wake loop.
    :param action_budget: after this many failures an action is left out until the configuration is loaded again.
    """

    stages: tuple[Stage, ...] = ()
    monitors: tuple[tuple[str, MonitorRule], ...] = ()
    rules: tuple[Rule, ...] = ()
    min_awake: float = 120.0
    restore_within: float = 1.0
    loop_limit: int = 5
    loop_window: float = 900.0
    action_budget: int = 3

    def index(self, name: str) -> int | None:
        """The position of a stage in the ladder."""
        return next((i for i, stage in enumerate(self.stages) if stage.name == name), None)

    @cached_property
    def off(self) -> int | None:
        """The position of the stage that only a schedule enters, or an admin who names it."""
        return len(self.stages) - 1 if self.stages and self.stages[-1].name == OFF_STAGE else None

    @cached_property
    def eventless(self) -> frozenset[str]:
        """The monitors that can only be looked at."""
        return frozenset(name for name, rule in self.monitors if not rule.events)

    @cached_property
    def grouped(self) -> frozenset[str]:
        """The monitors that count only as members of a rule."""
        return frozenset(name for rule in self.rules for name in rule.members)

    @cached_property
    def taken(self) -> Mapping[str, MonitorRule]:
        """How the readings of each monitor are taken."""
        return dict(self.monitors)
