"""Promise 2 on this machine's real files: killed at any write, `powernap undo` puts every one of them back.

A real child applies an action through the ledger and restores it, and ends itself with SIGKILL just before or just after its n-th
write; a real `powernap undo` follows. All of /proc/sys, /proc/irq, the work queues' masks and the memory's settings are compared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mortal import sample, two_hooks, undo
from powernap.actions import find
from powernap.host.cpus import topology
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from this_machine import differences, steady

pytestmark = [pytest.mark.root, pytest.mark.alone]

TESTS = Path(__file__).parent.parent
ACTIONS = ("kernel-quiet", "cpu-park", "hooks")
AT_MOST = 16
"""Kills of one action: each takes two starts of Python, 0.2 s."""


def child(action, directory, nth):
    """Apply and restore, dying at the ``nth`` moment; the finished process."""
    return subprocess.run(
        [sys.executable, TESTS / "killing_here.py", action, directory, str(nth)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def directory(tmp_path):
    """With two hooks; at the end everything is put back, whatever happened."""
    for hook in sorted(two_hooks(tmp_path).iterdir()):
        state = hook.with_name(f"{hook.name}.state")
        state.write_text("false\n")
        state.chmod(0o644)
    yield tmp_path
    undo(tmp_path / "ledger")


def states(directory):
    """What the hooks heard last."""
    return [path.read_text() for path in sorted((directory / "hooks.d").glob("*.state"))]


def moments(action, directory):
    """How many there are in applying, and in all; or the reason why there are none here."""
    module = find(action)
    options = {"directory": str(directory / "hooks.d")} if action == "hooks" else {}
    answer = module.probe(Host(), module.Options(**options))
    if not answer:
        pytest.skip(f"{action}: {answer.detail}")
    done = child(action, directory, 0)
    assert (done.returncode, done.stderr) == (0, "")
    return map(int, done.stdout.split())


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_a_write(directory, action):
    """Before or after any write, of apply or of restore: after the undo not one setting differs, and the ledger is empty."""
    before = steady()
    applied, count = moments(action, directory)
    assert count >= 2 * applied >= 4
    assert differences(before) == {}
    for nth in sample(count, AT_MOST):
        done = child(action, directory, nth)
        assert done.returncode == -signal.SIGKILL, (nth, done)
        assert nth == int((directory / "tally").read_text())
        status, report = undo(directory / "ledger")
        assert (status, report["clean"], report["damage"]) == (0, True, []), nth
        assert {each["outcome"] for each in report["results"]} <= {"restored", "already"}, nth
        assert differences(before) == {}, nth
        assert states(directory) == ["false\n", "false\n"], nth
        assert os.path.getsize(directory / "ledger") == 0, nth


@pytest.mark.parametrize(
    ("action", "target", "theirs"),
    [
        ("kernel-quiet", "/proc/sys/vm/dirty_writeback_centisecs", "777\n"),
        ("cpu-park", "/proc/irq/default_smp_affinity", None),
    ],
)
def test_a_value_that_somebody_sets_after_the_kill_is_kept_and_reported(directory, action, target, theirs):
    """Theirs stands, exactly one line says so, and all the rest is as it was."""
    online = sorted(topology(TreeFiles()).online)
    if action == "cpu-park" and len(online) < 2:
        pytest.skip("one processor: nothing to pack")
    before, path = steady(), Path(target)
    applied, _ = moments(action, directory)
    assert child(action, directory, applied).returncode == -signal.SIGKILL
    ours = path.read_text()
    assert ours != before[target]
    path.write_text(theirs or f"{1 << online[1]:x}\n")
    set_to = path.read_text()
    try:
        status, report = undo(directory / "ledger")
        assert status == 0
        assert [each["target"] for each in report["results"] if each["outcome"] == "foreign"] == [target]
        assert "somebody set it to" in next(
            each["detail"] for each in report["results"] if each["target"] == target
        )
        assert differences(before) == {target: (before[target], set_to)}
    finally:
        path.write_text(before[target])
    assert differences(before) == {}
