"""The options that several schedules have, declared once: how long, how deep, in which zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from powernap.core.options import option
from powernap.core.timetable import NAP
from powernap.host import zones
from powernap.schedules._names import WrongError


def _too_short(seconds: float) -> str | None:
    return None if seconds > 0 else 'must be more than 0; write, for example, "10min"'


def staying(default: float, text: str) -> Any:
    """``stay``: how long the machine is kept up for something whose end nobody tells, or at most; ``default`` in seconds."""
    return option(default, unit="duration", example="1h", check=_too_short, help=text)


def deepening() -> Any:
    """``deepest``, beside ``means``."""
    return option("", example="ease", help='With `means = "nap"`: the deepest stage then; without it, all.')


def check_deepest(means: str, deepest: str) -> None:
    """``ValueError`` where it stands without a nap."""
    if deepest and means != NAP:
        raise ValueError('"deepest" says how deep a nap may be, and none is allowed; write means = "nap"')


def zone_of(what: str) -> Any:
    """``zone``."""
    return option(
        "",
        example="Europe/Berlin",
        check=zones.wrong,
        help=f"Time zone of {what}; without it, the machine's.",
    )


def each(parse: Callable[[str], object]) -> Callable[[tuple[str, ...]], str | None]:
    """What is wrong with the first of several texts that is not taken, for an option's check."""

    def wrong(texts: tuple[str, ...]) -> str | None:
        try:
            for text in texts:
                parse(text)
        except WrongError as error:
            return str(error)
        return None

    return wrong
