"""What may be asked: who may, what follows, and that asking changes nothing of what the machine does."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from keeper import Fake, Keeper, config, kept, until
from powernap.config.model import ScheduleConfig
from powernap.core.reading import Reading
from powernap.daemon import requests as module
from powernap.daemon.asking import Trouble
from powernap.daemon.control import Client, Peer, RefusedError
from powernap.daemon.requests import EXCEPTIONS_MAX, LEASES_PER_USER, OPERATIONS, Requests
from powernap.schedules import ScheduleError, windows

ROOT, ALICE = Peer(1, 0, 0, may_act=True), Peer(2, 65534, 65534, may_act=False)
QUIET = config("work", after=3600.0)
OFFICE = ScheduleConfig("office", "windows", windows.Options(up=("daily 00:00-24:00 UTC",)))
SCHEDULED = dataclasses.replace(QUIET, schedules={"office": OFFICE})


class Visitor:
    """A client without a connection: `got` is what it was sent."""

    def __init__(self, requests: Requests, peer: Peer = ROOT) -> None:
        self.requests, self.got = requests, list[dict[str, Any]]()
        self.client = Client(None, peer)  # type: ignore[arg-type]
        self.client.send = self.got.append  # type: ignore[method-assign,assignment]

    def ask(self, op: Any, **fields: Any) -> Any:
        answer = self.requests.answer(self.client, {"op": op, **fields})
        return answer and json.loads(json.dumps(answer, allow_nan=False))

    def leave(self) -> None:
        for end in self.client.closing.values():
            end()


def desk(keeper: Keeper, faults: list[str] | None = None) -> Requests:
    return Requests(keeper.node, lambda: faults or [])


# ------------------------------------------------------------ who may


@pytest.mark.parametrize("op", list(OPERATIONS))
def test_who_may_do_what(op: str) -> None:
    """Reading is for anyone, but for the recorded events, which name people; acting is refused with the remedy."""
    reading = {"status", "why", "history", "watch", "schedule"}

    @kept(conf=SCHEDULED)
    async def claim(keeper: Keeper) -> None:
        if op in reading:
            Visitor(desk(keeper), ALICE).ask(op)
            return
        with pytest.raises(RefusedError) as refused:
            Visitor(desk(keeper), ALICE).ask(op, why="x")
        assert (refused.value.code, "group powernap" in refused.value.remedy) == (3, True)

    claim()


@kept(conf=QUIET)
async def test_an_unknown_operation_is_named_without_its_poison(keeper: Keeper) -> None:
    """Control characters and length stay behind."""
    with pytest.raises(RefusedError, match=r"^there is no operation 'a\?\[2Jx{195}'$"):
        Visitor(desk(keeper)).ask("a\x1b[2J" + "x" * 5000)
    with pytest.raises(RefusedError):
        Visitor(desk(keeper)).ask(["status"])


# ------------------------------------------------------------ asking


def counters() -> dict[str, Any]:
    counting = Fake()
    counting.events = False
    return {"work": Fake(), "counting": counting}


FAKES = counters()


@kept(FAKES, config("work", "counting", after=3600.0))
async def test_a_flood_of_questions_looks_once_a_second_and_never_at_counters(keeper: Keeper) -> None:
    """Counters judge a rate since their last look: asked by everybody they would judge moments, and keep the machine awake."""
    requests, (work, counting) = desk(keeper), FAKES.values()
    before = len(work.asked), len(counting.asked)
    for _ in range(100):
        Visitor(requests, ALICE).ask("why")
        Visitor(requests, ALICE).ask("status")
    Visitor(requests, ALICE).ask("why", refresh=False)

    assert (before[0] + 1, before[1]) == (len(work.asked), len(counting.asked))


@kept(conf=config("work", after=0.15))
async def test_asking_neither_keeps_it_awake_nor_hurries_it(keeper: Keeper) -> None:
    """While somebody asks all the time the stage comes when it is due, and not before."""
    visitor = Visitor(desk(keeper), ALICE)
    began = keeper.node.state.evidence.began
    while keeper.phase != "napping":
        visitor.requests.refreshed = float("-inf")
        visitor.ask("why")
        await asyncio.sleep(0.005)

    assert keeper.said("entered")[0]["at"] - began + 0.001 >= 0.15


@kept()
async def test_an_answer_of_a_deaf_monitor_is_fresh(keeper: Keeper) -> None:
    """`why` tells what is, not what was when the monitor last heard something."""
    keeper.fakes["work"].answer = lambda now: Reading("work", now, active=True, reason="alice", told=True)

    assert ["alice"] == [b["reason"] for b in Visitor(desk(keeper)).ask("why")["blockers"]]


@pytest.mark.parametrize("count", [0, -1, True, "5", 1.5, None])
def test_a_count_is_a_number_above_0(count: Any) -> None:
    """Anything else is refused."""

    @kept(conf=QUIET)
    async def claim(keeper: Keeper) -> None:
        with pytest.raises(RefusedError):
            Visitor(desk(keeper)).ask("history", count=count)

    claim()


@kept(conf=QUIET)
async def test_the_history_is_the_latest(keeper: Keeper) -> None:
    """Oldest first."""
    for n in range(5):
        keeper.node.tell("woken", detail=str(n))

    assert ["3", "4"] == [e["detail"] for e in Visitor(desk(keeper)).ask("history", count=2)["entries"]]


@kept(conf=QUIET)
async def test_the_recorded_events_are_lines(keeper: Keeper) -> None:
    """For who may act."""
    assert "Heard" in Visitor(desk(keeper)).ask("events")["events"][0]


@kept(conf=QUIET)
async def test_watching_twice_is_watching_once(keeper: Keeper) -> None:
    """A client that asks again and again does not make the list of views grow; when it leaves it is off the list."""
    visitor = Visitor(desk(keeper), ALICE)
    visitor.ask("watch")
    with pytest.raises(RefusedError, match="already"):
        visitor.ask("watch")
    keeper.node.tell("woken", detail="root")
    assert ["watching", "woken"] == [entry["event"] for entry in visitor.got]
    visitor.leave()
    visitor.leave()

    assert keeper.node.told == []


# ------------------------------------------------------------ acting


@kept(conf=QUIET)
async def test_nap_and_wake(keeper: Keeper) -> None:
    """Down at once and back."""
    visitor = Visitor(desk(keeper))
    visitor.ask("nap")
    await keeper.reach("napping")
    visitor.ask("wake")
    await keeper.reach("awake")
    assert keeper.said("woken")[0]["detail"] == "root"


@kept(conf=QUIET)
async def test_nap_is_refused_with_the_reason(keeper: Keeper) -> None:
    """In use, no such stage, no stages at all."""
    visitor = Visitor(desk(keeper))
    with pytest.raises(RefusedError, match="no stage"):
        visitor.ask("nap", stage="nosuch")
    keeper.fakes["work"].answer = lambda now: Reading("work", now, active=True, reason="alice types")
    with pytest.raises(RefusedError, match="alice types"):
        visitor.ask("nap")
    keeper.node.reload(config("work", stages=()))
    with pytest.raises(RefusedError, match="no stages"):
        visitor.ask("nap")


@kept(conf=QUIET)
async def test_a_lease_lasts_as_long_as_its_connection(keeper: Keeper) -> None:
    """It is in `why` and `status` with its holder, and gone with the client; told once each."""
    visitor = Visitor(desk(keeper))
    name = visitor.ask("hold", why="a\nbackup" + "x" * 1000)["lease"]
    [blocker] = visitor.ask("why")["blockers"]
    assert (blocker["name"], blocker["who"], blocker["reason"][:8]) == (name, ["root"], "a?backup")
    assert len(blocker["reason"]) == module.TEXT_MAX
    visitor.leave()

    assert visitor.ask("why")["blockers"] == []
    assert [1, 1] == [len(keeper.said("lease-taken")), len(keeper.said("lease-ended"))]


@kept(conf=QUIET)
async def test_a_lease_with_a_time_ends_with_it(keeper: Keeper) -> None:
    """Whether or not the connection is open; it is told once, and the connection's end tells nothing more."""
    visitor = Visitor(desk(keeper))
    visitor.ask("hold", why="x", for_s=0.03)
    await until(lambda: keeper.said("lease-ended"))
    assert visitor.ask("status")["leases"] == []
    visitor.leave()

    assert len(keeper.said("lease-ended")) == 1


@kept(conf=QUIET)
async def test_leases_that_are_over_do_not_gather(keeper: Keeper) -> None:
    """Behind another blocker no deadline forgets them: the next one does. They count for nobody's limit, nor in `status`."""
    visitor = Visitor(desk(keeper))
    visitor.ask("hold", why="for good")
    for _ in range(3 * LEASES_PER_USER):
        visitor.ask("hold", why="x", for_s=1e-6)
        await asyncio.sleep(0)
    assert len(visitor.ask("status")["leases"]) <= 2
    assert len(keeper.node.state.leases) <= 2
    assert len(visitor.client.closing) <= 2


@kept(conf=QUIET)
async def test_one_user_holds_so_many(keeper: Keeper) -> None:
    """And no more."""
    visitor = Visitor(desk(keeper))
    for _ in range(LEASES_PER_USER):
        visitor.ask("hold", why="x")
    with pytest.raises(RefusedError, match="already"):
        visitor.ask("hold", why="x")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"why": ""},
        *({"why": "x", "for_s": n} for n in (0, -1, True, "1h", float("nan"), float("inf"), 10**400)),
    ],
)
def test_a_lease_needs_a_reason_and_a_length_that_is_one(fields: dict[str, Any]) -> None:
    """Anything else is refused."""

    @kept(conf=QUIET)
    async def claim(keeper: Keeper) -> None:
        with pytest.raises(RefusedError):
            Visitor(desk(keeper)).ask("hold", **fields)

    claim()


@kept(conf=QUIET)
async def test_a_reload_with_faults_is_refused_with_all_of_them(keeper: Keeper) -> None:
    """One a line; without faults it is done."""
    with pytest.raises(RefusedError, match="a\nb"):
        Visitor(desk(keeper, ["a", "b"])).ask("reload")
    assert Visitor(desk(keeper)).ask("reload")["ok"]


# ------------------------------------------------------------ schedules


@kept(conf=QUIET)
async def test_without_a_schedule_there_is_nothing_to_except(keeper: Keeper) -> None:
    """Whatever is asked about them, the answer says how to have one."""
    for op in ("schedule", "schedule-skip", "schedule-extend", "schedule-restore"):
        with pytest.raises(RefusedError, match="no schedule is configured") as refused:
            Visitor(desk(keeper)).ask(op)
        assert "[schedule.NAME]" in refused.value.remedy


@kept(conf=SCHEDULED)
async def test_skipped_it_no_longer_keeps_the_machine_up_and_restored_it_does(keeper: Keeper) -> None:
    """At once; who did it is in the history."""
    visitor = Visitor(desk(keeper))
    await until(lambda: "the schedule keeps it up: daily 00:00-24:00 UTC" in reasons(keeper))
    end = keeper.host.clock.wall() + 3600
    facts = visitor.ask("schedule-skip", schedule="office", end=end)
    assert reasons(keeper) == []
    assert [(each["schedule"], each["end"]) for each in facts["skipped"]] == [("office", end)]
    assert facts["need"]["at"] == end
    assert visitor.ask("schedule-restore")["skipped"] == []
    assert len(reasons(keeper)) == 1
    assert [entry["detail"] for entry in keeper.said("schedule-skipped")] == [
        "root skipped the schedule office for 1h"
    ]


def reasons(keeper: Keeper) -> list[str]:
    """Why a schedule keeps it up."""
    return [blocker.reason for blocker in keeper.node.blockers() if blocker.kind == "window"]


@kept(conf=SCHEDULED)
async def test_extended_it_says_who_and_why(keeper: Keeper) -> None:
    """From now on, or from a later instant on; the reason is cleaned of what does not belong into a log."""
    now, visitor = keeper.host.clock.wall(), Visitor(desk(keeper))
    facts = visitor.ask("schedule-extend", end=now + 60, why="a deadline\n\x1b[31m")
    assert facts["extended"][0]["start"] == pytest.approx(now, abs=5)
    assert "\n" not in facts["extended"][0]["why"]
    facts = visitor.ask("schedule-extend", start=now + 100, end=now + 160)
    assert facts["extended"][1]["start"] == now + 100
    assert [entry["detail"] for entry in keeper.said("schedule-extended")][
        1
    ] == "root keeps the machine up for 1min, in 1min 40s"
    assert any("a deadline" in reason for reason in reasons(keeper))


BAD: list[dict[str, Any]] = [
    {}, {"end": None}, {"end": "tomorrow"}, {"end": True}, {"end": float("nan")}, {"end": float("inf")}, {"end": -1}, {"end": 5.0}, {"end": 4e9, "start": 4.05e9},
    {"end": 1e300}, {"end": 4e9, "start": "now"}, {"end": 4e9, "start": None}, {"end": [4e9]},
]  # fmt: skip


@pytest.mark.parametrize("given", BAD)
@pytest.mark.parametrize("op", ["schedule-skip", "schedule-extend"])
def test_an_exception_without_a_proper_end_is_refused(op: str, given: dict[str, Any]) -> None:
    """Nothing is changed by it."""

    @kept(conf=SCHEDULED)
    async def claim(keeper: Keeper) -> None:
        visitor = Visitor(desk(keeper))
        with pytest.raises(RefusedError):
            visitor.ask(op, **given)
        facts = visitor.ask("schedule")
        assert facts["skipped"] == facts["extended"] == []

    claim()


@kept(conf=SCHEDULED)
async def test_only_a_schedule_that_there_is_can_be_skipped(keeper: Keeper) -> None:
    """The others are named; without a name all are."""
    visitor, end = Visitor(desk(keeper)), keeper.host.clock.wall() + 60
    with pytest.raises(RefusedError, match='no schedule is called "offce"') as refused:
        visitor.ask("schedule-skip", schedule="offce", end=end)
    assert "office" in refused.value.remedy
    assert visitor.ask("schedule-skip", end=end)["skipped"][0]["schedule"] == ""


@kept(conf=SCHEDULED)
async def test_those_of_one_schedule_are_restored(keeper: Keeper) -> None:
    """And of one that was skipped when it was still configured; of no other name."""
    visitor, end = Visitor(desk(keeper)), keeper.host.clock.wall() + 60
    assert keeper.node.agenda
    keeper.node.agenda.skip("gone", 0.0, end, "root")
    visitor.ask("schedule-skip", schedule="office", end=end)
    visitor.ask("schedule-extend", end=end)
    with pytest.raises(RefusedError, match='no schedule is called "offce"'):
        visitor.ask("schedule-restore", schedule="offce")
    facts = visitor.ask("schedule-restore", schedule="gone")
    assert [each["schedule"] for each in facts["skipped"]] == ["office"]
    assert len(facts["extended"]) == 1
    facts = visitor.ask("schedule-restore", schedule="extended")
    assert (len(facts["skipped"]), facts["extended"]) == (1, [])
    assert visitor.ask("schedule-restore", schedule="office")["skipped"] == []
    assert keeper.said("schedule-restored")[0]["detail"] == "root took the exceptions of gone back"


@kept(conf=SCHEDULED)
async def test_what_goes_on_of_those_that_cannot_tell_is_told(keeper: Keeper) -> None:
    """Without words that others than root should not read; nothing, where nothing is known."""
    visitor = Visitor(desk(keeper))
    await until(lambda: "the schedule keeps it up: daily 00:00-24:00 UTC" in reasons(keeper))
    assert visitor.ask("schedule")["told_last"] == {}
    assert keeper.node.agenda
    asking = keeper.node.agenda.asking
    asking.troubles["office"] = Trouble(ScheduleError("no answer"), 0.0)
    found = visitor.ask("schedule")["told_last"]["office"]
    assert {"up"} == {each["says"] for each in found["spans"]}
    assert {"start", "end", "says", "deepest"} == found["spans"][0].keys()
    assert found["end"] == asking.told["office"].end
    del asking.told["office"]
    assert visitor.ask("schedule")["told_last"] == {"office": None}


@kept(conf=SCHEDULED)
async def test_exceptions_are_not_heaped_up(keeper: Keeper) -> None:
    """So many at a time; taken back, there is room again."""
    visitor, now = Visitor(desk(keeper)), keeper.host.clock.wall()
    for number in range(EXCEPTIONS_MAX):
        visitor.ask("schedule-skip", start=now + 7 * number, end=now + 7 * number + 5)
    with pytest.raises(RefusedError, match="64 exceptions already"):
        visitor.ask("schedule-extend", end=now + 5)
    visitor.ask("schedule-restore")
    visitor.ask("schedule-extend", end=now + 5)
