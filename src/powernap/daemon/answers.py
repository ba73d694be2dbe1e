"""What a monitor answers, made fit for the core: whatever it says, the machine must not sleep by mistake, nor the daemon grow.

Owns the checks of one answer. When a monitor is asked is lookout.py's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite
from typing import Any

from powernap.core.reading import Reading
from powernap.host.availability import UnavailableError

REASON_MAX = 500
"""Characters of a reason or remedy: both lines of a terminal, twice over."""
WHO_MAX = 32
"""Names in one reading: more tell a person nothing, and each reading is kept some thousand times (recorder.py)."""
NAME_MAX = 128


def sound(name: str, answer: Any, now: float) -> Reading:
    """The answer under the monitor's own name, with no instant after ``now``; a failed reading where it makes no sense."""
    if not isinstance(answer, Reading):
        return failure(name, now, f"answered with {type(answer).__name__}, not with a reading")
    instants = [instant for instant in (answer.last, answer.since) if instant is not None]
    if not all(_number(instant) for instant in (answer.at, *instants)):
        return failure(name, now, "answered with an instant that is none")
    return replace(
        answer,
        monitor=name,
        at=min(answer.at, now),
        active=bool(answer.active),
        last=None if answer.last is None else min(answer.last, now),
        since=None if answer.since is None else min(answer.since, now),
        measured=answer.measured if _number(answer.measured) else None,
        limit=answer.limit if _number(answer.limit) else None,
        reason=clean(answer.reason),
        remedy=clean(answer.remedy),
        who=_names(answer.who),
        told=bool(answer.told),
        failed=bool(answer.failed),
    )


def failure(name: str, now: float, reason: str, remedy: str = "") -> Reading:
    """The monitor could not answer."""
    return Reading(name, now, reason=clean(reason), failed=True, remedy=clean(remedy))


def of_error(name: str, now: float, error: BaseException) -> Reading:
    """What a monitor raised, as its failed reading."""
    if isinstance(error, UnavailableError):
        return failure(name, now, error.availability.detail, error.availability.remedy)
    return failure(
        name, now, str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    )


def clean(text: Any, most: int = REASON_MAX) -> str:
    """What somebody else wrote, fit for a log line: short, and without control characters."""
    short = str(text)[:most]
    return short if short.isprintable() else "".join(c if c.isprintable() else "?" for c in short)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _names(who: Any) -> tuple[str, ...]:
    if isinstance(who, str) or not isinstance(who, Iterable):
        who = (who,)
    return tuple(clean(name, NAME_MAX) for name, _ in zip(who, range(WHO_MAX), strict=False))
