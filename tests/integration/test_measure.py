"""``powernap measure`` and ``powernap report`` as processes: a lamp that a hook switches, a program that reads it, and every way to end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from powernap.config.load import load
from powernap.host.ledger_file import LedgerFile

pytestmark = [pytest.mark.root]

CONFIG = """
[[stage]]
name = "ease"
after = "5min"
actions = ["lamp", "nothing"]
[monitor.load]
[action.lamp]
type = "hooks"
directory = "{place}/lamp.d"
[action.nothing]
type = "hooks"
directory = "{place}/nothing.d"
[action.gone]
type = "hooks"
directory = "{place}/gone.d"
"""


class Rig:
    """A lamp of 10 W that an action puts out, another action that does nothing, and a meter."""

    def __init__(self, place: Path) -> None:
        self.place, self.out = place, place / "lamp-is-out"
        for name, body in {
            "lamp.d/10-lamp": f'if [ "$1" = true ]; then : > {self.out}; else rm -f {self.out}; fi',
            "nothing.d/10-nothing": ":",
            "watts": f"if [ -e {self.out} ]; then echo 90.0 W; else echo 100.0 W; fi",
        }.items():
            path = place / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        (place / "powernap.toml").write_text(CONFIG.format(place=place))
        for path in (place, *place.parents):
            if path.is_relative_to("/tmp") and path != Path("/tmp"):
                path.chmod(0o755)

    @property
    def places(self) -> list[str]:
        return [
            "--config",
            f"{self.place}/powernap.toml",
            "--runtime",
            f"{self.place}/run",
            "--state",
            f"{self.place}/state",
        ]

    @property
    def state(self) -> list[str]:
        return ["--state", f"{self.place}/state", "--config", f"{self.place}/powernap.toml"]

    def command(self, *words: str, meter: str = "") -> list[str]:
        meter = f"command:{meter or self.place / 'watts'},interval=200ms"
        how = ["--window", "400ms", "--settle", "200ms", "--rounds", "2", "--any-load", "--meter", meter]
        return [sys.executable, "-m", "powernap", "measure", *self.places, *how, *words]

    def measure(self, *words: str, meter: str = "") -> subprocess.CompletedProcess[str]:
        command = self.command(*words, meter=meter)
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def report(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "powernap", "report", *self.state, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    @contextlib.contextmanager
    def in_the_middle(self, **how: Any) -> Iterator[subprocess.Popen[str]]:
        """While the lamp is out."""
        with subprocess.Popen(self.command("--rounds", "500"), text=True, **how) as process:
            try:
                while not self.out.exists():
                    assert process.poll() is None
                    time.sleep(0.005)
                yield process
            finally:
                process.kill()

    def nights(self, days: int) -> None:
        """A history of one nap of eight hours a night, and a short one a day."""
        now, lines = time.time(), []
        for day in range(days, 0, -1):
            night = now - day * 86400
            for begin, length in ((night, 8 * 3600.0), (night + 50_000, 30.0)):
                lines += [
                    {"event": "entered", "stage": "ease", "time": begin, "at": begin},
                    {"event": "activity", "stage": "ease", "time": begin + length, "at": begin + length},
                    {
                        "event": "left",
                        "stage": "ease",
                        "seconds": length,
                        "time": begin + length,
                        "at": begin + length,
                    },
                ]
        state = self.place / "state"
        state.mkdir(exist_ok=True)
        (state / "history.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines) + '{"event": "torn'
        )


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """For one test."""
    return Rig(tmp_path)


def test_the_lamp_pays_and_nothing_does_not(rig: Rig) -> None:
    """As a document: verdicts, figures, the kept file, and a drop-in with which the configuration loads."""
    done = rig.measure("--json", "--write", f"{rig.place}/50-measured.toml")
    found = json.loads(done.stdout)
    actions = {each["name"]: each for each in found["actions"]}
    assert ("saves", 10.0) == (actions["lamp"]["verdict"], actions["lamp"]["saved_w"])
    assert ("does not", 0.0) == (actions["nothing"]["verdict"], actions["nothing"]["saved_w"])
    assert (0, 0, "wall") == (done.returncode, found["left_changed"], found["scope"])
    assert not rig.out.exists()
    kept = json.loads(Path(found["stored"]).read_text())["results"][0]
    assert {"lamp", "nothing"} == set(kept["actions"])
    both = load(f"{rig.place}/powernap.toml", f"{rig.place}/50-measured.toml", trusted=False)
    assert ("lamp",) == both.stages[0].actions


def test_a_table_for_people_and_no_progress_off_a_terminal(rig: Rig) -> None:
    """The same on standard output; nothing on standard error."""
    done = rig.measure()
    assert "10.00 ± 0.00 W  saves" in done.stdout
    assert 'actions = ["lamp"]' in done.stdout
    assert "" == done.stderr


def test_on_a_terminal_the_progress_is_shown_and_taken_away(rig: Rig) -> None:
    """What remains on the screen is the table."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(rig.command("lamp"), stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
        assert 0 == process.wait(60)
    os.close(ours)
    assert b"measuring with lamp: window 2 of 5" in shown
    assert shown.endswith(b"\r\x1b[K")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP])
def test_whatever_ends_it_the_lamp_is_lit_again(rig: Rig, number: signal.Signals) -> None:
    """Ctrl-C, kill, a terminal that closes, Ctrl-Z; exit status 1, and nothing is kept."""
    with rig.in_the_middle(stdout=subprocess.PIPE) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert 1 == process.returncode
    assert not rig.out.exists()
    assert "nothing is kept" in out
    assert not (rig.place / "state" / "measured.json").exists()


def test_after_sigkill_undo_lights_the_lamp(rig: Rig) -> None:
    """And so does the next measurement, by itself, before it begins."""
    for again in (["undo", "--ledger", f"{rig.place}/run/ledger.jsonl"], None):
        with rig.in_the_middle() as process:
            process.kill()
            process.wait(60)
        assert rig.out.exists()
        command = [sys.executable, "-m", "powernap", *again] if again else rig.command("nothing")
        subprocess.run(command, capture_output=True, timeout=120, check=False)
        assert not rig.out.exists()


def test_beside_a_daemon_nothing_is_measured(rig: Rig) -> None:
    """Whoever has the ledger may change the machine at any moment; exit status 3."""
    (rig.place / "run").mkdir()
    ledger = LedgerFile(f"{rig.place}/run/ledger.jsonl")
    try:
        done = rig.measure("--json")
        assert 3 == done.returncode
        assert "systemctl stop powernapd" in json.loads(done.stdout)["remedy"]
    finally:
        ledger.close()


def test_a_meter_that_dies_tells_nothing(rig: Rig) -> None:
    """No verdict is made of no readings; exit status 1."""
    (rig.place / "watts").write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    found = json.loads((done := rig.measure("lamp", "--json")).stdout)
    assert (1, "cannot tell") == (done.returncode, found["actions"][0]["verdict"])
    assert "broken" in found["trouble"]


def test_what_was_measured_is_what_the_report_reckons_with(rig: Rig) -> None:
    """10 W for the hours in the stage, as an estimate; and the waits compared over the history's own gaps."""
    rig.measure()
    rig.nights(5)
    found = json.loads(rig.report("--json").stdout)
    ease = next(each for each in found["states"] if each["name"] == "ease")
    assert ease["seconds"] == pytest.approx(5 * (8 * 3600 + 30))
    assert found["saved_j"] == pytest.approx(10 * ease["seconds"], rel=0.01)
    assert (10, 5, "estimate") == (found["naps"], found["interrupted"], found["basis"])
    ways = {way["name"]: way["lost_j"] for way in found["thresholds"][0]["ways"]}
    assert ways["clairvoyant"] <= min(ways.values())
    assert {"chosen", "configured", "15min"} <= set(ways)


def test_the_picture_can_be_drawn(rig: Rig) -> None:
    """By a renderer that is not ours: it has the bars in their colours, light and (by its rules) dark."""
    rig.nights(20)
    svg, html = rig.place / "a.svg", rig.place / "a.html"
    done = rig.report("--since", "30d", "--svg", str(svg), "--html", str(html))
    assert 0 == done.returncode
    subprocess.run(["rsvg-convert", "-o", f"{rig.place}/a.png", svg], check=True)
    assert (rig.place / "a.png").stat().st_size > 5000
    assert "prefers-color-scheme: dark" in svg.read_text()
    assert svg.read_text() in html.read_text()
