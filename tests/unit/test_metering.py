"""daemon/metering.py: a meter is looked for where there may be one, and follows the configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import fakemeters
from fakekernel import plain_vm
from keeper import Keeper, config, kept, until
from powernap.config.load import build
from powernap.config.model import Config
from powernap.daemon import consumption
from powernap.daemon.history import History


def test_a_machine_without_a_place_for_meters_loads_none(tmp_path: Path) -> None:
    """Nor one whose daemon has nowhere to write."""

    @kept()
    async def claim(keeper: Keeper) -> None:
        await keeper.reach("napping")
        assert keeper.node.metering.consumption is None

    claim()


def test_a_reload_takes_another_meter(tmp_path: Path) -> None:
    """The old one is closed; the same sections again change nothing."""
    kernel = plain_vm(tmp_path / "machine")
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    fakemeters.add_acpi_meter(kernel)

    def metered(text: str) -> Config:
        return build([("x", f"[monitor.load]\nenabled = false\n{text}")])

    @kept({}, conf=metered(""), begin=False)
    async def claim(keeper: Keeper) -> None:
        keeper.host.files = kernel
        keeper.node.voice.history = History(str(tmp_path / "history.jsonl"))
        keeper.node.begin()

        def name() -> str:
            return keeper.node.metering.consumption.found.name if keeper.node.metering.consumption else ""

        await until(lambda: name() == "rapl")
        first = keeper.node.metering.consumption
        keeper.node.reload(metered(""))
        assert keeper.node.metering.consumption is first
        keeper.node.reload(metered("[meter.rapl]\nenabled = false\n"))
        await until(lambda: name() == "acpi")

    claim()


def test_a_meter_that_is_found_too_late_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another configuration came while it was looked for: the one that counts now has its own search."""
    closed, gate = list[str](), asyncio.Event()

    class Found:
        words = "a meter"

        async def close(self) -> None:
            closed.append("late")

    async def begin(*_: Any) -> Any:
        await gate.wait()
        return Found()

    monkeypatch.setattr(consumption, "begin", begin)

    @kept(conf=config("work", after=3600.0), begin=False)
    async def claim(keeper: Keeper) -> None:
        metering = keeper.node.metering
        keeper.host.files = plain_vm(tmp_path / "machine")
        fakemeters.add_rapl(keeper.host.files, "intel-rapl:0", "package-0")
        keeper.node.voice.history = History(str(tmp_path / "history.jsonl"))
        search = asyncio.ensure_future(metering.follow(config("work")))
        await asyncio.sleep(0)
        assert "" == metering.words
        newer = metering.follow(config("work"))
        gate.set()
        await search
        assert ["late"] == closed
        assert metering.consumption is None
        newer.close()

    claim()


def test_while_everything_is_put_back_no_meter_is_read(tmp_path: Path) -> None:
    """Only a reading waits, never what somebody needs."""
    minded, told = list[float](), list[tuple[str, bool]]()

    class Book:
        words = "a meter"

        def mind(self, now: float) -> None:
            minded.append(now)

        def told(self, what: str, _stage: str, *, acting: bool) -> None:
            told.append((what, acting))

        async def close(self) -> None:
            pass

    @kept()
    async def claim(keeper: Keeper) -> None:
        await keeper.reach("napping")
        keeper.node.metering.consumption = Book()  # type: ignore[assignment]
        keeper.hands.restoring = asyncio.Event().wait
        keeper.node.metering.mind(1.0)
        keeper.fakes["work"].tell(active=True)
        await keeper.reach("leaving")
        keeper.node.metering.mind(2.0)
        keeper.node.metering.told("left", "ease")
        assert [1.0] == minded
        assert ("left", True) in told
        keeper.hands.restoring = _at_once

    claim()


async def _at_once() -> None:
    pass
