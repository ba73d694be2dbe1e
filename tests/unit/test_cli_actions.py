"""powernap actions: the table of what a machine can save by, and there and back on fake machines."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakekernel import acpi_server, container
from machines import Clock
from plans import host_of
from powernap.actions import find, kinds
from powernap.cli import actions, actions_text, glance, main, there_and_back
from powernap.cli.there_and_back import Course
from powernap.config.model import ActionConfig
from powernap.core.value import dataclass
from powernap.daemon import measured
from powernap.daemon.hands import Hands
from powernap.host.availability import available, unavailable
from powernap.host.host import Host
from powernap.host.knobs import Change, Knobs, MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import Disk, LedgerFile
from powernap.host.undo import undo

TESTS = Path(__file__).parents[1]
CLOCK, QUIET = "cpu-clock", "kernel-quiet"
STAT, KSM = "/proc/sys/vm/stat_interval", "/sys/kernel/mm/ksm/run"
CONFIG = """
[[stage]]
name = "ease"
after = "5min"
actions = ["quiet"]
[monitor.load]
[action.quiet]
type = "kernel-quiet"
statistics = "30s"
"""


@dataclass(frozen=True)
class Watched:
    """Knobs; ``wrote`` hears of each value after it is written."""

    knobs: Knobs
    wrote: Callable[[Change, str], None]

    def read(self, change: Change) -> str:
        """As it is."""
        return self.knobs.read(change)

    def write(self, change: Change, value: str) -> None:
        """Then tell."""
        self.knobs.write(change, value)
        self.wrote(change, value)


class Bench:
    """A server, and hands with a ledger that survives them."""

    def __init__(self, root: Path) -> None:
        self.kernel = acpi_server(root / "machine")
        self.host = Host(files=host_of(self.kernel).files, clock=Clock(), live=False)
        self.before = self.kernel.snapshot()
        self.path = str(root / "ledger" / "ledger.jsonl")
        self.disk = Disk(sync=lambda _: None)
        self.heard: list[str] = []
        self.wrote: Callable[[Change, str], None] = lambda change, value: None

    def go(self, *names: str) -> Course:
        """There and back with each."""
        paper = LedgerFile(self.path, self.disk)
        try:
            knobs = Watched(MachineKnobs(self.kernel), self.told)
            ledger = Ledger(paper, knobs, Clock(), boot_id(self.kernel))
            configs = {name: ActionConfig(name, name, find(name).Options()) for name in names}
            self.hands = Hands(self.host, ledger, configs, 30.0)
            return asyncio.run(there_and_back.go(self.hands, names, self.heard.append))
        finally:
            paper.close()

    def told(self, change: Change, value: str) -> None:
        """A value is written."""
        self.wrote(change, value)

    @property
    def changes(self) -> dict[str, Any]:
        """What is not as it was."""
        return dict(self.kernel.changes(self.before))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """For one test."""
    return Bench(tmp_path)


# ---------------------------------------------------------------- there and back


def test_each_is_applied_alone_and_put_back(bench: Bench) -> None:
    """Before each and at the end the machine is as it was; what is told of each is what was written."""
    before: list[Any] = []
    written: dict[str, set[str]] = {CLOCK: set(), QUIET: set()}
    bench.heard = before
    bench.wrote = lambda change, _: written[before[-1]].add(change.target) if change.new is not None else None
    course = bench.go(CLOCK, QUIET)
    assert ([CLOCK, QUIET], "", {}) == (before, course.ended, bench.changes)
    assert {name: len(targets) for name, targets in written.items()} == {
        name: each.changed for name, each in course.outcomes.items()
    }
    assert not written[CLOCK] & written[QUIET]
    assert all(not each.left and not each.kept and not each.failure for each in course.outcomes.values())


def test_what_the_kernel_refuses_is_told_with_the_reason(bench: Bench) -> None:
    """EIO from a write that the action cannot do without: nothing of it stays, and the next is tried."""
    bench.kernel.fail(STAT, 5)
    course = bench.go(QUIET, CLOCK)
    assert "stat_interval" in course.outcomes[QUIET].failure
    assert 0 == course.outcomes[QUIET].changed
    assert course.outcomes[CLOCK].changed
    assert {} == bench.changes


def test_values_that_an_action_may_leave_are_counted(bench: Bench) -> None:
    """This server has an interrupt that will not move; the rest is applied."""
    course = bench.go("cpu-park")
    assert 1 == course.outcomes["cpu-park"].refused
    assert "/proc/irq/31 (nvme0q2; " in course.outcomes["cpu-park"].left_out
    assert course.outcomes["cpu-park"].changed
    assert {} == bench.changes


def test_what_cannot_be_put_back_ends_it(bench: Bench) -> None:
    """It is named and stays in the ledger, the next action is not begun, and a later undo puts it back."""
    bench.wrote = lambda change, _: bench.kernel.fail(KSM, 5) if change.target == STAT else None
    course = bench.go(QUIET, CLOCK)
    assert [QUIET] == list(course.outcomes)
    assert KSM in course.outcomes[QUIET].left[0]
    assert f"{QUIET} could not be put back" == course.ended
    assert [KSM] == list(bench.changes)
    assert "an earlier change could not be put back" in bench.go(CLOCK).ended
    bench.kernel._faults.clear()
    assert undo(bench.path, bench.kernel, disk=bench.disk).clean
    assert {} == bench.changes


def test_somebody_elses_value_is_kept_and_told(bench: Bench) -> None:
    """It is his, and no failure of ours."""
    bench.wrote = lambda change, _: bench.kernel.write(STAT, "33") if change.target == STAT else None
    bench.go(QUIET)
    assert "33" == bench.kernel.get(STAT)


def test_a_value_that_vanishes_is_left_and_named(bench: Bench) -> None:
    """Unplugged in the middle: kept in the ledger until it returns."""
    bench.wrote = lambda change, _: bench.kernel.vanish(STAT) if change.target == STAT else None
    course = bench.go(QUIET, CLOCK)
    assert course.ended
    bench.wrote = lambda change, value: None
    bench.kernel.reappear(STAT)
    assert undo(bench.path, bench.kernel, disk=bench.disk).clean
    assert {} == bench.changes


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_signal_in_the_middle_puts_everything_back(bench: Bench, nth: int) -> None:
    """SIGTERM while the n-th of four values is written: no later one is, and no further action is begun."""
    wrote: list[str] = []

    def knock(change: Change, _value: str) -> None:
        wrote.append(change.target)
        if len(wrote) == nth:
            os.kill(os.getpid(), signal.SIGTERM)
            end = time.monotonic() + 60
            while not bench.hands.stopping and time.monotonic() < end:
                time.sleep(0.001)
            assert bench.hands.stopping

    bench.wrote = knock
    course = bench.go(QUIET, CLOCK)
    assert ([QUIET], "ended before it was complete") == (bench.heard, course.ended)
    assert nth == len(set(wrote))
    assert {} == bench.changes


class Faulty:
    """A clock that breaks when it is asked for the n-th time."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def boottime(self) -> float:
        """Or not."""
        self.left -= 1
        if not self.left:
            raise RuntimeError("defect")
        return 1000.0

    wall = boottime


@pytest.mark.parametrize("nth", [1, 3, 4, 5, 6])
def test_a_defect_of_ours_puts_everything_back_too(bench: Bench, nth: int) -> None:
    """An exception out of nowhere, also while an action is applied."""
    bench.host.clock = Faulty(nth)
    with pytest.raises(RuntimeError, match="defect"):
        bench.go(QUIET)
    assert {} == bench.changes


def test_killed_in_the_middle_it_leaves_the_rest_to_undo(bench: Bench, tmp_path: Path) -> None:
    """SIGKILL at each write, applying and restoring: the ledger has it, and undo leaves nothing."""
    tally = tmp_path / "tally"

    def killed(nth: int) -> int:
        words = [str(TESTS / "mortal_actions.py"), str(nth), str(tally), bench.kernel.root, bench.path, QUIET]
        return subprocess.run([sys.executable, *words], check=False).returncode

    assert 0 == killed(0)
    moments = int(tally.read_text())
    assert moments >= 4
    for nth in (2, moments // 2, moments):
        assert -signal.SIGKILL == killed(nth)
        assert undo(bench.path, bench.kernel, disk=bench.disk).clean
        assert {} == bench.changes


def test_an_action_with_nothing_to_do_is_told_as_such(bench: Bench) -> None:
    """By then it is so already."""
    course = bench.go("hooks")
    assert 0 == course.outcomes["hooks"].changed
    assert "hooks.d" in course.outcomes["hooks"].left_out


# ---------------------------------------------------------------- the choice


@pytest.mark.parametrize(
    ("kind", "named", "why"),
    [
        (QUIET, [], ""),
        ("smt-off", [], "careful: name it, and it is tried"),
        ("smt-off", ["smt-off"], ""),
        ("pcie-aspm", ["pcie-aspm"], "dangerous: never tried"),
    ],
)
def test_only_safe_actions_are_tried_unasked(kind: str, named: list[str], why: str) -> None:
    """Careful ones by name, dangerous ones never; what is not available neither."""
    found = ActionConfig(kind, kind, find(kind).Options())
    assert why == actions.why_untried(found, available("3 of them"), named)
    assert "not available" == actions.why_untried(found, unavailable("none"), named)


# ---------------------------------------------------------------- the table


def printed(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:
    """The document."""
    assert status == main.main(["actions", *words, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """A directory that is a server."""
    acpi_server(tmp_path / "machine").add("/proc/sys/kernel/osrelease", "6.1.0-9")
    (tmp_path / "machine/etc").mkdir(exist_ok=True)
    (tmp_path / "machine/etc/machine-id").write_text("b7c1\n")
    (tmp_path / "p.toml").write_text(CONFIG)
    return str(tmp_path / "machine")


@pytest.fixture
def places(tmp_path: Path, machine: str) -> list[str]:
    """The words that say where all is."""
    return ["--root", machine, "--config", str(tmp_path / "p.toml"), "--state", str(tmp_path / "state")]


def test_every_action_is_listed_with_its_risk_lane_and_use(
    capsys: pytest.CaptureFixture[str], places: list[str]
) -> None:
    """The configured one under its name, the others under their kind, each no with its reason."""
    found = printed(capsys, *places)
    by_name = {each["name"]: each for each in found["actions"]}
    assert {"quiet", *kinds()} - {QUIET} == set(by_name)
    assert ("6.1.0-9", True, False, "") == (
        found["kernel"],
        found["recorded"],
        found["tried"],
        found["ended"],
    )
    assert {"quiet"} == {name for name, each in by_name.items() if each["used"]}
    assert ("safe", "fast", True) == tuple(by_name["quiet"][key] for key in ("risk", "lane", "usable"))
    assert all(each["detail"] for each in found["actions"])
    assert 'set stop = ["..."]' in by_name["units"]["remedy"]


def test_names_restrict_the_table(capsys: pytest.CaptureFixture[str], places: list[str]) -> None:
    """In their order, once; a kind with its default options beside the configured action; a wrong name with the right one."""
    found = printed(capsys, *places, "smt-off", "quiet", QUIET, "smt-off")
    assert ["smt-off", "quiet", QUIET] == [each["name"] for each in found["actions"]]
    assert 'did you mean "smt-off"' in printed(capsys, *places, "smt-of", status=2)["remedy"]


def test_savings_are_those_measured_on_this_machine(
    capsys: pytest.CaptureFixture[str], places: list[str], machine: str, tmp_path: Path
) -> None:
    """With their spread and by which meter; what was not measured says so."""
    told = {"verdict": "saves", "saved_w": 58.0, "spread_w": 0.4, "without_w": 140.0}
    flat = {"verdict": "does not", "saved_w": 0.01, "spread_w": 0.02, "without_w": 140.0}
    who = measured.identity(glance.recorded(machine).files)
    result = {"meter": "acpi", "scope": "platform", "actions": {CLOCK: told, "quiet": flat}}
    measured.save(str(tmp_path / "state" / measured.NAME), measured.merge(measured.parse(""), who, result))
    assert ("acpi", "platform") == tuple(printed(capsys, *places)[key] for key in ("meter", "scope"))
    assert 0 == main.main(["actions", *places])
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "58.00 ± 0.40 W" in lines[CLOCK]
    assert "does not (0.01 ± 0.02 W)" in lines["quiet"]
    assert "not measured" in lines["smt-off"]


def test_in_a_container_each_no_has_a_remedy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is there cannot be written."""
    container(tmp_path / "machine").read_only_mount()
    found = printed(capsys, "--root", str(tmp_path / "machine"), "kernel-quiet", CLOCK)
    assert [False, False] == [each["usable"] for each in found["actions"]]
    assert all("root" in each["remedy"] or each["detail"] for each in found["actions"])


# ---------------------------------------------------------------- refusals


def test_an_ordinary_user_may_look_but_not_try(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit status 3, and no ledger is made."""
    (tmp_path / "p.toml").write_text(CONFIG)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    places = ["--config", str(tmp_path / "p.toml"), "--runtime", str(tmp_path / "run")]
    assert "sudo powernap actions --try" == printed(capsys, *places, "--try", status=3)["remedy"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--root", "/nonexistent"], "is not a directory"),
        (["--root", "{place}", "--try"], "a recorded machine cannot be changed"),
        (["--config", "{place}/bad.toml"], "atc"),
    ],
)
def test_wrong_words_are_exit_status_2(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With what to do instead."""
    (tmp_path / "bad.toml").write_text('mode = "atc"\n')
    found = printed(capsys, *(word.format(place=tmp_path) for word in words), status=2)
    assert says in found["error"]
    assert found["remedy"]


# ---------------------------------------------------------------- as a person reads it

ACTION = {
    "name": QUIET, "type": QUIET, "risk": "safe", "lane": "fast", "usable": True, "detail": "ksm", "remedy": "", "used": True,
    "verdict": "", "saved_w": None, "spread_w": None, "skipped": "", "tried": None,
}  # fmt: skip
TRIED = {
    "failure": "", "changed": 2, "refused": 0, "left_out": "", "left": [], "kept": [], "restored": True, "apply_s": 0.0123, "restore_s": 0.001,
}  # fmt: skip
DOCUMENT = {
    "powernap": "1", "host": "web3", "kernel": "6.1", "trouble": "", "meter": "", "scope": "", "tried": True, "ended": "", "left_changed": 0,
    "actions": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ["2 values", "yes", "12.3 ms", "1.0 ms", "yes", "ksm"]),
        ({"changed": 1, "refused": 2, "left_out": "b: EIO"}, ["1 value, 2 refused", "ksm; b: EIO"]),
        ({"changed": 0, "failure": "a: EIO"}, ["no", "ksm; a: EIO"]),
        ({"changed": 0, "left_out": "it is so already"}, ["nothing to change", "ksm; it is so already"]),
        ({"left": ["a: EIO"]}, ["NO: 1 left", "ksm; a: EIO"]),
        ({"kept": ["a: somebody set it"]}, ["but 1", "ksm; a: somebody set it"]),
    ],
)
def test_a_row_tells_what_became_of_it(change: dict[str, Any], said: list[str]) -> None:
    """Values, reasons and times."""
    text = actions_text.report({**DOCUMENT, "actions": [{**ACTION, "tried": {**TRIED, **change}}]})
    assert [] == [each for each in said if f"  {each}" not in text]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"skipped": "careful: name it, and it is tried"}, "not tried"),
        ({"skipped": "careful: name it, and it is tried"}, "ksm; careful: name it, and it is tried"),
        (
            {"usable": False, "detail": "none", "remedy": "buy one", "skipped": "not available"},
            "none  -> buy one",
        ),
        ({"verdict": "cannot tell"}, "cannot tell"),
    ],
)
def test_a_row_that_was_not_tried_says_why(change: dict[str, Any], said: str) -> None:
    """And nothing of what did not happen."""
    text = actions_text.report({**DOCUMENT, "actions": [{**ACTION, **change}]})
    assert said in text
    assert " ms" not in text


def test_what_went_wrong_is_said_below_the_table() -> None:
    """With the next step."""
    text = actions_text.report(
        {**DOCUMENT, "ended": "x could not be put back", "left_changed": 3, "trouble": "faults"}
    )
    assert "x could not be put back: the rest was not tried" in text
    assert "3 values could not be put back; try `powernap undo`" in text
    assert "attention: faults" in text
    assert "`powernap measure`" in text
    assert "savings measured by acpi (platform)" in actions_text.headline(
        {**DOCUMENT, "meter": "acpi", "scope": "platform"}
    )
