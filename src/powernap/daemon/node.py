"""The machine's keeper: events in, one step of the core, commands out. Everything happens in the loop's one thread.

Owns the state. What is watched is in lookout.py, what is changed in hands.py, what is said in voice.py, the one timer in alarm.py, who
asks in control.py.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from powernap.config.model import AUTO, Config
from powernap.core import commands as ask
from powernap.core import events as ev
from powernap.core.deadlines import verdict
from powernap.core.machine import RESTORE_RETRIES, start, step
from powernap.core.state import Phase, State
from powernap.core.units import show_duration
from powernap.core.verdict import Blocker
from powernap.daemon.alarm import Alarm
from powernap.daemon.hands import Hands
from powernap.daemon.history import History
from powernap.daemon.lookout import Load, Lookout, Scope
from powernap.daemon.recorder import Recorder
from powernap.daemon.settings import settings_of
from powernap.daemon.voice import Voice
from powernap.host.host import Host
from powernap.host.journal import Journal
from powernap.host.notify import notify, watchdog_period
from powernap.host.resume import ResumeWatch
from powernap.host.terminals import write_to_all
from powernap.sleep.failure import SleepError, stats

if TYPE_CHECKING:
    from powernap.daemon.consumption import Consumption
    from powernap.daemon.night import Night
    from powernap.daemon.thresholds import Thresholds

STOP_LIMIT = 60.0
"""Seconds for putting everything back at the end; the unit's TimeoutStopSec is 90 s, and `powernap undo` comes after it."""
FREE = (Phase.AWAKE, Phase.HALTED)
"""Phases in which nothing is changed."""
METERS = ("/sys/class/powercap", "/sys/class/hwmon", "/sys/class/power_supply")
"""Where the kernel keeps what a meter of this machine could be; without any of them nothing is loaded."""
COUNTED = 0.5
"""Seconds after a resume until the kernel has surely counted the sleep."""
DEFECT_SILENCE = 60.0
"""Seconds in which the same defect is said once."""


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
        self.defects: dict[str, float] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._night: Night | None = None
        self.consumption: Consumption | None = None
        self.state: State
        self.alarm = Alarm(host.clock, self._due, lambda: notify("WATCHDOG=1"), watchdog_period(os.environ))
        assert host.ears is not None
        self.resumes = ResumeWatch(host.ears, self._resumed, unsure=self._unsure)
        self.sleeps = stats(host.files).success
        self.lookout = self._open(config)
        self.thresholds = self._thresholds(config)
        self._settle(config)
        self.loop.set_exception_handler(self._startled)

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
        return Night(self.host, self.config.sleep, self.feed, self.voice.say, proofs, self._count_sleeps)

    # ------------------------------------------------------------ events in, commands out

    def begin(self) -> None:
        """Take the first look."""
        self.state, commands = start(self.settings, self.host.clock.boottime())
        self.begun = True
        self._run(lambda: self._perform_all(commands))
        self.alarm.arm()
        self._spawn(self._metering(self.config))
        notify("READY=1")

    async def _metering(self, config: Config) -> None:
        """From now on the history has what the machine uses, if it has a meter and somewhere to write."""
        old, self.consumption = self.consumption, None
        if old:
            await old.close()
        places = (self.host.files.names(place) for place in METERS)
        if not self.voice.history.path or not (config.meters or any(places)):
            return
        from powernap.daemon.consumption import begin  # noqa: PLC0415 - only where there may be a meter

        found = await begin(self.host, config.meters.values(), self._used)
        if found and config.meters != self.config.meters:
            await found.close()
            return
        self.consumption = found
        if found and self.state.stage >= 0:
            found.told("entered", self.state.settings.stages[self.state.stage].name, acting=self.acting)

    def _used(self, entry: dict[str, Any]) -> None:
        self.voice.history.note(entry)
        if self.state.phase in FREE:
            self.voice.history.flush()

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
        self.broken = f"{type(error).__name__}: {error}"
        self.queue.clear()
        self.alarm.close()
        self.hands.stop()
        self.voice.say("defect", detail=f"{self.broken}; putting everything back and ending")
        self.voice.trace(traceback.format_exception(error))
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
        self._perform_all(commands)
        if self._night and before.phase is not self.state.phase and self.state.phase in FREE:
            self._night.unguard(waiting=bool(self.state.refusal))
        if self.thresholds:
            self._mind_gaps(self.thresholds)
        if self.consumption and self.state.phase is not Phase.LEAVING:
            self.consumption.mind(event.at)

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

    def _perform_all(self, commands: list[ask.Command]) -> None:
        # Restoring begins before anything is said: a line in the journal can wait, a user cannot.
        for command in sorted(commands, key=lambda c: not isinstance(c, ask.Restore | ask.CancelSleep)):
            PERFORM[type(command)](self, command)

    def _look(self, command: ask.Look) -> None:
        if command.sleep:
            self._spawn(self._look_before_sleep(command))
        else:
            self.lookout.look(command.serial, Scope.EVENTLESS if command.eventless else Scope.ALL)

    async def _look_before_sleep(self, command: ask.Look) -> None:
        """First whether the machine may sleep at all, so that what the monitors say is as fresh as it can be."""
        refusal = await self.night.refusal(command.sleep, by_hand=command.by_hand)
        self.lookout.look(command.serial, Scope.ALL, refusal)

    def _set_timer(self, command: ask.SetTimer) -> None:
        self.alarm.set(command.at)

    def _due(self, at: float) -> None:
        self.feed(ev.Due(at))

    def _apply(self, command: ask.Apply) -> None:
        self.hands.ready()
        self._spawn(self._applying(command))

    async def _applying(self, command: ask.Apply) -> None:
        failed: tuple[ev.Failure, ...] = ()
        if self.acting:
            try:
                if command.actions:
                    await self.night.guard()
                failed = await self.hands.apply(command.stage, command.actions)
            except Exception as error:
                # Whatever was changed is in the ledger, and is put back with the stage.
                self._defect(f"applying {command.stage}", error)
                failed = tuple(
                    ev.Failure(name, f"{type(error).__name__}: {error}") for name in command.actions
                )
        self.feed(ev.Applied(self.host.clock.boottime(), command.serial, failed))

    def _restore(self, command: ask.Restore) -> None:
        self.hands.stop()
        self._spawn(self._restoring(command))

    async def _restoring(self, command: ask.Restore) -> None:
        failed = await self.put_back()
        self.feed(ev.Restored(self.host.clock.boottime(), command.serial, failed))

    async def put_back(self, keep: tuple[str, ...] = ()) -> tuple[ev.Failure, ...]:
        """Restore everything that the ledger holds, but for the actions to ``keep``: what failed."""
        try:
            failed, kept = await self.hands.restore(keep)
        except Exception as error:
            self._defect("restoring", error)
            return (ev.Failure("restore", f"{type(error).__name__}: {error}"),)
        for foreign in kept:
            self.voice.say("kept-foreign", detail=foreign)
        return failed

    def _sleep(self, command: ask.Sleep) -> None:
        if self.acting:
            self.night.ready()
            self._spawn(self._falling_asleep(command))
        else:
            self.feed(ev.Pretended(self.host.clock.boottime(), command.serial))

    async def _falling_asleep(self, command: ask.Sleep) -> None:
        reason, wanted = "", False
        try:
            await self.night.enter(
                command.state, lambda: self.put_back(command.keep), by_hand=command.by_hand
            )
        except SleepError as error:
            reason, wanted = str(error), error.wanted
        except Exception as error:
            self._defect(f"going to {command.state}", error)
            reason = f"{type(error).__name__}: {error}"
        # It may have slept all the same; then that is what counts.
        self.resumes.look()
        if reason:
            self.feed(ev.SleepFailed(self.host.clock.boottime(), command.serial, reason, wanted))
        elif self.state.asleep == command.serial:
            self._resumed(0.0)  # too short for the clocks to tell

    def _cancel_sleep(self, _command: ask.CancelSleep) -> None:
        self.night.cancel()

    def _warn(self, command: ask.Warn) -> None:
        left = show_duration(round(command.at - self.host.clock.boottime(), 1))
        self.voice.say("warned", command.stage, left)
        if self.acting:
            write_to_all(
                self.host.files,
                f"{os.uname().nodename} enters power stage {command.stage} in {left}; press a key to stay",
            )

    def _unwarn(self, command: ask.Unwarn) -> None:
        self.voice.say("unwarned", command.stage)
        if self.acting:
            write_to_all(self.host.files, f"{os.uname().nodename} stays awake")

    def _tell(self, command: ask.Tell) -> None:
        self.tell(command.what, command.stage, command.detail, command.blockers)

    def tell(self, what: str, stage: str = "", detail: str = "", blockers: tuple[Blocker, ...] = ()) -> None:
        """One entry for the history, the journal and whoever watches; on disk at once while that wakes no disk."""
        if what == "entered" and self.state.stage <= 0:
            self.voice.stage_began = self.host.clock.boottime()
        self.voice.say(what, stage, detail, blockers, self._idle() if what == "entered" else None)
        if self.consumption:
            self.consumption.told(what, stage, acting=self.acting)
        if self.state.phase in FREE:
            self.voice.history.flush()

    def _idle(self) -> float | None:
        """Seconds since the last activity; ``None`` where something keeps it awake this very moment."""
        now = self.host.clock.boottime()
        judged = verdict(self.state, now)
        return None if judged.blockers else max(0.0, now - judged.idle_since)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _unsure(self) -> None:
        """The clock was set, or a sleep was too short for the clocks: the kernel's count tells, which it raises after all tasks run again."""
        self.loop.call_later(COUNTED, self._count_sleeps)

    def _count_sleeps(self) -> None:
        if not self.stopping and stats(self.host.files).success > self.sleeps:
            self._resumed(0.0)

    def _resumed(self, slept: float) -> None:
        self.sleeps += 1
        by = self._night.woken_by() if self._night else ""
        self.feed(ev.Resumed(self.host.clock.boottime(), slept, by))
        # The loop's clock stood still meanwhile: the timer would come late by the whole sleep.
        self.alarm.arm()

    # ------------------------------------------------------------ defects

    def _startled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something failed that nobody catches, such as what a monitor does when it hears: awake when unsure."""
        error = context.get("exception")
        self._defect(str(context.get("message", "")), error)
        # A client's connection says nothing of the machine's use, and a loop of sleeps must not be gone on with.
        if "transport" not in context and self.begun and self.state.phase is not Phase.HALTED:
            self.feed(ev.WakeAsked(self.host.clock.boottime(), "a defect of powernapd"))

    def _defect(self, where: str, error: BaseException | None) -> None:
        now, what = self.loop.time(), f"{where}: {type(error).__name__}: {error}" if error else where
        if now < self.defects.get(what, float("-inf")) + DEFECT_SILENCE:
            return
        self.defects = {text: at for text, at in self.defects.items() if now < at + DEFECT_SILENCE}
        self.defects[what] = now
        self.voice.say("defect", detail=f"{what}; going on")
        if error is not None:
            self.voice.trace(traceback.format_exception(error))

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
            self._spawn(self._retry(failed))

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
        self._say_all(self.lookout.close())
        metered_anew = config.meters != self.config.meters
        self.config = config
        if metered_anew:
            self._spawn(self._metering(config))
        if self.thresholds:
            self.thresholds.save()
        self.thresholds = self._thresholds(config)
        self.hands.configure(config.actions, config.settings.action_time_limit)
        self.lookout = self._open(config)
        self._settle(config)
        if self._night:
            self._night.close()
            self._night = None
        self.feed(ev.Reconfigured(self.host.clock.boottime(), self.settings))
        self.tell("reloaded", detail=", ".join(config.files))

    def _say_all(self, troubles: list[str]) -> None:
        for trouble in troubles:
            self.voice.say("defect", detail=f"{trouble}; going on")

    async def stop(self, limit: float = STOP_LIMIT) -> bool:
        """Put everything back, then give everything up; whether all is as it was. What happens from now on changes nothing.

        :param limit: seconds after which what hangs is left to ``powernap undo``.
        """
        notify("STOPPING=1")
        self.stopping = True
        self.alarm.close()
        self.hands.stop()
        restoring = asyncio.ensure_future(self.put_back())
        await asyncio.wait([restoring], timeout=limit)
        failed = restoring.result() if restoring.done() else (ev.Failure("stop", f"not done in {limit:g}s"),)
        for failure in failed:
            self.voice.say("restore-failed", detail=f"{failure.action}: {failure.reason}")
        self._say_all(self.lookout.close())
        if self._night:
            self._night.close()
        if self.consumption:
            await self.consumption.close()
        self.resumes.close()
        for task in [*self.tasks, restoring]:
            task.cancel()
        await asyncio.gather(*self.tasks, restoring, return_exceptions=True)
        if self.thresholds:
            self.thresholds.save()
        self.voice.history.flush()
        return not failed


PERFORM: dict[type, Callable[[Node, Any], None]] = {
    ask.Look: Node._look,  # noqa: SLF001 - the table of this file
    ask.Apply: Node._apply,  # noqa: SLF001
    ask.Restore: Node._restore,  # noqa: SLF001
    ask.Sleep: Node._sleep,  # noqa: SLF001
    ask.CancelSleep: Node._cancel_sleep,  # noqa: SLF001
    ask.SetTimer: Node._set_timer,  # noqa: SLF001
    ask.Warn: Node._warn,  # noqa: SLF001
    ask.Unwarn: Node._unwarn,  # noqa: SLF001
    ask.Tell: Node._tell,  # noqa: SLF001
}
