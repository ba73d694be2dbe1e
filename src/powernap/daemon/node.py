"""The machine's keeper: events in, one step of the core, commands out. Everything happens in the loop's one thread.

Owns the state and the one timer. What is watched is in lookout.py, what is changed in hands.py, who asks in control.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from powernap.config.model import Config
from powernap.core import commands as ask
from powernap.core import events as ev
from powernap.core.machine import Phase, State, start, step, verdict
from powernap.core.record import line
from powernap.core.verdict import Blocker
from powernap.daemon.hands import Hands
from powernap.daemon.history import History
from powernap.daemon.lookout import Load, Lookout
from powernap.daemon.settings import settings_of
from powernap.daemon.words import sentence
from powernap.host.host import Host
from powernap.host.journal import INFO, WARNING, Journal
from powernap.host.notify import notify, watchdog_period
from powernap.host.resume import ResumeWatch
from powernap.host.terminals import write_to_all

EVENTS_KEPT = 2000
"""Events in the flight recorder: enough for some hours of a busy machine, about 1 MiB of text at most."""

LOUD = frozenset({"apply-failed", "restore-failed", "sleep-failed", "action-spent", "loop", "kept-foreign"})


class Node:
    """One running daemon.

    :param told: called with each history entry and each changed reading (the live views).
    """

    def __init__(
        self, host: Host, config: Config, hands: Hands, load: Load, journal: Journal, history: History
    ) -> None:
        self.host, self.config, self.hands, self.load = host, config, hands, load
        self.journal, self.history = journal, history
        self.loop = asyncio.get_running_loop()
        self.told: list[Callable[[dict[str, Any]], None]] = []
        self.recorded: deque[str] = deque(maxlen=EVENTS_KEPT)
        self.queue: deque[ev.Event] = deque()
        self.draining = False
        self.tasks: set[asyncio.Task[None]] = set()
        self.timer: asyncio.TimerHandle | None = None
        self.due: float | None = None
        self.watchdog = watchdog_period()
        self.stage_began = host.clock.boottime()
        self.lookout = self._open(config)
        self.settings = settings_of(config, dict(self.lookout.kinds()))
        self.state: State
        assert host.ears is not None
        self.resumes = ResumeWatch(host.ears, self._resumed)

    def _open(self, config: Config) -> Lookout:
        lookout = Lookout(self.host, self.load, self.feed)
        lookout.open(config.monitors.values())
        return lookout

    # ------------------------------------------------------------ events in, commands out

    def begin(self) -> None:
        """Take the first look."""
        self.state, commands = start(self.settings, self.host.clock.boottime())
        self._perform_all(commands)
        self._arm()
        notify("READY=1")

    def feed(self, event: ev.Event) -> None:
        """Something happened. Events that a command causes at once wait until the commands before are carried out."""
        self.queue.append(event)
        if self.draining or not hasattr(self, "state"):
            return
        self.draining = True
        try:
            while self.queue:
                self._take(self.queue.popleft())
        finally:
            self.draining = False

    def _take(self, event: ev.Event) -> None:
        self.recorded.append(line(event))
        before = self.state
        self.state, commands = step(self.state, event)
        if isinstance(event, ev.Heard):
            self._tell_change(before, event)
        self._perform_all(commands)

    def _perform_all(self, commands: list[ask.Command]) -> None:
        # Restoring begins before anything is said: a line in the journal can wait, a user cannot.
        for command in sorted(commands, key=lambda c: not isinstance(c, ask.Restore | ask.CancelSleep)):
            PERFORM[type(command)](self, command)

    def _look(self, command: ask.Look) -> None:
        self.lookout.look(command.serial, eventless=command.eventless)

    def _set_timer(self, command: ask.SetTimer) -> None:
        self.due = command.at
        self._arm()

    def _arm(self) -> None:
        """One timer for the core's deadline and the service manager's watchdog."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        now = self.host.clock.boottime()
        waits = [self.due - now] if self.due is not None else []
        if self.watchdog is not None:
            waits.append(self.watchdog)
        if waits:
            self.timer = self.loop.call_later(max(0.0, min(waits)), self._timer_came)

    def _timer_came(self) -> None:
        self.timer = None
        self.resumes.look()
        if self.watchdog is not None:
            notify("WATCHDOG=1")
        now = self.host.clock.boottime()
        if self.due is not None and now >= self.due - 0.001:
            # The loop's clock is another one and may be a hair early: what was asked for has come.
            at, self.due = max(now, self.due), None
            self.feed(ev.Due(at))
        self._arm()

    def _apply(self, command: ask.Apply) -> None:
        self.hands.ready()
        self._spawn(self._applying(command))

    async def _applying(self, command: ask.Apply) -> None:
        failed = await self.hands.apply(command.stage, command.actions) if self.settings.acting else ()
        self.feed(ev.Applied(self.host.clock.boottime(), command.serial, failed))

    def _restore(self, command: ask.Restore) -> None:
        self.hands.stop()
        self._spawn(self._restoring(command))

    async def _restoring(self, command: ask.Restore) -> None:
        failed, kept = await self.hands.restore()
        for foreign in kept:
            self.tell("kept-foreign", detail=foreign)
        self.feed(ev.Restored(self.host.clock.boottime(), command.serial, failed))

    def _sleep(self, command: ask.Sleep) -> None:
        if not self.settings.acting:
            reason = f"watching only: {command.state} would begin now"
        else:
            reason = f"{command.state} is refused: no way to wake this machine has been proven"
        self.feed(ev.SleepFailed(self.host.clock.boottime(), command.serial, reason))

    def _cancel_sleep(self, command: ask.CancelSleep) -> None:
        """Nothing sleeps yet that could be called back."""

    def _warn(self, command: ask.Warn) -> None:
        left = command.at - self.host.clock.boottime()
        self.tell("warned", command.stage, f"{left:.0f}s")
        if self.settings.acting:
            write_to_all(
                self.host.files,
                f"{os.uname().nodename} enters power stage {command.stage} in {left:.0f}s; press a key to stay",
            )

    def _unwarn(self, command: ask.Unwarn) -> None:
        self.tell("unwarned", command.stage)
        if self.settings.acting:
            write_to_all(self.host.files, f"{os.uname().nodename} stays awake")

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _resumed(self, slept: float) -> None:
        self.feed(ev.Resumed(self.host.clock.boottime(), slept))

    # ------------------------------------------------------------ telling

    def _tell(self, command: ask.Tell) -> None:
        self.tell(command.what, command.stage, command.detail, command.blockers)

    def tell(self, what: str, stage: str = "", detail: str = "", blockers: tuple[Blocker, ...] = ()) -> None:
        """One entry for the history, the journal and whoever watches."""
        now = self.host.clock.boottime()
        entry: dict[str, Any] = {"event": what, "at": round(now, 3), "time": round(self.host.clock.wall(), 3)}
        if stage:
            entry["stage"] = stage
        if detail:
            entry["detail"] = detail
        if blockers:
            entry["because"] = [
                {"kind": b.kind, "name": b.name, "reason": b.reason, "who": list(b.who)} for b in blockers
            ]
        if not self.settings.acting and what in ("entered", "left"):
            entry["watching"] = True
        if what == "left":
            entry["seconds"] = round(now - self.stage_began, 3)
        elif what == "entered" and self.state.stage <= 0:
            self.stage_began = now
        self.history.add(entry)
        if self.state.phase in (Phase.AWAKE, Phase.HALTED):
            self.history.flush()
        because = blockers[0].name if blockers else ""
        self.journal.log(
            sentence(entry),
            WARNING if what in LOUD else INFO,
            event=what,
            stage=stage,
            reason=detail,
            monitor=because,
        )
        self._tell_all(entry)

    def _tell_change(self, before: State, event: ev.Heard) -> None:
        """Live views see a reading when it changes; the log sees a monitor fail once and recover once."""
        new, old = event.reading, before.readings.get(event.reading.monitor)
        if (old is not None and old.failed != new.failed) or (old is None and new.failed):
            self.tell(
                "monitor-failed" if new.failed else "monitor-recovered", detail=f"{new.monitor}: {new.reason}"
            )
        if self.told and (
            old is None
            or (old.active, old.reason, old.last, old.failed)
            != (new.active, new.reason, new.last, new.failed)
        ):
            facts = {
                key: value for key, value in dataclasses.asdict(new).items() if value not in (None, "", ())
            }
            self._tell_all({"event": "reading", **facts})

    def _tell_all(self, entry: dict[str, Any]) -> None:
        for told in list(self.told):
            told(entry)

    # ------------------------------------------------------------ asked from outside

    def blockers(self) -> tuple[Blocker, ...]:
        """What keeps the machine awake now."""
        return verdict(self.state, self.host.clock.boottime()).blockers

    def reload(self, config: Config) -> None:
        """A new configuration without faults: monitors are opened anew, the ladder is climbed from its foot."""
        self.lookout.close()
        self.config = config
        self.hands.configure(config.actions, config.settings.action_time_limit)
        self.lookout = self._open(config)
        self.settings = settings_of(config, dict(self.lookout.kinds()))
        self.feed(ev.Reconfigured(self.host.clock.boottime(), self.settings))
        self.tell("reloaded", detail=", ".join(config.files))

    async def stop(self) -> None:
        """Put everything back, then give everything up."""
        notify("STOPPING=1")
        if self.timer is not None:
            self.timer.cancel()
        self.hands.stop()
        failed, kept = await self.hands.restore()
        for foreign in kept:
            self.tell("kept-foreign", detail=foreign)
        for failure in failed:
            self.tell("restore-failed", detail=f"{failure.action}: {failure.reason}")
        for task in self.tasks:
            task.cancel()
        self.lookout.close()
        self.resumes.close()
        self.history.flush()


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
