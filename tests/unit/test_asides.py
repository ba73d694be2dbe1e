"""Work in threads, a few pieces at a time: what hangs holds up nobody, and threads do not become many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from keeper import run
from powernap.daemon import asides as module
from powernap.daemon.asides import Asides, CrowdedError


class Gate:
    """Work that ends when it is let through. ``begun`` is how many have been begun, ``inside`` how many are at it."""

    def __init__(self) -> None:
        self.opened, self.lock = threading.Event(), threading.Lock()
        self.begun = self.inside = self.most = 0

    def work(self) -> int:
        """In a thread."""
        with self.lock:
            self.begun, self.inside = self.begun + 1, self.inside + 1
            self.most = max(self.most, self.inside)
        self.opened.wait(10)
        with self.lock:
            self.inside -= 1
        return 7


def test_no_more_than_some_are_begun_at_a_time_and_all_in_the_end() -> None:
    """In the order in which they were asked for; each is done when it is answered."""

    async def claim() -> None:
        gate, asides = Gate(), Asides(2, 4)
        order: list[int] = []

        def noted(number: int) -> Callable[[], int]:
            def work() -> int:
                order.append(number)
                return gate.work()

            return work

        asked = [asyncio.ensure_future(asides.do(noted(number), "t", 10)) for number in range(7)]
        while gate.begun < 2:  # noqa: ASYNC110 - threads
            await asyncio.sleep(0.001)
        assert asides.running == 2
        gate.opened.set()
        assert [(await each).result() for each in asked] == [7] * 7
        assert (gate.most, sorted(order)) == (2, [*range(7)])
        assert sorted(order[:2]) == [0, 1]
        assert (asides.running, asides.hanging) == (0, set())

    run(claim())


def test_what_hangs_gives_its_place_free_until_too_many_hang() -> None:
    """Its thread it keeps: beyond that number nothing is begun, and those who wait for a place are told."""

    async def claim() -> None:
        gate, asides = Gate(), Asides(1, 2)
        hangs = [await asides.do(gate.work, "t", 0.01)]
        assert (await asides.do(lambda: 3, "t", 10)).result() == 3
        waiting = [asyncio.ensure_future(asides.do(gate.work, "t", 0.01)) for _ in range(2)]
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert not hangs[0].done()
        assert isinstance(found[1], CrowdedError)
        with pytest.raises(CrowdedError, match="2 others hang already"):
            await asides.do(gate.work, "t", 10)
        assert gate.begun == 2

        gate.opened.set()
        await asyncio.wait([*hangs, *asides.hanging])
        assert (await asides.do(lambda: 3, "t", 10)).result() == 3
        assert asides.hanging == set()

    run(claim())


def test_who_waits_has_a_place_once_one_that_hung_has_ended() -> None:
    """Also where all the others' places are taken by what hangs."""

    async def claim() -> None:
        one, other, asides = Gate(), Gate(), Asides(2, 2)
        await asides.do(one.work, "t", 0.01)
        running = asyncio.ensure_future(asides.do(other.work, "t", 10))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(asides.do(lambda: 3, "t", 10))
        await asyncio.sleep(0)
        assert not waiting.done()
        one.opened.set()
        assert (await waiting).result() == 3
        other.opened.set()
        assert (await running).result() == 7

    run(claim())


def test_where_no_thread_can_be_started_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a limit of tasks; the place is free again."""

    def full(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async def claim() -> None:
        asides = Asides(1, 1)
        with monkeypatch.context() as patch:
            patch.setattr(module, "aside", full)
            with pytest.raises(CrowdedError, match="no thread can be started"):
                await asides.do(lambda: 3, "t", 10)
        assert (await asides.do(lambda: 3, "t", 10)).result() == 3

    run(claim())
