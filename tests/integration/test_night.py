"""A whole node and the login manager: a sleep that somebody else asks for waits until everything is put back, on a real message bus."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import bus as private
import fakelogind
from bus import PrivateBus
from keeper import Fake, Keeper, config, until
from powernap.config.model import Stage
from powernap.core.events import NapAsked
from powernap.daemon.node import Node
from powernap.host import dbus
from powernap.host.files import TreeFiles
from powernap.sleep.options import SleepOptions

MISSING = private.missing()
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("bus")]
MANAGER = (fakelogind.NAME, fakelogind.PATH, fakelogind.MANAGER)
EASE = Stage("ease", 0.05, 0.0, ("quiet",))
BED = Stage("bed", 0.1, 0.0, (), "suspend")


@pytest.fixture
def machine() -> Iterator[PrivateBus]:
    """A bus with the login manager."""
    made = PrivateBus()
    made.start_bus()
    fakelogind.start(made)
    yield made
    made.close()


@asynccontextmanager
async def living(machine: PrivateBus, *stages: Stage) -> AsyncIterator[Keeper]:
    """A node on that machine whose hands take notes, and whose nights are real."""
    given = config("work", stages=stages)
    object.__setattr__(given, "sleep", SleepOptions(proof="override"))
    keeper = Keeper({"work": Fake()}, given)
    keeper.host.files = TreeFiles(machine.root)
    keeper.node.nightfall = lambda: Node.nightfall(keeper.node)  # type: ignore[method-assign]
    keeper.node.begin()
    try:
        yield keeper
    finally:
        await keeper.end()


def live(work: Callable[[], Awaitable[Any]]) -> None:
    """In a loop of its own; what takes 30 s has failed."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await work()

    asyncio.run(bounded())


async def somebody(keeper: Keeper) -> dbus.Bus:
    """Another program's connection."""
    assert keeper.host.ears
    return await dbus.connect(keeper.host.files, keeper.host.ears, lambda _: None, lambda _: None)


def held(keeper: Keeper) -> bool:
    """Whether our delay lock is held."""
    night = keeper.node._night
    return bool(night and night.manager and night.manager.held)


def test_a_foreign_suspend_waits_until_everything_is_put_back(machine: PrivateBus) -> None:
    """The lock is closed after the last value, and the machine sleeps after that."""

    async def work() -> None:
        async with living(machine, EASE) as keeper:
            await keeper.reach("napping")
            assert held(keeper)
            order: list[str] = []
            slow = asyncio.Event()

            async def restoring() -> None:
                await slow.wait()
                order.extend(await asyncio.to_thread(fakelogind.events, machine))
                order.append("put back")

            keeper.hands.restoring = restoring
            other = await somebody(keeper)
            await other.call(*MANAGER, "Suspend", "b", False)
            await keeper.reach("leaving")
            slow.set()
            await until(lambda: keeper.said("left"))
            await until(lambda: any(event.startswith("slept") for event in fakelogind.events(machine)))
            other.close()
            assert order[-1] == "put back"
            assert not any(event.startswith(("slept", "unlocked delay powernapd")) for event in order)
            assert "somebody sends this machine to sleep" in str(keeper.said("activity")[0]["because"])

    live(work)


def test_a_machine_in_use_holds_no_lock_and_no_connection(machine: PrivateBus) -> None:
    """Whoever sends it to sleep waits for nobody."""

    async def work() -> None:
        async with living(machine, EASE) as keeper:
            await keeper.reach("napping")
            assert held(keeper)
            keeper.fakes["work"].tell(active=True)
            await keeper.reach("awake")
            night = keeper.node._night
            assert night
            assert night.manager
            assert (held(keeper), night.manager.bus) == (False, None)

    live(work)


def test_a_block_lock_keeps_it_awake_and_why_says_whose(machine: PrivateBus) -> None:
    """Also as root, and the stage above stays in force; without it the machine sleeps."""

    async def work() -> None:
        async with living(machine, EASE, BED) as keeper:
            other = await somebody(keeper)
            lock = (
                await other.call(*MANAGER, "Inhibit", "ssss", "sleep", "backup", "nightly copy", "block")
            ).fds[0]
            await until(lambda: keeper.said("sleep-refused"))
            assert "nightly copy" in keeper.said("sleep-refused")[0]["detail"]
            assert "backup" in keeper.said("sleep-refused")[0]["detail"]
            assert keeper.phase == "napping"
            assert keeper.hands.did == ["apply ease"]
            os.close(lock)
            # The next attempt of its own would be after a minute, and this test has half of one.
            await until(lambda: keeper.said("sleep"))
            other.close()

    live(work)


def test_a_lock_that_ends_while_nobody_can_tell_of_it_is_found_gone(machine: PrivateBus) -> None:
    """The login manager is away when it ends, and knows nothing of it when it is back. We ask, on the connection that was kept."""

    async def work() -> None:
        async with living(machine, BED) as keeper:
            other = await somebody(keeper)
            call = other.call(*MANAGER, "Inhibit", "ssss", "sleep", "backup", "nightly copy", "block")
            lock = (await call).fds[0]
            await until(lambda: keeper.said("sleep-refused"))
            assert keeper.phase == "awake"
            await asyncio.to_thread(machine.stop, "logind")
            os.close(lock)
            shutil.rmtree(f"{machine.root}/run/systemd/inhibit")
            assert not keeper.said("sleep")
            await asyncio.to_thread(fakelogind.start, machine)
            await until(lambda: keeper.said("sleep"))
            other.close()

    live(work)


def test_a_lock_against_automatic_sleep_does_not_hold_back_an_admin(machine: PrivateBus) -> None:
    """A film keeps the ladder from suspending; `powernap nap bed` suspends."""

    async def work() -> None:
        async with living(machine, EASE, BED) as keeper:
            other = await somebody(keeper)
            lock = (await other.call(*MANAGER, "Inhibit", "ssss", "idle", "film", "playing", "block")).fds[0]
            await until(lambda: keeper.said("sleep-refused"))
            assert "film" in keeper.said("sleep-refused")[0]["detail"]
            keeper.node.feed(NapAsked(keeper.host.clock.boottime(), "alice", "bed"))
            await until(lambda: any(event.startswith("slept") for event in fakelogind.events(machine)))
            os.close(lock)
            other.close()

    live(work)


def test_the_login_manager_is_asked_once_what_it_offers(machine: PrivateBus) -> None:
    """One question for one sleep: of the state that is to be entered."""

    async def work() -> None:
        async with living(machine, EASE, BED) as keeper:
            await until(lambda: keeper.said("sleep-failed"))
            assert fakelogind.asked(machine) == ["Suspend"]

    live(work)


def test_a_foreign_sleep_too_short_for_the_clocks_is_told_by_its_end(machine: PrivateBus) -> None:
    """The kernel's count has grown: the machine is back, and stays up for a while."""
    counts = f"{machine.root}/sys/power/suspend_stats"
    os.makedirs(counts)

    async def work() -> None:
        async with living(machine, EASE) as keeper:
            await keeper.reach("napping")
            keeper.node.resumes.sleeps = 0
            with open(f"{counts}/success", "w", encoding="utf-8") as file:  # noqa: ASYNC230
                file.write("1")
            assert not keeper.said("resumed")
            other = await somebody(keeper)
            await other.call(*MANAGER, "Suspend", "b", False)
            await until(lambda: keeper.said("lease-ended"))
            assert len(keeper.said("resumed")) == 1
            assert [blocker.kind for blocker in keeper.node.blockers()] == ["resume"]
            other.close()

    live(work)


def test_after_a_foreign_sleep_no_connection_is_left(machine: PrivateBus) -> None:
    """A machine that is awake as usual waits for nobody's signals."""

    async def work() -> None:
        async with living(machine, EASE) as keeper:
            await keeper.reach("napping")
            put_back = asyncio.Event()
            keeper.hands.restoring = put_back.wait
            other = await somebody(keeper)
            await other.call(*MANAGER, "Suspend", "b", False)
            await keeper.reach("leaving")
            # A hold whose end will be told: neither another nap nor another look comes.
            keeper.fakes["work"].tell(active=True, told=True)
            put_back.set()
            await until(lambda: keeper.said("lease-ended"))
            night = keeper.node._night
            assert night
            assert night.manager
            await until(lambda: night.manager is not None and night.manager.bus is None)
            other.close()

    live(work)


def test_our_own_sleep_goes_through_the_login_manager(machine: PrivateBus) -> None:
    """Everything is put back first, our own lock holds nothing up, and a sleep that did not happen is told as such."""

    async def work() -> None:
        async with living(machine, EASE, BED) as keeper:
            # The stand-in says that it slept, but the clocks know better.
            await until(lambda: keeper.said("sleep-failed"))
            assert keeper.hands.did[:3] == ["apply ease", "apply bed", "restore"]
            assert "did not sleep" in keeper.said("sleep-failed")[0]["detail"]
            assert any(event.startswith("slept") for event in fakelogind.events(machine))

    live(work)


def test_a_login_manager_that_goes_away_is_told_once_and_the_machine_naps_on(machine: PrivateBus) -> None:
    """What is changed is put back after a sleep then, as the history says."""

    async def work() -> None:
        async with living(machine, EASE) as keeper:
            await keeper.reach("napping")
            machine.stop("logind")
            await until(lambda: keeper.said("unguarded"))
            assert keeper.phase == "napping"

    live(work)
