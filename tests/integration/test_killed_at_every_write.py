"""Promise 2: everything is undone exactly, also when the process is killed at any write, the ledger is torn, or the disk is full.

Real processes, real SIGKILL (killing.py). Every built-in action is run; the machines are fakes whose attributes behave as the kernel's.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from powernap.actions import kinds
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import ApplyError, Ledger
from powernap.host.ledger_file import LedgerFile
from powernap.host.undo import undo

TESTS = Path(__file__).parent.parent
CASES = [*(("laptop_like", kind) for kind in kinds()), ("acpi_server", "cpu-clock")]


@pytest.fixture
def memory():
    """A directory in memory, where the ledger is on a real machine too."""
    directory = tempfile.mkdtemp(
        prefix="powernap-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    )
    yield Path(directory)
    shutil.rmtree(directory)


def kill(*words):
    """Run killing.py; what it found."""
    done = subprocess.run(
        [sys.executable, TESTS / "killing.py", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize(("machine", "action"), CASES)
def test_killed_at_every_write(memory, machine, action):
    """Killed before, in and after each write of a knob or of the ledger, apply or restore: undo makes the tree equal, byte for byte."""
    found = kill(machine, action, memory / "bench")
    assert found.get("wrong") == [], found
    assert found["killed"] == found["points"] >= 15


@pytest.mark.parametrize(("machine", "action"), CASES)
def test_the_undo_killed_at_every_write(memory, machine, action):
    """The undo itself, killed before, in and after each of its writes and run again, makes the tree equal, byte for byte."""
    found = kill(machine, action, memory / "bench", "--undo")
    assert found.get("wrong") == [], found
    assert found["killed"] == found["points"] >= 7


TWO_VALUES = {"cpu-offline", "smt-off", "pci-runtime", "units"}
"""What these change is on or off: what is not ours is as it was."""
UNKEPT = {"ata-standby", "sas-idle", "hooks"}
"""What these change cannot be read, or ends by itself."""


@pytest.mark.parametrize("action", sorted({*kinds()} - TWO_VALUES - UNKEPT))
def test_killed_and_meddled_with(memory, action):
    """Another tool changes one of our values after the kill: it is kept and reported, and all the rest is undone."""
    found = kill("laptop_like", action, memory / "bench", "--foreign")
    assert found.get("wrong") == [], found
    assert found["kept"] >= 5


@pytest.mark.parametrize("action", sorted({*kinds()} - UNKEPT))
def test_met_in_the_middle_of_a_nap(memory, action):
    """Another tool changes one of our values, or one that is only remembered because the action disturbs it: kept and reported, each."""
    found = kill("laptop_like", action, memory / "bench", "--met")
    assert found.get("wrong") == [], found
    assert bool(found["kept"]) is (action not in {"pci-runtime", "units"}), found


# --- torn ledgers and full disks

VALUES = {"/one": "1", "/two": "a long value that is longer than the others", "/three": "[x] y"}
NEW = {"/one": "2", "/two": "b", "/three": "y"}


def machine(directory):
    """A plain tree with three values."""
    for path, value in VALUES.items():
        (directory / path[1:]).write_text(value + "\n")
    return TreeFiles(str(directory))


def values(files):
    """What is there."""
    return {path: files.read(path).rstrip("\n") for path in VALUES}


def test_a_ledger_torn_at_every_byte(memory):
    """Whatever prefix of the file is left: what has a whole record is restored, the rest is left alone, nothing is made up."""
    files, path = machine(memory), f"{memory}/run/ledger"
    paper = LedgerFile(path)
    ledger = Ledger(paper, MachineKnobs(files), SystemClock(), "")
    for target, new in NEW.items():
        ledger.apply(Change(target, new), "a", "s")
    paper.close()
    whole = Path(path).read_bytes()
    assert len(whole) > 600
    for size in range(len(whole) + 1):
        for target, new in NEW.items():
            files.write(target, new + "\n")
        Path(path).write_bytes(whole[:size])
        report = undo(path, files)
        lines = whole[:size].count(b"\n")
        known = [target for number, target in enumerate(NEW) if lines > 2 * number]
        assert values(files) == {
            target: VALUES[target] if target in known else NEW[target] for target in NEW
        }, size
        assert (report.damage, os.path.getsize(path)) == ([], 0)
        assert [each.target for each in report.results] == known[::-1]


def apply_what_fits(files, path):
    """Three changes; how many could be made."""
    paper = LedgerFile(path)
    ledger, made = Ledger(paper, MachineKnobs(files), SystemClock(), ""), 0
    for target, new in NEW.items():
        try:
            made += ledger.apply(Change(target, new), "a", "s")
        except ApplyError:
            continue
    paper.close()
    return made


def test_a_file_size_limit_at_every_byte(memory):
    """Wherever the file cannot grow on: a change without its record is not made, and the others are undone."""
    files, path = machine(memory), f"{memory}/run/ledger"
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    made = set()
    for limit in range(60, 1000, 7):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
        try:
            made.add(apply_what_fits(files, path))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        assert undo(path, files).clean
        assert values(files) == VALUES
        assert os.path.getsize(path) == 0
    assert made == {0, 1, 2, 3}


FULL = """
import sys
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import ApplyError, Ledger
from powernap.host.ledger_file import LedgerFile
files = TreeFiles(sys.argv[1])
ledger = Ledger(LedgerFile(sys.argv[1] + "/full/ledger"), MachineKnobs(files), SystemClock(), "")
for number in range(1000):
    try:
        ledger.apply(Change("/one", str(number + 2), form="number"), "a", "s")
    except ApplyError as error:
        print(error.why)
        break
assert files.read("/one").strip() == str(number + 1), files.read("/one")
print(number, {each.outcome for each in ledger.restore()}, files.read("/one").strip())
"""


@pytest.mark.root
def test_a_full_disk(memory):
    """On a real file system of one page: the change that has no room is refused, and a full disk hinders no restore."""
    machine(memory)
    (memory / "full").mkdir()
    script = f"mount -t tmpfs -o size=4k tmpfs {memory}/full && exec {sys.executable} -c '{FULL}' {memory}"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    why, last = done.stdout.splitlines()
    assert why == "the ledger cannot be written (No space left on device), so it is not changed"
    assert last.endswith(" {'restored'} 1")
    assert int(last.split()[0]) > 5
