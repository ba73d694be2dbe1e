"""daemon/performing.py: every command of the core is carried out, and restoring comes first."""

from __future__ import annotations

from typing import get_args

from keeper import Keeper, config, kept, until
from powernap.core import commands as ask
from powernap.core.events import Pretended, Restored
from powernap.daemon.performing import PERFORM, perform_all


def test_every_command_has_its_function() -> None:
    """And nothing else has one."""
    assert {*get_args(ask.Command)} == {*PERFORM}


@kept(conf=config("work", after=3600.0), begin=False)
async def test_restoring_begins_before_anything_is_said(keeper: Keeper) -> None:
    """A line in the journal can wait, a user cannot: also where the core names it last."""
    said = list[bool]()
    keeper.node.begin()
    keeper.node.told.append(lambda _entry: said.append(keeper.hands.stopped))
    perform_all(keeper.node, [ask.Tell("note", "", "x"), ask.Tell("note", "", "y"), ask.Restore(7)])
    assert [True, True] == said
    assert [] == keeper.hands.did
    await until(lambda: keeper.hands.did)
    assert ["restore"] == keeper.hands.did


@kept(conf=config("work", after=3600.0))
async def test_the_end_of_what_takes_time_is_an_event(keeper: Keeper) -> None:
    """With the command's number."""
    fed = list[object]()
    keeper.node.feed = fed.append  # type: ignore[method-assign,assignment]
    perform_all(keeper.node, [ask.Restore(7)])
    await until(lambda: fed)
    assert isinstance(fed[0], Restored)
    assert 7 == fed[0].serial


@kept(conf=config("work", after=3600.0, mode="watch"))
async def test_watching_a_sleep_is_pretended_at_once(keeper: Keeper) -> None:
    """Nothing is asked of the night."""
    fed = list[object]()
    keeper.node.feed = fed.append  # type: ignore[method-assign,assignment]
    perform_all(keeper.node, [ask.Sleep(3, "mem")])
    assert isinstance(fed[0], Pretended)
    assert [] == keeper.night.did
