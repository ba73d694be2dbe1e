"""The machine's nights: whether it may sleep now, putting it to sleep, and making way when somebody else does.

Owns the order of things: first everything is put back, then what wakes the machine is made ready, then it sleeps. What a sleep state
is, who blocks it and what must be proven is powernap/sleep's. Nothing here decides when.

While anything is changed, or a schedule will need the machine, the login manager's *delay* lock is held, so that a sleep which others ask for
waits until all is put back and the alarm is set (org.freedesktop.login1(5), "Inhibitor Locks"). Otherwise the machine is free: awake, no
lock and no connection is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import Protocol

from powernap.core import events as ev
from powernap.core.verdict import Lease
from powernap.daemon.aside import aside
from powernap.daemon.leads import SOONEST
from powernap.daemon.wake_alarm import WakeAlarm
from powernap.host.availability import Availability
from powernap.host.host import Host
from powernap.host.people import has_logind
from powernap.sleep import inhibitors, kernel, preflight, proof, states, wake_sources
from powernap.sleep.failure import SleepError
from powernap.sleep.lock_watch import LockWatch
from powernap.sleep.login_manager import LoginManager
from powernap.sleep.options import SleepOptions

ANSWER_MAX = 30.0
"""Seconds in which it must be known whether the machine may sleep; unknown is a refusal."""
GUARD_MAX = 2.0
"""Seconds that the first change waits for the delay lock: without it a foreign sleep comes over a machine with changed values, which are
put back after it all the same."""
AGAIN = 1.0
"""Seconds until what could not be put back before a sleep is tried once more: most of what refuses is only busy."""
MAKE_WAY_MAX = 300.0
"""Seconds for which the machine stays up at most because somebody announced a sleep that does not come."""
LEASE = "sleep"


class Say(Protocol):
    """Puts a line into the history."""

    def __call__(self, what: str, stage: str = "", detail: str = "") -> None:
        """``what`` is a kind of words.py."""
        ...


class Night:
    """Made when the first stage is entered or the first sleep comes near. Everything happens in the loop's thread.

    :param feed: takes events for the core. :param proofs: the record of `powernap prove-wake`.
    :param after_others: called after somebody else's sleep, of which the clocks may have told nothing: it was shorter than a second.
    :param wanted: when the machine is to be woken from a sleep state (seconds since the epoch), should it enter that now.
    :ivar manager: the login manager, ``None`` where the kernel is asked directly; ``watch``: whose locks hold off a sleep.
    :ivar entering: the sleep state of our own sleep, until that is over.
    :ivar offered: what the machine answered when it was last asked for a state; good for one sleep.
    :ivar turned_away: a sleep was refused only because the one before was not over.
    :ivar rang: when the alarm was to ring, where it was that which ended the latest sleep.
    :ivar standing: when the alarm is set again, where nobody tells of a sleep before it comes.
    :ivar questions: how many are under way, whether it may sleep; ``unwanted``: the answer no longer matters.
    """

    def __init__(
        self,
        host: Host,
        options: SleepOptions,
        feed: Callable[[ev.Event], None],
        say: Say,
        proofs: str = proof.DEFAULT,
        after_others: Callable[[], None] = lambda: None,
        wanted: Callable[[str], float | None] = lambda _: None,
    ) -> None:
        self.host, self.options, self.feed, self.say, self.proofs = host, options, feed, say, proofs
        self.after_others = after_others
        self.guarded = self.closed = False
        self.alarm = WakeAlarm(
            host, options, wanted, say, os.path.join(os.path.dirname(proofs), "set-alarm.json")
        )
        self.rang: float | None = None
        self.standing: asyncio.TimerHandle | None = None
        logind = options.through == "logind" or (options.through == "auto" and has_logind(host.files))
        self.manager = LoginManager(host, self._coming, self._over, self._lost) if logind else None
        self.watch = LockWatch(self.manager, self._unblocked) if self.manager else None
        self.before: wake_sources.Snapshot | None = None
        self.offered: dict[str, Availability] = {}
        self.entering = ""
        self.turned_away = self.unwanted = False
        self.questions = 0
        self.cancelled = asyncio.Event()
        self.unguarded = ""

    # ------------------------------------------------------------ may it?

    async def refusal(self, state: str, *, by_hand: bool = False) -> str:
        """Why the machine may not sleep now, as a sentence; empty when it may. Never raises.

        When what blocked it is gone, ``Unblocked`` is fed.

        :param by_hand: an admin asked for it: locks against *automatic* sleep do not count.
        """
        self.questions, self.unwanted = self.questions + 1, False
        try:
            async with asyncio.timeout(ANSWER_MAX):
                return await self._refusal(state, automatic=not by_hand)
        except SleepError as error:
            return str(error)
        except TimeoutError:
            return f"whether {state} is possible could not be found out within {ANSWER_MAX:g}s"
        except Exception as error:
            return f"whether {state} is possible could not be found out: {type(error).__name__}: {error}"
        finally:
            self.questions -= 1
            if self.unwanted:
                self._wait_no_longer()
                self._rest()

    async def _refusal(self, state: str, *, automatic: bool) -> str:
        if self.entering:
            self.turned_away = True
            return "the sleep before is not over: something that runs after it, such as a hook of systemd-sleep(8), has not ended"
        self.offered = {state: await self._offers(state)}
        wall = self.host.clock.wall()
        request = self.alarm.request(state)
        until = preflight.alarm_for(wall, self.options, request.until)
        record = proof.load(self.proofs)
        if state == states.OFF and request.until is not None and request.until < wall + SOONEST[states.OFF]:
            return "it must be up again so soon that its alarm could ring before it is off"
        found = preflight.refused(self.host.files, wall, self.options, request, record, until, self.offered)
        if self.watch and not found:
            blockers = await self.watch.blockers(state, automatic=automatic)
            found = [inhibitors.sentence(state, each, automatic=automatic) for each in blockers]
        return "; ".join(found)

    async def _offers(self, state: str) -> Availability:
        return await self.manager.offers(state) if self.manager else states.offered(self.host.files)[state]

    def _unblocked(self) -> None:
        self.feed(ev.Unblocked(self.host.clock.boottime()))

    # ------------------------------------------------------------ our own sleep

    def ready(self) -> None:
        """A sleep is about to be entered. Said at once, so that somebody who comes before its task begins is not lost."""
        self.cancelled.clear()

    async def enter(
        self, state: str, put_back: Callable[[], Awaitable[tuple[ev.Failure, ...]]], *, by_hand: bool = False
    ) -> None:
        """Put back what the stages above changed, make the way back ready, and sleep; returns when the machine is back and the sleep over.

        :raises SleepError: it did not sleep.
        """
        self.entering = state
        try:
            await self._put_back(put_back)
            ready = await self._make_ready(state)
            self.alarm.taken(state, ready.alarm)
            try:
                self._refuse_if_cancelled()
                self.before = wake_sources.read(self.host.files)
                await (self._through_logind(state, by_hand) if self.manager else self._through_kernel(state))
            except SleepError:
                if state == states.OFF and not self.closed:
                    self.alarm.slept(ready.alarm)
                raise
            finally:
                # On the way off we end before the machine does, and the alarm is what brings it back.
                if state != states.OFF:
                    self.alarm.slept(ready.alarm)
        finally:
            self.entering = ""
            self._rest()
            if self.turned_away:
                self.turned_away = False
                self._unblocked()

    async def _put_back(self, put_back: Callable[[], Awaitable[tuple[ev.Failure, ...]]]) -> None:
        """All of it, or no sleep."""
        if await put_back():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.cancelled.wait(), AGAIN)
            self._refuse_if_cancelled()
            if failed := await put_back():
                named = "; ".join(f"{failure.action}: {failure.reason}" for failure in failed)
                raise SleepError(f"not everything could be put back before it: {named}")

    async def _make_ready(self, state: str) -> preflight.Ready:
        """In a thread: a network card may take its time."""
        known, self.offered = self.offered, {}
        offered = known if state in known else {state: await self._offers(state)}
        files, wall = self.host.files, self.host.clock.wall()
        request = self.alarm.request(state)
        record = proof.load(self.proofs)
        ready: preflight.Ready = await aside(
            lambda: preflight.check(files, wall, self.options, request, record, offered=offered), "preflight"
        )
        if not ready:
            raise SleepError("; ".join(ready.refusals))
        for note in ready.done:
            self.say("sleep-ready", detail=note)
        return ready

    def cancel(self) -> None:
        """Somebody came: do not sleep, if there is still time."""
        self.cancelled.set()

    def _refuse_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise SleepError("somebody came", wanted=True)

    async def _through_logind(self, state: str, by_hand: bool) -> None:
        assert self.manager is not None
        # Our own lock would hold off our own sleep.
        self.manager.drop()
        await self.manager.sleep_through(state, automatic=not by_hand)

    async def _through_kernel(self, state: str) -> None:
        loop = asyncio.get_running_loop()

        async def heard() -> str:
            # Twice through the loop: what the kernel has told by now is heard before this goes on.
            for _ in range(2):
                await asyncio.sleep(0)
            return "somebody came" if self.cancelled.is_set() else ""

        def in_use() -> str:
            return asyncio.run_coroutine_threadsafe(heard(), loop).result(ANSWER_MAX)

        await aside(lambda: kernel.enter(self.host.files, state, in_use), "sleep")

    # ------------------------------------------------------------ others' sleep

    async def guard(self) -> None:
        """Something is about to be changed: from now on no sleep comes before it is put back."""
        self.before, self.guarded = wake_sources.read(self.host.files), True
        await self._hold("changed values are put back first")

    async def stand_guard(self) -> None:
        """The next need may be another one: from now on no sleep comes before its alarm is set.

        Where nobody tells of a sleep before it comes, the alarm is set now.
        """
        if self.entering or (self.manager and self.manager.begun):
            return  # the alarm that is set now is for what is coming
        until = self.alarm.wanted(states.SUSPEND)
        if self.manager is None:
            self._stand_alone()
        elif until is None and not self.guarded:
            self.alarm.over()
            self.manager.drop()
            self._rest()
        elif not self.guarded:
            await self._hold("the alarm for the next scheduled need is set first")

    def _stand_alone(self) -> None:
        """The loop's clock stands still in a sleep; after each, and when somebody sets the clock, the next need is looked for anew."""
        if self.standing is not None:
            self.standing.cancel()
            self.standing = None
        if self.entering or self.closed:
            return  # when it is over the next need is looked for
        wait = self.alarm.stand()
        if wait is not None:
            self.standing = asyncio.get_running_loop().call_later(wait, self._stand_alone)

    async def _hold(self, why: str) -> None:
        if self.manager is None:
            return
        trouble = ""
        try:
            async with asyncio.timeout(GUARD_MAX):
                await self.manager.hold(why)
        except TimeoutError:
            trouble = f"no answer from logind within {GUARD_MAX:g}s"
        except SleepError as error:
            trouble = str(error)
        if trouble and trouble != self.unguarded:
            self.say("unguarded", detail=trouble)
        self.unguarded = trouble

    def unguard(self, *, waiting: bool = False) -> None:
        """Everything is as it was: whoever waited for that may go on.

        :param waiting: a sleep was refused, and the end of what blocked it is still of interest.
        """
        self.unwanted = not waiting
        self.guarded = False
        if not waiting:
            self._wait_no_longer()
        if self.manager and self.alarm.wanted(states.SUSPEND) is not None:
            self.manager.release()
        elif self.manager:
            self.manager.drop()
        self._rest()

    def _wait_no_longer(self) -> None:
        if self.watch:
            self.watch.stop()

    def _rest(self) -> None:
        """Leave the bus once nothing is wanted of it: a question under way would only connect anew."""
        if self.manager and self.watch:
            wanted = self.manager.why or self.manager.begun or self.watch.waiting
            if not (wanted or self.entering or self.questions):
                self.manager.close()

    def _ours(self, what: str) -> bool:
        return bool(self.entering) and inhibitors.lock_of(self.entering) == what

    def _coming(self, what: str) -> None:
        if self._ours(what):
            return
        why = (
            "this machine is being shut down"
            if what == "shutdown"
            else "somebody sends this machine to sleep"
        )
        if not self.guarded:
            self.before = wake_sources.read(self.host.files)
        self.alarm.for_others(what)
        now = self.host.clock.boottime()
        self.feed(ev.LeaseTaken(now, Lease(LEASE, "systemd-logind", why, now, now + MAKE_WAY_MAX)))
        if self.manager and not self.guarded:
            self.manager.release()  # nothing is changed: it may go on

    def _over(self, what: str, _slept: float) -> None:
        if not self._ours(what):
            self.alarm.over()
            if self.manager:
                asyncio.get_running_loop().call_soon(self._rest)  # it is the manager that calls
            self.after_others()
            self.feed(ev.LeaseEnded(self.host.clock.boottime(), LEASE))

    def _lost(self, why: str) -> None:
        if self.manager is not None and self.manager.why and why != self.unguarded:
            self.unguarded = why
            self.say("unguarded", detail=why)

    # ------------------------------------------------------------ afterwards

    def woken_by(self) -> str:
        """What ended the latest sleep, in words; empty where nothing tells."""
        if self.before is None:
            return ""
        before, self.before = self.before, wake_sources.read(self.host.files)
        woke = wake_sources.woke(self.host.files, before, self.before)
        self.rang = self.alarm.set_for if woke.kind == "rtc" else None
        return "" if woke.kind == wake_sources.UNKNOWN else woke.words

    def close(self, *, ending: bool = True) -> None:
        """The end. The alarm that was set ahead is taken back, unless the machine goes off with us.

        :param ending: the daemon ends; else another configuration begins.
        """
        if self.entering == states.OFF or (self.manager and "shutdown" in self.manager.begun):
            pass  # the alarm that was set for it brings the machine back
        elif ending:
            self.alarm.stop()
        else:
            self.alarm.over()
        self.unwanted = self.closed = True
        if self.standing is not None:
            self.standing.cancel()
        self._wait_no_longer()
        if self.manager:
            self.manager.close()
