"""The machine's keeper: events in, one step of the core, commands out. Everything happens in the loop's one thread.

Owns the state. What the commands do is in performing.py, what is watched in lookout.py, what is changed in hands.py, what is said in voice.py
and of defects in defects.py, ends of sleeps in resumes.py, the one timer in alarm.py, who asks in control.py.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from powernap.config.model import AUTO, Config
from powernap.core import events as ev
from powernap.core.deadlines import verdict
from powernap.core.machine import RESTORE_RETRIES, start, step
from powernap.core.plan import Plan
from powernap.core.state import FREE, Phase, State
from powernap.core.verdict import Blocker
from powernap.daemon.alarm import Alarm
from powernap.daemon.defects import Defects, named
from powernap.daemon.hands import Hands
from powernap.daemon.history import History
from powernap.daemon.lookout import Load, Lookout, Scope
from powernap.daemon.metering import Metering
from powernap.daemon.performing import perform_all
from powernap.daemon.recorder import Recorder
from powernap.daemon.resumes import Resumes
from powernap.daemon.settings import settings_of
from powernap.daemon.voice import Voice
from powernap.host.host import Host
from powernap.host.journal import Journal
from powernap.host.notify import notify, watchdog_period
from powernap.sleep.states import SUSPEND

if TYPE_CHECKING:
    from powernap.daemon.agenda import Agenda
    from powernap.daemon.night import Night
    from powernap.daemon.telling import Telling
    from powernap.daemon.thresholds import Thresholds

STOP_LIMIT = 60.0
"""Seconds for putting everything back at the end; the unit's TimeoutStopSec is 90 s, and `powernap undo` comes after it."""


class Node:
    """One running daemon. Make it in a running loop.

    :ivar broken: what ended it, where that was a defect; then ``gave_up`` was called, and everything is to be put back by ``stop``.
    """

    def __init__(
        self, host: Host, config: Config, hands: Hands, load: Load, journal: Journal, history: History
    ) -> None:
        self.host, self.config, self.hands, self.load = host, config, hands, load
        self.loop = asyncio.get_running_loop()
        self.voice = Voice(host.clock, journal, history)
        self.recorded = Recorder()
        self.queue: deque[ev.Event] = deque()
        self.begun = self.draining = self.stopping = False
        self.broken = ""
        self.gave_up: Callable[[], object] = lambda: None
        self.defects = Defects(self.voice, self._distrust)
        self.tasks: set[asyncio.Task[None]] = set()
        self._night: Night | None = None
        self.agenda: Agenda | None = None
        self.telling: Telling | None = None
        self.state: State
        self.metering = Metering(host, self.voice, config, lambda: self.state)
        self.alarm = Alarm(host.clock, self._due, lambda: notify("WATCHDOG=1"), watchdog_period(os.environ))
        self.resumes = Resumes(host, self._resumed)
        self.lookout = self._open(config)
        self.thresholds = self._thresholds(config)
        self._settle(config)
        self.loop.set_exception_handler(self.defects.startled)

    def _open(self, config: Config) -> Lookout:
        lookout = Lookout(self.host, self.load, self.feed)
        lookout.open(config.monitors.values())
        return lookout

    def _thresholds(self, config: Config) -> Thresholds | None:
        if all(stage.after != AUTO for stage in config.stages):
            return None
        from powernap.daemon.thresholds import Thresholds  # noqa: PLC0415 - only where a stage is automatic

        return Thresholds(config, self.host.files, os.path.dirname(self.voice.history.path))

    def _settle(self, config: Config) -> None:
        self.kinds = dict(self.lookout.kinds())
        self.settings = settings_of(config, self.kinds, self.thresholds.waits if self.thresholds else {})
        self.acting = self.voice.acting = config.mode == "act"

    @property
    def night(self) -> Night:
        """How it sleeps; loaded when first something is changed or a sleep comes near."""
        if self._night is None:
            self._night = self.nightfall()
        return self._night

    def nightfall(self) -> Night:
        """As the configuration wants it."""
        from powernap.daemon.night import Night  # noqa: PLC0415 - 0.5 MiB that a machine in use need not carry

        proofs = os.path.join(
            os.path.dirname(self.voice.history.path) or "/var/lib/powernap", "wake-proof.json"
        )
        return Night(
            self.host,
            self.config.sleep,
            self.feed,
            self.voice.say,
            proofs,
            self._after_others,
            self._wanted,
        )

    def _consult(self, config: Config) -> None:
        """The schedules from now on, if there are any."""
        if self.agenda is not None:
            self.agenda.close()
            self.agenda = None
            self.feed(ev.Scheduled(self.host.clock.boottime(), Plan()))
        if config.schedules:
            from powernap.daemon.agenda import Agenda  # noqa: PLC0415 - only where a schedule is configured

            state = os.path.dirname(self.voice.history.path)
            self.agenda = Agenda(self.host, config, state, self.feed, self.voice.say, self._stand_guard)
            self.agenda.look()

    def _wanted(self, state: str) -> float | None:
        """When the machine is to be woken from a sleep state for its schedules; in seconds since the epoch."""
        return self.agenda.wanted(state) if self.agenda and self.acting else None

    def _after_others(self) -> None:
        """Somebody else's sleep is over, or was called off."""
        self.resumes.count()
        self._stand_guard()

    def _stand_guard(self) -> None:
        """Once there is a need, no sleep comes before its alarm is set, whoever starts it."""
        if self._night is not None or self._wanted(SUSPEND) is not None:
            self.spawn(self.night.stand_guard())

    # ------------------------------------------------------------ events in, commands out

    def begin(self) -> None:
        """Take the first look."""
        self.state, commands = start(self.settings, self.host.clock.boottime())
        self.begun = True
        self.voice.may_write = lambda: self.state.phase in FREE or not self.acting
        self._run(lambda: perform_all(self, commands))
        self.alarm.arm()
        self._consult(self.config)
        self._mind_boot()
        self.spawn(self.metering.follow(self.config))
        notify("READY=1")

    def feed(self, event: ev.Event) -> None:
        """Something happened. Events that a command causes at once wait until the commands before are carried out."""
        if self.stopping or self.broken:
            return
        if not self.draining:
            # After a sleep its end comes first, whichever descriptor the kernel names first.
            self.resumes.look()
        self.queue.append(event)
        if self.begun and not self.draining:
            self._run(lambda: None)

    def refresh(self, scope: Scope) -> None:
        """Look on behalf of somebody who asks. The answers that come at once have been taken when this returns."""
        if self.begun and not (self.stopping or self.broken or self.draining):
            self.resumes.look()
            self._run(lambda: self.lookout.look(0, scope))

    def _run(self, first: Callable[[], None]) -> None:
        """Do something that may cause events, then take them one after the other.

        An exception here is a defect of ours: what the state says of the machine is no longer sure. Everything is put back and the
        daemon ends, so that the service manager starts it anew from nothing.
        """
        self.draining = True
        try:
            first()
            while self.queue and not self.stopping:
                self._take(self.queue.popleft())
        except Exception as error:
            self._break(error)
        finally:
            self.draining = False

    def _break(self, error: Exception) -> None:
        self.broken = named(error)
        self.queue.clear()
        self.alarm.close()
        self.hands.stop()
        self.defects.say_last(error)
        self.gave_up()

    def _take(self, event: ev.Event) -> None:
        if isinstance(event, ev.Looked):
            self._mind_kinds()
        self.recorded.add(event)
        before = self.state
        self.state, commands = step(self.state, event)
        if isinstance(event, ev.Heard):
            self.voice.heard(before.readings.get(event.reading.monitor), event.reading)
        if before.leases is not self.state.leases:
            self._tell_ended(before)
        perform_all(self, commands)
        if self._night and before.phase is not self.state.phase and self.state.phase in FREE:
            self._night.unguard(waiting=bool(self.state.refusal))
            self._mind_lead(self._night)
            self._stand_guard()
        if self.thresholds:
            self._mind_gaps(self.thresholds)
        self.metering.mind(event.at)

    def _mind_boot(self) -> None:
        """An alarm that an earlier life set before it went off: it woke this one, or it is still set and ours."""
        path = os.path.join(os.path.dirname(self.voice.history.path), "set-alarm.json")
        if not self.voice.history.path or not self.host.files.exists(path):
            return
        from powernap.daemon import set_alarm  # noqa: PLC0415 - once, after such a night

        alarm = set_alarm.take(self.host.files, path)
        if alarm is None:
            return
        if alarm.at <= self.host.clock.wall():
            if self.agenda is not None and set_alarm.started(self.host.files, self.host.clock, alarm):
                self.agenda.ready("boot", alarm.at)
            return
        self.night.alarm.ahead = alarm
        self._stand_guard()

    def _mind_lead(self, night: Night) -> None:
        """How long it took from the alarm until everything was back."""
        rang, night.rang = night.rang, None
        if rang is not None and self.agenda is not None:
            self.agenda.ready("suspend", rang)

    def _mind_gaps(self, thresholds: Thresholds) -> None:
        """Each idle time that ends teaches how long to wait in the next one."""
        now = self.host.clock.boottime()
        judged = verdict(self.state, now)
        if thresholds.note(None if judged.blockers else judged.idle_since, now):
            self._settle(self.config)
            self.tell("chosen", detail=thresholds.text())
            self.queue.append(ev.Reconfigured(now, self.settings))

    def _mind_kinds(self) -> None:
        """A monitor that was opened late, or lost its event source, may be of the other kind now: the core plans its looks by that."""
        kinds = self.lookout.kinds()
        changed = [name for name, events in kinds.items() if self.kinds.get(name) is not events]
        if not changed:
            return
        self._settle(self.config)
        for name in changed:
            now = "an event tells of its activity" if kinds[name] else "it is looked at from now on"
            self.voice.say("monitor-changed", detail=f"{name}: {now}")
        self._take(ev.Reconfigured(self.host.clock.boottime(), self.settings))

    def _tell_ended(self, before: State) -> None:
        for id_, lease in before.leases.items():
            if id_ not in self.state.leases:
                self.voice.say("lease-ended", detail=f"{lease.who}: {lease.why}")

    def _due(self, at: float) -> None:
        self.feed(ev.Due(at))

    async def put_back(self, keep: tuple[str, ...] = ()) -> tuple[ev.Failure, ...]:
        """Restore everything that the ledger holds, but for the actions to ``keep``: what failed."""
        try:
            failed, kept = await self.hands.restore(keep)
        except Exception as error:
            self.defects.say("restoring", error)
            return (ev.Failure("restore", named(error)),)
        for foreign in kept:
            self.voice.say("kept-foreign", detail=foreign)
        return failed

    def tell(self, what: str, stage: str = "", detail: str = "", blockers: tuple[Blocker, ...] = ()) -> None:
        """One entry for the history, the journal and whoever watches; on disk at once while that wakes no disk."""
        if what == "entered" and self.state.stage <= 0:
            self.voice.stage_began = self.host.clock.boottime()
        self.voice.say(what, stage, detail, blockers, self._idle() if what == "entered" else None)
        self.metering.told(what, stage)
        if self.voice.may_write():
            self.voice.history.flush()

    def _idle(self) -> float | None:
        """Seconds since the last activity; ``None`` where something keeps it awake this very moment."""
        now = self.host.clock.boottime()
        judged = verdict(self.state, now)
        return None if judged.blockers else max(0.0, now - judged.idle_since)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Work that takes time, given up when everything ends."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _resumed(self, slept: float) -> None:
        by = self._night.woken_by() if self._night else ""
        self.feed(ev.Resumed(self.host.clock.boottime(), slept, by))
        # The loop's clock stood still meanwhile: the timer would come late by the whole sleep.
        self.alarm.arm()
        if self.agenda is not None:
            self.agenda.look()

    def _distrust(self) -> None:
        """Something may have been missed: awake when unsure. A loop of sleeps must not be gone on with."""
        if self.begun and self.state.phase is not Phase.HALTED:
            self.feed(ev.WakeAsked(self.host.clock.boottime(), "a defect of powernapd"))

    # ------------------------------------------------------------ asked from outside

    @property
    def told(self) -> list[Callable[[dict[str, Any]], None]]:
        """The live views: called with each entry and each changed reading."""
        return self.voice.told

    def blockers(self) -> tuple[Blocker, ...]:
        """What keeps the machine awake now."""
        return verdict(self.state, self.host.clock.boottime()).blockers

    def leftovers(self, failed: tuple[ev.Failure, ...]) -> None:
        """What an earlier life left changed and could not be put back at the start: try until it can."""
        for failure in failed:
            self.tell("restore-failed", detail=f"{failure.action}: {failure.reason}")
        if failed:
            self.spawn(self._retry(failed))

    async def _retry(self, failed: tuple[ev.Failure, ...]) -> None:
        names, tries = ", ".join(dict.fromkeys(failure.action for failure in failed)), 0
        while failed:
            await asyncio.sleep(RESTORE_RETRIES[min(tries, len(RESTORE_RETRIES) - 1)])
            tries += 1
            if self.state.depth >= 0 or self.state.phase is Phase.LEAVING:
                continue  # the stage's own end puts everything back
            failed = await self.put_back()
        self.tell("undone", detail=names)

    def reload(self, config: Config) -> None:
        """A new configuration without faults: monitors are opened anew, the ladder is climbed from its foot."""
        if self.stopping or self.broken:
            return
        # What the old monitors know and have not told yet, only they can tell.
        self.refresh(Scope.ALL)
        self.defects.say_each(self.lookout.close())
        self.config = config
        if config.meters != self.metering.meters:
            self.spawn(self.metering.follow(config))
        if self.thresholds:
            self.thresholds.save()
        self.thresholds = self._thresholds(config)
        self.hands.configure(config.actions, config.settings.action_time_limit)
        self.lookout = self._open(config)
        self._settle(config)
        if self._night:
            self._night.close(ending=False)
            self._night = None
        self.feed(ev.Reconfigured(self.host.clock.boottime(), self.settings))
        self._consult(config)
        self.tell("reloaded", detail=", ".join(config.files))

    async def stop(self, limit: float = STOP_LIMIT) -> bool:
        """Put everything back, then give everything up; whether all is as it was. What happens from now on changes nothing.

        :param limit: seconds after which what hangs is left to ``powernap undo``.
        """
        notify("STOPPING=1")
        self.stopping, self.resumes.counting = True, False
        self.alarm.close()
        self.hands.stop()
        restoring = asyncio.ensure_future(self.put_back())
        await asyncio.wait([restoring], timeout=limit)
        failed = restoring.result() if restoring.done() else (ev.Failure("stop", f"not done in {limit:g}s"),)
        for failure in failed:
            self.voice.say("restore-failed", detail=f"{failure.action}: {failure.reason}")
        self.defects.say_each(self.lookout.close())
        if self.telling is not None:
            await self.telling.close()
        if self.agenda is not None:
            self.agenda.close()
        if self._night:
            self._night.close()
        await self.metering.close()
        self.resumes.close()
        for task in [*self.tasks, restoring]:
            task.cancel()
        await asyncio.gather(*self.tasks, restoring, return_exceptions=True)
        if self.thresholds:
            self.thresholds.save()
        self.voice.history.flush()
        return not failed
