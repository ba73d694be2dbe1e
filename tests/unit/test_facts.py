"""The documents behind `status` and `why`: JSON whatever the monitors say. That every key is documented is test_documents.py's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keeper import Fake, Keeper, config, kept
from powernap.config.model import Stage
from powernap.core.events import LeaseTaken
from powernap.core.reading import Reading
from powernap.core.verdict import Lease
from powernap.daemon import facts


@kept(conf=config("work", after=3600.0))
async def test_idle_it_tells_what_comes_next(keeper: Keeper) -> None:
    """The stage, when, and what it does."""
    found = facts.why(keeper.node)

    assert (found["next"]["stage"], found["next"]["actions"]) == ("ease", ["quiet"])
    assert 3590 < found["next"]["in_s"] <= 3600
    assert found["blockers"] == []
    assert found["idle_s"] >= 0


@kept(conf=config("work", after=3600.0))
async def test_in_use_nothing_comes_next(keeper: Keeper) -> None:
    """No next stage, no idle time, and each blocker with who and since when."""
    now = keeper.host.clock.boottime()
    keeper.fakes["work"].tell(active=True, reason="alice types", who=("alice",), since=now - 5, told=True)
    keeper.node.feed(LeaseTaken(now, Lease("l", "bob", "a backup", now, now + 60)))
    found = facts.why(keeper.node)

    assert (found["next"], found["idle_s"]) == (None, 0.0)
    assert [("monitor", "work"), ("lease", "l")] == [(b["kind"], b["name"]) for b in found["blockers"]]
    assert found["blockers"][0]["for_s"] == pytest.approx(5, abs=1)
    assert found["blockers"][1]["ends_in_s"] == pytest.approx(60, abs=1)


@kept(conf=config("work", after=3600.0))
async def test_a_lease_whose_time_is_over_is_not_listed(keeper: Keeper) -> None:
    """Also while another blocker keeps the core from forgetting it."""
    now = keeper.host.clock.boottime()
    keeper.node.feed(LeaseTaken(now, Lease("long", "bob", "a backup", now, now + 60)))
    keeper.node.feed(LeaseTaken(now, Lease("short", "bob", "a moment", now - 2, now - 1)))

    assert ["long"] == [lease["id"] for lease in facts.status(keeper.node)["leases"]]


@kept()
async def test_in_a_nap_the_stage_is_named(keeper: Keeper) -> None:
    """At the foot nothing comes next; `status` lists what is changed."""
    await keeper.reach("napping")
    found = facts.status(keeper.node)

    assert (found["phase"], found["stage"], found["next"]) == ("napping", "ease", None)
    assert found["changed"] == [{"action": "quiet"}]


@kept(conf=config("work", stages=()))
async def test_without_stages_it_only_watches(keeper: Keeper) -> None:
    """No first stage, and that is no error."""
    found = facts.status(keeper.node)

    assert (found["first_stage"], found["next"], found["stages"]) == (None, None, [])


def test_a_monitor_that_has_not_answered_is_in_it() -> None:
    """And whatever one answers, the document is JSON that every reader takes."""

    async def later(_now: float) -> Any:
        return None

    odd = Fake(
        lambda now: Reading("odd", now, measured=float("inf"), limit=float("nan"), who=("\udc80\x00",))
    )

    @kept(
        {"late": Fake(later), "odd": odd},
        config("late", "odd", stages=(Stage("ease", 60.0, 0.0, ("quiet",)),)),
    )
    async def claim(keeper: Keeper) -> None:
        found = {m["name"]: m for m in facts.status(keeper.node)["monitors"]}
        assert found["late"]["reason"] == "has not answered yet"
        assert (found["odd"]["measured"], found["odd"]["who"]) == (None, ["??"])
        json.dumps(found, allow_nan=False).encode()

    claim()


def test_ago() -> None:
    """Never negative, and unknown stays unknown."""
    assert (facts.ago(None, 5), facts.ago(9, 5), facts.ago(4, 5)) == (None, 0.0, 1.0)
