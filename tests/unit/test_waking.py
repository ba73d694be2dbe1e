"""wakeproxy/waking.py and probes.py: methods that hurt when they are used twice, that hang, and that have bugs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from powernap.host.availability import available
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.reach import SILENT, UNKNOWN, UP, Answer
from powernap.wakeproxy import waking
from powernap.wakeproxy.gate import Gate
from powernap.wakeproxy.probes import Probes
from powernap.wakeproxy.waking import Means, Outcome
from powernap.wakers import Context, WakeError
from sleepers import host, inventory
from virtual_time import run


class Method:
    """A waker that counts how often it was used, and when."""

    REMEDY = "look at it"

    def __init__(self, wake: Callable[[Context, int], str], *, repeat: bool) -> None:
        self.REPEAT, self.how, self.used = repeat, wake, 0

    def probe(self, *_: Any) -> Any:
        return available("")

    def wake(self, context: Context, _options: Any) -> str:
        self.used += 1
        return self.how(context, self.used)


async def woken(method: Any, answer: Answer, limit: float = 100.0, gate: Gate | None = None) -> Outcome:
    """Of a machine that always answers so, until the method has been used."""

    async def look(*_: Any) -> Answer:
        await asyncio.sleep(0.5)
        return answer

    config = inventory(host("web")).hosts["web"]
    means = Means(Host(TreeFiles("/nonexistent")), gate or Gate(1, 0.0), lambda _: method, look)
    return await waking.wake(config, means, limit, lambda _: None)


def fails(error: Exception) -> Callable[[Context, int], str]:
    """Each time."""

    def work(_context: Context, _count: int) -> str:
        raise error

    return work


OFF = Answer(SILENT, "it does not answer")
BUTTON = "pressed its button"


def test_a_button_is_pressed_once() -> None:
    """However long the machine takes; one of which is not known whether it is up is left alone, with the reason and what to do about that."""

    async def claim() -> None:
        method = Method(lambda *_: BUTTON, repeat=False)
        outcome = await woken(method, OFF)
        assert (1, 1) == (method.used, outcome.used)
        method = Method(lambda *_: BUTTON, repeat=False)
        outcome = await woken(method, Answer(UNKNOWN, "no route", "find a route"))
        assert (0, 0, "find a route") == (method.used, outcome.used, outcome.remedy)
        assert "it is not used while nobody knows whether the machine is up" in outcome.detail
        packet = Method(lambda *_: "sent", repeat=True)
        await woken(packet, Answer(UNKNOWN, "no route", "find a route"))
        assert packet.used > 1

    run(claim())


@pytest.mark.parametrize(
    ("error", "count"), [(WakeError("wrong password", "correct it"), 7), (OSError("reset"), 1)]
)
def test_what_was_not_done_is_tried_again_and_what_nobody_knows_is_not(error: Exception, count: int) -> None:
    """Of a button."""

    async def claim() -> None:
        method = Method(fails(error), repeat=False)
        outcome = await woken(method, OFF)
        assert (count, False) == (method.used, outcome.up)

    run(claim())


def test_each_use_that_may_start_it_is_counted_where_few_may_start_together() -> None:
    """A method that failed comes back together with those of many other machines, when the network does."""

    async def claim() -> None:
        gate, method = Gate(1, 40.0), Method(fails(WakeError("no route")), repeat=False)
        await woken(method, OFF, gate=gate)
        assert 4 == method.used, "at 0, 40, 80 and 120 s"

    run(claim())


def test_a_method_that_hangs_is_not_begun_again_meanwhile() -> None:
    """It would take a thread each time, of which there are some for all machines."""
    end = threading.Event()

    def hang(context: Context, _count: int) -> str:
        end.wait()
        return context.name

    async def claim() -> None:
        method = SimpleNamespace(REPEAT=True, REMEDY="", LIMIT=0.01, wake=Method(hang, repeat=True).wake)
        used = threading.active_count()
        outcome = await woken(method, OFF, limit=3.5)
        assert used + 1 == threading.active_count()
        assert "it did not return within 0.01s" in outcome.detail

    try:
        asyncio.run(claim())
    finally:
        end.set()


def test_what_a_machine_says_of_itself_cannot_forge_a_line() -> None:
    """It is shown in a terminal and in the journal."""

    async def claim() -> None:
        outcome = await woken(Method(fails(WakeError("busy\nweb4 is up\x1b[2J")), repeat=True), OFF)
        assert "busy\\nweb4 is up\\x1b[2J" in outcome.detail
        outcome = await woken(Method(lambda *_: "on\n", repeat=True), OFF)
        assert "magic-packet on\\n, " in outcome.detail

    run(claim())


def test_who_is_up_is_not_touched() -> None:
    """By any method."""

    async def claim() -> None:
        method = Method(lambda *_: BUTTON, repeat=True)
        outcome = await woken(method, Answer(UP, "it answers"))
        assert (0, True) == (method.used, outcome.up)

    run(claim())


def test_a_probe_with_a_bug_is_told_and_the_same_of_many_machines_once() -> None:
    """And the daemon goes on."""
    heard: list[str] = []

    def probe(*_: Any) -> Any:
        raise RuntimeError("a bug")

    async def claim() -> None:
        probes = Probes(Host(TreeFiles("/nonexistent")), lambda _: SimpleNamespace(probe=probe), heard.append)
        probes.look(inventory(*(host(f"web{number}") for number in range(7))).hosts.values())
        assert probes.looking is not None
        await probes.looking

    asyncio.run(claim())
    assert [
        "web0, web1, web2, web3, web4 and 2 more could not be woken by magic-packet now: RuntimeError: a bug; please report this"
    ] == heard


def test_the_first_use_is_told_once() -> None:
    """Also where the next ones fail: a cable that is pulled meanwhile does not fill the journal."""

    def once(_context: Context, count: int) -> str:
        if count > 1:
            raise WakeError("no link")
        return "sent"

    async def claim() -> None:
        heard: list[str] = []
        config = inventory(host("web")).hosts["web"]
        method: Any = Method(once, repeat=True)
        means = Means(
            Host(TreeFiles("/nonexistent")),
            Gate(1, 0.0),
            lambda _: method,
            lambda *_: asyncio.sleep(0.5, OFF),
        )
        await waking.wake(config, means, 100.0, heard.append)
        assert ["magic-packet sent"] == heard

    run(claim())
