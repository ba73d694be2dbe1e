"""daemon/defects.py: the same defect is said once a minute, with where it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from keeper import Keeper, Words, config, kept, run
from powernap.daemon.defects import SILENCE, Defects, named
from powernap.daemon.history import History
from powernap.daemon.voice import Voice
from powernap.host.clock import SystemClock


class Bench:
    """Defects in a loop, what they said, and how often they were unsure. Make it in a running loop."""

    def __init__(self) -> None:
        self.words = Words()
        self.voice = Voice(SystemClock(), self.words, History())
        self.unsure = 0
        self.defects = Defects(self.voice, self._unsure)

    def _unsure(self) -> None:
        self.unsure += 1

    @property
    def said(self) -> list[str]:
        return [entry["detail"] for entry in self.voice.history.entries if entry["event"] == "defect"]


def bench(claim: Callable[[Bench], None]) -> None:
    async def work() -> None:
        claim(Bench())

    run(work())


def test_the_same_defect_is_said_once_a_minute() -> None:
    """Another one is said at once; what was said longer ago is not kept in mind."""

    def claim(bench: Bench) -> None:
        for _ in range(3):
            bench.defects.say("restoring", OSError(5, "x"))
        bench.defects.say("restoring", OSError(6, "y"))
        assert [
            "restoring: OSError: [Errno 5] x; going on",
            "restoring: OSError: [Errno 6] y; going on",
        ] == bench.said
        for what in bench.defects.said:
            bench.defects.said[what] -= SILENCE
        bench.defects.say("restoring", OSError(5, "x"))
        assert 3 == len(bench.said)
        assert ["restoring: OSError: [Errno 5] x"] == list(bench.defects.said)

    bench(claim)


def test_where_it_happened_goes_to_the_journal_only() -> None:
    """A traceback is for whoever mends it; without an exception there is none."""

    def claim(bench: Bench) -> None:
        bench.defects.say("a message", None)
        assert not [line for line in bench.words.lines if "Traceback" in line]
        try:
            raise KeyError("quiet")
        except KeyError as error:
            bench.defects.say("applying ease", error)
        assert [line for line in bench.words.lines if "test_defects.py" in line]
        assert not [detail for detail in bench.said if "test_defects.py" in detail]

    bench(claim)


def test_the_last_defect_and_those_of_an_end_are_said_each_time() -> None:
    """Their sentences end with what follows."""

    def claim(bench: Bench) -> None:
        bench.defects.say_each(["closing work: x", "closing work: x"])
        bench.defects.say_last(ZeroDivisionError("z"))
        assert ["closing work: x; going on"] * 2 == bench.said[:2]
        assert "ZeroDivisionError: z; putting everything back and ending" == bench.said[2]

    bench(claim)


@pytest.mark.parametrize(
    ("context", "unsure"),
    [({"message": "a callback"}, 1), ({"message": "answering a client", "transport": None}, 0)],
)
def test_what_nobody_catches_makes_unsure_but_for_a_clients_connection(
    context: dict[str, Any], unsure: int
) -> None:
    """Even while it is not said again."""

    def claim(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(bench.defects.startled)
        for _ in range(2):
            loop.call_exception_handler(context | {"exception": RuntimeError("r")})
        assert [f"{context['message']}: RuntimeError: r; going on"] == bench.said
        assert 2 * unsure == bench.unsure

    bench(claim)


@kept(conf=config("work", after=3600.0))
async def test_a_failing_connection_is_told_and_wakes_nobody(keeper: Keeper) -> None:
    """What goes wrong with a client says nothing of the machine's use: nobody can keep it awake that way."""
    began = keeper.node.state.evidence.began
    for _ in range(3):
        keeper.node.loop.call_exception_handler({"message": "answering a client", "transport": None})

    assert len(keeper.said("defect")) == 1
    assert began == keeper.node.state.evidence.began


def test_an_exception_in_words() -> None:
    """Its kind, and what it says."""
    assert "ValueError: no" == named(ValueError("no"))
