"""Claims about the process monitor on a recorded machine; what events tell is in integration/test_process_events.py."""

from __future__ import annotations

import shutil

import pytest

from powernap.monitors import Context, process
from process_tree import put_process, recorded


def opened(root, **options) -> tuple[process.ProcessMonitor, list]:
    """A monitor on the machine below root, and what it tells."""
    told: list = []
    return process.open(Context("p", recorded(root), told.append), process.Options(**options)), told


@pytest.mark.parametrize("options", [{}, {"program": "a", "regex": "b"}, {"regex": "b", "arguments": "c"}])
def test_program_or_regex(options):
    """Exactly one of program and regex is asked for."""
    with pytest.raises(ValueError, match="regex"):
        process.Options(**options)


def test_running_process_holds(tmp_path):
    """A process that runs keeps the machine awake, named with its user, since its start."""
    put_process(tmp_path, 7, "rsync", "rsync", "--daemon", uid=1000, started=1234)
    put_process(tmp_path, 8, "rsync", "rsync")
    monitor, _ = opened(tmp_path, program="rsync")
    reading = monitor.check(1000.0)
    assert (reading.active, reading.who) == (True, ("rsync[7] 1000",))
    assert reading.since == pytest.approx(12.34)
    assert reading.reason == "rsync[7] 1000 and 1 more running"
    assert not reading.told


def test_nothing_runs(tmp_path):
    """Without a process there is no activity, and never was."""
    monitor, _ = opened(tmp_path, program="rsync")
    reading = monitor.check(1000.0)
    assert (reading.active, reading.last, reading.reason) == (False, None, "no such process")


def test_end_is_found_at_the_next_look(tmp_path):
    """Where no event tells the end, the next look does."""
    put_process(tmp_path, 7, "rsync", uid=0)
    monitor, _ = opened(tmp_path, program="rsync")
    monitor.check(1000.0)
    shutil.rmtree(tmp_path / "proc/7")
    reading = monitor.check(1001.0)
    assert (reading.active, reading.last, reading.reason) == (False, 1000.0, "rsync[7] 0 ended")


def test_source_says_what_a_regex_costs(tmp_path):
    """A bare regex has no event, and says what each look costs."""
    put_process(tmp_path, 7, "x", "x")
    monitor, _ = opened(tmp_path, regex="backup")
    monitor.check(1000.0)
    assert not monitor.events
    assert monitor.source.startswith("scan of /proc: 1 processes, about ")


def test_probe(tmp_path):
    """The probe says how many match, or which user is unknown."""
    put_process(tmp_path, 7, "rsync")
    assert (
        process.probe(recorded(tmp_path), process.Options(program="rsync")).detail
        == "1 of 1 processes match now"
    )
    assert not process.probe(recorded(tmp_path), process.Options(program="rsync", user="bob"))
