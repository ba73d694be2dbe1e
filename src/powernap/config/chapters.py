"""Everything that can be configured, as chapters: the outline of ``config explain`` and of the reference page."""

from __future__ import annotations

from powernap.config.declared import Declared, declared
from powernap.config.inventory import Method, Target, Together
from powernap.config.kinds import ACTIONS, METERS, MONITORS, SCHEDULES, WAKERS, KindError, Kinds
from powernap.config.model import Acting, Metering, Off, Rule, Scheduling, Settings, Stage, Warn, Watching
from powernap.core.value import dataclass
from powernap.sleep.options import SleepOptions


@dataclass(frozen=True)
class Chapter:
    """A section of the file.

    :param path: prefix of its keys ("monitor.tcp"), empty for settings of the whole machine.
    :param header: how the section begins in the file.
    :param detail: facts of the type besides its options (risk, whether it hears events).
    """

    path: str
    title: str
    header: str
    help: str
    options: dict[str, Declared]
    detail: str = ""

    def key(self, option: Declared) -> str:
        """Path of one of its options."""
        return f"{self.path}.{option.key}" if self.path else option.key


def chapters(
    monitors: Kinds = MONITORS,
    actions: Kinds = ACTIONS,
    meters: Kinds = METERS,
    schedules: Kinds = SCHEDULES,
    wakers: Kinds = WAKERS,
) -> list[Chapter]:
    """All of them; a type that does not load has a chapter that says so."""
    return [
        Chapter("", "Settings", "", "They stand before the first section.", declared(Settings)),
        Chapter("stage", "Stages", "[[stage]]", _first(Stage.__doc__), declared(Stage)),
        Chapter("sleep", "Sleep", "[sleep]", _first(SleepOptions.__doc__), declared(SleepOptions)),
        Chapter("off", "Off", "[off]", _first(Off.__doc__), declared(Off)),
        Chapter("warn", "Warnings", "[warn]", _first(Warn.__doc__), declared(Warn)),
        Chapter("monitor", "Every monitor", "[monitor.NAME]", _first(Watching.__doc__), declared(Watching)),
        *(_of_kind(monitors, kind) for kind in monitors.names()),
        Chapter("rule", "Rules", "[rule.NAME]", _first(Rule.__doc__), declared(Rule)),
        Chapter("action", "Every action", "[action.NAME]", _first(Acting.__doc__), declared(Acting)),
        *(_of_kind(actions, kind) for kind in actions.names()),
        Chapter("meter", "Every meter", "[meter.NAME]", _first(Metering.__doc__), declared(Metering)),
        *(_of_kind(meters, kind) for kind in meters.names()),
        Chapter(
            "schedule",
            "Every schedule",
            "[schedule.NAME]",
            _first(Scheduling.__doc__),
            declared(Scheduling),
        ),
        # nobody calls a schedule by its type
        *(_of_kind(schedules, kind, f'[schedule.NAME] with type = "{kind}"') for kind in schedules.names()),
        Chapter("hosts", "Other machines together", "", _first(Together.__doc__), declared(Together)),
        Chapter("host", "Each other machine", "[host.NAME]", _first(Target.__doc__), declared(Target)),
        Chapter(
            "waker",
            "Every method of waking",
            "[[host.NAME.wake]]",
            _first(Method.__doc__),
            declared(Method),
        ),
        *(_of_kind(wakers, kind, "[[host.NAME.wake]]") for kind in wakers.names()),
    ]


def _of_kind(kinds: Kinds, kind: str, header: str = "") -> Chapter:
    path = f"{kinds.noun}.{kind}"
    header = header or f"[{path}]"
    title = f"{kinds.noun.capitalize()} `{kind}`"
    try:
        module = kinds.module(kind)
    except KindError as error:
        return Chapter(path, title, header, f"It cannot be used: {error.message}.", {})
    return Chapter(path, title, header, _first(module.__doc__), declared(module.Options), _detail(module))


def _detail(module: object) -> str:
    events, risk, scope = (getattr(module, name, None) for name in ("EVENTS", "RISK", "SCOPE"))
    if scope:
        readers = (
            "`powernap measure` and powernapd" if getattr(module, "LOCAL", False) else "`powernap measure`"
        )
        return f"Scope: {scope}. Read by {readers}."
    if events is not None:
        return (
            "An event tells when activity begins."
            if events
            else "It compares counters when a decision depends on them."
        )
    return f"Risk: {risk}." if risk else ""


def _first(doc: str | None) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((doc or "").strip().partition("\n\n")[0].split())
