"""daemon/consumption.py: what was used in each state, by few readings, of which none may delay the daemon."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

import fakemeters
from fakekernel import FakeKernel, plain_vm
from keeper import Keeper, kept, run, until
from machines import Clock
from powernap import meters
from powernap.config.model import MeterConfig
from powernap.core.energy import Count, Sample
from powernap.daemon import consumption
from powernap.daemon.consumption import BY_ITSELF, LOOK, SELDOM, WAITING, Consumption, candidates, choose
from powernap.daemon.history import History
from powernap.host.availability import available
from powernap.host.host import Host
from powernap.meters import hwmon, plug, rapl


class Meter:
    """Draws 100 W, or whatever the test sets; counts them, or only shows them."""

    def __init__(self, clock: Clock, *, counts: bool = True, span: float = 0.0) -> None:
        self.clock, self.counts, self.span = clock, counts, span
        self.source, self.interval, self.gap, self.step = "fake", 5.0, 200.0 if span else 1e9, 0.0
        self.watts, self.joules, self.at = 100.0, 0.0, clock.now
        self.reads, self.closed = 0, False
        self.fails: Exception | None = None
        self.gate: threading.Event | None = None

    def pass_(self, seconds: float) -> None:
        """Time and energy."""
        self.clock.now += seconds
        self.joules += seconds * self.watts

    def read(self) -> Sample:
        """As it is, unless it fails; it may hang before it tells."""
        self.reads += 1
        count = Count(self.joules, self.span, 500.0 if self.span else 0.0)
        found = Sample(self.clock.now, counts=(count,)) if self.counts else Sample(self.clock.now, self.watts)
        if self.gate:
            self.gate.wait(10)
        if self.fails:
            raise self.fails
        return found

    def close(self) -> None:
        """Noted."""
        self.closed = True


class Rig:
    """A meter, and the entries that were written of it."""

    def __init__(self, **meter: Any) -> None:
        self.clock = Clock()
        self.meter = Meter(self.clock, **meter)
        self.written: list[dict[str, Any]] = []
        found = meters.Found("cores", "rapl", "package", available(""), None)
        self.book = Consumption(Host(clock=self.clock, live=False), found, self.meter, self.written.append)

    def armed(self) -> bool:
        """A timer is set."""
        return self.book.timer is not None

    async def quiet(self) -> None:
        """Every reading has been made."""
        await self.book.settled.wait()

    async def after(self, seconds: float, what: str, stage: str = "", *, acting: bool = True) -> None:
        """So much later this is told."""
        await self.quiet()
        self.meter.pass_(seconds)
        self.book.told(what, stage, acting=acting)
        await self.quiet()

    async def end(self) -> list[tuple[str, float, float]]:
        """State, joules and seconds of what was written."""
        await self.book.close()
        return [(each.get("stage", ""), each["joules"], each["seconds"]) for each in self.written]


def test_what_was_used_in_each_state_is_counted() -> None:
    """100 W while awake, 40 W in ease, 20 W in park, each to the moment at which it is left."""

    async def claim() -> None:
        rig = Rig()
        await rig.after(300, "entered", "ease")
        rig.meter.watts = 40.0
        await rig.after(600, "entered", "park")
        rig.meter.watts = 20.0
        await rig.after(3600, "left", "park")
        rig.meter.watts = 100.0
        rig.meter.pass_(10)
        assert [
            ("", 30000, 300),
            ("ease", 24000, 600),
            ("park", 72000, 3600),
            ("", 1000, 10),
        ] == await rig.end()
        assert {"measured"} == {each["basis"] for each in rig.written}
        assert ("cores", "package") == (rig.written[0]["meter"], rig.written[0]["scope"])
        assert rig.meter.closed

    run(claim())


def test_a_counter_that_goes_round_is_measured_for_as_long_as_it_is_sure() -> None:
    """A nap of hours has one timer, a while after it begins: that much is measured, the rest is missing and never guessed."""

    async def claim() -> None:
        rig = Rig(span=262_143.0)
        await rig.after(60, "entered", "ease")
        assert rig.armed()
        rig.meter.pass_(LOOK)
        rig.book._follow()
        await rig.quiet()
        assert not rig.armed()
        await rig.after(7200, "left", "ease")
        assert ("ease", 6000.0, 60.0) == (await rig.end())[1]

    run(claim())


def test_the_timer_comes_before_the_counter_may_have_gone_round() -> None:
    """AMD's counts 65 kJ: at 500 W a quarter of a round is 33 s."""

    async def claim() -> None:
        rig = Rig()
        rig.meter.gap = 33.0
        book = Consumption(rig.book.host, rig.book.found, rig.meter, rig.written.append)
        assert 33.0 * 0.9 == pytest.approx(book.look)
        await book.close()
        await rig.end()

    run(claim())


def test_a_sleep_is_nobodys_account() -> None:
    """From going to sleep to being back nothing is counted, also where the counter went on, or a reading came late."""

    async def claim() -> None:
        rig = Rig()
        await rig.after(100, "entered", "bed")
        rig.meter.pass_(5)
        rig.meter.gate = threading.Event()
        rig.book.told("sleep", "bed", acting=True)
        assert not rig.armed()
        await until(lambda: rig.meter.reads == 3)
        rig.meter.pass_(1000)
        rig.book.told("resumed", "", acting=True)
        rig.meter.gate.set()
        await rig.quiet()
        rig.meter.pass_(30)
        assert [("", 10000, 100), ("", 3000, 30)] == await rig.end()

    run(claim())


@pytest.mark.parametrize("acting", [True, False])
@pytest.mark.parametrize("counts", [True, False])
def test_a_sleep_that_others_asked_for_is_left_out(acting: bool, counts: bool) -> None:
    """Only its end is told, also to a daemon that only watches."""

    async def claim() -> None:
        rig = Rig(counts=counts)
        rig.meter.pass_(100)
        rig.book.next_look = 0.0
        rig.book.mind(rig.clock.now)
        await rig.quiet()
        await rig.after(5000, "resumed", acting=acting)
        rig.meter.pass_(50)
        rig.book.next_look = 0.0
        rig.book.mind(rig.clock.now)
        await rig.quiet()
        assert sum(seconds for _, _, seconds in await rig.end()) == (150 if counts else 50)

    run(claim())


def test_watching_the_machine_is_awake_whatever_is_told() -> None:
    """Nothing was changed, so nothing was used in any stage."""

    async def claim() -> None:
        rig = Rig()
        await rig.after(100, "entered", "ease", acting=False)
        await rig.after(100, "sleep", "bed", acting=False)
        await rig.after(100, "left", "ease", acting=False)
        assert [("", 30000, 300)] == await rig.end()

    run(claim())


def test_a_meter_without_a_counter_gives_an_estimate() -> None:
    """The mean of what it showed in a state, times the time in it; no reading at the edges, where it shows a mean of both."""

    async def claim() -> None:
        rig = Rig(counts=False)
        await rig.after(300, "entered", "ease")
        assert 0 == rig.meter.reads
        rig.meter.watts = 40.0
        rig.meter.pass_(LOOK)
        rig.book._follow()
        await rig.quiet()
        rig.meter.watts = 20.0
        rig.meter.pass_(SELDOM)
        rig.book.mind(rig.clock.now)
        await rig.after(3540 - SELDOM, "left", "ease")
        assert [("ease", 3600 * 30.0, 3600)] == await rig.end()
        assert "estimate" == rig.written[0]["basis"]

    run(claim())


def test_a_mean_that_reaches_back_before_the_state_is_left_out() -> None:
    """This meter shows a mean of five seconds."""

    async def claim() -> None:
        rig = Rig(counts=False)
        await rig.after(10, "entered", "ease")
        rig.meter.pass_(4)
        rig.book._follow()
        await rig.after(1, "left", "ease")
        assert [] == await rig.end()

    run(claim())


# ------------------------------------------------------------ how seldom it is read


def test_events_cause_a_reading_at_most_once_in_a_while() -> None:
    """A thousand events in a minute: one reading; while awake it is followed by one timer in ten minutes, in a stage by none."""

    async def claim() -> None:
        rig = Rig(span=262_143.0)
        await rig.quiet()
        rig.book._follow()
        await rig.quiet()
        before = rig.meter.reads
        for _ in range(1000):
            rig.meter.pass_(0.0605)
            rig.book.mind(rig.clock.now)
        await rig.quiet()
        assert (1, False) == (rig.meter.reads - before, rig.armed())
        rig.meter.pass_(SELDOM)
        rig.book.mind(rig.clock.now)
        assert rig.armed()
        await rig.after(1, "entered", "ease")
        rig.book._follow()
        rig.meter.pass_(2 * SELDOM)
        rig.book.mind(rig.clock.now)
        assert not rig.armed()
        await rig.end()

    run(claim())


def test_nothing_happens_without_an_event() -> None:
    """Two readings in all: at the beginning, and once after it."""

    async def claim() -> None:
        rig = Rig()
        await rig.quiet()
        rig.book._follow()
        await rig.quiet()
        assert (2, False) == (rig.meter.reads, rig.armed())
        await rig.end()

    run(claim())


def test_a_long_state_is_written_down_each_hour() -> None:
    """A daemon that is killed loses no more; the sum is the same."""

    async def claim() -> None:
        rig = Rig()
        for _ in range(100):
            await rig.quiet()
            rig.meter.pass_(100)
            rig.book.mind(rig.clock.now)
        await rig.quiet()
        assert 2 == len(rig.written)
        assert 10_000 == sum(seconds for _, _, seconds in await rig.end())

    run(claim())


def test_a_meter_that_fails_costs_what_it_did_not_tell() -> None:
    """The next reading bridges it, where its counter allows."""

    async def claim() -> None:
        rig = Rig()
        rig.meter.fails = OSError(5, "the bus is stuck")
        await rig.after(100, "entered", "ease")
        assert "cores (package: fake): [Errno 5] the bus is stuck" == rig.book.words
        rig.meter.fails = None
        await rig.after(100, "left", "ease")
        assert "cores (package: fake)" == rig.book.words
        rig.meter.pass_(1)
        assert ("ease", 20000.0, 200.0) in await rig.end()

    run(claim())


def test_a_meter_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few readings wait behind it, and the end does not wait for it."""
    monkeypatch.setattr(consumption, "LAST", 0.01)

    async def claim() -> None:
        rig = Rig()
        await rig.quiet()
        rig.meter.gate = threading.Event()
        for number in range(20):
            rig.meter.pass_(10)
            rig.book.told("entered", f"s{number}", acting=True)
        assert WAITING == len(rig.book.queue)
        assert [] == await rig.end()
        rig.meter.gate.set()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    run(claim())


# ------------------------------------------------------------ which meter


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    """A machine without any meter."""
    return plain_vm(tmp_path / "machine")


@pytest.fixture
def host(kernel: FakeKernel) -> Host:
    """The machine."""
    return Host(files=kernel, clock=Clock(), live=False)


def test_the_one_that_counts_comes_first(kernel: FakeKernel, host: Host) -> None:
    """Though the firmware's sees more; without it that one; without any none."""
    assert choose(host, []) is None
    fakemeters.add_acpi_meter(kernel)
    chosen = choose(host, [])
    assert chosen is not None
    assert "acpi" == chosen[0].name
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    chosen = choose(host, [])
    assert chosen is not None
    assert "rapl" == chosen[0].name


def test_the_configured_one_comes_before_it(kernel: FakeKernel, host: Host) -> None:
    """Unless it is another machine, which the daemon never asks; one that is off takes its kind away."""
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    fakemeters.add_sensor(kernel, "hwmon5", "occ", "energy1_input", 12_000_000)
    wall = MeterConfig("wall", "plug", plug.Options(address="10.0.0.5"))
    rail = MeterConfig("rail", "hwmon", hwmon.Options())
    off = MeterConfig("cores", "rapl", rapl.Options(), enabled=False)
    chosen = choose(host, [wall, rail])
    assert chosen is not None
    assert ("rail", True) == (chosen[0].name, chosen[1].counts)
    assert "plug" not in {found.kind for found in candidates(host, [wall])}
    assert "rapl" not in {found.kind for found in candidates(host, [off])}


@pytest.mark.parametrize("kind", BY_ITSELF)
def test_only_meters_of_this_machines_kernel_are_read(kind: str) -> None:
    """The unit has no network."""
    assert meters.find(kind).LOCAL


# ------------------------------------------------------------ in the daemon


def test_the_daemon_writes_what_it_used(tmp_path: Path) -> None:
    """A fake machine's counter, a real node, a nap and back: each state has its energy in the file, and `powernap history` none of it."""
    kernel = plain_vm(tmp_path / "machine")
    place = fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0", joules=1000.0)
    path = tmp_path / "history.jsonl"

    @kept(begin=False)
    async def claim(keeper: Keeper) -> None:
        keeper.host.files = kernel
        keeper.node.voice.history = History(str(path))
        keeper.node.begin()
        await keeper.reach("napping")
        await until(lambda: keeper.node.metering.consumption is not None)
        book = keeper.node.metering.consumption
        assert book is not None
        assert book.account is not None
        assert "ease" == book.account.stage
        await book.settled.wait()
        fakemeters.spend(kernel, place, 0.25)
        keeper.fakes["work"].tell(active=True)
        await keeper.reach("awake")
        await book.settled.wait()

    claim()
    told = [json.loads(line) for line in path.read_text().splitlines()]
    used = [each for each in told if each["event"] == "energy"]
    assert [0.25] == [each["joules"] for each in used if each.get("stage") == "ease"]
    assert {"rapl"} == {each["meter"] for each in used}
    entered = next(each for each in told if each["event"] == "entered")
    assert 0.05 <= entered["idle_s"] < 10
    assert all(each["event"] != "energy" for each in History(str(path)).entries)
