"""Whether something can be used on this machine: an answer with a reason, never an exception."""

from __future__ import annotations

from powernap.core.value import dataclass


@dataclass(frozen=True, slots=True)
class Availability:
    """``detail`` says what is there ("4 governors, intel_pstate") or why not; ``remedy`` what would make it so.

    Truth value: usable or not. ``left_out``: the parts of what can be used that are left alone (``detail`` has them too), and why.
    """

    usable: bool
    detail: str
    remedy: str = ""
    left_out: str = ""

    def __bool__(self) -> bool:
        return self.usable


def available(detail: str, left_out: str = "") -> Availability:
    """It can be used, but for what is left alone."""
    return Availability(usable=True, detail=detail, left_out=left_out)


def unavailable(detail: str, remedy: str = "") -> Availability:
    """It cannot, why, and what would help."""
    return Availability(usable=False, detail=detail, remedy=remedy)


def unwritable(path: str) -> Availability:
    """It cannot, since this file may not be written."""
    return unavailable(f"{path} cannot be written from here", "run as root, outside a container")


class UnavailableError(Exception):
    """An event source or knob that was asked for is not there; carries the answer to show."""

    def __init__(self, availability: Availability) -> None:
        super().__init__(availability.detail)
        self.availability = availability
