"""The one alarm that wakes this machine, over its life: set ahead of others' sleeps, moved for our own, kept while the machine is off, cleared.

Owns which alarm is ours, and what is written down of it. How an alarm is set is :mod:`powernap.sleep.rtc`'s, when it is wanted the schedules'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from powernap.daemon import set_alarm
from powernap.daemon.leads import SOONEST
from powernap.host.systemctl import run
from powernap.sleep import preflight, rtc, states

if TYPE_CHECKING:
    from powernap.daemon.night import Say
    from powernap.host.host import Host
    from powernap.sleep.options import SleepOptions

STOPPING_MAX = 2.0
"""Seconds for asking whether the whole system is being shut down."""


def going_off() -> bool:
    """The whole system is being shut down (systemctl(1), ``is-system-running``); ``False`` where there is no systemd."""
    try:
        return run(["systemctl", "is-system-running"], STOPPING_MAX).output == "stopping"
    except OSError:
        return False


class WakeAlarm:
    """:param wanted: when the machine is to be woken from a sleep state (seconds since the epoch), should it enter that now.

    :param path: where the alarm of a machine that goes off is written down.
    :ivar ahead: the one that is set before anybody sleeps. :ivar set_for: when the latest one was to ring.
    """

    def __init__(
        self, host: Host, options: SleepOptions, wanted: Callable[[str], float | None], say: Say, path: str
    ) -> None:
        self.host, self.options, self.wanted, self.say, self.path = host, options, wanted, say, path
        self.ahead: rtc.Alarm | None = None
        self.set_for: float | None = None

    def request(self, state: str) -> preflight.Request:
        """For the check before our own sleep, which sets it."""
        return preflight.Request(state, self.wanted(state), self.ahead)

    def taken(self, state: str, alarm: rtc.Alarm | None) -> None:
        """That check has set it, or moved the one that was set ahead."""
        self.ahead = alarm
        self._note(state, alarm)

    def for_others(self, what: str) -> None:
        """Somebody's ``sleep`` or ``shutdown`` is coming: the next need, and for a sleep the safety alarm, which no machine that is off needs."""
        state = states.SUSPEND if what == "sleep" else states.OFF
        until = self.wanted(state)
        if state == states.SUSPEND:
            until = preflight.alarm_for(self.host.clock.wall(), self.options, until)
        self.set(until, SOONEST[state])
        if state == states.OFF:
            self._note(state, self.ahead)

    def set(self, until: float | None, soonest: float = SOONEST[states.SUSPEND]) -> None:
        """Ahead of a sleep of others; ``None``: none is needed. Late is better than never: what is too near is set as soon as it is of use."""
        wall = self.host.clock.wall()
        if until is None:
            self.over()
            return
        until = max(until, wall + soonest)
        try:
            self.ahead = rtc.arm(self.host.files, until, wall, mine=self.ahead)
            self.set_for = self.ahead.at
        except rtc.AlarmError as error:
            self.say("unalarmed", detail=str(error))

    def _note(self, state: str, alarm: rtc.Alarm | None) -> None:
        """For whoever asks what woke it, and for the next life of a machine that goes off."""
        self.set_for = alarm.at if alarm else None
        if state == states.OFF and alarm:
            with contextlib.suppress(OSError):
                set_alarm.save(self.path, alarm)

    def over(self) -> None:
        """What was set ahead is no longer wanted."""
        self._drop()
        self.set_for = None

    def slept(self, alarm: rtc.Alarm | None) -> None:
        """Our own sleep is over; unless something else is coming already, its alarm goes."""
        if self.ahead is alarm:
            self._drop()

    def _drop(self) -> None:
        """An alarm that did not ring is not left behind to wake whoever sleeps next."""
        alarm, self.ahead = self.ahead, None
        if alarm is None:
            return
        try:
            rtc.clear(self.host.files, alarm)
        except rtc.AlarmError as error:
            self.say("defect", detail=f"{error}; it may wake a later sleep")

    def stop(self) -> None:
        """The daemon ends; unless the machine goes off with it, the alarm ends too."""
        if self.ahead and going_off():
            self.for_others("shutdown")
        else:
            self.over()
        self.ahead = None
