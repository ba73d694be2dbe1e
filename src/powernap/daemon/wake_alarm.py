"""The one alarm that wakes this machine, over its life: set ahead of others' sleeps, moved for our own, kept while the machine is off, cleared.

Owns which alarm is ours, and what is written down of it. How an alarm is set is :mod:`powernap.sleep.rtc`'s, when it is wanted the schedules'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from powernap.daemon import set_alarm
from powernap.daemon.leads import SOONEST
from powernap.host.going_down import going_off
from powernap.sleep import preflight, rtc, states

if TYPE_CHECKING:
    from powernap.daemon.night import Say
    from powernap.host.host import Host
    from powernap.sleep.options import SleepOptions

RUNG, AGAIN = 1.0, 600.0
"""Seconds after which an alarm has rung, by a clock of whole ones; and after which one that could not be set is tried again."""


class WakeAlarm:
    """:param wanted: when the machine is to be woken from a sleep state (seconds since the epoch), should it enter that now.

    :param path: where the alarm of a machine that goes off is written down.
    :ivar ahead: the one that is set before anybody sleeps; ``lost``: one of them that another program took. :ivar set_for: when the latest one was to ring.
    """

    def __init__(
        self, host: Host, options: SleepOptions, wanted: Callable[[str], float | None], say: Say, path: str
    ) -> None:
        self.host, self.options, self.wanted, self.say, self.path = host, options, wanted, say, path
        self.ahead: rtc.Alarm | None = None
        self.lost: rtc.Alarm | None = None
        self.set_for: float | None = None

    def request(self, state: str) -> preflight.Request:
        """For the check before our own sleep, which sets it."""
        self._mind_taken()
        return preflight.Request(state, self.wanted(state), self.ahead)

    def taken(self, state: str, alarm: rtc.Alarm | None) -> None:
        """That check has set it, or moved the one that was set ahead."""
        self.ahead = alarm
        self._note(state, alarm)

    def for_others(self, what: str) -> None:
        """Somebody's ``sleep`` or ``shutdown`` is coming: the next need, and for a sleep the safety alarm, which no machine that is off needs."""
        if what == "sleep":
            state, until = self._for_sleep()
            self.set(preflight.alarm_for(self.host.clock.wall(), self.options, until), SOONEST[state])
        else:
            self.set(self.wanted(states.OFF), SOONEST[states.OFF])
            self._note(states.OFF, self.ahead)

    def stand(self) -> float | None:
        """Where nobody tells of a sleep before it comes: for the next need, from now on. Seconds until it must be set again; ``None``: never.

        It rings also while the machine is up: on the way, where the clock does not reach far, or where somebody's earlier one was kept.
        """
        state, until = self._for_sleep()
        self.set(until, SOONEST[state])
        if self.ahead is None:
            return None
        wait = self.ahead.at + RUNG - self.host.clock.wall()
        return wait if wait > 0 else AGAIN

    def _for_sleep(self) -> tuple[str, float | None]:
        """The state from which coming back takes longest, of those that somebody's sleep may be, and when the machine is wanted from it.

        Nobody tells which: logind's ``PrepareForSleep`` does not say it, and only its ``PrepareForShutdown`` has a sister with metadata
        (src/login/logind-dbus.c, send_prepare_for, as of v258).
        """
        state = states.HIBERNATE if states.offered(self.host.files)[states.HIBERNATE] else states.SUSPEND
        wanted = [self.wanted(each) for each in {state, states.SUSPEND}]
        return state, min((each for each in wanted if each is not None), default=None)

    def set(self, until: float | None, soonest: float = SOONEST[states.SUSPEND]) -> None:
        """Ahead of a sleep of others; ``None``: none is needed. Late is better than never: what is too near is set as soon as it is of use."""
        wall = self.host.clock.wall()
        if until is None:
            self.over()
            return
        until = max(until, wall + soonest)
        self._mind_taken()
        try:
            self.ahead = rtc.arm(self.host.files, until, wall, mine=self.ahead)
            self.set_for = self.ahead.at
        except rtc.AlarmError as error:
            self.say("unalarmed", detail=str(error))

    def _mind_taken(self) -> None:
        """Another program may have taken the clock for itself; said once, and set again by whoever asks."""
        alarm = self.ahead
        if alarm is None or alarm is self.lost:
            return
        if what := rtc.taken(self.host.files, alarm):
            self.lost = alarm
            self.say("alarm-taken", detail=f"{alarm.rtc} was {what}")

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
        """The daemon ends. Where the machine goes off with it, or nobody tells, the alarm for the next need stays: a machine that is woken for
        what is configured, once, is better than one that never comes back.
        """
        if self.wanted(states.OFF) is not None and going_off(self.host.files) is not False:
            self.for_others("shutdown")
        else:
            self.over()
        self.ahead = None
