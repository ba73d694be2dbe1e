"""Changes in bursts are acted on once, and not too often."""

from __future__ import annotations

import pytest

from keeper import run
from loop_ears import until
from powernap.daemon import settling as module
from powernap.daemon.settling import Settling


def test_what_changes_all_the_time_is_acted_on_now_and_then() -> None:
    """Soon after the first change, and then no sooner than half a minute later."""

    async def claim() -> None:
        acted: list[int] = []
        settling = Settling(lambda: acted.append(1))
        settling.touched()
        first = settling.handle
        assert first is not None
        assert first.when() <= settling.loop.time() + module.SETTLE
        settling.touched()
        assert settling.handle is first
        settling._settled()
        assert acted == [1]
        settling.touched()
        second = settling.handle
        assert second is not None
        assert second.when() > settling.loop.time() + module.CALM / 2
        settling.close()
        assert second.cancelled()

    run(claim())


def test_many_changes_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each burst."""
    monkeypatch.setattr(module, "SETTLE", 0.01)
    monkeypatch.setattr(module, "CALM", 0.02)

    async def claim() -> None:
        acted: list[int] = []
        settling = Settling(lambda: acted.append(1))
        for burst in (1, 2):
            for _ in range(5):
                settling.touched()
            await until(lambda burst=burst: len(acted) == burst)  # type: ignore[misc]
        assert settling.handle is None

    run(claim())
