"""Optional changes: one that is refused is passed over and named, and spoils nothing of the rest."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest

from fakekernel import laptop_like
from powernap.host.clock import SystemClock
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import ApplyError, Ledger, StoppedError, UnwrittenError
from powernap.host.ledger_entry import records_of, replay
from powernap.host.ledger_file import Disk, LedgerFile

KSM = "/sys/kernel/mm/ksm/run"
STAT = "/proc/sys/vm/stat_interval"
MANAGED = "/proc/irq/31/smp_affinity"
PLAN = [Change(KSM, "0"), Change(MANAGED, "1", form="cpumask", optional=True), Change(STAT, "60")]


@pytest.fixture
def kernel(tmp_path):
    """A machine with an interrupt that shows as writable and refuses."""
    return laptop_like(tmp_path / "machine")


@pytest.fixture
def paper(tmp_path):
    """Where its ledger is."""
    file = LedgerFile(str(tmp_path / "run" / "ledger.jsonl"), Disk(sync=lambda fd: None))
    yield file
    file.close()


@pytest.fixture
def ledger(kernel, paper):
    """Its ledger."""
    return Ledger(paper, MachineKnobs(kernel), SystemClock(), "")


def test_a_refused_one_is_passed_over_and_named(kernel, ledger):
    """What comes before and after is applied; the answer says what was refused and why; everything comes back."""
    before = kernel.snapshot()
    performed = ledger.perform("a", "s", PLAN)
    assert performed.changed == 2
    assert [(each.change.target, os.strerror(errno.EIO) in each.why) for each in performed.refused] == [
        (MANAGED, True)
    ]
    assert [each.change.target for each in ledger.live()] == [STAT, KSM]
    ledger.restore()
    assert kernel.changes(before) == {}


def test_any_other_refusal_undoes_the_plan(kernel, ledger):
    """The same change without the mark is a failure of all."""
    before = kernel.snapshot()
    with pytest.raises(ApplyError, match="smp_affinity"):
        ledger.perform("a", "s", [PLAN[0], Change(MANAGED, "1", form="cpumask"), PLAN[2]])
    assert kernel.changes(before) == {}
    assert ledger.live() == []


def test_one_that_cannot_be_read_is_passed_over_too(ledger):
    """A knob that went away between the plan and the change."""
    performed = ledger.perform("a", "s", [Change("/sys/gone", "1", optional=True), PLAN[0]])
    assert (performed.changed, len(performed.refused)) == (1, 1)


def test_a_plan_sees_whether_it_was_refused(ledger):
    """The value of its ``yield`` is the reason, or nothing when the change was made."""
    seen = []

    def plan():
        seen.append((yield PLAN[0]))
        seen.append((yield PLAN[1]))
        seen.append((yield PLAN[2]))

    ledger.perform("a", "s", plan())
    assert seen[0] is seen[2] is None
    assert seen[1] == '"1" was refused (Input/output error); it stays "00,00000008"'


def test_a_ledger_without_room_is_no_refusal(kernel, ledger, paper):
    """Without its record no change can be made at all: the plan fails, also at an optional step."""
    before = kernel.snapshot()
    paper._disk = Disk(write=lambda fd, data: 0, sync=lambda fd: None)
    with pytest.raises(UnwrittenError, match="the ledger cannot be written"):
        ledger.perform("a", "s", [Change(STAT, "60", optional=True)])
    assert kernel.changes(before) == {}


def test_one_that_cannot_be_put_back_stays_in_the_ledger(kernel, ledger):
    """Written, read back otherwise, and then stuck: that is said, the rest goes on, and a later restore puts it back."""
    low = "/sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq"
    kernel.write("/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "1000000")
    before = kernel.snapshot()
    times = iter(["first", "second"])

    def around(moment, path):
        if (moment, path) == ("before", low) and next(times, "") == "second":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    kernel.around = around
    performed = ledger.perform("a", "s", [Change(low, "2000000", form="number", optional=True), PLAN[0]])
    assert performed.changed == 1
    assert "kept in the ledger" in performed.refused[0].why
    ledger.restore()
    assert ledger.live() == []
    assert kernel.changes(before) == {}


def test_stopped_before_the_first_step(kernel, ledger):
    """Somebody who came before it began finds that nothing was begun."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        ledger.perform("a", "s", PLAN, stop)
    assert kernel.writes == []


def test_the_mark_is_written_down(ledger, paper):
    """It is in the record, and an entry that is read again has it."""
    ledger.apply(Change(STAT, "60", optional=True), "a", "s")
    records, _ = paper.load()
    assert [entry.change.optional for entry in replay(records).values()] == [True]
    assert [records_of(entry)[0]["optional"] for entry in ledger.live()] == [True]


def test_a_record_of_an_older_powernap_is_read(ledger, paper):
    """It has no mark: the change is an ordinary one, and everything else of it counts."""
    ledger.apply(Change(STAT, "60"), "a", "s")
    records = json.loads(json.dumps(paper.load()[0]))
    del records[0]["optional"]
    entry = next(iter(replay(records).values()))
    assert entry.change == Change(STAT, "60")
    assert entry.applied == "60"
