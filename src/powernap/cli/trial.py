"""What a ``powernap try`` watches and does: the configuration in force with a ladder of one short stage.

Owns which monitors and actions take part, and why the others do not. Running it is try_.py's.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from powernap.actions import find
from powernap.cli.glance import Seen
from powernap.config.model import ActionConfig, Config, MonitorConfig, Stage
from powernap.host.availability import Availability
from powernap.host.host import Host
from powernap.monitors import find as find_monitor
from powernap.sleep.options import SleepOptions

SAFE = ("cpu-clock", "kernel-quiet")
"""The actions whose probe needs no admin's word: they change no placement of work, and restore in microseconds."""
NEVER_QUIET = frozenset({"cpu", "disk", "network", "pressure", "process-io"})
"""Kinds that ``--quiet-only`` leaves out."""
ALWAYS = ("input", "terminals", "cpu")
"""Kinds that every try watches, also where the configuration does not: a key press must bring the machine back."""
OWN = frozenset({"sessions", "tcp"})
"""Kinds that the person who tries is usually seen by, for as long as the try lasts."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for; lengths are seconds."""

    nap_after: float
    programs: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    quiet_only: bool = False


def candidates(config: Config, wishes: Wishes) -> tuple[dict[str, MonitorConfig], dict[str, str]]:
    """Monitors that would take part if they can see, and those that cannot be of use, with the reason."""
    left_out: dict[str, str] = {}
    found: dict[str, MonitorConfig] = {}
    for name, monitor in config.monitors.items():
        if monitor.type == "load":
            left_out[name] = "a load average remembers minutes; cpu is watched instead"
        else:
            found[name] = monitor
    kinds = {monitor.type for monitor in found.values()}
    for kind in ALWAYS:
        if kind not in kinds:
            _put(found, kind, kind, find_monitor(kind).Options())
    for program in wishes.programs:
        _put(found, program, "process", find_monitor("process").Options(program=program))
    for port in wishes.ports:
        _put(found, f"port-{port}", "tcp", find_monitor("tcp").Options(port=port))
    if wishes.quiet_only:
        left_out |= {name: "--quiet-only" for name, m in found.items() if m.type in NEVER_QUIET}
    return {name: monitor for name, monitor in found.items() if name not in left_out}, left_out


def _put(found: dict[str, MonitorConfig], wanted: str, kind: str, options: Any) -> None:
    """Under a name that the configuration allows and that is still free."""
    name = base = re.sub(r"[^A-Za-z0-9_-]", "-", wanted)
    number = 2
    while name in found:
        name, number = f"{base}-{number}", number + 1
    found[name] = MonitorConfig(name, kind, options)


def sighted(seen: Iterable[Seen]) -> tuple[dict[str, MonitorConfig], dict[str, str]]:
    """Of the candidates those that can see, without the person's own login and connection; and why not the others."""
    taken: dict[str, MonitorConfig] = {}
    left_out: dict[str, str] = {}
    for each in seen:
        name, reading = each.config.name, each.reading
        if not each.answer:
            left_out[name] = why_not(each.answer)
        elif reading and reading.failed:
            left_out[name] = reading.reason
        elif reading and reading.active and each.config.type in OWN:
            left_out[name] = f"in use already, as you are: {reading.reason}"
        else:
            taken[name] = each.config
    return taken, left_out


def why_not(answer: Availability) -> str:
    """The reason and the remedy."""
    return answer.detail + (f" -> {answer.remedy}" if answer.remedy else "")


def actions(
    host: Host, config: Config, refusal: str
) -> tuple[dict[str, ActionConfig], dict[str, str], list[str]]:
    """The safe actions with the admin's options, why some will do nothing, and the names of those that will do something.

    :param refusal: why nothing may be changed at all; empty when it may.
    """
    configured = {action.type: action for action in config.actions.values()}
    chosen = {kind: configured.get(kind) or ActionConfig(kind, kind, find(kind).Options()) for kind in SAFE}
    answers = {action.name: find(action.type).probe(host, action.options) for action in chosen.values()}
    left_out = {name: why_not(answer) for name, answer in answers.items() if not answer}
    if refusal:
        left_out |= {name: refusal for name, answer in answers.items() if answer}
    doing = [name for name in answers if name not in left_out]
    return {action.name: action for action in chosen.values()}, left_out, doing


def plan(
    config: Config,
    wishes: Wishes,
    monitors: Mapping[str, MonitorConfig],
    chosen: Mapping[str, ActionConfig],
    *,
    act: bool,
) -> Config:
    """The configuration of the try. All safe actions stand in the stage: one that can do nothing says so when its turn comes."""
    rules = {
        name: rule
        for name, rule in config.rules.items()
        if all(member in monitors for member in (*rule.all_of, *rule.any_of))
    }
    return replace(
        config,
        settings=replace(config.settings, mode="act" if act else "watch"),
        stages=(Stage("ease", wishes.nap_after, actions=tuple(chosen)),),
        sleep=SleepOptions(),
        monitors=monitors,
        rules=rules,
        actions=chosen,
    )


def watched(monitor: MonitorConfig) -> str:
    """A monitor with what it is about: ``packages (dpkg)``."""
    options = monitor.options
    about = getattr(options, "program", "") or getattr(options, "regex", "")
    if monitor.type == "tcp":
        about = ", ".join(map(str, [*([options.port] if options.port is not None else []), *options.ports]))
    return f"{monitor.name} ({about})" if about and about != monitor.name else monitor.name


def invitation(seen: Iterable[Seen], taken: Mapping[str, MonitorConfig]) -> str:
    """A command that brings the machine back: a watched program that is installed and whose start is told by the kernel."""
    for each in seen:
        program = getattr(each.config.options, "program", "") if each.config.type == "process" else ""
        if program and each.events and each.config.name in taken and shutil.which(program):
            return f"{program} --version"
    return ""
