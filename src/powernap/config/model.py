"""What can be configured apart from the options of each monitor and action, and the configuration as the daemon gets it.

Each declaration is the one source of its validation, of ``powernap config explain`` and of the reference page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from powernap.config.problems import Problem
from powernap.core.options import option
from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.sleep.options import SleepOptions

AUTO = -1.0
"""The value of ``after = "auto"``: the daemon chooses (daemon/thresholds.py)."""


def _positive(value: float) -> str | None:
    return None if value > 0 or value == AUTO else "0 is not enough; write a longer time"


def _at_least(least: int) -> Any:
    return lambda value: None if value >= least else f"{value} is not enough; write {least} or more"


def _between(least: int, most: int) -> Any:
    return lambda value: (
        None if least <= value <= most else f"{value} is out of range; write {least} to {most}"
    )


def _restore_within(value: float) -> str | None:
    if value < 0.1:
        return f"{show_duration(value)} would be polling; write 100ms or more"
    return None


def _program(command: tuple[str, ...]) -> str | None:
    if command and not command[0].startswith("/"):
        return 'write the program with its whole path, then its arguments: ["/usr/local/bin/tell-users", "--all"]'
    return None


def _kind_of(noun: str, example: str) -> Any:
    """The key ``type`` of a section that may be called otherwise than its kind."""
    return option(
        "", help=f"What kind of {noun} it is; without it, the name of the section.", example=example
    )


@dataclass(frozen=True)
class Settings:
    """Settings of the whole machine: they stand before the first section."""

    mode: str = option(
        "watch",
        help='"watch" decides, records and reports what it would do, and changes nothing; "act" does it.',
        choices=("watch", "act"),
        example="act",
    )
    min_awake: float = option(
        120.0,
        help="After any resume the machine stays up at least this long.",
        unit="duration",
        example="2min",
    )
    restore_within: float = option(
        1.0,
        help="In a reversible stage, monitors that no event wakes are looked at this often, so that the way back is quick.",
        unit="duration",
        example="1s",
        check=_restore_within,
    )
    loop_limit: int = option(
        5,
        help="This many sleeps within `loop_window` are a sleep-wake loop: PowerNap stops acting and says so.",
        example="5",
        check=_at_least(2),
    )
    loop_window: float = option(
        900.0,
        help="The time in which `loop_limit` sleeps are a loop.",
        unit="duration",
        example="15min",
        check=_positive,
    )
    action_budget: int = option(
        3,
        help="An action that failed this often in a row is left alone until the next start.",
        example="3",
        check=_at_least(1),
    )
    action_time_limit: float = option(
        10.0,
        help="An action that takes longer has failed, and what it changed is put back.",
        unit="duration",
        example="10s",
        check=_positive,
    )
    history: int = option(
        1000,
        help="How many decisions `powernap history` remembers.",
        example="1000",
        check=_between(10, 1_000_000),
    )


@dataclass(frozen=True)
class Stage:
    """A rung of the ladder. Stages are `[[stage]]` sections, in the order in which they are entered."""

    name: str = option(
        help="Its name, in `powernap status` and in drop-ins, which change the stage of this name.",
        example="ease",
    )
    after: float = option(
        help='The idle time at which it is entered; each stage later than the one before. "auto" chooses it by what the stage saves here and'
        " by how long this machine's idle times last.",
        unit="duration",
        example="5min",
        check=_positive,
        words={"auto": AUTO},
    )
    warn: float = option(
        0.0,
        help="Users are warned this long before, within `after`; 0 warns nobody.",
        unit="duration",
        example="30s",
    )
    actions: tuple[str, ...] = option(
        (),
        help="What is changed, in this order; put back in reverse order at the first activity.",
        example='["cpu-clock"]',
    )
    sleep: str = option(
        "none",
        help="The sleep state that the machine enters; only the last stages may sleep.",
        choices=("none", "suspend", "hibernate", "suspend-then-hibernate", "hybrid-sleep", "power-off"),
        example="suspend",
    )
    enabled: bool = option(
        True, help="`false` leaves the stage out: for a drop-in that does without it.", example="false"
    )
    least: float = option(
        120.0,
        help='With after = "auto": never earlier than this.',
        unit="duration",
        example="2min",
        check=_positive,
    )
    most: float = option(
        7200.0,
        help='With after = "auto": never later than this.',
        unit="duration",
        example="2h",
        check=_positive,
    )


@dataclass(frozen=True)
class Watching:
    """Options that every monitor has."""

    type: str = _kind_of("monitor", example="tcp")
    enabled: bool = option(True, help="`false` leaves the monitor out.", example="false")
    hold: float = option(
        0.0,
        help="It counts as active for this long after its last activity.",
        unit="duration",
        example="10min",
    )
    on_error: str = option(
        "active",
        help='When it cannot answer: "active" keeps the machine awake, "ignore" goes on without it.',
        choices=("active", "ignore"),
        example="ignore",
    )
    error_limit: float = option(
        0.0,
        help="After failing for this long it is ignored, loudly; 0 means never.",
        unit="duration",
        example="1h",
    )
    time_limit: float = option(
        5.0, help="An answer that takes longer is a failure.", unit="duration", example="5s", check=_positive
    )


@dataclass(frozen=True)
class Rule:
    """Combines monitors: they count only through the rule. Give one of the two lists."""

    all_of: tuple[str, ...] = option(
        (),
        help="Monitors that must all be active for the rule to keep the machine awake.",
        example='["load", "ssh"]',
    )
    any_of: tuple[str, ...] = option(
        (),
        help="Monitors of which one active is enough for the rule to keep the machine awake.",
        example='["nfs", "smb"]',
    )


@dataclass(frozen=True)
class Acting:
    """Options that every action has."""

    type: str = _kind_of("action", example="units")


@dataclass(frozen=True)
class Metering:
    """Options that every meter has."""

    type: str = _kind_of("meter", example="plug")
    enabled: bool = option(
        True, help="`false` leaves the meter out, also one that is used by itself.", example="false"
    )


@dataclass(frozen=True)
class Scheduling:
    """Options that every schedule has."""

    type: str = _kind_of("schedule", example="windows")
    enabled: bool = option(True, help="`false` leaves the schedule out.", example="false")
    unless: tuple[str, ...] = option(
        (), help="Schedules: while one of them says anything, this one says nothing.", example='["holidays"]'
    )
    wake: bool = option(
        True, help="The machine is woken in time for it; `false` only keeps it awake.", example="false"
    )


@dataclass(frozen=True)
class Off:
    """How the machine goes off when a schedule says so."""

    sleep: str = option(
        "power-off",
        help="What *off* is on this machine.",
        choices=("power-off", "hibernate", "suspend"),
        example="power-off",
    )
    warn: float = option(
        600.0,
        help="Users are warned this long before; 0 warns nobody.",
        unit="duration",
        example="10min",
    )
    in_use: str = option(
        "wait",
        help='While somebody uses the machine: "wait" until nobody has for as long as `quiet`, or go "off" all the same; leases, and '
        "schedules that want it up, are honoured in both cases.",
        choices=("wait", "off"),
        example="wait",
    )
    quiet: float = option(
        300.0,
        help='With in_use = "wait": how long nobody must have used it; somebody at the keyboard postpones it so.',
        unit="duration",
        example="5min",
    )
    postpone: float = option(
        3600.0,
        help="For how long at once whoever is logged in may put it off with `powernap postpone`; 0: nobody may but root and group powernap.",
        unit="duration",
        example="1h",
    )
    postpone_most: float = option(
        14400.0,
        help="For how long they may in all, for each time of *off*.",
        unit="duration",
        example="4h",
    )


@dataclass(frozen=True)
class Warn:
    """How users are told that *off*, or a stage with `warn`, comes, and that it does not come after all."""

    by: tuple[str, ...] = option(
        ("terminals", "desktop", "logind", "command"),
        help="Ways that there are not on a machine are passed over. terminals: a line at each that takes messages (`mesg y`). desktop: a "
        "notification in each user's session. logind: its last words as the machine goes off, and its line in the journal, say why. command: the "
        "program below.",
        choices=("terminals", "desktop", "logind", "command"),
        example='["terminals", "command"]',
    )
    command: tuple[str, ...] = option(
        (),
        help="A program of root's, and its arguments; no shell reads them. In its environment are POWERNAP_EVENT (warn, unwarn), POWERNAP_STAGE, "
        "POWERNAP_AT (when, in seconds since the epoch) and POWERNAP_WHY. It has 30 s.",
        example='["/usr/local/bin/tell-users"]',
        check=_program,
    )


@dataclass(frozen=True)
class MonitorConfig:
    """One monitor: its ``options`` are an instance of its type's ``Options``; the rest is the daemon's."""

    name: str
    type: str
    options: Any
    hold: float = 0.0
    on_error: str = "active"
    error_limit: float = 0.0
    time_limit: float = 5.0


@dataclass(frozen=True)
class RuleConfig:
    """One rule; exactly one of the lists has members."""

    name: str
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str, ...]:
        """The monitors that count only through this rule."""
        return self.all_of or self.any_of


@dataclass(frozen=True)
class ActionConfig:
    """One action: its ``options`` are an instance of its type's ``Options``."""

    name: str
    type: str
    options: Any


@dataclass(frozen=True)
class MeterConfig:
    """One meter: its ``options`` are an instance of its type's ``Options``; one that is not ``enabled`` takes its type away."""

    name: str
    type: str
    options: Any
    enabled: bool = True


@dataclass(frozen=True)
class ScheduleConfig:
    """One schedule: its ``options`` are an instance of its type's ``Options``."""

    name: str
    type: str
    options: Any
    unless: tuple[str, ...] = ()
    wake: bool = True


@dataclass(frozen=True)
class Config:
    """A configuration without faults.

    :param stages: the enabled ones, in order of ``after``.
    :param monitors: the enabled ones.
    :param actions: those that a stage names or a section configures.
    :param origins: key path ("stage.ease.after") to "file:line" or "default".
    :param notes: worth saying at start, and harmless: an action that no stage uses, a file in ``conf.d`` that is not read.
    :param files: the files that were read, in order.
    :param sleep: how the machine goes to sleep, and what must be sure before.
    :param meters: those that have a section. Kinds that need no address are used without one.
    :param schedules: the enabled ones. :param off: how it goes off when one of them says so. :param warn: how users are told of it.
    """

    settings: Settings = field(default_factory=Settings)
    stages: tuple[Stage, ...] = ()
    monitors: Mapping[str, MonitorConfig] = field(default_factory=dict)
    rules: Mapping[str, RuleConfig] = field(default_factory=dict)
    actions: Mapping[str, ActionConfig] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
    sleep: SleepOptions = field(default_factory=SleepOptions)
    meters: Mapping[str, MeterConfig] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleConfig] = field(default_factory=dict)
    off: Off = field(default_factory=Off)
    warn: Warn = field(default_factory=Warn)

    @property
    def mode(self) -> str:
        """``watch`` or ``act``."""
        return self.settings.mode
