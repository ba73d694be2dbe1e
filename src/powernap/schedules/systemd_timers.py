"""systemd timers: the machine must be up when one of those that are named elapses, until its unit has run.

Timers are named, or taken because they ask for it themselves (``WakeSystem=yes``, systemd.timer(5)). From suspend systemd wakes the
machine for those by itself; that it stays up until the work is done, and wakes from a power-off too, is what this schedule is for.

systemd knows the next time only. ``systemd-analyze calendar`` tells the ones after, for timers with ``OnCalendar=``: without the random delay of the
timer, and at most 500. ``stay`` is the limit: a unit that runs for longer does not keep the machine up. One that a timer has started and that
still runs, or waits to be started, counts from that start on.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.timetable import UP, Span
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable
from powernap.host.systemctl import run
from powernap.schedules import Doubt, ScheduleError, named
from powernap.schedules._options import staying

if TYPE_CHECKING:
    from datetime import tzinfo

    from powernap.host.host import Host

Ask = Callable[[list[str]], str]
"""A program and its arguments to what it says; ``OSError`` when it cannot."""
SYSTEMD = "/run/systemd/system"
SYSTEMCTL, ANALYZE = "systemctl", "systemd-analyze"
LIMIT = 10.0
"""Seconds for each program; systemctl took 8 ms, 500 iterations of systemd-analyze 15 ms."""
ITERATIONS = 500
LOADED = "loaded"
OUTPUT = 1 << 20
RUNNING = frozenset({"activating", "active", "reloading", "refreshing", "deactivating"})
CALENDAR = re.compile(r"\{ OnCalendar=(.*) ; next_elapse=.* \}")
ELAPSE = re.compile(
    r"\s*(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? UTC", re.ASCII
)
TIMER = re.compile(r"[A-Za-z0-9:_.\\@-]+\.timer", re.ASCII)


def ask(argv: list[str]) -> str:
    """Start it and wait, at most :data:`LIMIT` seconds."""
    outcome = run(argv, LIMIT, OUTPUT)
    if outcome.code != 0:
        said = outcome.output.splitlines()[-1:] or [f"it ended with {outcome.code}"]
        raise OSError(errno.EIO, said[0], argv[0])
    return outcome.output


def _names(timers: tuple[str, ...]) -> str | None:
    for name in timers:
        if not TIMER.fullmatch(name):
            meant = f"{name.removesuffix('.service')}.timer"
            remedy = f'write "{meant}"' if TIMER.fullmatch(meant) else 'write, for example, "backup.timer"'
            return f'"{name}" is no name of a timer; {remedy}'
    return None


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    timers: tuple[str, ...] = option(
        (), check=_names, example='["backup.timer", "fstrim.timer"]', help="Which timers."
    )
    wake_system: bool = option(
        False, help="Also every timer with `WakeSystem=yes`: those are meant to wake the machine."
    )
    stay: float = staying(
        3600.0,
        "How long the machine is kept up at most for what a timer starts; once that has run, it may go.",
    )

    def __post_init__(self) -> None:
        if not (self.timers or self.wake_system):
            raise ValueError(
                'it names no timer; write, for example, timers = "backup.timer", or wake_system = true'
            )


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer.

    :param name: its own, also where an alias was asked for. :param state: ``loaded``, ``not-found``, ``masked``.
    :param unit: what it starts. :param calendar: its ``OnCalendar=`` expressions. :param wakes: ``WakeSystem=yes``.
    """

    name: str
    state: str
    unit: str
    calendar: tuple[str, ...]
    wakes: bool


@dataclass(frozen=True, slots=True)
class Elapse:
    """When a timer elapses next, and did last, in seconds since the epoch; ``None``: never."""

    next: float | None
    last: float | None


# --- what systemd says


def blocks(output: str) -> list[dict[str, list[str]]]:
    """The properties of each unit that ``systemctl show`` printed; one may come several times."""
    found: list[dict[str, list[str]]] = []
    for block in output.split("\n\n"):
        properties: dict[str, list[str]] = {}
        for line in block.splitlines():
            name, _, value = line.partition("=")
            properties.setdefault(name, []).append(value)
        found.append(properties)
    return [each for each in found if each.get("Id")]


def parse_timers(output: str) -> list[Timer]:
    """Of ``systemctl show``; those that are not loaded (not found, masked) too."""
    found = []
    for each in blocks(output):
        calendar = [CALENDAR.fullmatch(text) for text in each.get("TimersCalendar", [])]
        unit, state = "".join(each.get("Unit", [])), "".join(each.get("LoadState", []))
        wakes = each.get("WakeSystem") == ["yes"]
        found.append(Timer(each["Id"][0], state, unit, tuple(text[1] for text in calendar if text), wakes))
    return found


def parse_elapses(output: str) -> dict[str, Elapse]:
    """Of ``systemctl list-timers --output=json``. It has converted monotonic times to the clock of the wall as it is now."""
    array = next((line for line in output.splitlines() if line.startswith("[")), "[]")
    return {
        each["unit"]: Elapse(_seconds(each["next"]), _seconds(each["last"])) for each in json.loads(array)
    }


def _seconds(microseconds: object) -> float | None:
    """``None`` for what stands for never: 0, null, and 2**64 - 1."""
    return microseconds / 1e6 if isinstance(microseconds, int) and 0 < microseconds < 2**63 else None


def parse_calendar(output: str) -> set[float]:
    """The instants that ``systemd-analyze calendar`` printed. In UTC: where the machine's zone is another one, it says both."""
    found = (ELAPSE.fullmatch(line) for line in output.splitlines())
    return {datetime.fromisoformat(f"{each[1]}+00:00").timestamp() for each in found if each}


# --- the schedule


def timers(asked: Ask, options: Options) -> list[Timer]:
    """Those that are named, whatever their state, and those that count by themselves; ``OSError`` when systemd does not tell."""
    found = _show(asked, options.timers) if options.timers else []
    if options.wake_system:
        found += [timer for timer in _show(asked, ("*.timer",)) if timer.wakes]
    return list({timer.name: timer for timer in found}.values())


def _show(asked: Ask, names: Iterable[str]) -> list[Timer]:
    shown = "--property=Id,LoadState,Unit,WakeSystem,TimersCalendar"
    return parse_timers(asked([SYSTEMCTL, "show", shown, "--", *names]))


def _running(asked: Ask, units: Iterable[str]) -> set[str]:
    names = sorted({unit for unit in units if unit})
    shown = asked([SYSTEMCTL, "show", "--property=Id,ActiveState,Job", "--", *names]) if names else ""
    return {each["Id"][0] for each in blocks(shown) if _runs(each)}


def _runs(properties: dict[str, list[str]]) -> bool:
    """Or is about to: a job waits for it, as from the moment in which a timer elapses until what the unit is ordered after has been done."""
    return bool(RUNNING & {*properties.get("ActiveState", [])} or {*properties.get("Job", [])} - {"", "0"})


def _after(asked: Ask, timer: Timer, since: float, end: float) -> list[float]:
    """When it elapses after its next time, as far as that can be told."""
    if not timer.calendar or since >= end:
        return []
    base, count = f"--base-time=@{int(since)}", f"--iterations={ITERATIONS}"
    try:
        found = parse_calendar(asked([ANALYZE, "calendar", base, count, "--", *timer.calendar]))
    except OSError:  # not installed, or before systemd 244: then the next time is all there is
        return []
    return sorted(each for each in found if since < each < end)


def probe(host: Host, options: Options, asked: Ask = ask) -> Availability:
    """Which of them are there?"""
    if not host.live:
        return unavailable("a recorded machine starts no programs")
    if not host.files.exists(SYSTEMD):
        return unavailable("systemd does not run here")
    try:
        found = timers(asked, options)
    except OSError as error:
        return unavailable(f"systemd does not tell its timers ({error.strerror})")
    names = [timer.name for timer in found if timer.state == LOADED]
    others = [f"{timer.name} is {timer.state.replace('-', ' ')}" for timer in found if timer.state != LOADED]
    left = "; ".join(others)
    if left and not names:
        return unavailable(left, "`systemctl list-timers --all` shows the timers that there are")
    listed = f"{many(len(names), 'timer')}: {', '.join(names)}" if names else "no timer has WakeSystem=yes"
    return available(listed + (f"; {left}" if left else ""), left)


def doubts(host: Host, options: Options, asked: Ask = ask) -> Iterator[Doubt]:
    """Timers that are not there, or not started."""
    if not (host.live and host.files.exists(SYSTEMD)):
        return
    try:
        found = timers(asked, options)
        there = sorted(timer.name for timer in _show(asked, ("*.timer",)) if timer.state == LOADED)
        started = _running(asked, (timer.name for timer in found))
    except OSError:
        return  # probe says so
    for timer in found:
        if timer.state != LOADED:
            remedy = f"the timers here are {named(there)}" if there else "there is no timer here"
            yield Doubt("timers", f"{timer.name} is {timer.state.replace('-', ' ')}", remedy)
        elif timer.name not in started:
            remedy = f"`systemctl enable --now {timer.name}`"
            yield Doubt("timers", f"{timer.name} is not started, so it never elapses", remedy)
    if options.wake_system and not any(timer.wakes for timer in found):
        yield Doubt("wake_system", "no timer that is loaded here has WakeSystem=yes", "name some in `timers`")


def spans(
    host: Host,
    options: Options,
    start: float,
    end: float,
    local: tzinfo,  # noqa: ARG001 - the contract's
    asked: Ask = ask,
) -> Iterator[Span]:
    """Each timer's next time, those after it, and what it has started and still runs."""
    if not host.live:
        raise ScheduleError("a recorded machine's systemd cannot be asked")
    try:
        found = [timer for timer in timers(asked, options) if timer.state == LOADED]
        elapses = parse_elapses(asked([SYSTEMCTL, "list-timers", "--all", "--output=json"]))
        running = _running(asked, (timer.unit for timer in found))
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = error.strerror if isinstance(error, OSError) else f"it answers strangely: {error}"
        raise ScheduleError(f"systemd does not tell its timers ({said})") from None
    for timer in found:
        elapse = elapses.get(timer.name, Elapse(None, None))
        instants = [elapse.last] if elapse.last is not None and timer.unit in running else []
        if elapse.next is not None:
            instants += [elapse.next, *_after(asked, timer, elapse.next, end)]
        for instant in instants:
            if instant < end and instant + options.stay > start:
                yield Span(instant, instant + options.stay, UP, detail=timer.name, unit=timer.unit)


def watched(options: Options) -> tuple[str, ...]:  # noqa: ARG001 - the contract's
    """Where timers are defined, and where systemd notes when persistent ones last elapsed. Of the others' elapsing no file tells."""
    return (
        "/etc/systemd/system",
        "/run/systemd/system",
        "/run/systemd/transient",
        "/usr/lib/systemd/system",
        "/var/lib/systemd/timers",
    )
