"""From ``[[stage]]`` sections to a ladder that can be climbed down: order, gaps, and what each rung does."""

from __future__ import annotations

from powernap.config.declared import declared
from powernap.config.fill import Form
from powernap.config.model import AUTO, Stage
from powernap.config.problems import Place
from powernap.config.sections import NAME
from powernap.config.tree import StageTable, Table
from powernap.core.plan import OFF_STAGE
from powernap.core.units import show_duration
from powernap.core.value import dataclass

RESERVED = {
    "awake": "that is the machine without any stage",
    OFF_STAGE: "that is what the schedules enter",
}
"""Names that mean something else everywhere."""


@dataclass(frozen=True)
class Rung:
    """A stage and the section that it came from."""

    stage: Stage
    table: Table
    rank: int

    def place(self, key: str) -> Place:
        """Where one of its settings stands."""
        value = self.table.values.get(key)
        return value.place if value else self.table.place

    def item(self, key: str, number: int) -> Place:
        """Where an item of one of its lists stands."""
        value = self.table.values.get(key)
        return value.item(number) if value else self.table.place


def ladder(form: Form, tables: dict[str, StageTable]) -> list[Rung]:
    """The enabled stages in order: as written, those that only a drop-in has where their ``after`` puts them."""
    rungs = [
        rung for name, stage in tables.items() if (rung := _rung(form, name, stage)) and rung.stage.enabled
    ]
    ordered: list[Rung] = []
    for rung in sorted(rungs, key=lambda rung: rung.rank):
        later = (
            number
            for number, other in enumerate(ordered)
            if other.rank < rung.rank and earliest(other.stage) > earliest(rung.stage)
        )
        ordered.insert(next(later, len(ordered)), rung)
    _check_times(form, ordered)
    _check_sleep(form, ordered)
    _check_repeats(form, ordered)
    return ordered


def _rung(form: Form, name: str, stage: StageTable) -> Rung | None:
    value = stage.table.values.get("name")
    named = value is not None and value.raw and isinstance(value.raw, str)
    filled = form.fill(
        stage.table, declared(Stage), f'stage "{name}"' if named else "a stage", f"stage.{name}"
    )
    if filled is None:
        return None
    rung = Rung(Stage(**filled), stage.table, stage.rank)
    if not NAME.fullmatch(rung.stage.name):
        message = f'"{name}" cannot be the name of a stage: letters, digits, - and _ only'
        form.findings.wrong(
            rung.place("name"), f"stage.{name}.name", message, 'write, for example, name = "ease"'
        )
    if rung.stage.name in RESERVED:
        message = f'no stage can be called "{name}": {RESERVED[name]}'
        form.findings.wrong(
            rung.place("name"), f"stage.{name}.name", message, 'write, for example, name = "ease"'
        )
    return rung


def _check_times(form: Form, rungs: list[Rung]) -> None:
    """Each stage later than the one before, and each warning after the stage before began."""
    for before, rung in zip([None, *rungs], rungs, strict=False):
        stage, path = rung.stage, f"stage.{rung.stage.name}"
        if stage.after == AUTO or (before and before.stage.after == AUTO):
            _check_auto(form, before, rung)
            continue
        begun = before.stage.after if before else 0.0
        first = (
            f'"{before.stage.name}" begins at {show_duration(begun)} ({before.place("after")})'
            if before
            else ""
        )
        if before and stage.after <= begun:
            message = f'stage "{stage.name}" begins at {show_duration(stage.after)}, and above it {first}'
            remedy = f"give it more than {show_duration(begun)}, or put it further up"
            form.findings.wrong(rung.place("after"), f"{path}.after", message, remedy)
        elif stage.warn >= stage.after - begun > 0:
            warning = f'stage "{stage.name}" begins at {show_duration(stage.after)} and would warn {show_duration(stage.warn)} before'
            message = f"{warning}, but {first}" if before else f"{warning}, when the machine is not idle yet"
            remedy = f"give warn less than {show_duration(stage.after - begun)}"
            form.findings.wrong(rung.place("warn"), f"{path}.warn", message, remedy)


def _check_auto(form: Form, before: Rung | None, rung: Rung) -> None:
    """There must be room between the earliest time of the stage before and the latest of this one, for the warning too."""
    stage, path = rung.stage, f"stage.{rung.stage.name}"
    begun = earliest(before.stage) if before else 0.0
    key = "most" if stage.after == AUTO else "after"
    latest = stage.most if stage.after == AUTO else stage.after
    if stage.after == AUTO and stage.least > stage.most:
        message = f'stage "{stage.name}" begins at {show_duration(stage.least)} at the earliest and at {show_duration(stage.most)} at the latest'
        form.findings.wrong(rung.place("least"), f"{path}.least", message, "give least less than most")
    elif latest <= begun + stage.warn:
        first = (
            f'"{before.stage.name}" begins at {show_duration(begun)} at the earliest'
            if before
            else "it warns before"
        )
        message = f'stage "{stage.name}" begins at {show_duration(latest)} at the latest, and {first}'
        remedy = f"give it more than {show_duration(begun + stage.warn)}"
        form.findings.wrong(rung.place(key), f"{path}.{key}", message, remedy)


def earliest(stage: Stage) -> float:
    """Seconds of idle time before which it is not entered."""
    return stage.least if stage.after == AUTO else stage.after


def _check_sleep(form: Form, rungs: list[Rung]) -> None:
    """Sleep comes last, power-off last of all, and every stage does something."""
    for number, rung in enumerate(rungs):
        stage, path = rung.stage, f"stage.{rung.stage.name}"
        asleep = next((other for other in rungs[:number] if other.stage.sleep != "none"), None)
        off = next((other for other in rungs[:number] if other.stage.sleep == "power-off"), None)
        if stage.sleep == "none" and not stage.actions:
            form.findings.missing(
                rung.table.place,
                path,
                f'stage "{stage.name}" does nothing',
                'add actions = ["cpu-clock"] or sleep = "suspend"',
            )
        if off:
            message = f'stage "{stage.name}" comes after "{off.stage.name}", which powers the machine off ({off.place("sleep")})'
            form.findings.wrong(
                rung.table.place, path, message, f'put it before "{off.stage.name}", or leave it out'
            )
        elif asleep and stage.sleep == "none":
            message = f'stage "{stage.name}" comes after "{asleep.stage.name}", in which the machine sleeps ({asleep.place("sleep")})'
            form.findings.wrong(
                rung.table.place, path, message, f'put it before "{asleep.stage.name}", with a shorter after'
            )


def _check_repeats(form: Form, rungs: list[Rung]) -> None:
    """Stages add up: an action of an earlier one is still in force."""
    seen: dict[str, Rung] = {}
    for rung in rungs:
        for number, name in enumerate(rung.stage.actions):
            earlier = seen.setdefault(name, rung)
            if earlier is not rung or name in rung.stage.actions[:number]:
                where = (
                    "twice in this stage"
                    if earlier is rung
                    else f'already taken in stage "{earlier.stage.name}"'
                )
                message = f'the action "{name}" is {where}'
                form.findings.wrong(
                    rung.item("actions", number),
                    f"stage.{rung.stage.name}.actions",
                    message,
                    "leave it out here: stages add up",
                )


def named_actions(tables: dict[str, StageTable]) -> dict[str, Place]:
    """Actions that stages name, each at its first place; also those of stages that are wrong elsewhere."""
    found: dict[str, Place] = {}
    for stage in tables.values():
        value, enabled = stage.table.values.get("actions"), stage.table.values.get("enabled")
        if value is None or (enabled and enabled.raw is False):
            continue
        names = value.raw if isinstance(value.raw, list) else [value.raw]
        for number, name in enumerate(names):
            if isinstance(name, str) and name:
                found.setdefault(name, value.item(number))
    return found
