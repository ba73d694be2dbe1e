"""What users read of a stage that is announced, and of one that does not come after all. Pure; in sentences for who has no idea of stages."""

from __future__ import annotations

from powernap.core.units import show_duration
from powernap.core.value import dataclass

DOES = {
    "power-off": "powers off",
    "hibernate": "hibernates",
    "suspend": "suspends",
    "suspend-then-hibernate": "suspends",
    "hybrid-sleep": "suspends",
}


LAST = "PowerNap: "
"""How last words begin."""


@dataclass(frozen=True)
class Coming:
    """What is announced.

    :param sleep: the sleep state that is entered; empty: none.
    :param at: when, in seconds since the epoch; ``left``: seconds until then; ``shown``: what a clock on the wall shows then.
    :param schedule: who wants it off; empty: the ladder brings it, since nobody uses the machine.
    :param key: a key that somebody presses postpones it. :param postpone: seconds by which users still may, with a command.
    """

    host: str
    stage: str
    sleep: str
    at: float
    left: float
    shown: str
    schedule: str = ""
    key: bool = True
    postpone: float = 0.0


@dataclass(frozen=True)
class Said:
    """Something to tell.

    :param event: ``warn``, ``unwarn``, or ``over``: it has come, or ended without a word.
    :param because: of ``unwarn``: whose doing it is; empty: somebody uses the machine, or a schedule is another one.
    """

    event: str
    coming: Coming
    because: str = ""


def why(coming: Coming) -> str:
    """What wants it."""
    return f'schedule "{coming.schedule}" wants it off' if coming.schedule else "nobody uses it"


def does(coming: Coming) -> str:
    """What the machine is about to do."""
    return DOES.get(coming.sleep, f"enters power stage {coming.stage}")


def line(said: Said) -> str:
    """For a terminal: one line that says when, why, and what can be done about it."""
    coming = said.coming
    if said.event != "warn":
        return f"{coming.host} stays awake" + (f": {said.because}" if said.because else "")
    left = show_duration(round(coming.left, 1))
    if not coming.schedule:
        return f"{coming.host} {does(coming)} in {left}, {why(coming)}" + "; press a key to stay" * coming.key
    return f"{coming.host} {does(coming)} at {coming.shown} (in {left}): {why(coming)}. {postponed(coming)}"


def postponed(coming: Coming) -> str:
    """How it is postponed, or that it cannot be."""
    ways = ["press a key"] * coming.key + ["run `powernap postpone`"] * (coming.postpone > 0)
    return f"To postpone it, {' or '.join(ways)}" if ways else "It cannot be postponed by users"


def summary(said: Said) -> str:
    """The one line of a notification that every desktop shows, without markup."""
    coming = said.coming
    if said.event != "warn":
        return f"{coming.host} stays awake"
    when = f"at {coming.shown}" if coming.schedule else f"in {show_duration(round(coming.left, 1))}"
    return f"{coming.host} {does(coming)} {when}"


def body(said: Said) -> str:
    """What stands below it."""
    coming = said.coming
    if said.event != "warn":
        return said.because
    if not coming.schedule:
        return "Nobody uses it." + " Press a key to stay." * coming.key
    left = show_duration(round(coming.left, 1))
    return f"In {left}: {why(coming)}. {postponed(coming).replace('`', '')}."


def last(coming: Coming) -> str:
    """For the moment in which it happens, when nothing can be done any more."""
    return f"{LAST}{why(coming)}."
