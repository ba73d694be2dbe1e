"""Sleep through systemd-logind: what it offers, who is against it, and our own delay lock (org.freedesktop.login1(5)).

Owns the connection to logind, the lock's descriptor, and what is coming. Does not own when to sleep, nor what must be done before.
No call starts a service that does not run.

Order of what happens, as logind does it (logind-dbus.c, v252 to v258): the call is checked, ``PrepareForSleep(true)`` goes out, the call
is answered, logind waits until all delay locks are closed or ``InhibitDelayMaxUSec`` has passed, systemd starts sleep.target; when that
job has ended, well or not, ``PrepareForSleep(false)``. Neither the answer nor ``false`` says that the machine slept: only the clocks do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

from powernap.host import dbus
from powernap.host.availability import Availability, unavailable
from powernap.host.dbus import BUS, PROPERTIES, SYSTEM_BUS, Bus, BusError, BusLostError, match
from powernap.host.dbus_message import Message
from powernap.host.host import Host
from powernap.host.logind import MANAGER, NAME, PATH
from powernap.host.resume import SLEPT_MIN, asleep_so_far
from powernap.sleep import inhibitors
from powernap.sleep.failure import SleepError, stats
from powernap.sleep.inhibitors import Inhibitor, lock_of
from powernap.sleep.login_calls import ANSWER_MAX, LACKING, asking, call, close_all, unit_failure, value_of
from powernap.sleep.login_states import METHODS, availability

ROOT_CHECK_INHIBITORS = 1
"""Flag of ``SuspendWithFlags`` and its like: up to systemd 256 root is stopped by a block lock only when this is set.

Even then not by one that root holds itself (seen with 252), so the look of our own before is what counts there; 257 always stops us.
"""
SIGNALS = {"PrepareForSleep": "sleep", "PrepareForShutdown": "shutdown"}
PREPARING = {"PreparingForSleep": "sleep", "PreparingForShutdown": "shutdown"}
BEGUN = "org.freedesktop.login1.OperationInProgress"
WHO = "powernapd"
DELAY_MAX = 5.0
"""Seconds: logind's own default of ``InhibitDelayMaxSec`` (logind.conf(5))."""
SLEEP_MAX = 600.0
"""Seconds awake within which a sleep that was accepted must have begun and ended; the loop's clock stands still in between."""
LOCKS = {
    "sender": NAME,
    "path": PATH,
    "interface": PROPERTIES,
    "member": "PropertiesChanged",
    "arg0": MANAGER,
}
"""What tells of locks; logind says of each that is taken or given back that ``BlockInhibited`` changed (logind-inhibit.c)."""


class LoginManager:
    """The login manager, asked and heard. Connects at the first call, and again at the next call after the bus was lost.

    :param coming: called with "sleep" or "shutdown" when it has been decided, by whomever; with a lock held nothing happens before
        :meth:`release`, for at most :attr:`delay_max` seconds.
    :param over: called with the same word and the seconds slept: about 0 means that it failed or was called off. Also called when
        logind or the bus is lost meanwhile.
    :param lost: called with the reason when we hear nothing any more, or hold no lock though one is wanted. Any call connects again.
    :ivar delay_max: seconds that logind waits for a delay lock; 0: not at all.
    :ivar begun: what is coming, with the seconds that the machine had been asleep since boot when that was heard.
    """

    def __init__(
        self,
        host: Host,
        coming: Callable[[str], None],
        over: Callable[[str, float], None],
        lost: Callable[[str], None],
        path: str = SYSTEM_BUS,
        asleep: Callable[[], float] = asleep_so_far,
    ) -> None:
        self.host, self.path, self.asleep = host, path, asleep
        self.coming, self.over, self.lost = coming, over, lost
        self.delay_max = DELAY_MAX
        self.begun: dict[str, float] = {}
        self.bus: Bus | None = None
        self.telling: Bus | None = None
        self.owner = ""
        self.heard = self.ends = 0
        self.why = ""
        self.lock = -1
        self.released = False
        self.changed: Callable[[], None] | None = None
        self.connecting, self.taking = asyncio.Lock(), asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()
        self.waiting: list[asyncio.Future[float]] = []

    # --- what can be asked

    async def offers(self, state: str) -> Availability:
        """Whether logind would enter this sleep state; ``SleepError`` when it cannot be asked."""
        with asking(f"cannot ask logind for {state}"):
            await self._connected()
            return await self._can(state)

    async def blockers(self, state: str, *, automatic: bool = True) -> list[Inhibitor]:
        """The locks that keep the machine out of a sleep state now; ``SleepError`` when that cannot be told.

        :param automatic: nobody asked for it by hand; then ``idle`` locks count too.
        """
        with asking("cannot ask logind what holds off sleep"):
            reply = await self._ask("ListInhibitors")
        if reply.signature != inhibitors.SIGNATURE:
            raise SleepError(f"logind lists inhibitor locks as {reply.signature!r}, which is not understood")
        found = inhibitors.parse(reply.body[0], self._user)
        return inhibitors.blocking(found, state, automatic=automatic)

    async def failure(self, state: str) -> str:
        """Why the last sleep failed, as systemd knows it; empty when it did not fail or systemd does not tell. For after ``over``."""
        try:
            bus = await self._connected()
        except (OSError, BusError, SleepError):
            return ""
        return await unit_failure(bus, f"systemd-{state}.service")

    async def sleep(self, state: str, *, automatic: bool = True) -> None:
        """Enter a sleep state, unless a lock is against it: looked for here, and by logind itself where it does so for root.

        Returns when logind has accepted, after ``coming`` was called; whether the machine slept, ``over`` tells. ``SleepError`` with
        logind's reason when it has not. One that somebody else asked for meanwhile is as good.
        """
        ends = self.ends
        if lock_of(state) not in self.begun:
            await self._refuse_if_blocked(state, automatic=automatic)
        if lock_of(state) in self.begun or self.ends != ends:
            return
        try:
            with asking(f"logind refuses {state}"):
                await self._order(METHODS[state])
        except SleepError:
            if lock_of(state) in self.begun or self.ends != ends:
                return
            # A lock may have come between: then its holder is the reason to tell, not "access denied".
            await self._refuse_if_blocked(state, automatic=automatic)
            raise

    async def sleep_through(self, state: str, *, automatic: bool = True) -> None:
        """Enter a sleep state and return when it is over. ``SleepError``: the machine did not sleep."""
        ended, before = asyncio.get_running_loop().create_future(), stats(self.host.files).success
        self.waiting.append(ended)
        try:
            await self.sleep(state, automatic=automatic)
            async with asyncio.timeout(SLEEP_MAX):
                slept = await ended
        except TimeoutError:
            raise SleepError(f"logind accepted {state} and has not ended it within {SLEEP_MAX:g} s") from None
        finally:
            self.waiting.remove(ended)
        # A clock that was moved on by the hardware clock's whole seconds does not tell of a short sleep; the kernel's count does.
        if slept < SLEPT_MIN and stats(self.host.files).success <= before:
            why = await self.failure(state)
            raise SleepError(why or f"logind accepted {state}, and the machine did not sleep")

    # --- the delay lock

    @property
    def held(self) -> bool:
        """Whether the delay lock is held now."""
        return self.lock >= 0

    async def hold(self, why: str) -> None:
        """Hold off every sleep and shutdown until :meth:`release`, and again after each; ``SleepError`` when logind gives no lock.

        While something is coming already the lock is taken after it.
        """
        anew, self.why = why != self.why, why
        await self._take(anew=anew)

    def release(self) -> None:
        """Let go on what is coming: all is ready for it. The lock is taken again once it is over. Nothing coming, nothing done."""
        if self.begun or not self.bus:
            self.released = bool(self.begun)
            self._close_lock()

    def drop(self) -> None:
        """Hold nothing off any more."""
        self.why = ""
        self._close_lock()

    def close(self) -> None:
        """Give back the lock and leave the bus; nothing is called any more. The next call begins anew."""
        self.drop()
        self.ignore_locks()
        self.begun.clear()
        self.released = False
        for ended in self.waiting:
            if not ended.done():
                ended.set_exception(
                    SleepError("powernapd left the login manager before it told of the sleep's end")
                )
                ended.exception()  # who still asks for the sleep is told by that
        for task in self.tasks:
            task.cancel()
        if self.bus:
            self.bus.close()
            self.bus = None

    # --- others' locks

    async def hear_locks(self, changed: Callable[[], None]) -> None:
        """From now on call this when a block lock is taken or given back, and when logind or the bus is back: what was told in between
        is lost. Until :meth:`ignore_locks`; ``SleepError`` when logind cannot be asked.
        """
        with asking("cannot hear of logind's locks"):
            await self._hear_locks(await self._connected())
            self.changed = changed

    def ignore_locks(self) -> None:
        """Call nobody any more."""
        self.changed = None

    # --- asking

    async def _ask(self, member: str, signature: str = "", *body: Any) -> Message:
        return await call(await self._connected(), NAME, PATH, MANAGER, member, signature, *body)

    async def _can(self, state: str) -> Availability:
        try:
            answer = str((await self._ask(f"Can{METHODS[state]}")).body[0])
        except BusError as error:
            if error.name not in LACKING:
                return unavailable(
                    f"logind cannot tell: {error}", "`journalctl -b -u systemd-logind` says why"
                )
            answer = "na"
        return availability(state, answer)

    async def _order(self, method: str) -> None:
        """Not interactive: no user is asked for a password."""
        try:
            await self._ask(f"{method}WithFlags", "t", ROOT_CHECK_INHIBITORS)
        except BusError as error:
            if error.name not in LACKING:
                raise
            await self._ask(method, "b", False)  # before systemd 249

    async def _refuse_if_blocked(self, state: str, *, automatic: bool) -> None:
        found = await self.blockers(state, automatic=automatic)
        if found:
            said = "; ".join(inhibitors.sentence(state, each, automatic=automatic) for each in found)
            raise SleepError(said, wanted=True)

    def _user(self, uid: int) -> str:
        from powernap.host.processes import user_name  # noqa: PLC0415 - only where there is a lock to speak of

        return user_name(self.host, uid)

    # --- the connection

    async def _connected(self) -> Bus:
        async with self.connecting:
            if self.bus is None:
                async with asyncio.timeout(ANSWER_MAX):
                    self.bus = await self._connect()
                if self.why:
                    self._aside(self._take(anew=self.held))
                self._locks_changed()
            return self.bus

    async def _connect(self) -> Bus:
        if not self.host.ears:
            raise SleepError("logind can be asked in the daemon only")
        bus = await dbus.connect(self.host.files, self.host.ears, self._signal, self._lost, self.path)
        try:
            await match(bus, sender=BUS, member="NameOwnerChanged", arg0=NAME)
            heard = self.heard
            owner = str((await bus.ask_bus("GetNameOwner", "s", NAME)).body[0])
            self.owner = owner if heard == self.heard else self.owner
            for member in SIGNALS:
                await match(bus, sender=NAME, path=PATH, interface=MANAGER, member=member)
            if self.changed:
                await self._hear_locks(bus)
            await self._learn(bus)
            if not bus.open:
                raise BusLostError("the message bus is gone")
        except BaseException:
            bus.close()
            self._end_all()
            raise
        return bus

    async def _learn(self, bus: Bus) -> None:
        """The time limit of a delay, and whether something is coming already. What was heard meanwhile is newer than these answers."""
        limit = await value_of(bus, NAME, PATH, MANAGER, "InhibitDelayMaxUSec")
        self.delay_max = limit / 1e6 if isinstance(limit, int) else DELAY_MAX
        for name, what in PREPARING.items():
            heard = self.heard
            coming = await value_of(bus, NAME, PATH, MANAGER, name) is True
            if heard == self.heard:
                self._prepare(what, coming=coming)

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        async def told() -> None:
            try:
                with asking("logind cannot be asked"):
                    await work
            except SleepError as error:
                self.lost(error.reason)

        task = asyncio.get_running_loop().create_task(told())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # --- what is heard

    def _signal(self, message: Message) -> None:
        """Anybody may send us a signal that looks like logind's: its sender, which the bus writes, says whose it is."""
        if message.sender == BUS and message.member == "NameOwnerChanged" and message.body[:1] == (NAME,):
            self.heard += 1
            self._owned_by(str(message.body[2]))
        elif message.sender == self.owner and message.member in SIGNALS and message.signature == "b":
            self.heard += 1
            self._prepare(SIGNALS[message.member], coming=message.body[0])
        elif message.sender == self.owner and inhibitors.changed(message):
            self._locks_changed()

    async def _hear_locks(self, bus: Bus) -> None:
        if self.telling is not bus:
            await match(bus, **LOCKS)
            self.telling = bus

    def _locks_changed(self) -> None:
        if self.changed:
            self.changed()

    def _prepare(self, what: str, *, coming: bool) -> None:
        if coming and what not in self.begun:
            self.begun[what] = self.asleep()
            self.coming(what)
        elif not coming and what in self.begun:
            self._end(what)
            if self.why and not self.begun:
                self._aside(self._take())

    def _end(self, what: str) -> None:
        slept = self.asleep() - self.begun.pop(what)
        self.ends += 1
        self.released = self.released and bool(self.begun)
        for ended in self.waiting:
            if not ended.done():
                ended.set_result(slept)
        self.over(what, slept)

    def _owned_by(self, owner: str) -> None:
        """The login manager came or went. It finds its locks again when it comes back, but no operation that it had begun."""
        self.owner = owner
        if owner:
            self._aside(self._returned())
            return
        self._end_all()
        self.lost("systemd-logind is gone")

    async def _returned(self) -> None:
        if self.bus:
            await self._learn(self.bus)
            self._locks_changed()
            await self._take(anew=True)

    def _end_all(self) -> None:
        for what in list(self.begun):
            self._end(what)

    def _lost(self, why: str) -> None:
        """A lock that nobody would be told to release holds off every sleep of the machine in vain: it goes, but not from under a
        caller that is still at work for what is coming; he releases it.
        """
        if not self.bus:
            return  # while connecting: whoever asked is told
        self.bus, self.owner = None, ""
        if not self.begun:
            self._close_lock()
        self._end_all()
        self.lost(f"the message bus is gone ({why})")

    # --- the descriptor

    async def _take(self, *, anew: bool = False) -> None:
        """The old descriptor goes when the new one is there; never two for longer than that."""
        async with self.taking:
            with asking("logind gives no delay lock, so a sleep that others ask for comes without a word"):
                await self._connected()
                if not self.why or self.begun or (self.held and not anew):
                    return
                try:
                    reply = await self._ask("Inhibit", "ssss", "sleep:shutdown", WHO, self.why, "delay")
                except BusError as error:
                    if error.name == BEGUN:
                        return  # its signal is on the way; the lock is taken after it
                    raise
            if len(reply.fds) != 1:
                close_all(reply.fds)
                raise SleepError("logind answers a delay lock without its descriptor")
            if not self.why or self.released:
                close_all(reply.fds)
                return
            self._close_lock()
            self.lock = reply.fds[0]

    def _close_lock(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1
