"""Bare powernap, on machines that are directories: what they can do, what keeps them awake, what would happen."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from powernap.cli import glance, main, overview, why
from powernap.config.load import build, load
from powernap.config.model import Config, MonitorConfig
from powernap.config.problems import ConfigErrors, Problem
from powernap.core.reading import Reading
from powernap.host.availability import UnavailableError, available, unavailable
from powernap.host.host import Host
from powernap.monitors import Context

CONFIG = """
[[stage]]
name = "ease"
after = "5min"
actions = ["kernel-quiet"]
[[stage]]
name = "sleep"
after = "1h"
sleep = "suspend"
[monitor.load]
[monitor.gone]
type = "disk"
disks = ["nvme9n9"]
"""


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """With a load of 3 and one knob."""
    for name, text in {
        "proc/loadavg": "3.00 1.0 1.0 1/100 1\n",
        "proc/sys/vm/stat_interval": "1\n",
        "sys/devices/system/cpu/present": "0-3\n",
        "sys/devices/system/cpu/possible": "0-3\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path)


@pytest.fixture
def config() -> Config:
    """Two stages, two monitors."""
    return build([("x", CONFIG)])


def test_a_recorded_machine_is_looked_at_like_a_live_one(machine: str, config: Config) -> None:
    """Its load keeps it awake; its disk is not there; the knob is."""
    document = overview.document_of(config, "", machine)
    found = {m["name"]: m for m in document["monitors"]}
    assert 0.0 == found["load"]["last_s"]
    assert [["load", "", found["load"]["reason"]]] == overview.awake(document)
    assert not found["gone"]["usable"] or found["gone"]["failed"]
    quiet = {a["name"]: a for a in document["actions"]}["kernel-quiet"]
    assert (True, True) == (quiet["usable"], quiet["used"])
    assert [None, "suspend"] == [stage["sleep"] for stage in document["stages"]]
    assert (machine, None) == (document["host"], document["daemon"])


def test_the_screen_names_reasons_remedies_and_next_steps(machine: str, config: Config) -> None:
    """No line without a reason."""
    text = overview.text(overview.document_of(config, "", machine))
    assert f"on {machine}, a recorded machine" in text
    assert re.search(r"kernel-quiet +yes +stat_interval", text)
    assert 'stage "ease": kernel-quiet' in text
    assert "powernap try" not in text


def test_a_live_machine_without_a_daemon_is_invited_to_try() -> None:
    """As root, and otherwise; and a ladder without stages is said."""
    assert "powernapd is not running: nothing is watched or changed" in overview.headline(document())
    assert "undone at the end" in overview.following(document())[-1][2]
    rows = overview.following(document(root=False))
    assert ["the ladder has no stages"] == [row[2] for row in rows[:1]]
    assert "with sudo it also acts" in str(rows[-1][2])


def test_the_last_activity_is_said_with_its_monitor() -> None:
    """Where nobody is there now."""
    told = overview.latest(
        [entry(name="a", last_s=90.0, reason="x typed"), entry(name="b"), entry(last_s=600.0)]
    )
    assert "the last activity seen was 1min 30s ago (a: x typed)" == told


def test_actions_without_anything_to_do_share_a_row(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be done, what has a remedy and what the ladder wants has a row; `--all` shows the rest, and `--json` has it anyway."""
    actions = [
        {"name": name, "usable": usable, "detail": f"{name} it is", "remedy": remedy, "used": used}
        for name, usable, remedy, used in [
            ("can", True, "", False), ("wanted", False, "", True), ("mendable", False, "do it", False),
            *((name, False, "", False) for name in ("one", "two", "three", "four")),
        ]
    ]  # fmt: skip
    rows = overview.of_actions(actions, everything=False)
    assert ["can", "wanted", "mendable", "4 others"] == [row[0] for row in rows]
    assert "nothing here for one, two, three, four  -> `powernap --all` tells why" == rows[-1][2]
    for shown in (
        overview.of_actions(actions, everything=True),
        overview.of_actions(actions[:-1], everything=False),
    ):
        assert ["can", "wanted", "mendable", "one", "two", "three"] == [row[0] for row in shown][:6]
        assert "three it is" == shown[5][2]
    document = overview.document_of(overview.in_force()[0], "", machine)
    idle = [a["name"] for a in document["actions"] if not (a["usable"] or a["remedy"] or a["used"])]
    assert len(idle) > 10
    for words, rows_of in ((["--all", "--root", machine], idle), (["--root", machine], [])):
        assert 0 == main.main(words)
        screen = capsys.readouterr().out
        assert rows_of == [name for name in idle if re.search(rf"^ .* {name} +no ", screen, re.MULTILINE)]
        assert (f"{len(idle)} others" in screen) is not bool(rows_of)


def entry(**facts: Any) -> dict[str, Any]:
    return {
        "name": "m", "usable": True, "failed": False, "active": False, "on_error": "active", "detail": "", "remedy": "", "reason": "",
        "source": "", "events": True, "last_s": None, **facts,
    }  # fmt: skip


def document(**facts: Any) -> dict[str, Any]:
    return {
        "powernap": "1",
        "host": "h",
        "root": True,
        "recorded": False,
        "trouble": "",
        "daemon": None,
        "actions": [],
        "monitors": [],
        "stages": [],
    } | facts


def test_root_is_told_that_the_blind_count_as_activity() -> None:
    """Unless on_error says otherwise; an ordinary user's blindness says nothing about the machine."""
    blind = [entry(name="a", usable=False), entry(name="b", failed=True), entry(name="c", usable=False, on_error="ignore")]  # fmt: skip
    assert ["a", "b"] == [row[0] for row in overview.awake(document(monitors=blind))]
    assert ["nothing"] == [row[0] for row in overview.awake(document(monitors=blind, root=False))]


def test_the_running_daemon_knows_best() -> None:
    """What it says keeps the machine awake is shown, not our own look."""
    running = {
        **STATUS,
        "idle_s": 60.0,
        "blockers": [{"name": "lease", "reason": "backup"}],
    }
    rows = overview.awake(document(daemon=running, monitors=[entry(active=True)]))
    assert [["lease", "", "backup"]] == rows
    assert [["nothing", "", "idle for 1min"]] == overview.awake(document(daemon={**running, "blockers": []}))
    assert overview.headline(document(daemon=running)).endswith(", awake")
    assert "watching only" in overview.headline(document(daemon={**running, "mode": "watch"}))
    assert "powernap why" == overview.following(document(daemon=running))[-1][0]


STATUS: dict[str, Any] = {
    "mode": "act", "phase": "awake", "stage": None, "next": None, "first_stage": {"stage": "deep", "after_s": 60.0},
    "idle_s": 0.0, "blockers": [{"name": "job", "reason": "make[7]"}], "config": ["/etc/x.toml"],
    "monitors": [
        {
            "name": "job", "type": "process", "source": "by exec", "events": True, "active": True, "failed": False, "reason": "make[7]",
            "remedy": "", "who": ["make[7]"], "last_s": 0.0, "for_s": 5.0, "measured": None, "limit": None, "unit": "",
        }
    ],
    "stages": [{"name": "deep", "after_s": 60.0, "warn_s": 0.0, "actions": ["cpu-clock"], "sleep": None}],
}  # fmt: skip


def test_a_daemon_that_naps_is_shown_in_its_stage_with_what_comes_next() -> None:
    """In the words of `powernap why`; not the first stage of the ladder, in which it is already."""
    following = {"stage": "park", "in_s": 599.0, "refused": "", "actions": ["cpu-park"], "sleep": None}
    napping = {
        **STATUS, "phase": "napping", "stage": "ease", "idle_s": 301.0, "blockers": [], "next": following, "left_out": [],
    }  # fmt: skip
    first, *_, last = why.text(napping).split("\n")
    screen = overview.text(
        document(daemon=napping, actions=[], powernap="1", host="db3", trouble="", stages=STATUS["stages"])
    )
    assert f"powernap 1 on db3, {first}" == screen.split("\n")[0]
    assert "in stage ease (napping)" in screen
    assert ["ladder", "", last.removeprefix("next: ")] == overview.following(document(daemon=napping))[0]
    assert "enters stage park in 9min 59s" in screen


def test_beside_a_daemon_its_monitors_and_its_ladder_are_shown(machine: str, config: Config) -> None:
    """And not those of the configuration that would be loaded now."""
    found = overview.document_of(config, "", machine, STATUS)
    assert [("job", "by exec", True, "active")] == [
        (each["name"], each["source"], each["usable"], each["on_error"]) for each in found["monitors"]
    ]
    assert [{"name": "deep", "after_s": 60.0, "actions": ["cpu-clock"], "sleep": None}] == found["stages"]
    assert (["/etc/x.toml"], "act") == (found["config"], found["mode"])
    assert {"cpu-clock"} == {each["name"] for each in found["actions"] if each["used"]}
    screen = overview.text({**found, "recorded": False})
    assert "job" in screen
    assert "stage deep, 1min after all of these have ended" in screen
    assert found["monitors"][0].keys() == overview.document_of(config, "", machine)["monitors"][0].keys()


def test_the_configuration_beside_a_daemon_is_that_of_its_files(tmp_path: Path) -> None:
    """With its faults, since they were made after it began; one that may not be read is no fault."""
    file = tmp_path / "own.toml"
    file.write_text(CONFIG)
    found, trouble = overview.in_force({"config": [str(file)]})
    assert (["ease", "sleep"], "") == ([stage.name for stage in found.stages], trouble)
    file.write_text("mode = 5\n")
    assert "powernapd goes on with the one it has" in overview.in_force({"config": [str(file)]})[1]
    assert "" == overview.in_force({"config": [str(tmp_path / "gone.toml")]})[1]


def test_what_is_said_of_a_monitor_that_cannot_see() -> None:
    """Why, and what would help; a failure's own reason where it could be opened."""
    assert [("no", "yellow"), "no bus  -> install it"] == overview.of_monitor(
        entry(usable=False, detail="no bus", remedy="install it")
    )[1:]
    assert [("no", "yellow"), "no answer"] == overview.of_monitor(entry(failed=True, reason="no answer"))[1:]
    assert "at each look: /proc/x" == overview.of_monitor(entry(events=False, source="/proc/x"))[2]


def test_a_faulty_configuration_is_stood_in_for_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen is for the admin who has just broken it."""
    real = load

    def broken(*paths: str, trusted: bool = True) -> Config:
        if paths:
            return real(*paths, trusted=trusted)
        raise ConfigErrors([Problem("f", 1, "k", "bad")])

    monkeypatch.setattr(overview, "load", broken)
    config, trouble = overview.in_force()
    assert "1 fault (`powernap config check`)" in trouble
    assert config.stages
    assert f"attention  {trouble}" in overview.text(document(trouble=trouble))


def test_a_root_that_is_no_directory_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Most likely the archive itself."""
    assert 2 == main.main(["--root", "/etc/passwd"])
    assert "unpack the snapshot" in capsys.readouterr().err


def test_bare_powernap_is_overview(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also with its options."""
    assert 0 == main.main(["--root", machine, "--json"])
    assert machine == json.loads(capsys.readouterr().out)["host"]
    assert 0 == main.main(["overview", "--root", machine])
    assert f"on {machine}" in capsys.readouterr().out


class Module:
    """A monitor that does as the test says."""

    __doc__ = "x"
    EVENTS = True
    Options = None

    def __init__(self, **does: Any) -> None:
        self.does, self.closed = does, False

    def probe(self, _host: Host, _options: object) -> Any:
        if "probe" in self.does:
            raise self.does["probe"]
        return available("ready")

    def open(self, _context: Context, _options: object) -> Any:
        if "open" in self.does:
            raise self.does["open"]
        return self

    def check(self, now: float) -> Any:
        if "check" in self.does:
            raise self.does["check"]
        if "wait" in self.does:
            return self.wait(now)
        return Reading("m", now, active=True)

    async def wait(self, now: float) -> Reading:
        await self.does["wait"]()
        return Reading("m", now, active=True, reason="waited")

    def close(self) -> None:
        self.closed = True


def looked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: Module, kind: str = "x") -> glance.Seen:
    registry = type("Registry", (), {"module": lambda _self, _kind: module})()
    monkeypatch.setattr(glance, "MONITORS", registry)
    return glance.look([MonitorConfig("m", kind, None)], str(tmp_path))[0]


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ({"open": UnavailableError(unavailable("no socket"))}, "no socket"),
        ({"open": OSError(24, "Too many open files")}, "cannot be opened: [Errno 24] Too many"),
        ({"check": UnavailableError(unavailable("gone"))}, "gone"),
        ({"check": ValueError("odd")}, "cannot answer: odd"),
    ],
)
def test_a_monitor_that_breaks_is_a_line_of_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: dict[str, Exception], says: str
) -> None:
    """And never its end; what was opened is closed."""
    module = Module(**does)
    seen = looked(monkeypatch, tmp_path, module)
    assert not seen.answer
    assert says in seen.answer.detail
    assert module.closed is ("check" in does)


def test_a_monitor_that_must_wait_for_its_answer_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who is logged in is asked of logind, over a bus."""

    async def briefly() -> None:
        return

    seen = looked(monkeypatch, tmp_path, Module(wait=briefly))
    assert seen.reading
    assert "waited" == seen.reading.reason


def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The screen is for somebody who sits before it."""

    async def for_ever() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(glance, "TIME_LIMIT", 0.05)
    module = Module(wait=for_ever)
    assert "no answer within" in looked(monkeypatch, tmp_path, module).answer.detail
    assert module.closed


def test_an_admins_program_is_not_run_for_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is probed, and that is all."""
    seen = looked(monkeypatch, tmp_path, Module(open=AssertionError("opened")), "command")
    assert seen.answer
    assert seen.reading is None
    broken = looked(monkeypatch, tmp_path, Module(probe=ZeroDivisionError("x")), "command")
    assert "ZeroDivisionError: x" == broken.answer.detail


def test_a_kind_that_does_not_load_is_a_line_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plug-in that was uninstalled."""
    assert (
        "no monitor type"
        in glance.look([MonitorConfig("m", "no-such", None)], str(tmp_path))[0].answer.detail
    )
