"""Sleep through logind, over a real message bus: a stand-in that waits for real descriptors, and python-dbusmock's template."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import bus as private
import fakelogind
import reallogind
from bus import PrivateBus
from loop_ears import LoopEars, until
from powernap.host import dbus
from powernap.host.dbus import Bus, BusError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.sleep.failure import SleepError
from powernap.sleep.login_manager import LoginManager
from powernap.sleep.login_states import METHODS

MISSING = private.missing() or reallogind.missing()
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("bus")]

MANAGER = (fakelogind.NAME, fakelogind.PATH, fakelogind.MANAGER)
OURS = "locked delay powernapd"
WEB = ("sleep", "backup", "nightly copy")


@pytest.fixture
def machine() -> Iterator[PrivateBus]:
    """A bus without logind."""
    made = PrivateBus()
    made.start_bus()
    yield made
    made.stop("systemd")
    made.close()


class House:
    """A login manager's client on that machine, and somebody else's connection."""

    def __init__(self, machine: PrivateBus) -> None:
        self.machine = machine
        self.ears = LoopEars()
        self.host = Host(files=TreeFiles(machine.root), ears=self.ears)
        self.told: list[tuple[Any, ...]] = []
        self.asleep = 0.0
        self.release_at_once = True
        self.manager = LoginManager(
            self.host,
            self._coming,
            lambda what, slept: self.told.append(("over", what, slept)),
            lambda why: self.told.append(("lost", why)),
            asleep=lambda: self.asleep,
        )
        self.other: Bus | None = None

    def _coming(self, what: str) -> None:
        self.told.append(("coming", what))
        if self.release_at_once:
            self.manager.release()

    async def somebody(self) -> Bus:
        """Another program's connection."""
        if not self.other:
            self.other = await dbus.connect(self.host.files, self.ears, lambda _: None, lambda _: None)
        return self.other

    async def lock(self, what: str, who: str, why: str, mode: str = "block") -> int:
        """Another program takes a lock."""
        reply = await (await self.somebody()).call(*MANAGER, "Inhibit", "ssss", what, who, why, mode)
        return reply.fds[0]

    async def order(self, method: str = "Suspend") -> None:
        """Another program asks for sleep."""
        await (await self.somebody()).call(*MANAGER, method, "b", False)

    async def locks(self) -> list[str]:
        """Who holds one."""
        return [row[1] for row in (await (await self.somebody()).call(*MANAGER, "ListInhibitors")).body[0]]

    async def events(self) -> list[str]:
        return await asyncio.to_thread(fakelogind.events, self.machine)

    def close(self) -> None:
        self.manager.close()
        if self.other:
            self.other.close()


def serve(machine: PrivateBus, test: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a loop, then see that no descriptor is left."""

    async def whole() -> None:
        before = _descriptors(machine)
        house = House(machine)
        try:
            await test(house)
        finally:
            house.close()
        await asyncio.sleep(0)
        assert not house.ears.listening
        assert _descriptors(machine) == before

    asyncio.run(whole())


def _descriptors(machine: PrivateBus) -> int:
    """Those of this process, without the pipe to each process of the machine."""
    pipes = sum(process.stdout is not None for process in machine.processes.values())
    return len(os.listdir("/proc/self/fd")) - pipes


# --- what is offered, and what is against it


def test_what_logind_offers_is_said_with_reason_and_remedy(machine: PrivateBus) -> None:
    """Yes, not here, not allowed, only with a password; a version without a method offers it not."""
    can = {"Suspend": "yes", "Hibernate": "na", "HybridSleep": "challenge", "PowerOff": "no"}
    fakelogind.start(machine, version=238, can=can)

    async def test(house: House) -> None:
        offered = {state: await house.manager.offers(state) for state in METHODS}
        assert {state: bool(answer) for state, answer in offered.items()} == {
            "suspend": True,
            "hibernate": False,
            "suspend-then-hibernate": False,
            "hybrid-sleep": False,
            "power-off": False,
        }
        assert all(answer.detail and (answer or answer.remedy) for answer in offered.values())
        assert "swap" in offered["suspend-then-hibernate"].remedy

    serve(machine, test)


def test_a_block_lock_is_named_and_an_idle_one_only_counts_for_the_ladder(machine: PrivateBus) -> None:
    """Who, which process, which user, why. A delay lock keeps nobody awake."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        fds = [
            await house.lock(*WEB),
            await house.lock("idle", "film", "\x1b[31mplaying"),
            await house.lock("shutdown", "apt", "", "block-weak"),
            await house.lock("sleep:shutdown", "network", "", "delay"),
        ]
        found = await house.manager.blockers("suspend")
        assert [(each.who, each.user, each.pid, each.mode) for each in found] == [
            ("backup", "root", os.getpid(), "block"),
            ("film", "root", os.getpid(), "block"),
        ]
        assert found[1].why == "?[31mplaying"
        by_hand = await house.manager.blockers("hibernate", automatic=False)
        assert [each.who for each in by_hand] == ["backup"]
        power_off = await house.manager.blockers("power-off", automatic=False)
        assert [each.who for each in power_off] == ["apt"]
        for fd in fds:
            os.close(fd)
        await until_async(lambda: house.manager.blockers("suspend"), lambda now: not now)

    serve(machine, test)


async def until_async(ask: Callable[[], Coroutine[Any, Any, Any]], true: Callable[[Any], bool]) -> None:
    """Ask until the answer is right."""
    async with asyncio.timeout(10):
        while not true(await ask()):
            pass


# --- going to sleep


@pytest.mark.parametrize("version", [245, 252, 257])
@pytest.mark.parametrize("mode", ["block", "block-weak"])
def test_no_sleep_while_a_block_lock_is_held_though_we_are_root(
    machine: PrivateBus, version: int, mode: str
) -> None:
    """Whatever that version lets root do; once the lock is gone the machine sleeps."""
    fakelogind.start(machine, version=version)

    async def test(house: House) -> None:
        fd = await house.lock(*WEB, mode)
        with pytest.raises(SleepError) as raised:
            await house.manager.sleep("suspend")
        assert raised.value.wanted
        said = f"suspend waits: backup (pid {os.getpid()}, root) blocks sleep: nightly copy"
        assert raised.value.reason == said
        assert not [event for event in await house.events() if event.startswith("Prepare")]
        os.close(fd)
        await until_async(house.events, lambda now: f"unlocked {mode} backup" in now)
        await house.manager.sleep("suspend")
        await until(lambda: house.told[-1:] == [("over", "sleep", 0.0)])
        assert "slept: Suspend" in await house.events()

    serve(machine, test)


@pytest.mark.parametrize("version", [252, 257])
def test_a_lock_that_comes_between_the_last_look_and_the_order_is_obeyed(
    machine: PrivateBus, version: int
) -> None:
    """Logind itself is asked to check for root too, and the holder's name is the reason."""
    fakelogind.start(machine, version=version)

    async def test(house: House) -> None:
        other, manager = await house.somebody(), house.manager
        order = manager._order

        async def late(method: str) -> None:
            await other.call(fakelogind.NAME, fakelogind.PATH, fakelogind.NOTES, "Lock", "s", "late")
            await order(method)

        manager._order = late  # type: ignore[method-assign]
        with pytest.raises(SleepError, match=r"late \(pid 999, nobody\) blocks sleep"):
            await manager.sleep("suspend")
        assert await house.events() == []

    serve(machine, test)


@pytest.mark.parametrize(
    ("state", "method"),
    [
        ("suspend", "Suspend"),
        ("hibernate", "Hibernate"),
        ("suspend-then-hibernate", "SuspendThenHibernate"),
        ("hybrid-sleep", "HybridSleep"),
        ("power-off", "PowerOff"),
    ],
)
def test_every_state_is_entered_by_its_own_call(machine: PrivateBus, state: str, method: str) -> None:
    """And is announced and over as sleep or as shutdown."""
    fakelogind.start(machine, version=252)
    what = "shutdown" if state == "power-off" else "sleep"

    async def test(house: House) -> None:
        await house.manager.sleep(state)
        await until(lambda: len(house.told) == 2)
        assert house.told == [("coming", what), ("over", what, 0.0)]
        assert f"slept: {method}" in await house.events()

    serve(machine, test)


def test_logind_says_why_it_cannot(machine: PrivateBus) -> None:
    """Its own words are the reason; nothing was announced."""
    fakelogind.start(machine, can={"Hibernate": "na"})

    async def test(house: House) -> None:
        with pytest.raises(
            SleepError, match="logind refuses hibernate: Sleep verb 'hibernate' is not configured"
        ):
            await house.manager.sleep("hibernate")
        assert house.told == []

    serve(machine, test)


# --- the delay lock


def test_nothing_sleeps_before_the_lock_is_released_and_it_is_taken_again(machine: PrivateBus) -> None:
    """Somebody else suspends; our work comes first, then the sleep, then the lock is there again for the next."""
    fakelogind.start(machine, delay_max=600)

    async def test(house: House) -> None:
        house.release_at_once = False
        await house.manager.hold("putting the nap back")
        assert (house.manager.held, house.manager.delay_max) == (True, 600.0)
        for cycle in (1, 2):
            await house.order()
            await until(lambda: house.told[-1:] == [("coming", "sleep")])
            assert "slept: Suspend" not in (await house.events())[(cycle - 1) * 5 :]
            house.asleep += 100.0
            house.manager.release()
            await until(lambda: house.told[-1:] == [("over", "sleep", 100.0)] and house.manager.held)
        one = [
            OURS,
            "PrepareForSleep True",
            "unlocked delay powernapd",
            "slept: Suspend",
            "PrepareForSleep False",
        ]
        assert await house.events() == [*one, *one, OURS]

    serve(machine, test)


def test_who_does_not_release_in_time_is_not_waited_for(machine: PrivateBus) -> None:
    """The limit passes, the machine sleeps; a release that comes too late takes nothing from the next sleep."""
    fakelogind.start(machine, delay_max=0.05)

    async def test(house: House) -> None:
        house.release_at_once = False
        await house.manager.hold("slow")
        await house.order()
        await until(lambda: any(told[0] == "over" for told in house.told))
        house.manager.release()
        assert house.manager.held
        assert "waited long enough" in await house.events()

    serve(machine, test)


def test_a_sleep_of_our_own_passes_our_own_lock(machine: PrivateBus) -> None:
    """The caller is told as for any other and releases it; the announcement comes before the answer."""
    fakelogind.start(machine, delay_max=600)

    async def test(house: House) -> None:
        await house.manager.hold("putting the nap back")
        await house.manager.sleep("suspend")
        assert house.told[0] == ("coming", "sleep")
        await until(lambda: len(house.told) == 2 and house.manager.held)
        assert "slept: Suspend" in await house.events()

    serve(machine, test)


def test_a_sleep_that_failed_is_over_with_no_second_slept(machine: PrivateBus) -> None:
    """Logind accepted, systemd could not: the clocks tell."""
    fakelogind.start(machine, fails=True)

    async def test(house: House) -> None:
        await house.manager.sleep("suspend")
        await until(lambda: len(house.told) == 2)
        assert house.told[1] == ("over", "sleep", 0.0)
        assert await house.manager.failure("suspend") == ""

    serve(machine, test)


def test_a_dropped_lock_is_not_taken_again(machine: PrivateBus) -> None:
    """Nor is one taken that was dropped while logind was asked for it."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        await house.manager.hold("for a while")
        house.manager.drop()
        await house.manager.sleep("suspend")
        await until(lambda: len(house.told) == 2)
        asked = asyncio.ensure_future(house.manager.hold("again"))
        await asyncio.sleep(0)
        assert house.manager.bus
        assert house.manager.bus.waiting
        house.manager.drop()
        await asked
        assert not house.manager.held
        await until_async(house.events, lambda now: now.count("unlocked delay powernapd") == 2)

    serve(machine, test)


def test_a_new_reason_is_a_new_lock_and_the_same_is_none(machine: PrivateBus) -> None:
    """The new one is there before the old one goes."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        await house.manager.hold("one")
        await house.manager.hold("one")
        await house.manager.hold("two")
        await until_async(house.events, lambda now: "unlocked delay powernapd" in now)
        assert await house.events() == [OURS, OURS, "unlocked delay powernapd"]

    serve(machine, test)


def test_who_has_left_in_the_middle_and_comes_again_begins_anew(machine: PrivateBus) -> None:
    """What was coming then is not told as over, and the lock is a new one."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        house.release_at_once = False
        await house.manager.hold("a nap")
        await house.order()
        await until(lambda: house.told == [("coming", "sleep")])
        house.manager.close()
        await until_async(house.events, lambda now: "slept: Suspend" in now)
        await house.manager.hold("a nap")
        assert (house.told, house.manager.held, house.manager.begun) == ([("coming", "sleep")], True, {})

    serve(machine, test)


def test_who_comes_while_something_is_coming_is_told_at_once_and_locks_after(machine: PrivateBus) -> None:
    """A daemon that starts in the middle of somebody's suspend."""
    fakelogind.start(machine, delay_max=600)

    async def test(house: House) -> None:
        fd = await house.lock("sleep", "network", "", "delay")
        await house.order()
        await house.manager.hold("late")
        assert (house.told, house.manager.held) == ([("coming", "sleep")], False)
        os.close(fd)
        await until(lambda: house.manager.held)
        assert [told[0] for told in house.told] == ["coming", "over"]

    serve(machine, test)


def test_a_release_while_the_lock_is_on_its_way_counts_for_it(machine: PrivateBus) -> None:
    """The lock's answer and the announcement arrive at one stroke: the machine sleeps, and does not wait for what nobody would release."""
    fakelogind.start(machine, delay_max=600)

    async def test(house: House) -> None:
        await house.manager.offers("suspend")
        asked = asyncio.ensure_future(house.manager.hold("a nap"))
        await asyncio.sleep(0)
        machine.gdbus(*MANAGER[:2], f"{MANAGER[2]}.Suspend", "false")
        await asked
        await until(lambda: [told[0] for told in house.told] == ["coming", "over"] and house.manager.held)
        assert (await house.events())[:3] == [OURS, "PrepareForSleep True", "unlocked delay powernapd"]

    serve(machine, test)


def test_a_lock_that_is_refused_because_something_is_coming_is_taken_after_it(machine: PrivateBus) -> None:
    """The announcement is still unread when we ask; logind's refusal is no fault to tell of."""
    fakelogind.start(machine, delay_max=600)

    async def test(house: House) -> None:
        await house.manager.offers("suspend")
        fd = await house.lock("sleep", "network", "", "delay")
        machine.gdbus(*MANAGER[:2], f"{MANAGER[2]}.Suspend", "false")
        await house.manager.hold("a nap")
        assert (house.manager.held, house.told) == (False, [("coming", "sleep")])
        os.close(fd)
        await until(lambda: house.manager.held)
        assert [told[0] for told in house.told] == ["coming", "over"]

    serve(machine, test)


# --- what can go away


def test_logind_restarted_keeps_our_lock_and_forgets_what_was_coming(machine: PrivateBus) -> None:
    """What it had begun is over, nobody slept; afterwards there is one lock, and it works."""
    fakelogind.start(machine, delay_max=600)

    async def test(house: House) -> None:
        house.release_at_once = False
        await house.manager.hold("a nap")
        await house.order()
        await until(lambda: house.told == [("coming", "sleep")])
        await asyncio.to_thread(machine.stop, "logind")
        await until(lambda: len(house.told) == 3)
        assert house.told[1:] == [("over", "sleep", 0.0), ("lost", "systemd-logind is gone")]
        with pytest.raises(SleepError, match="cannot ask logind"):
            await house.manager.blockers("suspend")
        await asyncio.to_thread(fakelogind.start, machine, delay_max=300)
        await until_async(house.events, lambda now: now == [OURS, "unlocked delay powernapd"])
        assert (house.manager.held, house.manager.delay_max) == (True, 300.0)
        house.release_at_once = True
        await house.order()
        await until(lambda: house.told[-1][0] == "over")
        assert "slept: Suspend" in await house.events()

    serve(machine, test)


def test_a_lost_bus_is_told_and_the_next_call_finds_the_new_one(machine: PrivateBus) -> None:
    """In the middle of a sleep: over, lost, the lock given back; then connected and locked again by any question."""
    fakelogind.start(machine, delay_max=600)

    async def test(house: House) -> None:
        house.release_at_once = False
        await house.manager.hold("a nap")
        await house.order()
        await until(lambda: house.told == [("coming", "sleep")])
        await asyncio.to_thread(machine.stop, "bus")
        await until(lambda: len(house.told) == 3)
        assert house.told[1][:2] == ("over", "sleep")
        assert house.told[2][0] == "lost"
        kept = house.manager.held
        house.manager.release()
        assert (kept, house.manager.held) == (True, False)
        with pytest.raises(SleepError, match="cannot ask logind"):
            await house.manager.offers("suspend")
        await asyncio.to_thread(machine.stop, "logind")
        os.unlink(machine.socket)
        await asyncio.to_thread(machine.start_bus)
        await asyncio.to_thread(fakelogind.start, machine)
        house.other = None
        await house.manager.offers("suspend")
        await until(lambda: house.manager.held)

    serve(machine, test)


def test_a_bus_lost_while_nothing_is_coming_leaves_no_lock_behind(machine: PrivateBus) -> None:
    """Nobody could be told to release it: each sleep would wait in vain."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        await house.manager.hold("a nap")
        await asyncio.to_thread(machine.stop, "bus")
        await until(lambda: house.told)
        assert ([told[0] for told in house.told], house.manager.held) == (["lost"], False)

    serve(machine, test)


def test_without_logind_every_question_is_a_refusal(machine: PrivateBus) -> None:
    """No service is started, and none is waited for."""

    async def test(house: House) -> None:
        for question in (
            house.manager.offers("suspend"),
            house.manager.blockers("suspend"),
            house.manager.sleep("suspend"),
            house.manager.hold("a nap"),
        ):
            with pytest.raises(SleepError):
                await question
        assert await house.manager.failure("suspend") == ""

    serve(machine, test)


def test_a_forged_announcement_is_not_believed(machine: PrivateBus) -> None:
    """Anybody on the machine may send us a signal of that name; only logind's counts."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        await house.manager.hold("a nap")
        bus = house.manager.bus
        assert bus
        names = (await bus.ask_bus("ListNames")).body[0]
        ours = [name for name in names if name.startswith(":") and await _pid(bus, name) == os.getpid()]
        command = ["--dest", ours[0], "-o", fakelogind.PATH, "-s"]
        for name, arguments in (
            (f"{fakelogind.MANAGER}.PrepareForSleep", ["true"]),
            ("org.freedesktop.DBus.NameOwnerChanged", [f"'{fakelogind.NAME}'", "':1.1'", "''"]),
        ):
            await asyncio.to_thread(_emit, machine, *command, name, *arguments)
        await bus.ask_bus("ListNames")
        assert (house.told, house.manager.held) == ([], True)

    serve(machine, test)


async def _pid(bus: Bus, name: str) -> int:
    try:
        return int((await bus.ask_bus("GetConnectionUnixProcessID", "s", name)).body[0])
    except BusError:
        return 0


def _emit(machine: PrivateBus, *arguments: str) -> None:
    subprocess.run(["gdbus", "emit", "--system", *arguments], env=machine.environment, check=True, timeout=20)


def test_an_answer_of_another_form_keeps_the_machine_awake(machine: PrivateBus) -> None:
    """A later systemd that lists locks in other words is not read as "nobody"."""
    fakelogind.start(machine, signature="a(s)")

    async def test(house: House) -> None:
        with pytest.raises(SleepError, match="not understood"):
            await house.manager.sleep("suspend")
        assert await house.events() == []

    serve(machine, test)


def test_the_template_of_dbusmock_is_served_too(machine: PrivateBus) -> None:
    """Another implementation: no WithFlags, no time limit to read, its own descriptors."""
    machine.start_logind()

    async def test(house: House) -> None:
        await house.manager.hold("a nap")
        assert (house.manager.held, house.manager.delay_max) == (True, 5.0)
        fd = await house.lock(*WEB)
        assert [each.user for each in await house.manager.blockers("suspend")] != []
        os.close(fd)
        await until_async(lambda: house.manager.blockers("suspend"), lambda now: not now)
        await house.manager.sleep("suspend")
        signal = (f"{private.LOGIND[2]}.EmitSignal", fakelogind.MANAGER, "PrepareForSleep", "b")
        for value in ("true", "false"):
            await asyncio.to_thread(machine.gdbus, *private.LOGIND[:2], *signal, f"[<{value}>]")
        await until(lambda: len(house.told) == 2 and house.manager.held)
        assert [told[0] for told in house.told] == ["coming", "over"]

    serve(machine, test)


def test_a_lock_that_comes_when_its_taker_was_just_cancelled_is_given_back(machine: PrivateBus) -> None:
    """The answer is there, its descriptor too, and nobody takes them: the machine would wait in vain at each sleep."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        bus = await house.somebody()
        call = asyncio.ensure_future(bus.call(*MANAGER, "Inhibit", "ssss", "sleep", "hasty", "", "delay"))
        await asyncio.sleep(0)
        (answer,) = bus.waiting.values()
        while not answer.done():  # the loop stands still meanwhile, so the taker has not seen it yet
            select.select([bus.socket.fileno()], [], [])
            bus._heard()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until_async(house.events, lambda now: "unlocked delay hasty" in now)

    serve(machine, test)


# --- this machine's own systemd-logind


@pytest.mark.root
def test_the_real_logind_waits_for_our_release_and_keeps_our_lock_when_restarted(machine: PrivateBus) -> None:
    """Nothing is started before; a target that failed is over with nothing slept and its reason; a restart forgets what was coming."""
    reallogind.start(machine)

    async def started(house: House) -> int:
        return await asyncio.to_thread(reallogind.started, house.machine)

    async def test(house: House) -> None:
        house.release_at_once = False
        assert (await house.manager.offers("suspend")).usable
        await house.manager.hold("a nap")
        assert (house.manager.held, house.manager.delay_max > 0) == (True, True)
        fd = await house.lock(*WEB)
        with pytest.raises(SleepError, match=r"backup \(pid \d+, root\) blocks sleep: nightly copy"):
            await house.manager.sleep("suspend")
        os.close(fd)
        await until_async(lambda: house.manager.blockers("suspend"), lambda now: not now)
        await house.manager.sleep("suspend")
        assert (house.told, await started(house)) == ([("coming", "sleep")], 0)
        house.manager.release()
        await until(lambda: house.told[1:] == [("over", "sleep", 0.0)] and house.manager.held)
        assert await started(house) == 1
        assert "systemd-suspend.service failed (exit-code)" in await house.manager.failure("suspend")
        await house.order()
        await until(lambda: house.told[2:] == [("coming", "sleep")])
        await asyncio.to_thread(machine.stop, "logind")
        await until(lambda: [told[0] for told in house.told[3:]] == ["over", "lost"])
        await asyncio.to_thread(reallogind.start, machine)
        await until_async(house.locks, lambda now: now == ["powernapd"])
        await house.order()
        await until(lambda: house.told[5:] == [("coming", "sleep")])
        assert await started(house) == 1
        house.manager.release()
        await until(lambda: house.told[6:] == [("over", "sleep", 0.0)])
        assert await started(house) == 2

    serve(machine, test)
    machine.stop("systemd")


def test_the_machines_own_logind_tells_of_each_block_lock_that_ends(machine: PrivateBus) -> None:
    """Also when another of the same kind still stands, so that its words stay the same; of a delay lock nothing is told."""
    reallogind.start(machine)

    async def test(house: House) -> None:
        news: list[str] = []
        two, delay = [await house.lock(*WEB), await house.lock(*WEB)], await house.lock(*WEB, "delay")
        await house.manager.hear_locks(lambda: news.append("changed"))
        os.close(delay)
        os.close(two.pop())
        await until(lambda: news)
        left = [each.who for each in await house.manager.blockers("suspend")]
        assert (left, len(news)) == (["backup"], 1)
        os.close(two.pop())
        await until(lambda: len(news) == 2)
        await until_async(lambda: house.manager.blockers("suspend"), lambda now: not now)
        house.manager.ignore_locks()
        os.close(await house.lock(*WEB))
        await house.manager.blockers("suspend")
        assert len(news) == 2

    serve(machine, test)
    machine.stop("systemd")


def test_locks_are_heard_of_again_after_the_bus_was_lost(machine: PrivateBus) -> None:
    """Whoever connects anew is told, since what was told in between is lost; and then of each change."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        news: list[str] = []
        await house.manager.hear_locks(lambda: news.append("changed"))
        assert house.manager.bus
        house.manager.bus._fail("a test")
        assert news == []
        await house.manager.blockers("suspend")
        assert news == ["changed"]
        os.close(await house.lock(*WEB))
        await until(lambda: len(news) == 3)

    serve(machine, test)


def test_a_sleep_that_somebody_else_asked_for_meanwhile_is_as_good_as_ours(machine: PrivateBus) -> None:
    """It is waited for, whether we heard of it before we ask or only by the answer; logind takes no second one."""
    fakelogind.start(machine)

    async def test(house: House) -> None:
        house.release_at_once = False
        await house.manager.hold("values are changed")
        await house.order()
        await until(lambda: ("coming", "sleep") in house.told)
        joined = asyncio.ensure_future(house.manager.sleep_through("suspend"))
        await asyncio.sleep(0)
        house.asleep = 60.0
        house.manager.release()
        await joined
        assert [event for event in await house.events() if event.startswith("slept")] == ["slept: Suspend"]

        def falls_asleep(_what: str) -> None:
            house.asleep += 60.0
            house.manager.release()

        house.manager.coming = falls_asleep
        await asyncio.gather(house.order(), house.manager.sleep_through("suspend"))
        slept = [event for event in await house.events() if event.startswith("slept")]
        assert slept == ["slept: Suspend", "slept: Suspend"]

    serve(machine, test)
