"""A look at the monitors always comes to its end, whatever one of them does."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from keeper import Fake, run, until
from powernap.config.model import MonitorConfig
from powernap.core.events import Heard, Looked
from powernap.core.reading import Reading
from powernap.daemon.lookout import Lookout, Scope
from powernap.host.availability import UnavailableError, unavailable
from powernap.host.host import Host


class Looking:
    """A lookout, and what it fed."""

    def __init__(self, modules: dict[str, Any], limit: float = 0.1) -> None:
        self.modules, self.fed = modules, list[Any]()
        self.host = Host()
        self.lookout = Lookout(self.host, self.find, self.fed.append)
        self.lookout.open(MonitorConfig(name, name, None, time_limit=limit) for name in modules)

    def find(self, kind: str) -> Any:
        found = self.modules[kind]
        if isinstance(found, Exception):
            raise found
        return found

    def readings(self, name: str) -> list[Reading]:
        return [e.reading for e in self.fed if isinstance(e, Heard) and e.reading.monitor == name]

    async def closed(self) -> None:
        """Until no look is under way."""
        await until(lambda: not self.lookout.looks)

    @property
    def looked(self) -> list[int]:
        return [e.serial for e in self.fed if isinstance(e, Looked)]


def looking(modules: dict[str, Any], test: Any, limit: float = 0.1) -> Looking:
    async def work() -> Looking:
        looking = Looking(modules, limit)
        try:
            await test(looking)
        finally:
            looking.lookout.close()
            await asyncio.sleep(0)
        return looking

    done: Looking = run(work())
    return done


async def never(_now: float = 0.0) -> Reading:
    await asyncio.Event().wait()
    raise AssertionError


def test_answers_that_come_at_once_are_fed_at_once() -> None:
    """A look of which every answer is there is complete when `look` returns."""

    async def test(looking: Looking) -> None:
        looking.lookout.look(7, Scope.ALL)
        assert ["a", "b"] == [e.reading.monitor for e in looking.fed[:-1]]
        assert [7] == looking.looked

    looking({"a": Fake().module(), "b": Fake().module()}, test)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (lambda _now: 1 / 0, "ZeroDivisionError"), (lambda _now: None, "NoneType"), (lambda _now: {"active": False}, "dict"),
        (lambda _now: Reading("m", float("nan")), "instant"), (lambda now: Reading("m", now, last=float("nan")), "instant"),
        (lambda now: Reading("m", now, since=float("inf")), "instant"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure(answer: Any, word: str) -> None:
    """A check that raises, or answers with nonsense, has failed, in words, and the look is complete."""

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        assert looking.readings("m")[0].failed
        assert word in looking.readings("m")[0].reason
        assert [1] == looking.looked

    looking({"m": Fake(answer).module()}, test)


def test_a_garbage_answer_that_is_awaited_is_a_failure() -> None:
    """Also where it comes later."""

    async def garbage(_now: float) -> str:
        return "active"

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        await until(lambda: looking.looked)
        assert looking.readings("m")[0].failed

    looking({"m": Fake(garbage).module()}, test)


def test_a_reading_is_the_monitors_own_and_not_from_the_future() -> None:
    """Another monitor's name and instants to come are corrected: neither may silence somebody, or hold the machine for ever."""

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        [reading] = looking.readings("m")
        now = looking.host.clock.boottime()
        assert reading.at <= now
        assert reading.last is not None
        assert reading.last <= now

    looking({"m": Fake(lambda now: Reading("other", now + 1e6, last=now + 1e6)).module()}, test)


def test_one_that_hangs_fails_within_its_limit_and_delays_nobody() -> None:
    """The others have answered before; `Looked` comes with the limit."""

    async def test(looking: Looking) -> None:
        began = time.monotonic()
        looking.lookout.look(1, Scope.ALL)
        assert looking.readings("b")
        assert [] == looking.looked
        await until(lambda: looking.looked)
        assert 0.1 <= time.monotonic() - began < 10
        [failed] = looking.readings("a")
        assert failed.failed
        assert "0.1s" in failed.reason
        assert "time_limit" in failed.remedy

    looking({"a": Fake(never).module(), "b": Fake().module()}, test)


def test_one_that_will_not_be_cancelled_fails_all_the_same() -> None:
    """A check that swallows its cancellation delays no look, and no second check is begun beside it."""
    free = list[asyncio.Event]()

    async def stubborn(_now: float) -> Reading:
        free.append(asyncio.Event())
        while not free[0].is_set():
            try:
                await free[0].wait()
            except asyncio.CancelledError:
                continue
        return Reading("m", _now)

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        await until(lambda: looking.looked)
        looking.lookout.look(2, Scope.ALL)
        assert [1, 2] == looking.looked
        assert "still hangs" in looking.readings("m")[1].reason
        assert 1 == len(free)
        free[0].set()
        await asyncio.sleep(0.01)
        looking.lookout.look(3, Scope.ALL)
        await until(lambda: 3 in looking.looked)
        assert not looking.readings("m")[2].failed

    looking({"m": Fake(stubborn).module()}, test)


def test_a_later_look_asks_anew() -> None:
    """A check under way began before the second look and proves nothing for it; it is asked again, and the newest look is closed."""
    gates = [asyncio.Event() for _ in range(3)]

    async def slow(now: float) -> Reading:
        gate = gates[len(fake.asked) - 1]
        await gate.wait()
        return Reading("m", now, active=gate is gates[1])

    fake = Fake(slow)

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        await asyncio.sleep(0.01)
        looking.lookout.look(2, Scope.ALL)
        gates[0].set()
        await until(lambda: looking.looked)
        assert [1] == looking.looked
        gates[1].set()
        await until(lambda: 2 in looking.looked)
        assert [False, True] == [reading.active for reading in looking.readings("m")]

    looking({"m": fake.module()}, test, limit=5.0)


def test_a_look_behind_one_that_hangs_is_closed_with_it() -> None:
    """What timed out after the second look began has failed for both: the newest `Looked` comes within the limit."""

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        looking.lookout.look(2, Scope.ALL)
        await until(lambda: 2 in looking.looked)
        assert time.monotonic() - began < 5
        assert 1 == len(looking.readings("m"))

    looking({"m": Fake(never).module()}, test, limit=0.5)


def test_a_foreign_check_that_blocks_blocks_only_itself() -> None:
    """A foreign monitor's check runs in a thread of its own: blocked for ever it fails at each look, and no more threads gather."""
    gate = threading.Event()
    before = threading.active_count()

    def block(_now: float) -> Any:
        gate.wait()

    async def test(looking: Looking) -> None:
        try:
            for serial in range(1, 12):
                looking.lookout.look(serial, Scope.ALL)
                await looking.closed()
            assert looking.looked == list(range(1, 12))
            assert threading.active_count() == before + 1
            assert all(reading.failed for reading in looking.readings("m"))
        finally:
            gate.set()

    looking({"m": Fake(block).module(ours=False)}, test, limit=0.05)


def test_a_foreign_check_answers_raises_and_awaits() -> None:
    """What a foreign check returns, raises, or lets us wait for counts as everybody's does."""

    def later(now: float) -> Any:
        async def answer() -> Reading:
            return Reading("m", now, reason="awaited")

        return answer()

    async def coroutine(now: float) -> Reading:
        return Reading("m", now, reason="in the loop")

    def broken(_now: float) -> Any:
        raise OSError(5, "Input/output error")

    def stops(_now: float) -> Any:
        raise StopIteration

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        await until(lambda: looking.looked)
        found = {name: looking.readings(name)[0].reason for name in looking.modules}
        assert {
            "at": "",
            "later": "awaited",
            "loop": "in the loop",
            "broken": "[Errno 5] Input/output error",
        } == {name: reason for name, reason in found.items() if name != "stops"}
        assert "StopIteration" in found["stops"]

    fakes = {"at": Fake(), "later": Fake(later), "broken": Fake(broken), "stops": Fake(stops)}
    modules = {name: fake.module(ours=False) for name, fake in fakes.items()}
    awaited = Fake()
    awaited.check = coroutine  # type: ignore[method-assign]
    looking({**modules, "loop": awaited.module(ours=False)}, test, limit=5.0)


def test_what_is_told_from_another_thread_arrives_in_the_loop() -> None:
    """A foreign monitor may tell from its thread."""
    fake = Fake()
    where = list[int]()

    async def test(looking: Looking) -> None:
        looking.lookout.feed = lambda event: where.append(threading.get_ident())
        await asyncio.to_thread(fake.tell, active=True)
        await until(lambda: where)
        assert [threading.get_ident()] == where

    looking({"m": fake.module(ours=False)}, test)


def test_what_is_told_after_the_end_is_not_heard() -> None:
    """A closed monitor says nothing any more, and a look under way is not closed."""
    fake, hangs = Fake(), Fake(never)

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        looking.lookout.close()
        fed = len(looking.fed)
        fake.tell(active=True)
        await asyncio.sleep(0.15)
        assert fed == len(looking.fed)
        assert fake.closed
        assert hangs.closed

    looking({"m": fake.module(), "h": hangs.module()}, test)


def test_one_that_cannot_be_closed_does_not_keep_the_others_open() -> None:
    """All are closed, and the trouble is named."""

    def broken() -> None:
        raise OSError(9, "Bad file descriptor")

    first, second = Fake(), Fake()
    first.close = broken  # type: ignore[method-assign]

    async def test(looking: Looking) -> None:
        assert "first" in looking.lookout.close()[0]
        assert second.closed

    looking({"first": first.module(), "second": second.module()}, test)


@pytest.mark.parametrize(
    ("error", "reason", "remedy"),
    [
        (UnavailableError(unavailable("no logind", "install it")), "no logind", "install it"),
        (RuntimeError("x"), "cannot be opened: RuntimeError: x", ""),
    ],
)
def test_what_cannot_be_opened_fails_until_it_can(error: Exception, reason: str, remedy: str) -> None:
    """It fails with reason and remedy, complete looks try again, and then it is as if it always had been open."""
    broken = [error]

    def opening() -> None:
        if broken:
            raise broken[0]

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        [failed] = looking.readings("m")
        assert (True, reason, remedy) == (failed.failed, failed.reason, failed.remedy)
        assert "not open" == looking.lookout.watches["m"].source
        looking.lookout.look(1, Scope.EVENTLESS)
        looking.lookout.look(0, Scope.DEAF)
        assert 1 == len(looking.readings("m"))
        broken.clear()
        looking.lookout.look(2, Scope.ALL)
        assert not looking.readings("m")[1].failed

    looking({"m": Fake().module(opening=opening)}, test)


def test_a_type_that_does_not_load_fails_too() -> None:
    """The others are opened all the same."""

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        assert "KeyError" in looking.readings("none")[0].reason
        assert not looking.readings("m")[0].failed
        assert {"none": False, "m": True} == looking.lookout.kinds()

    looking({"none": KeyError("none"), "m": Fake().module()}, test)


def test_each_scope_asks_its_own() -> None:
    """On behalf of people only those are asked that an event made deaf; while napping only those without events."""
    hears, counts = Fake(), Fake()
    counts.events = False

    async def test(looking: Looking) -> None:
        looking.lookout.look(0, Scope.DEAF)
        assert (1, 0) == (len(hears.asked), len(counts.asked))
        looking.lookout.look(1, Scope.EVENTLESS)
        assert (1, 1) == (len(hears.asked), len(counts.asked))
        looking.lookout.look(2, Scope.ALL)
        assert (2, 2) == (len(hears.asked), len(counts.asked))
        assert [2] == looking.looked

    looking({"hears": hears.module(), "counts": counts.module()}, test)


def test_properties_that_raise_are_survived() -> None:
    """A monitor's own `events` and `source` are asked with care."""

    class Broken(Fake):
        @property
        def events(self) -> bool:
            if self.context:
                raise OSError("gone")
            return True

        @events.setter
        def events(self, value: bool) -> None:
            pass

        @property
        def source(self) -> str:
            raise OSError("gone")

    async def test(looking: Looking) -> None:
        assert {"m": False} == looking.lookout.kinds()
        assert "gone" in looking.lookout.watches["m"].source

    looking({"m": Broken().module()}, test)


def test_telling_while_being_checked_is_heard_in_order() -> None:
    """What a monitor tells from inside its check comes before the check's answer."""

    def check(now: float) -> Reading:
        fake.tell(active=True, reason="told")
        return Reading("m", now, active=True, reason="answered")

    fake = Fake(check)

    async def test(looking: Looking) -> None:
        looking.lookout.look(1, Scope.ALL)
        assert ["told", "answered"] == [reading.reason for reading in looking.readings("m")]

    looking({"m": fake.module()}, test)
