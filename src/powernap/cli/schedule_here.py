"""Notes of ``powernap config check`` about schedules that only this machine can tell: what they name and is not here, or powernapd does not see,
and that *off* would be refused. Notes, since a machine may change, and a draft may be for another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from powernap.cli import schedule_way_back
from powernap.cli.schedule_week import where
from powernap.config.declared import declared
from powernap.config.model import Config, ScheduleConfig
from powernap.config.problems import Place, Problem
from powernap.core.timetable import OFF
from powernap.daemon.timetables import module
from powernap.host.host import Host
from powernap.schedules import Doubt

HIDDEN = {
    "home": "ProtectHome=",
    "root": "ProtectHome=",
    "run/user": "ProtectHome=",
    "tmp": "PrivateTmp=",
    "var/tmp": "PrivateTmp=",
}
"""What packaging/powernapd.service hides from the daemon (systemd.exec(5))."""


def notes(config: Config, host: Host) -> list[Problem]:
    """All of them, in the order of the schedules."""
    found = []
    for each in config.schedules.values():
        try:
            found += [note(config, each.name, doubt) for doubt in doubts(host, each)]
        except Exception as error:  # one of another package
            broken = Doubt(
                "",
                f"it cannot be checked ({type(error).__name__}: {error})",
                "report that to whoever brings it",
            )
            found.append(note(config, each.name, broken))
    return [*found, *no_way_back(config, host)]


def note(config: Config, name: str, doubt: Doubt) -> Problem:
    """With the line of the key, or else of the section."""
    key = f"schedule.{name}.{doubt.key}" if doubt.key else f"schedule.{name}"
    given = config.origins.get(key, "")
    at = place(given if given not in {"", "default"} else where(config, name))
    return Problem(at.file, at.line, key, f'schedule "{name}": {doubt.what}', doubt.remedy)


def place(text: str) -> Place:
    """Of ``FILE:LINE``."""
    file, _, line = text.rpartition(":")
    return Place(file, int(line)) if line.isdecimal() else Place(text)


def doubts(host: Host, schedule: ScheduleConfig) -> Iterator[Doubt]:
    """What powernapd does not see, and what is not here, or stands for nothing."""
    unseen = dict(hidden(schedule.options))
    yield from unseen.values()
    used = module(schedule)
    told = list(getattr(used, "doubts", lambda *_: ())(host, schedule.options))
    yield from told
    answer = used.probe(host, schedule.options)
    if not answer and not told and not any(path in answer.detail for path in unseen):
        yield Doubt("", answer.detail, answer.remedy)


def hidden(options: Any) -> Iterator[tuple[str, Doubt]]:
    """Files in places that powernapd's unit hides from it, by their paths."""
    for key, each in declared(type(options)).items():
        value = getattr(options, each.field)
        if not isinstance(value, str) or not (each.unit == "path" or key == "source"):
            continue
        for directory, hides in HIDDEN.items():
            if value.startswith(f"/{directory}/"):
                what = f"powernapd does not see {value}: its unit hides /{directory} ({hides})"
                yield value, Doubt(key, what, "put it below /etc/powernap")


def no_way_back(config: Config, host: Host) -> Iterator[Problem]:
    """At the first schedule that says off."""
    for each in config.schedules.values():
        options: Any = each.options
        key = (
            "off" if getattr(options, "off", ()) else "means" if getattr(options, "means", "") == OFF else ""
        )
        if not key:
            continue
        reason = schedule_way_back.refusal(config, host)
        what, _, remedy = reason.partition("; ")
        if reason:
            how = "would be refused" if config.mode == "watch" else "is refused"
            yield note(config, each.name, Doubt(key, f"it says off, which {how}: {what}", remedy))
        return
