"""A machine in faked time: the fake kernel, a loop whose clock moves on by itself to whatever comes next, and a whole node in it.

Weeks pass in seconds, and everything is real but the clocks and who sits before the machine: node, agenda, night, ledger, hardware clock of
the fake kernel, threads. Threads are waited for; time passes only while nobody works. Three clocks are kept apart, as a kernel does it:
*true* time, which the hardware clock shows and which never stands still; the wall clock, which somebody may set; and the loop's, which stands still
while the machine sleeps or is off.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import selectors
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest

from fakekernel import FakeKernel
from fakesleep import RTC, STATE
from keeper import Fake, Words
from powernap.config.model import Config
from powernap.core.state import FREE
from powernap.daemon.hands import Hands
from powernap.daemon.history import History
from powernap.daemon.loop_ears import LoopEars
from powernap.daemon.node import Node
from powernap.host.availability import Availability, available
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import Disk, LedgerFile
from powernap.host.resume import ResumeWatch
from powernap.host.systemctl import Outcome
from powernap.sleep import kernel as kernel_sleep
from powernap.sleep.failure import SleepError
from powernap.sleep.inhibitors import Inhibitor, lock_of

ALARM = f"{RTC}/rtc/rtc0/wakealarm"
SLEEPING = "/sys/power/state"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
FIRMWARE, BOOT, RESUME = 20.0, 25.0, 4.0
"""Seconds of the firmware, from there until powernapd begins, and from the end of a sleep until programs run."""
TICK = 1e-6
"""Seconds: a timer is not missed by a rounding."""
PATIENCE = 5.0
"""Seconds that the login manager waits for a delay lock."""
ENDLESS = 100_000
"""Times that the loop waits in one test, at most."""
HANGS = 600
"""Tenths of a real second after which a thread that does not end is a defect."""


class World:
    """All time, and the machine's power. A ``powernap.host.clock.Clock``.

    :param start: true time at the beginning. :ivar systemd: it can be asked whether the whole system is being shut down. :ivar down: set when the machine is being switched off. :ivar on_resume, on_set: called after each sleep,
        and after somebody has set the clock.
    """

    def __init__(self, kernel: FakeKernel, start: float) -> None:
        self.kernel, self.true, self.ahead = kernel, start, 0.0
        self.gone = self.gone_before = 0.0
        self.booted = start - 1000.0
        self.began = start
        self.boots, self.passes = 1, 0
        self.timers: list[WallTimer] = []
        self.waits: list[tuple[float, asyncio.Future[None], bool]] = []
        self.on_resume: list[Callable[[], object]] = []
        self.on_set: list[Callable[[], object]] = []
        self.stopping, self.systemd = False, True
        self.down = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        kernel.add(BOOT_ID, "boot-1")
        kernel.add("/sbin/poweroff")
        kernel.around = self._around
        self._show()

    # --- clocks

    def wall(self) -> float:
        """What the system's clock shows."""
        return self.true + self.ahead

    def boottime(self) -> float:
        """Since this boot."""
        return self.true - self.booted

    def asleep(self) -> float:
        """As host/resume.py tells it, since this boot."""
        return self.gone - self.gone_before

    def mono(self) -> float:
        """The loop's clock."""
        return self.true - self.began - self.gone

    def set_clock(self, by: float) -> None:
        """Somebody sets the system's clock; the hardware clock goes on as it was."""
        self.ahead += by
        self._tell(self.on_set)

    def _show(self) -> None:
        # Not put() as a whole: it is most of what these tests write, and nobody reads it meanwhile.
        Path(f"{self.kernel.root}{STATE}/now").write_text(f"{self.true!r}\n", encoding="utf-8")

    # --- time passes

    async def at(self, true: float, *, person: bool = False) -> None:
        """Until then. :param person: somebody presses a key then, or the power button, where that is needed."""
        future = asyncio.get_running_loop().create_future()
        self.waits.append((true, future, person))
        self._ring()
        await future

    def pass_on(self, most: float | None) -> None:
        """To whatever comes next: the loop's own timer, one on the wall clock, or what the test waits for."""
        times = [] if most is None else [self.true + most + TICK]
        times += [timer.at - self.ahead for timer in self.timers if timer.at is not None]
        times += [at for at, _, _ in self.waits]
        if not times:
            raise AssertionError("nothing will ever happen again")
        self.passes += 1
        if self.passes > ENDLESS:
            raise AssertionError(f"it goes on and on, at {self.true} now")
        self.true = max(self.true, min(times))
        self._show()
        self._ring_awake()
        self._ring()

    def _ring_awake(self) -> None:
        """The hardware clock's alarm, which nobody hears; then none is set."""
        at = alarm(self.kernel)
        if at is not None and at <= self.true:
            self.kernel.put(ALARM, "")

    def _ring(self) -> None:
        for timer in self.timers:
            if timer.at is not None and timer.at <= self.wall():
                timer.at = None
                timer.loop.call_soon(timer.ring)
        for wait in [wait for wait in self.waits if wait[0] <= self.true]:
            self.waits.remove(wait)
            if not wait[1].done():
                wait[1].set_result(None)

    def _tell(self, told: list[Callable[[], object]]) -> None:
        """The kernel cancels each timer on the wall clock when that is set, and after each sleep (timerfd_create(2))."""
        for timer in list(self.timers):
            timer.ring()
        for each in list(told):
            each()
        self._ring()

    # --- sleeping

    def _around(self, moment: str, path: str) -> None:
        """In whichever thread writes."""
        if path != SLEEPING:
            return
        if moment == "before":
            self.kernel.delete(f"{STATE}/waker")
            if (key := self._person()) is not None:
                self.kernel.add(f"{STATE}/waker", f"{key - self.true} serio0")
            return
        now = float(self.kernel.get(f"{STATE}/now"))
        self.gone += now - self.true
        self.true = now + RESUME
        self._show()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._tell, self.on_resume)

    def _person(self) -> float | None:
        return min((at for at, _, person in self.waits if person and at > self.true), default=None)

    # --- power

    def power_off(self, _command: object = None, _limit: float = 0.0) -> Outcome:
        """The init system takes the request, and will end the daemon."""
        self.stopping = True
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.down.set)
        return Outcome(0, "")

    def off_and_on(self) -> None:
        """Nothing runs any more; until its alarm rings, or somebody presses the button, the machine is off. Then it boots."""
        alarm, key = self.kernel.get(ALARM, ""), self._person()
        rings = [int(alarm) - int(self.kernel.get(f"{STATE}/zone"))] if alarm else []
        at = max(self.true, min([*rings, *([] if key is None else [key])]))
        if rings and at >= rings[0]:
            self.kernel.put(ALARM, "")
        self.boot(at)

    def boot(self, at: float) -> None:
        """From then on the firmware works, then the kernel, and then there is time for powernapd."""
        self.boots += 1
        self.booted = at + FIRMWARE
        ready = self.booted + BOOT
        self.gone += ready - self.true
        self.true, self.gone_before = ready, self.gone
        self.kernel.put(BOOT_ID, f"boot-{self.boots}")
        self.kernel.put("/sys/power/suspend_stats/success", "0")
        self.stopping = False
        self.down.clear()
        self._show()
        self._ring()


class WallTimer:
    """``powernap.host.wall_timer.WallTimer`` in this time."""

    def __init__(self, world: World, came: Callable[[], None]) -> None:
        self.world, self.came = world, came
        self.loop = asyncio.get_running_loop()
        self.at: float | None = None
        world.timers.append(self)

    def set(self, at: float | None) -> None:
        """As the real one."""
        self.at = at
        self.world._ring()

    def ring(self) -> None:
        """It is due, or was cancelled."""
        if self in self.world.timers:
            self.came()

    def close(self) -> None:
        """Comes no more."""
        self.world.timers.remove(self)


# --- the loop


class Selector(selectors.DefaultSelector):
    """Waits for nobody but threads: where the loop would wait, time passes."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def select(self, timeout: float | None = None) -> Any:
        """What is ready; nothing, when time has passed instead."""
        for _ in range(HANGS):
            working = any(thread.name.startswith("powernap-") for thread in threading.enumerate())
            ready = super().select(0)
            if ready or (timeout is not None and timeout <= 0):
                return ready
            if not working:
                self.world.pass_on(timeout)
                return []
            ready = super().select(0.1)
            if ready:
                return ready
        raise AssertionError("a thread does not end")


class Loop(asyncio.SelectorEventLoop):
    """On the world's clock."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.loop = self
        super().__init__(Selector(world))

    def time(self) -> float:
        """Stands still while the machine sleeps."""
        return self.world.mono()


def live(world: World, work: Coroutine[Any, Any, None]) -> None:
    """In a loop of that world."""
    with asyncio.Runner(loop_factory=lambda: Loop(world)) as runner:
        runner.run(work)


# --- the login manager


class Login:
    """The login manager, as far as the night asks it: who wants sleep says so, and it waits for the one delay lock that there is."""

    def __init__(
        self,
        world: World,
        _host: Host,
        coming: Callable[[str], None],
        over: Callable[[str, float], None],
        _lost: Callable[[str], None],
    ) -> None:
        self.world, self.coming, self.over = world, coming, over
        self.why = ""
        self.begun: dict[str, float] = {}
        self.free = asyncio.Event()
        self.free.set()
        self.ended: asyncio.Future[None] | None = None

    @property
    def held(self) -> bool:
        """The lock."""
        return not self.free.is_set()

    async def offers(self, _state: str) -> Availability:
        """All of them."""
        return available("")

    async def blockers(self, _state: str, *, automatic: bool = True) -> list[Inhibitor]:
        """Nobody."""
        return []

    async def hear_locks(self, changed: Callable[[], None]) -> None:
        """There are none."""

    def ignore_locks(self) -> None:
        """There are none."""

    async def hold(self, why: str) -> None:
        """While something is coming the lock is taken after it."""
        self.why = why
        if not self.begun:
            self.free.clear()

    def release(self) -> None:
        """Go on."""
        if self.begun:
            self.free.set()

    def drop(self) -> None:
        """Hold nothing off."""
        self.why = ""
        self.free.set()

    def close(self) -> None:
        """As the real one."""
        self.drop()
        self.begun.clear()
        if self.ended is not None and not self.ended.done():
            self.ended.set_exception(SleepError("powernapd left the login manager"))
            self.ended.exception()

    async def sleep_through(self, state: str, *, automatic: bool = True) -> None:
        """Our own."""
        self.ended = asyncio.get_running_loop().create_future()
        await self.order(lock_of(state))
        if self.begun:
            await self.ended

    async def order(self, what: str) -> None:
        """Somebody asks for a sleep or a shutdown."""
        before = self.world.asleep()
        self.begun[what] = before
        self.coming(what)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.free.wait(), PATIENCE)
        if what == "shutdown":
            self.world.power_off()
            return
        self.world.kernel.write(SLEEPING, "mem")
        del self.begun[what]
        self.over(what, self.world.asleep() - before)
        if self.why:
            self.free.clear()


# --- the daemon


class Life:
    """One life of the daemon: from its start, after a boot or a restart, to its end. Make it in the world's loop.

    :param state: its directory, on disk; the fake machine sees it under the same name.
    """

    def __init__(self, world: World, state: Path, config: Config) -> None:
        self.world, self.state = world, state
        loop = asyncio.get_running_loop()
        _reachable(world.kernel, state)
        self.host = Host(world.kernel, world, LoopEars(loop), live=False, state=str(state))
        self.work = Fake()
        self.paper = LedgerFile(str(state / "ledger.jsonl"), Disk(sync=lambda _: None))
        self.ledger = Ledger(self.paper, MachineKnobs(world.kernel), world, boot_id(world.kernel))
        hands = Hands(self.host, self.ledger, config.actions, config.settings.action_time_limit)
        self.history = History(str(state / "history.jsonl"), 100_000)
        self.words = Words()
        self.node = Node(self.host, config, hands, lambda _kind: self.work.module(), self.words, self.history)
        world.on_resume.append(self.node.resumes.look)
        world.on_set.append(self.node.resumes.watch.unsure)
        self.node.begin()

    @property
    def free(self) -> bool:
        """Nothing is changed, and it does not sleep."""
        return self.node.begun and not self.node.stopping and self.node.state.phase in FREE

    @property
    def login(self) -> Login:
        """The login manager, as the night knows it."""
        return cast("Login", self.node.night.manager)

    def said(self, since: float = 0.0) -> list[dict[str, Any]]:
        """The history, of all lives, from an instant of the wall clock on."""
        return [entry for entry in self.history.entries if entry["time"] >= since]

    def kinds(self, since: float = 0.0) -> list[str]:
        """What it says, in order."""
        return [entry["event"] for entry in self.said(since)]

    async def settled(self) -> None:
        """Until the schedules are asked, and what follows from it is done."""
        while (agenda := self.node.agenda) and (agenda.task or self.node.tasks):
            await asyncio.gather(*self.node.tasks, *([agenda.task] if agenda.task else []))

    async def end(self) -> None:
        """As the service manager does it; what is left of it is nothing."""
        clean = await self.node.stop()
        self.world.on_resume.remove(self.node.resumes.look)
        self.world.on_set.remove(self.node.resumes.watch.unsure)
        assert clean
        assert self.ledger.live() == []
        assert not self.node.tasks
        self.paper.close()


def _reachable(kernel: FakeKernel, state: Path) -> None:
    """What the daemon writes to disk it reads as a file of its machine."""
    state.mkdir(parents=True, exist_ok=True)
    if not kernel.exists(str(state)):
        place = Path(kernel.root + str(state))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(state)


def enter_world(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """From now on the daemon's timers, its login manager and its way to switch the machine off are that world's."""
    replaced: dict[str, Any] = {
        "powernap.daemon.agenda.WallTimer": functools.partial(WallTimer, world),
        "powernap.daemon.resumes.ResumeWatch": functools.partial(ResumeWatch, asleep=world.asleep),
        "powernap.daemon.wake_alarm.going_off": lambda _files: world.stopping if world.systemd else None,
        "powernap.daemon.night.LoginManager": functools.partial(Login, world),
        "powernap.sleep.kernel.enter": functools.partial(kernel_sleep.enter, start=world.power_off),
    }
    for name, made in replaced.items():
        monkeypatch.setattr(name, made)


def alarm(kernel: FakeKernel) -> float | None:
    """When the hardware clock rings, in true time."""
    raw = kernel.get(ALARM, "")
    return int(raw) - int(kernel.get(f"{STATE}/zone")) if raw else None


def steal(kernel: FakeKernel, at: float | None) -> None:
    """Another program takes the alarm for itself: clears it, and sets it for an instant of true time."""
    kernel.write(ALARM, "0")
    if at is not None:
        kernel.write(ALARM, str(int(at) + int(kernel.get(f"{STATE}/zone"))))
