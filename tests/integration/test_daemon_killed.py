"""Promise 2 for the whole daemon: SIGKILLed at a write of a knob, by `powernap undo` or its own restart the machine is as it was."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from integration.daemon_process import Daemon
from mortal import sample, two_hooks, undo
from this_machine import differences, steady

pytestmark = [pytest.mark.root, pytest.mark.alone]

TESTS = Path(__file__).parent.parent
CONFIG = """
mode = "act"
[[stage]]
name = "ease"
after = "{after}"
actions = ["kernel-quiet", "cpu-park", "hooks"]
[action.kernel-quiet]
writeback = "600s"
[action.cpu-park]
keep = 1
[action.hooks]
directory = "{hooks}"
[monitor.work]
type = "process"
program = "pn-work"
"""


class House:
    """A directory with a configuration, two hooks, and a program whose running is activity."""

    def __init__(self, directory):
        self.directory, self.hooks, self.work = directory, two_hooks(directory), directory / "pn-work"
        shutil.copy("/bin/sleep", self.work)

    def config(self, after):
        return CONFIG.format(after=after, hooks=self.hooks)

    def daemon(self, nth):
        """One that dies at the ``nth`` moment; 0: never."""
        command = [sys.executable, str(TESTS / "mortal_daemon.py"), str(nth), str(self.directory / "tally")]
        return Daemon(self.directory, self.config("300ms"), command=command)

    def tally(self):
        return int((self.directory / "tally").read_text())

    def activity(self):
        subprocess.run([self.work, "0.02"], check=True)

    def die(self, nth, applying):
        """Nap, come back unless it dies before, and be dead."""
        daemon = self.daemon(nth)
        if nth > applying:
            with daemon:
                daemon.until_phase("napping")
                self.activity()
                assert daemon.process.wait(20) == -signal.SIGKILL, daemon.log()
        assert daemon.process.wait(20) == -signal.SIGKILL, daemon.log()
        assert self.tally() == nth

    def undo(self):
        return undo(self.directory / "run/ledger.jsonl")

    def states(self):
        """What the hooks heard last, where they heard anything."""
        return {path.read_text() for path in self.hooks.glob("*.state")}


@pytest.fixture
def house(tmp_path):
    """At the end everything is put back, whatever happened."""
    made = House(tmp_path)
    yield made
    made.undo()


def moments(house):
    """How many there are until the nap, and in all; the second number after the first activity."""
    with house.daemon(0) as daemon:
        daemon.until_phase("napping")
        applying = house.tally()
        house.activity()
        daemon.until("left", stage="ease")
        count = house.tally()
        daemon.stop(signal.SIGKILL)
    return applying, count


def test_killed_at_a_write(house):
    """A few moments of apply and of restore, each way back in turn: not one setting differs afterwards."""
    before = steady()
    applying, count = moments(house)
    house.undo()
    assert differences(before) == {}
    ways = (by_undo, by_restart)
    for turn, nth in enumerate(
        [*sample(applying, 5), *(applying + each for each in sample(count - applying, 5))]
    ):
        house.die(nth, applying)
        ways[turn % 2](house)
        assert differences(before) == {}, (nth, ways[turn % 2])
        assert house.states() <= {"false\n"}, nth


def by_undo(house):
    """The unit's ExecStopPost, or the admin."""
    status, report = house.undo()
    assert (status, report["clean"]) == (0, True)


def by_restart(house):
    """The next life restores before it looks at anything."""
    with Daemon(house.directory, house.config("1h")) as daemon:
        assert daemon.ask("status")["changed"] == []
        assert not [entry for entry in daemon.ask("history", count=99)["entries"] if "kept" in entry["event"]]
        assert daemon.stop() == 0
