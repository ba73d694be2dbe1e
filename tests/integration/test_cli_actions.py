"""``powernap actions`` as a process: on this machine, as nobody, in a container, beside a daemon, and ended in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.test_cli import CONTAINER, NOBODY, ROOT, powernap
from machine_tree import changed, look
from powernap.host.ledger_file import LedgerFile

pytestmark = [pytest.mark.root]

LADDER = """
[[stage]]
name = "ease"
after = "5min"
actions = ["lamp"]
[monitor.load]
[action.lamp]
type = "hooks"
directory = "{place}/lamp.d"
"""
SLOW_HOOK = """#!/bin/sh
if [ "$1" = true ]; then : > {place}/lamp-is-out; while [ ! -e {place}/go ]; do sleep 0.02; done; else rm -f {place}/lamp-is-out; fi
"""


def there_and_back(place: Path, *words: str, **how: Any) -> dict[str, Any]:
    """What `actions --try` tells."""
    done = powernap("actions", "--try", "--json", "--runtime", f"{place}/run", *words, **how)
    assert (0, "") == (done.returncode, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.alone
def test_this_machine_is_as_it_was(tmp_path: Path) -> None:
    """Whatever it can do safely is done and undone: every writable kernel file is the same afterwards."""
    before, again = look(), look()
    found = there_and_back(tmp_path)
    assert {} == changed(before, again, look())
    outcomes = {
        each["name"]: each["tried"] for each in found["actions"] if each["usable"] and each["risk"] == "safe"
    }
    assert {
        name for name, each in outcomes.items() if each is None or not each["restored"] or each["failure"]
    } == set()
    assert {each["name"] for each in found["actions"] if each["tried"]} == set(outcomes)
    assert 0 == os.path.getsize(tmp_path / "run/ledger.jsonl")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The program, for everybody."""
    subprocess.run(["cp", "-r", ROOT / "src", tmp_path / "src"], check=True)
    for path in (tmp_path, *tmp_path.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(0o755)
    return tmp_path / "src"


def test_nobody_may_look(source: Path) -> None:
    """Each action with its reason, no traceback; trying takes root."""
    done = powernap("actions", before=NOBODY, PYTHONPATH=str(source))
    assert (0, "") == (done.returncode, done.stderr)
    assert "kernel-quiet" in done.stdout
    done = powernap("actions", "--try", before=NOBODY, PYTHONPATH=str(source))
    assert (3, "") == (done.returncode, done.stdout)
    assert "only root may change the machine; sudo powernap actions --try" in done.stderr


def test_in_a_container_nothing_can_be_done_and_nothing_breaks(source: Path, tmp_path: Path) -> None:
    """Kernel files are read only: each no has a reason, and nothing is tried."""
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("namespaces cannot be made here")
    script = tmp_path / "container.sh"
    script.write_text(CONTAINER)
    before = ("unshare", "--pid", "--mount", "--net", "--fork", "--mount-proc", "sh", str(script))
    found = there_and_back(tmp_path, before=before, PYTHONPATH=str(source))
    assert found["root"]
    assert [] == [each["name"] for each in found["actions"] if each["usable"] or each["tried"]]
    assert all(each["detail"] for each in found["actions"])


def test_beside_a_daemon_nothing_is_tried(tmp_path: Path) -> None:
    """Whoever has the ledger may change the machine at any moment; exit status 3."""
    with contextlib.closing(LedgerFile(f"{tmp_path}/run/ledger.jsonl")):
        done = powernap("actions", "--try", "--json", "--runtime", f"{tmp_path}/run")
    assert 3 == done.returncode
    assert "systemctl stop powernapd" in json.loads(done.stdout)["remedy"]


# ---------------------------------------------------------------- ended in the middle


class Rig:
    """A lamp that a hook puts out, slowly."""

    def __init__(self, place: Path) -> None:
        self.place, self.out = place, place / "lamp-is-out"
        (place / "lamp.d").mkdir(mode=0o755)
        hook = place / "lamp.d/10-lamp"
        hook.write_text(SLOW_HOOK.format(place=place))
        hook.chmod(0o755)
        (place / "p.toml").write_text(LADDER.format(place=place))
        for path in (place, *place.parents):
            if path.is_relative_to("/tmp") and path != Path("/tmp"):
                path.chmod(0o755)

    @contextlib.contextmanager
    def in_the_middle(self, **how: Any) -> Iterator[subprocess.Popen[str]]:
        """While the first hook is at it."""
        places = ["--config", f"{self.place}/p.toml", "--runtime", f"{self.place}/run"]
        command = [sys.executable, "-m", "powernap", "actions", "--try", *places, "lamp"]
        with subprocess.Popen(command, text=True, **how) as process:
            try:
                until(lambda: self.out.exists() or process.poll() is not None)
                yield process
            finally:
                (self.place / "go").touch()
                process.kill()

    def go_on(self) -> None:
        """Let the first hook end."""
        (self.place / "go").touch()


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the other process does."""
    while not holds():
        time.sleep(0.005)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """For one test."""
    return Rig(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP])
def test_whatever_ends_it_the_lamp_is_lit_again(rig: Rig, number: signal.Signals) -> None:
    """Ctrl-C, kill, a terminal that closes, Ctrl-Z; exit status 1."""
    with rig.in_the_middle(stdout=subprocess.PIPE) as process:
        process.send_signal(number)
        rig.go_on()
        out, _ = process.communicate(timeout=60)
    assert 1 == process.returncode
    assert "ended before it was complete" in out
    assert not rig.out.exists()


def test_after_sigkill_undo_lights_the_lamp(rig: Rig) -> None:
    """It is in the ledger before it is done."""
    with rig.in_the_middle() as process:
        process.kill()
        process.wait(60)
        rig.go_on()
    assert rig.out.exists()
    done = powernap("undo", "--ledger", f"{rig.place}/run/ledger.jsonl")
    assert 0 == done.returncode
    assert not rig.out.exists()


def test_on_a_terminal_it_shows_where_it_is(rig: Rig) -> None:
    """One line, taken away at the end."""
    ours, theirs = pty.openpty()
    shown = b""
    with rig.in_the_middle(stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        rig.go_on()
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
        assert 0 == process.wait(60)
    os.close(ours)
    assert b"1 of 1: lamp, there and back" in shown
    assert shown.endswith(b"\r\x1b[K")
