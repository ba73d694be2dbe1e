"""What a monitor answers: is somebody using this machine, who, and since when."""

from __future__ import annotations

from powernap.core.value import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """One monitor's answer at one instant.

    A *hold* has ``active`` set: the activity lasts until a later reading withdraws it (a process exists). A *pulse* has only
    ``last``: the instant of the latest activity (a key press). All instants are seconds of ``CLOCK_BOOTTIME``.

    :param monitor: the monitor's name in the configuration.
    :param at: when the answer was true.
    :param active: somebody uses the machine now.
    :param reason: a sentence for the admin that names who and what ("2 connections to port 22, alice from 10.0.0.7").
    :param last: instant of the latest activity known, ``None`` when there was none since the monitor began.
    :param since: since when ``active`` holds, where that is known.
    :param measured: what was measured, in ``unit``; ``limit`` is what it is compared with.
    :param who: names of the users, processes or addresses, for programs (``--json``) rather than people.
    :param told: the end of this hold will be reported by an event, so nobody need look again.
    :param failed: the monitor could not answer; ``reason`` says why and ``remedy`` what would help.
    """

    monitor: str
    at: float
    active: bool = False
    reason: str = ""
    last: float | None = None
    since: float | None = None
    measured: float | None = None
    limit: float | None = None
    unit: str = ""
    who: tuple[str, ...] = ()
    told: bool = False
    failed: bool = False
    remedy: str = ""
