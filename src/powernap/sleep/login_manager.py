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
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
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
from powernap.sleep.inhibitors import Inhibitor
from powernap.sleep.login_states import METHODS, availability

ROOT_CHECK_INHIBITORS = 1
"""Flag of ``SuspendWithFlags`` and its like: up to systemd 256 root is stopped by a block lock only when this is set.

Even then not by one that root holds itself (seen with 252), so the look of our own before is what counts there; 257 always stops us.
"""
SIGNALS = {"PrepareForSleep": "sleep", "PrepareForShutdown": "shutdown"}
PREPARING = {"PreparingForSleep": "sleep", "PreparingForShutdown": "shutdown"}
LACKING = (
    "org.freedesktop.DBus.Error.UnknownMethod",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.NotSupported",
)
BEGUN = "org.freedesktop.login1.OperationInProgress"
WHO = "powernapd"
DELAY_MAX = 5.0
"""Seconds: logind's own default of ``InhibitDelayMaxSec`` (logind.conf(5))."""
SLEEP_MAX = 600.0
"""Seconds awake within which a sleep that was accepted must have begun and ended; the loop's clock stands still in between."""
ANSWER_MAX = 25.0
"""Seconds that a call may take: what libdbus and sd-bus give one."""
SYSTEMD, SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what can go wrong between us and logind into a ``SleepError`` that begins with ``what``; staying awake is what follows."""
    try:
        yield
    except BusError as error:
        raise SleepError(f"{what}: {error}") from error
    except TimeoutError as error:
        raise SleepError(f"{what}: no answer within {ANSWER_MAX:g} s") from error
    except OSError as error:
        raise SleepError(f"{what}: {error}") from error


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
        self.owner = ""
        self.heard = 0
        self.why = ""
        self.lock = -1
        self.released = False
        self.connecting, self.taking = asyncio.Lock(), asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()
        self.waiting: list[asyncio.Future[float]] = []

    # --- what can be asked

    async def offered(self) -> dict[str, Availability]:
        """Each sleep state, whether logind would enter it; ``SleepError`` when logind cannot be asked."""
        with _asking("cannot ask logind which sleep states there are"):
            await self._connected()
            answers = await asyncio.gather(*[self._can(state) for state in METHODS])
        return dict(zip(METHODS, answers, strict=True))

    async def blockers(self, state: str, *, automatic: bool = True) -> list[Inhibitor]:
        """The locks that keep the machine out of a sleep state now; ``SleepError`` when that cannot be told.

        :param automatic: nobody asked for it by hand; then ``idle`` locks count too.
        """
        with _asking("cannot ask logind what holds off sleep"):
            reply = await self._ask("ListInhibitors")
        if reply.signature != inhibitors.SIGNATURE:
            raise SleepError(f"logind lists inhibitor locks as {reply.signature!r}, which is not understood")
        found = inhibitors.parse(reply.body[0], self._user)
        return inhibitors.blocking(found, state, automatic=automatic)

    async def failure(self, state: str) -> str:
        """Why the last sleep failed, as systemd knows it; empty when it did not fail or systemd does not tell. For after ``over``."""
        unit = f"systemd-{state}.service"
        try:
            bus = await self._connected()
            reply = await _call(bus, SYSTEMD, SYSTEMD_PATH, f"{SYSTEMD}.Manager", "GetUnit", "s", unit)
            result = await _property(bus, SYSTEMD, reply.body[0], f"{SYSTEMD}.Service", "Result")
        except (OSError, BusError, SleepError):
            return ""
        if result in {None, "success"}:
            return ""
        return f"{unit} failed ({result}); `journalctl -b -u {unit}` says why"

    async def sleep(self, state: str, *, automatic: bool = True) -> None:
        """Enter a sleep state, unless a lock is against it: looked for here, and by logind itself where it does so for root.

        Returns when logind has accepted, after ``coming`` was called; whether the machine slept, ``over`` tells. ``SleepError`` with
        logind's reason when it has not.
        """
        await self._refuse_if_blocked(state, automatic=automatic)
        try:
            with _asking(f"logind refuses {state}"):
                await self._order(METHODS[state])
        except SleepError:
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
        self.begun.clear()
        self.released = False
        for task in self.tasks:
            task.cancel()
        if self.bus:
            self.bus.close()
            self.bus = None

    # --- asking

    async def _ask(self, member: str, signature: str = "", *body: Any) -> Message:
        return await _call(await self._connected(), NAME, PATH, MANAGER, member, signature, *body)

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
        limit = await _property(bus, NAME, PATH, MANAGER, "InhibitDelayMaxUSec")
        self.delay_max = limit / 1e6 if isinstance(limit, int) else DELAY_MAX
        for name, what in PREPARING.items():
            heard = self.heard
            coming = await _property(bus, NAME, PATH, MANAGER, name) is True
            if heard == self.heard:
                self._prepare(what, coming=coming)

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        async def told() -> None:
            try:
                with _asking("logind cannot be asked"):
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
            with _asking("logind gives no delay lock, so a sleep that others ask for comes without a word"):
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
                _close(reply.fds)
                raise SleepError("logind answers a delay lock without its descriptor")
            if not self.why or self.released:
                _close(reply.fds)
                return
            self._close_lock()
            self.lock = reply.fds[0]

    def _close_lock(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


async def _call(
    bus: Bus, to: str, path: str, interface: str, member: str, signature: str = "", *body: Any
) -> Message:
    async with asyncio.timeout(ANSWER_MAX):
        return await bus.call(to, path, interface, member, signature, *body)


async def _property(bus: Bus, to: str, path: str, interface: str, name: str) -> Any:
    """A property's value; ``None`` where this version has none of that name."""
    try:
        return (await _call(bus, to, path, PROPERTIES, "Get", "ss", interface, name)).body[0]
    except BusError:
        return None
