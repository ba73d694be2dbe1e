"""cli/measure.py and cli/measuring.py on the fake kernel: which actions pay is found out, and everything is put back, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fakemeters
from fakekernel import FakeKernel, acpi_server
from machines import Clock
from plans import MOUNTS, host_of
from powernap.actions import find
from powernap.cli import dropin, glance, main, measure, measure_text, measuring, metered
from powernap.cli.measuring import Course, LeftError, Measurement, OverError, Progress
from powernap.config.load import build
from powernap.config.model import ActionConfig
from powernap.core.comparison import Window, order
from powernap.core.energy import Sample
from powernap.daemon import measured
from powernap.daemon.hands import Hands
from powernap.daemon.places import Places
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger
from powernap.host.ledger_file import Disk, LedgerFile
from powernap.meters import Found, Meter, acpi

CLOCK, QUIET = "cpu-clock", "kernel-quiet"
STAT = "/proc/sys/vm/stat_interval"


class Bench:
    """A server with a meter, hands, and a clock that moves when somebody waits."""

    def __init__(self, root: Path) -> None:
        self.kernel = acpi_server(root / "machine")
        self.kernel.put("/proc/mounts", MOUNTS.strip())
        self.kernel.add("/proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0")
        fakemeters.add_acpi_meter(self.kernel)
        self.clock = Clock()
        self.host = Host(files=self.kernel, clock=self.clock, live=False)
        self.before = self.kernel.snapshot()
        paper = LedgerFile(str(root / "ledger" / "ledger.jsonl"), Disk(sync=lambda _: None))
        self.close = paper.close
        self.ledger = Ledger(paper, MachineKnobs(self.kernel), self.clock, "boot")
        self.meter: Meter = acpi.open(self.host, acpi.Options())
        self.waits = 0
        self.end_after = 10**9
        self.when: Callable[[int], None] = lambda _: None

    async def pause(self, seconds: float) -> bool:
        """Time passes at once."""
        self.clock.now += seconds
        self.waits += 1
        self.when(self.waits)
        return self.waits >= self.end_after

    def measurement(self, *names: str, rounds: int = 2, spare: int = 4, **more: Any) -> Measurement:
        configs = {name: ActionConfig(name, name, find(name).Options()) for name in names}
        hands = Hands(self.host, self.ledger, configs, 30.0)
        course = Course(names, 60.0, rounds, 2.0, spare, **more)
        return Measurement(self.host, hands, self.meter, course, self.pause)

    def work(self, ticks: int) -> None:
        """Processor time is used, at 100 ticks a second."""
        done = int(self.kernel.get("/proc/stat").split()[1]) + ticks
        self.kernel.put("/proc/stat", f"cpu  {done} 0 0 0 0 0 0 0 0 0")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """For one test; nothing may be left changed."""
    found = Bench(tmp_path)
    try:
        yield found
        assert [] == found.ledger.live()
        kept = {
            path: text for path, text in found.kernel.changes(found.before).items() if path != "/proc/stat"
        }
        assert {} == {path: change for path, change in kept.items() if "power1_average" not in path}
    finally:
        found.close()


def verdicts(measurement: Measurement) -> dict[str, str]:
    found = measure.results(measurement.course, measurement.windows, 0.001)
    return {name: each["verdict"] for name, each in found.items()}


# ---------------------------------------------------------------- the run


def test_the_action_that_saves_is_told_from_the_one_that_does_not(bench: Bench) -> None:
    """The meter follows the clocks: two policies from 3.6 to 0.8 GHz at 3 W per GHz are 16.8 W."""
    measurement = bench.measurement(CLOCK, QUIET)
    asyncio.run(measurement.run())
    assert {CLOCK: "saves", QUIET: "does not"} == verdicts(measurement)
    found = measure.results(measurement.course, measurement.windows, 0.001)
    assert 16.8 == pytest.approx(found[CLOCK]["saved_w"], abs=0.01)
    assert 0.0 == pytest.approx(found[QUIET]["saved_w"])
    assert list(order((CLOCK, QUIET), 2)) == [window.name for window in measurement.windows]


def test_each_window_has_only_its_own_action(bench: Bench) -> None:
    """Never two at once: what one saves is not the other's."""
    seen = set()
    bench.when = lambda _: seen.add(tuple(sorted(bench.ledger.actions())))
    asyncio.run(bench.measurement(CLOCK, QUIET).run())
    assert {(), (CLOCK,), (QUIET,)} == seen


def test_settling_is_left_out_of_the_window(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it lasts the machine draws 500 W more; no window shows it, the price of the passage does."""
    settled: list[float] = []

    def surge(_: int) -> None:
        now = bench.clock.now
        settling = any(0 <= now - at < 2.0 for at in settled)
        bench.kernel.add("/.fake/sys/class/hwmon/hwmon3/device/base", "600" if settling else "100")

    bench.when = surge
    measurement = bench.measurement(CLOCK)
    restore = measurement.hands.restore

    async def switched() -> Any:
        settled.append(bench.clock.now)
        return await restore()

    monkeypatch.setattr(measurement.hands, "restore", switched)
    asyncio.run(measurement.run())
    found = measure.results(measurement.course, measurement.windows, 0.001)[CLOCK]
    assert 16.8 == pytest.approx(found["saved_w"])
    assert found["transition_j"] > 500


@pytest.mark.parametrize("end", [1, 5, 40, 75, 130])
def test_wherever_it_is_ended_everything_is_put_back(bench: Bench, end: int) -> None:
    """Ctrl-C in any window; the fixture looks at the machine."""
    bench.end_after = end
    with pytest.raises(OverError):
        asyncio.run(bench.measurement(CLOCK, QUIET).run())


def test_a_fault_of_ours_puts_everything_back_too(bench: Bench) -> None:
    """An exception out of nowhere, in the middle of a window with an action."""

    def break_down(_: int) -> None:
        if bench.ledger.live():
            raise RuntimeError("defect")

    bench.when = break_down
    with pytest.raises(RuntimeError, match="defect"):
        asyncio.run(bench.measurement(CLOCK).run())


def test_a_disturbed_window_is_measured_again(bench: Bench) -> None:
    """Somebody compiles during the third window; it is repeated, and the verdict stands."""

    def compile_something(wait: int) -> None:
        if 130 < wait < 160:
            bench.work(100)

    bench.when = compile_something
    measurement = bench.measurement(CLOCK)
    asyncio.run(measurement.run())
    assert 1 == measurement.repeated
    assert {CLOCK: "saves"} == verdicts(measurement)
    assert all(window.busy < 0.1 for window in measurement.windows)


def test_repeating_has_an_end_and_the_rest_is_marked(bench: Bench) -> None:
    """A machine that is used from then on: no endless measuring, and nothing is said of what cannot be known."""
    bench.when = lambda wait: bench.work(150) if wait > 70 else None
    measurement = bench.measurement(CLOCK, spare=2)
    asyncio.run(measurement.run())
    assert 2 == measurement.repeated


def test_on_request_load_is_not_looked_at(bench: Bench) -> None:
    """For a machine that is never quiet."""
    bench.when = lambda wait: bench.work(150) if wait > 70 else None
    measurement = bench.measurement(CLOCK, any_load=True)
    asyncio.run(measurement.run())
    assert (0, {CLOCK: "saves"}) == (measurement.repeated, verdicts(measurement))


def test_an_action_that_finds_nothing_to_do_is_not_measured(bench: Bench) -> None:
    """The others are, and two windows without anything are not measured in a row."""
    bench.kernel.write("/sys/devices/system/cpu/cpufreq/boost", "0")
    for name in ("cpu-offline", CLOCK):
        assert name in bench.measurement(name).hands.actions
    measurement = bench.measurement(QUIET, CLOCK)
    for path in ("/sys/kernel/mm/ksm/run", "/proc/sys/kernel/numa_balancing"):
        bench.kernel.write(path, "0")
    bench.kernel.write(STAT, "3600")
    bench.kernel.write("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "60000")
    bench.before = bench.kernel.snapshot()
    asyncio.run(measurement.run())
    assert {CLOCK: "saves"} == verdicts(measurement)
    assert "quiet already" in measurement.failed[QUIET]
    assert ["", CLOCK, "", CLOCK, ""] == [window.name for window in measurement.windows]


def test_an_action_that_changes_nothing_is_not_measured(bench: Bench) -> None:
    """Its probe said yes, and by then it was so already."""
    measurement = bench.measurement(QUIET)
    measurement.hands.left_out.clear()
    assert "it is so already" in measurement._nothing(QUIET)


def test_an_action_that_fails_is_named_with_the_reason(bench: Bench) -> None:
    """EIO from the first write; the rest goes on."""
    bench.kernel.fail(STAT, 5)
    measurement = bench.measurement(QUIET, CLOCK)
    asyncio.run(measurement.run())
    assert "Input/output error" in measurement.failed[QUIET]
    assert {CLOCK: "saves"} == verdicts(measurement)


def test_what_cannot_be_put_back_ends_the_measurement(bench: Bench) -> None:
    """It says which value, and goes on to nothing else."""
    path = "/sys/kernel/mm/ksm/run"

    def stick(_: int) -> None:
        if bench.ledger.live():
            bench.kernel.fail(path, 5, times=4)
            bench.when = lambda _: None

    bench.when = stick
    with pytest.raises(LeftError, match="ksm/run"):
        asyncio.run(bench.measurement(QUIET).run())
    bench.kernel._faults.clear()
    bench.ledger.restore()


def test_somebody_else_who_sets_the_same_ends_the_measurement(bench: Bench) -> None:
    """His value stays, and what is measured meanwhile would mean nothing."""

    def meddle(_: int) -> None:
        if bench.ledger.live():
            bench.kernel.write(STAT, "33")

    bench.when = meddle
    with pytest.raises(LeftError, match="somebody else changes the same things"):
        asyncio.run(bench.measurement(QUIET).run())
    assert "33" == bench.kernel.get(STAT)
    bench.kernel.write(STAT, "1")


class Moody:
    """A meter that fails now and then."""

    source, interval, gap, step, counts = "moody", 1.0, 3.0, 0.0, False

    def __init__(self, bench: Bench, fails: Callable[[int], bool]) -> None:
        self.bench, self.fails, self.reads = bench, fails, 0

    def read(self) -> Sample:
        self.reads += 1
        if self.fails(self.reads):
            raise OSError(5, "the cable is loose")
        return Sample(self.bench.clock.now, 100.0)

    def close(self) -> None:
        """Nothing."""


def test_a_meter_that_fails_now_and_then_costs_no_window(bench: Bench) -> None:
    """A reading is bridged, a longer silence is missing; the trouble is told only where it lasts."""
    measurement = bench.measurement(QUIET)
    measurement.meter = Moody(bench, lambda read: read % 7 == 3)
    asyncio.run(measurement.run())
    assert all(window.watts == 100.0 for window in measurement.windows)
    measurement = bench.measurement(QUIET)
    measurement.meter = Moody(bench, lambda read: read > 20)
    asyncio.run(measurement.run())
    assert "the cable is loose" in measurement.trouble
    assert measurement.windows[-1].watts is None


def test_progress_tells_where_it_is_and_how_long_it_takes(bench: Bench) -> None:
    """The time left only falls."""
    heard: list[Progress] = []
    measurement = bench.measurement(CLOCK)
    measurement.told = heard.append
    asyncio.run(measurement.run())
    assert (1, 5, "") == (heard[0].number, heard[0].count, heard[0].name)
    assert (5, "") == (heard[-1].number, heard[-1].name)
    assert sorted(heard, key=lambda each: -each.left) == heard
    assert 5 * 62.0 == heard[0].left
    assert {"", CLOCK} == {each.name for each in heard}


def test_ticks_of_work_are_told_from_idle_ones() -> None:
    """Idle and waiting for disks are not work; a machine without /proc/stat has none."""
    assert 1 + 2 + 3 + 6 + 7 + 8 == measuring.parse_work("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1")
    assert 1 == measuring.parse_work("cpu  1 0 0")
    assert 0 == measuring.parse_work("")


# ---------------------------------------------------------------- what is chosen


CONFIG = build(
    [
        (
            "x",
            '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock", "kernel-quiet"]\n[monitor.load]\n',
        )
    ]
)
EMPTY = build([("x", "[monitor.load]\n")])


def test_the_ladders_actions_are_measured(bench: Bench) -> None:
    """In its order; without a ladder the safe ones; a kind that is in no configuration with its default options."""
    assert [CLOCK, QUIET] == list(measure.choose(CONFIG, [], bench.host)[0])
    assert [CLOCK, QUIET] == list(measure.choose(EMPTY, [], bench.host)[0])
    assert ["cpu-park"] == list(measure.choose(EMPTY, ["cpu-park"], bench.host)[0])


def test_what_this_machine_cannot_do_is_named_with_the_reason(bench: Bench) -> None:
    """And an action that there is not, with the one that was meant."""
    able, skipped = measure.choose(CONFIG, ["hooks", QUIET], bench.host)
    assert [QUIET] == list(able)
    assert "hooks.d" in skipped["hooks"]
    assert "hooks: " in measure.nothing_to_measure(skipped)
    assert "no action" in measure.nothing_to_measure({})
    with pytest.raises(glance.UnknownActionError, match="cpu-clok") as wrong:
        measure.choose(CONFIG, ["cpu-clok"], bench.host)
    assert "cpu-clock" in wrong.value.remedy


def test_the_meter_that_sees_most_is_taken(bench: Bench) -> None:
    """Or the one that is named; without any, each reason."""
    fakemeters.add_rapl(bench.kernel, "intel-rapl:0", "package-0")
    assert "acpi" == metered.meter_of(bench.host, EMPTY, None).found.kind
    assert "rapl" == metered.meter_of(bench.host, EMPTY, "rapl").found.kind
    with pytest.raises(UnavailableError, match="no battery"):
        metered.meter_of(bench.host, EMPTY, "battery")
    board = build([("x", '[meter.cores]\ntype = "rapl"\n[meter.acpi]\nenabled = false\n[monitor.load]\n')])
    assert "cores" == metered.meter_of(bench.host, board, None).found.name
    assert "cores" == metered.meter_of(bench.host, board, "cores").found.name
    bench.kernel.vanish("/sys/class/hwmon/hwmon3")
    bench.kernel.vanish("/sys/class/powercap/intel-rapl:0")
    with pytest.raises(UnavailableError, match="there is no meter .*acpi: .*rapl: "):
        metered.meter_of(bench.host, EMPTY, None)
    with pytest.raises(metered.NoMeterError) as none:
        metered.meter_of(bench.host, EMPTY, None)
    lines = measure_text.no_meter(none.value.ranked).splitlines()[1:]
    assert [each.name for each in none.value.ranked] == [line.split()[0] for line in lines]
    assert len(lines) > 1
    assert "acpi" in {line.split()[0] for line in lines}
    bench.kernel.reappear("/sys/class/hwmon/hwmon3")
    bench.before = bench.kernel.snapshot()


# ---------------------------------------------------------------- what is kept and said


SAVES = {
    "verdict": "saves",
    "saved_w": 12.0,
    "spread_w": 0.4,
    "rounds": 3,
    "without_w": 142.0,
    "with_w": 130.0,
    "break_even_s": 2.0,
}
NOT = {**SAVES, "verdict": "does not", "saved_w": 0.0}
MAYBE = {**SAVES, "verdict": "cannot tell", "saved_w": 0.5}
NOTHING = {
    **SAVES,
    "verdict": "cannot tell",
    "saved_w": None,
    "spread_w": None,
    "rounds": 1,
    "without_w": None,
    "with_w": None,
    "break_even_s": None,
}
METER = Found("acpi", "acpi", "platform", find(CLOCK).probe(Host(), find(CLOCK).Options()), None)


def test_the_drop_in_keeps_what_pays_and_drops_what_does_not() -> None:
    """And with it the configuration loads, to a ladder without the dropped action."""
    text = dropin.lines(CONFIG, {CLOCK: SAVES, QUIET: NOT}, METER)
    base = (
        '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock", "kernel-quiet"]\n[monitor.load]\n'
    )
    assert (CLOCK,) == build([("a", base), ("b", text)]).stages[0].actions
    assert "#   cpu-clock: saves 12.00 W, give or take 0.40 W" in text
    assert "#   kernel-quiet: does not save" in text


def test_what_cannot_be_told_stays() -> None:
    """It was the admin's choice; nothing changes, and that is said."""
    text = dropin.lines(CONFIG, {CLOCK: MAYBE, QUIET: NOTHING}, METER)
    assert "[[stage]]" not in text
    assert "stays as it is" in text
    assert "comparisons are too few" in text


def test_a_stage_of_which_nothing_pays_is_left_out() -> None:
    """A stage that does nothing is a fault of the configuration; what costs is called so."""
    text = dropin.lines(CONFIG, {CLOCK: {**NOT, "saved_w": -80.0}, QUIET: NOT}, METER)
    assert "costs 80.00 W" in text
    base = (
        '[[stage]]\nname = "ease"\nafter = "5min"\nactions = ["cpu-clock", "kernel-quiet"]\n[monitor.load]\n'
    )
    assert () == build([("a", base), ("b", text)]).stages


def test_what_pays_and_is_in_no_stage_is_named() -> None:
    """As a comment: which stage is the admin's choice."""
    assert '# Not in the ladder, and pays: add "cpu-park"' in dropin.lines(CONFIG, {"cpu-park": SAVES}, METER)


def test_no_file_of_the_admins_is_touched(tmp_path: Path) -> None:
    """Only one that begins with our mark is written over."""
    path = tmp_path / "50-measured.toml"
    assert "" == dropin.unwritable(str(path))
    dropin.write(str(path), dropin.lines(CONFIG, {CLOCK: SAVES}, METER))
    assert "" == dropin.unwritable(str(path))
    path.write_text("# mine\n")
    assert "was not written by" in dropin.unwritable(str(path))
    assert "directory" in dropin.unwritable(str(tmp_path / "x" / "y"))
    assert dropin.unwritable(str(tmp_path))


def document(**more: Any) -> dict[str, Any]:
    actions = [{"name": CLOCK, "type": CLOCK, **SAVES}, {"name": QUIET, "type": QUIET, **NOTHING}]
    return {
        "meter": "acpi", "scope": "platform", "source": "hwmon3", "window_s": 300.0, "settle_s": 10.0, "rounds": 3, "actions": actions,
        "skipped": [], "windows": [], "repeated": 0, "trouble": "", "ended": "", "left_changed": 0, "stored": "", "config": "# lines\n", **more,
    }  # fmt: skip


def test_the_table_says_verdict_and_figures() -> None:
    """A line each, the lines of configuration below."""
    text = measure_text.report(document())
    assert "cpu-clock     142.00 W  130.00 W  12.00 ± 0.40 W  saves        after 2s at most" in text
    assert "kernel-quiet: cannot tell: 1 comparisons are too few" in text
    assert text.endswith("# lines")


def test_what_limits_the_result_is_said() -> None:
    """Each on a line of its own; no lines to keep where it was ended."""
    text = measure_text.report(
        document(
            skipped=[{"action": "hooks", "reason": "no scripts"}],
            repeated=2,
            windows=[{"disturbed": True}, {"disturbed": False}],
            trouble="loose",
            ended="ended before it was complete",
            left_changed=3,
            stored="/var/lib/x",
        )
    )
    for part in (
        "hooks was not measured: no scripts",
        "2 windows were measured again",
        "left out: 1 window in which something else",
        "loose",
        "nothing is kept",
        "undo",
        "/var/lib/x",
    ):
        assert part in text
    assert "# lines" not in text


def test_progress_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Written over and over, with the time that is left."""
    course = Course((CLOCK,), 300.0, 3, 10.0, 3)
    measure_text.show_progress(Progress(2, 7, CLOCK, 1200.0, 130.02), course)
    measure_text.show_progress(Progress(1, 7, "", 0.0, None), course)
    shown = capsys.readouterr().err
    assert "\r\033[Kmeasuring with cpu-clock: window 2 of 7 of 5min, 130.0 W, 20min left" in shown
    assert "measuring without: window 1 of 7 of 5min, 1s left" in shown
    assert "\n" not in shown


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--meter", "wattmeter"], 2, "the meters are"),
        (["--meter", "battery"], 1, "battery"),
        (["cpu-clok", "--meter", "command:/bin/true"], 2, "no action"),
        (["hooks", "--meter", "command:/bin/true"], 1, "hooks"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(
    words: list[str],
    status: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is touched."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "p.toml").write_text("[monitor.load]\n[action.hooks]\ndirectory = '/nonexistent'\n")
    (tmp_path / "p.toml").chmod(0o644)
    places = [
        "--config",
        str(tmp_path / "p.toml"),
        "--runtime",
        str(tmp_path / "run"),
        "--state",
        str(tmp_path / "state"),
    ]
    with contextlib.suppress(SystemExit):
        assert status == main.main(["measure", *places, *words])
    assert says in capsys.readouterr().err
    assert ["p.toml"] == [path.name for path in tmp_path.iterdir()]


def test_an_ordinary_user_is_told_to_be_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3, as a document too."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert 3 == main.main(["measure", "--json"])
    assert "only root" in json.loads(capsys.readouterr().out)["error"]


def test_a_fault_in_the_configuration_is_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its line."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "p.toml").write_text('mode = "atc"\n')
    assert 2 == main.main(["measure", "--config", str(tmp_path / "p.toml")])
    assert "p.toml:1" in capsys.readouterr().err


def test_windows_are_documented_with_what_was_odd(bench: Bench) -> None:
    """For programs: every window, and whether it counts."""
    measurement = bench.measurement(CLOCK)
    measurement.windows = [Window("", 100.0, 0.1), Window(CLOCK, None, 0.1), Window("", 100.0, 3.0)]
    measurement.failed = {QUIET: "no"}
    meter = metered.Metered(METER, bench.meter)
    found = measure.document_of(bench.host, measurement.course, measurement, meter, {"hooks": "none"}, "")
    assert [False, False, True] == [each["disturbed"] for each in found["windows"]]
    assert {"hooks": "none", QUIET: "no"} == {each["action"]: each["reason"] for each in found["skipped"]}
    assert found["kernel"] == "6.12.0"


# ---------------------------------------------------------------- the file


def test_results_belong_to_a_machine_and_a_kernel(tmp_path: Path) -> None:
    """Another kernel, another machine, another meter: nothing is known there; an action measured again replaces itself."""
    kernel = FakeKernel(acpi_server(tmp_path / "machine").root)
    kernel.add("/etc/machine-id", "0123456789abcdef0123456789abcdef")
    path, who = str(tmp_path / "state" / "measured.json"), measured.identity(kernel)
    assert "0123456789abcdef" not in json.dumps(who)

    def keep(meter: str, **actions: Any) -> None:
        measured.save(
            path,
            measured.merge(
                measured.load(path), who, {"meter": meter, "scope": "platform", "actions": actions}
            ),
        )

    keep("acpi", clock={**SAVES, "transition_most_j": 5.0}, park=NOT)
    keep("acpi", clock={**SAVES, "saved_w": 13.0})
    found = measured.savings(path, kernel)
    assert (13.0, "does not") == (found["clock"].saved, found["park"].verdict)
    assert ("acpi", "platform", 142.0) == tuple(measured.base(path, kernel).values())
    keep("rapl", clock=NOTHING)
    assert ["clock"] == list(measured.savings(path, kernel))
    assert measured.base(path, kernel)["without_w"] is None
    kernel.put("/proc/sys/kernel/osrelease", "6.13.0")
    assert {} == measured.savings(path, kernel)
    kernel.put("/etc/machine-id", "")
    assert {} == measured.savings(path, kernel)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 2, "results": []}', '{"version": 1, "results": 7}', "[" * 100_000]
)
def test_a_file_that_cannot_be_understood_is_as_none(content: str) -> None:
    """It is measured again."""
    assert {"version": 1, "results": []} == measured.parse(content)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """And no half one beside it."""
    path = tmp_path / "measured.json"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        measured.save(str(path), {"version": 1, "results": []})
    assert [path] == list(tmp_path.iterdir())


def test_a_state_directory_that_is_full_costs_only_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are printed all the same."""
    (tmp_path / "file").touch()
    places = Places(str(tmp_path), str(tmp_path / "file"))
    facts = {
        "time": 1,
        "meter": "acpi",
        "scope": "platform",
        "window_s": 1,
        "rounds": 1,
        "actions": [{"name": "a", **SAVES}],
    }
    assert "" == measure.store(places, host_of(FakeKernel(tmp_path)), facts)
    assert "not kept" in capsys.readouterr().err


def test_what_could_not_be_told_is_not_kept(tmp_path: Path) -> None:
    """It must not take the place of what is known from a better day."""
    places, host = Places(str(tmp_path), str(tmp_path / "state")), host_of(FakeKernel(tmp_path))
    facts = {"time": 1, "meter": "acpi", "scope": "platform", "window_s": 1, "rounds": 1}
    assert "" == measure.store(places, host, {**facts, "actions": [{"name": "a", **NOTHING}]})
    path = measure.store(places, host, {**facts, "actions": [{"name": "a", **NOTHING}, {"name": "b", **NOT}]})
    assert ["b"] == list(measured.load(path)["results"][0]["actions"])
