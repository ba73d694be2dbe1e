"""The configuration, whole or not at all: every problem of every file at once."""

from __future__ import annotations

from typing import Any

from powernap.config import scheduling, sections
from powernap.config.declared import declared
from powernap.config.fill import Form
from powernap.config.kinds import ACTIONS, METERS, MONITORS, SCHEDULES, Kinds
from powernap.config.model import Config, MonitorConfig, Off, Settings, Warn
from powernap.config.problems import ConfigErrors, Findings, Place
from powernap.config.sources import DIRECTORY, read
from powernap.config.stages import Rung, ladder, named_actions
from powernap.config.tree import Tree, grow
from powernap.core.units import show_duration
from powernap.sleep.options import SleepOptions

SLEEPER = 'add a stage with sleep = "suspend"'


def load(
    *paths: str,
    monitors: Kinds = MONITORS,
    actions: Kinds = ACTIONS,
    meters: Kinds = METERS,
    schedules: Kinds = SCHEDULES,
    trusted: bool = True,
) -> Config:
    """The configuration of files or directories, later wins; ``/etc/powernap`` when none is given.

    :param trusted: refuse, as root, files that others could have written. ``False`` is for looking at somebody's draft.
    :raises ConfigErrors: with all problems. It raises nothing else.
    """
    findings = Findings()
    sources = [source for path in paths or (DIRECTORY,) for source in read(path, findings, trusted=trusted)]
    return build(sources, findings, monitors=monitors, actions=actions, meters=meters, schedules=schedules)


def build(
    sources: list[tuple[str, str]],
    findings: Findings | None = None,
    *,
    monitors: Kinds = MONITORS,
    actions: Kinds = ACTIONS,
    meters: Kinds = METERS,
    schedules: Kinds = SCHEDULES,
) -> Config:
    """The configuration of (file, text) pairs; pure but for the types that it loads."""
    form = Form(findings or Findings())
    tree = grow(sources, form.findings)
    filled = form.fill(tree.settings, declared(Settings), "", "")
    settings = None if filled is None else Settings(**filled)
    sleeping = form.fill(tree.sleep, declared(SleepOptions), "[sleep]", "sleep")
    going_off = form.fill(tree.off, declared(Off), "[off]", "off")
    telling = form.fill(tree.warn, declared(Warn), "[warn]", "warn")
    rungs = ladder(form, tree.stages)
    stages = tuple(rung.stage for rung in rungs)
    watching, off = sections.monitors(form, tree.sections["monitor"], monitors)
    ruling = sections.rules(form, tree.sections["rule"], tree.sections["monitor"], off)
    acting = sections.actions(form, tree.sections["action"], named_actions(tree.stages), actions)
    metering = sections.meters(form, tree.sections["meter"], meters)
    planned = sections.schedules(form, tree.sections["schedule"], stages, schedules)
    files = tuple(file for file, _ in sources)
    scheduling.check(form, tree, planned, schedules)
    scheduling.check_effect(form, tree, planned, stages)
    if settings is not None:
        _check_sense(form, tree, settings, rungs, watching)
    if going_off is not None and planned and not rungs:
        scheduling.check_eyes(form, tree, Off(**going_off))
    _check_sleep(form, tree, rungs, sleeping)
    _check_warn(form, tree, telling)
    if form.findings.problems or settings is None or sleeping is None or going_off is None or telling is None:
        raise ConfigErrors(form.findings.in_order(files))
    return Config(
        settings,
        stages,
        watching,
        ruling,
        acting,
        form.origins,
        tuple(form.findings.notes),
        files,
        SleepOptions(**sleeping),
        metering,
        planned,
        Off(**going_off),
        Warn(**telling),
    )


def _check_sense(
    form: Form, tree: Tree, settings: Settings, rungs: list[Rung], watching: dict[str, MonitorConfig]
) -> None:
    """What no single section can see: acting without eyes, watching without a ladder."""
    mode = tree.settings.values.get("mode")
    place = mode.place if mode else Place(tree.settings.place.file)
    if rungs and not watching and not tree.sections["monitor"]:
        message = "no monitor is configured: nobody's work would keep the machine awake"
        _refuse_or_note(form, settings, place, "monitor", message, "add a section such as [monitor.sessions]")
    elif rungs and not watching and not form.findings.problems:
        message = "every monitor is off: nobody's work would keep the machine awake"
        _refuse_or_note(
            form, settings, place, "monitor", message, "remove enabled = false from those that matter"
        )
    if not tree.stages and not tree.sections["schedule"] and not form.findings.torn:
        form.findings.note(
            place,
            "stage",
            "there is no stage: PowerNap only watches",
            "add [[stage]] with name, after and actions",
        )


def _check_sleep(form: Form, tree: Tree, rungs: list[Rung], sleeping: dict[str, Any] | None) -> None:
    """An alarm that rings before a sleep pays refuses every sleep (sleep/preflight.py); and a section that no stage asks for."""
    alarm, least = (sleeping["alarm"], sleeping["min_sleep"]) if sleeping else (None, 0.0)
    if alarm is not None and alarm < least:
        form.findings.wrong(
            tree.sleep.values["alarm"].place,
            "sleep.alarm",
            f'"alarm" in [sleep] wakes the machine after {show_duration(alarm)}, and a sleep of less than {show_duration(least)} '
            "is refused (min_sleep): it could never sleep",
            f"give alarm at least {show_duration(least)}, or a shorter min_sleep",
        )
    # one that says only what holds anyway, as `config show` writes it, is no mistake
    own = sleeping is not None and SleepOptions(**sleeping) != SleepOptions()
    own = own and not tree.sections["schedule"]  # which may say off
    if own and not form.findings.torn and all(rung.stage.sleep == "none" for rung in rungs):
        form.findings.note(
            tree.sleep.place, "sleep", "no stage sleeps: [sleep] has no effect on the ladder", SLEEPER
        )


def _check_warn(form: Form, tree: Tree, telling: dict[str, Any] | None) -> None:
    """A program that is never run, and a way to tell that nobody hears."""
    if telling is None:
        return
    by, command = telling["by"], telling["command"]
    if command and "command" not in by:
        form.findings.note(
            tree.warn.values["command"].place,
            "warn.command",
            f'"by" in [warn] leaves "command" out, so {command[0]} is never run',
            'add "command" to by, or delete command',
        )
    if by == ("command",) and not command:
        form.findings.note(
            tree.warn.values["by"].place,
            "warn.by",
            'users are told by "command" only, and there is none: nobody is told',
            'write command = ["/usr/local/bin/tell-users"] in [warn], or other ways',
        )


def _refuse_or_note(
    form: Form, settings: Settings, place: Place, key: str, message: str, remedy: str
) -> None:
    say = form.findings.missing if settings.mode == "act" else form.findings.note
    say(place, key, message, remedy)
