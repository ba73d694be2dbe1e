"""``powernap schedule test``: one instant explained: what holds, because of which schedule, what that overrules, and what the machine would do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from powernap.cli.output import show_json
from powernap.cli.paint import Cell, columns, show
from powernap.cli.schedule_facts import off_refused, span, troubles, unread
from powernap.cli.schedule_facts import period as facts_of
from powernap.cli.schedule_rows import said
from powernap.cli.schedule_text import refused as refused_off
from powernap.cli.schedule_text import source, trouble
from powernap.cli.schedule_time import Instant, both, instant, iso
from powernap.cli.schedule_week import UNKNOWN, Known, Told, known, tell, wakes, where
from powernap.config.model import AUTO, Stage
from powernap.core.timetable import DAYS as NAMED
from powernap.core.timetable import FREE, NAP, OFF, UP, Period, Span, at
from powernap.core.units import show_duration
from powernap.daemon.needs import next_need

DAY = 86400.0
BEFORE, AHEAD = 2 * DAY, 32 * DAY
"""Seconds around the instant in which its beginning and the next changes are looked for."""
SHALLOWEST = "of several that allow to nap, the shallowest stage holds"


def run(args: argparse.Namespace) -> int:
    """Always 0: whatever holds is an answer."""
    about = known(args.config, args.state)
    asked = instant(args.at, about.local.zone, about.now)
    told = tell(about, asked.at - BEFORE, asked.at + AHEAD)
    document = document_of(about, told, asked)
    if args.json:
        return show_json(document)
    print(text(about, document))
    return 0


def document_of(about: Known, told: Told, asked: Instant) -> dict[str, Any]:
    """All facts; described in docs/json.md."""
    zone, answers = about.local.zone, told.answers
    found = at(told.periods, asked.at) or Period(answers.start, answers.end, FREE)
    return {
        "version": 1,
        "zone": about.local.name,
        **both("now", about.now, zone),
        **both("at", asked.at, zone),
        "note": asked.note,
        "says": found.says,
        "deepest": found.deepest,
        **both("start", found.start if found.start > answers.start else None, zone),
        **both("end", found.end if found.end < answers.end else None, zone),
        "because": [placed(about, each) for each in found.because],
        "overruled": [{**placed(about, each), "rule": rule(found, each)} for each in found.overruled],
        "silent": list(silent(about, told, asked.at)),
        "next": following(about, told, found),
        "machine": machine(about, told, found),
        "off_refused": off_refused(about, [found]),
        "troubles": troubles(about, told),
        "notes": list(unread(about, told)),
        "powernapd": bool(about.running),
        "absent": about.absent,
    }


def placed(about: Known, each: Span) -> dict[str, Any]:
    """A statement, and where its schedule is configured."""
    return {**span(about, each), "where": where(about.config, each.schedule)}


def rule(found: Period, loser: Span) -> str:
    """By what of the one order (core/timetable.py) it is overruled."""
    return SHALLOWEST if found.says == loser.says else f"{found.says} beats {loser.says}"


def following(about: Known, told: Told, found: Period) -> dict[str, Any] | None:
    """The next period that says something else; ``None`` where nothing changes in the time that was looked at."""
    later = (each for each in told.periods if each.start >= found.end)
    changed = next((each for each in later if (each.says, each.deepest) != (found.says, found.deepest)), None)
    return facts_of(about, changed) if changed else None


# ---------------------------------------------------------------- who would speak, and is silent


def silent(about: Known, told: Told, instant: float) -> Iterator[dict[str, Any]]:
    """Statements of that instant that do not count: another schedule of ``unless`` speaks, or an exception stands."""
    for name, spans in told.answers.spans.items():
        kept = [each for each in told.spans if each.schedule == name and each.start <= instant < each.end]
        for each in spans:
            if each.says == NAMED or not each.start <= instant < each.end or covers(kept, each):
                continue
            yield {**placed(about, each), "reason": reason(about, told, name, instant)}


def covers(kept: list[Span], each: Span) -> bool:
    """What is left of it speaks at the instant."""
    return any(
        (part.says, part.detail, part.deepest) == (each.says, each.detail, each.deepest) for part in kept
    )


def reason(about: Known, told: Told, name: str, instant: float) -> str:
    """Why it is silent: what is skipped is so first (daemon/timetables.py)."""
    for hole in about.exceptions.skipped:
        if hole.schedule in {"", name} and hole.start <= instant < hole.end:
            by = f" by {hole.who}" if hole.who else ""
            return f"skipped{by} until {about.full(hole.end)}"
    others = set(about.config.schedules[name].unless)
    loud = (each for each in told.spans if each.schedule in others and each.start <= instant < each.end)
    return next((f"unless {source(each.schedule, each.detail)}" for each in loud), "an exception stands")


# ---------------------------------------------------------------- what the machine would do


def machine(about: Known, told: Told, found: Period) -> str:
    """What follows for this machine, as a sentence."""
    refused = found.says == OFF and off_refused(about, [found])
    does = stays if refused else {UP: up, OFF: off, NAP: nap, FREE: free}[found.says]
    text = does(about, told, found)
    if about.config.mode == "watch":
        return f'{text} (but mode = "watch": powernapd only says so)'
    return text


def up(about: Known, told: Told, found: Period) -> str:
    """It must be."""
    unknown = [each.schedule for each in found.because if each.schedule in told.unknown]
    if len(unknown) == len(found.because):
        return f"it stays up, no stage is entered, as long as {' and '.join(unknown)} cannot tell; it is not woken for that"
    waking = [each.schedule for each in found.because if wakes(about, told, each.schedule)]
    if waking:
        return (
            "it stays up, no stage is entered; were it asleep or off, its alarm would have woken it in time"
        )
    names = " and ".join(dict.fromkeys(each.schedule for each in found.because))
    return f"it stays up if it is, no stage is entered; it is not woken for {names}"


def off(about: Known, told: Told, found: Period) -> str:
    """It must not be."""
    config = about.config.off
    verb = {"power-off": "powers off"}.get(config.sleep, f"goes to sleep ({config.sleep})")
    when = (
        f"once nobody has used it for {show_duration(config.quiet)}"
        if config.in_use == "wait"
        else "also while somebody uses it"
    )
    warned = f", users are warned {show_duration(config.warn)} before" if config.warn else ""
    later = [each for each in told.periods if each.end > found.start]
    need = next_need(
        later, found.start, lambda name: wakes(about, told, name), lambda stage: sleeps(about, stage)
    )
    back = (
        f"; its alarm wakes it for {source(need.schedule, need.detail)}, {about.full(need.at)}"
        if need
        else "; nothing that is known wakes it again"
    )
    return f"it {verb} {when}{warned}{back}"


def stays(about: Known, told: Told, found: Period) -> str:
    """It must not be, and may not go."""
    return f"that it goes off is refused, see below; {free(about, told, found)}"


def sleeps(about: Known, deepest: str) -> bool:
    """A nap that may be so deep may be a sleep."""
    return any(stage.sleep != "none" for stage in allowed(about, deepest))


def allowed(about: Known, deepest: str) -> list[Stage]:
    """The stages down to one; all of them where none is named."""
    names = [stage.name for stage in about.config.stages]
    return list(about.config.stages[: names.index(deepest) + 1] if deepest in names else about.config.stages)


def nap(about: Known, _told: Told, found: Period) -> str:
    """It may go down the ladder so far."""
    stages = allowed(about, found.deepest)
    left = ", ".join(stage.name for stage in about.config.stages[len(stages) :])
    rest = f"; not {left}" if left else ""
    return f"it may nap: {ladder(stages)}{rest}"


def free(about: Known, _told: Told, _found: Period) -> str:
    """Only idleness counts."""
    return f"the ladder alone decides: {ladder(about.config.stages)}"


def ladder(stages: Any) -> str:
    """When which stage is entered."""
    waits = [
        f"{stage.name} after "
        + ("a time that powernapd chooses" if stage.after == AUTO else show_duration(stage.after))
        for stage in stages
    ]
    return f"{', '.join(waits)} of idle time" if waits else "it has no stages, so nothing is entered"


# ---------------------------------------------------------------- as a person reads it


def text(about: Known, document: dict[str, Any]) -> str:
    """The document, in lines."""
    zone = about.local.zone
    what = said((document["says"], document["deepest"]))
    lines = [
        f"{about.full(document['at'])}{distance(document)} ({iso(document['at'], zone)}, {document['zone']}): {what}"
    ]
    rows: list[list[Cell]] = [["note", document["note"]]] if document["note"] else []
    rows += [["because", stated(about, each)] for each in document["because"]]
    rows += [["because", "no schedule says anything of it"]] * (document["says"] == FREE)
    rows += [["overruled", f"{stated(about, each)}: {each['rule']}"] for each in document["overruled"]]
    rows += [["silent", f"{stated(about, each)}: {each['reason']}"] for each in document["silent"]]
    rows.append(["next", coming(about, document)])
    rows.append(["machine", document["machine"]])
    if document["off_refused"]:
        rows.append(["attention", refused_off(document["off_refused"], about.config.mode)])
    rows += [["attention", trouble(about, each)] for each in document["troubles"]]
    rows += [["attention", f"{each['schedule']}: {each['note']}"] for each in document["notes"]]
    if document["absent"] and about.config.schedules:
        rows.append(["attention", f"exceptions are not known: {document['absent']}"])
    return "\n".join([*lines, columns(rows)])


def distance(document: dict[str, Any]) -> str:
    """How far away."""
    seconds = document["at"] - document["now"]
    if abs(seconds) < 1:
        return ", now"
    return f", in {show_duration(seconds)}" if seconds > 0 else f", {show_duration(-seconds)} ago"


def stated(about: Known, each: dict[str, Any]) -> str:
    """A statement: who, what, how long, and where that is written."""
    written = f" ({each['where']})" if each["where"] else ""
    if each["detail"] == UNKNOWN:
        return f"{each['schedule']} cannot tell, and nothing is known of it: up until it can{written}"
    what = said((each["says"], each["deepest"]))
    return show(
        f"{source(each['schedule'], each['detail'])} says {what}, {about.full(each['start'])} until {about.until(each['end'], each['start'])}{written}"
    )


def coming(about: Known, document: dict[str, Any]) -> str:
    """The next change."""
    found = document["next"]
    if found is None:
        return f"nothing else within {show_duration(AHEAD)}"
    names = ", ".join(dict.fromkeys(source(each["schedule"], each["detail"]) for each in found["because"]))
    return f"{said((found['says'], found['deepest']))} from {about.full(found['start'])}" + (
        f": {names}" if names else ""
    )
