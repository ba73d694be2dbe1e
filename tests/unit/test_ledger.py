"""The ledger: written down before, verified after, put back only where it is still ours."""

from __future__ import annotations

import errno
import os
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakeattributes import CGROUP, CPU, CPUFREQ
from fakekernel import acpi_server, laptop_like
from powernap.host.clock import SystemClock
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import ApplyError, Ledger, StoppedError, boot_id
from powernap.host.ledger_entry import records_of, replay
from powernap.host.ledger_file import Disk, LedgerBusyError, LedgerFile, decode, encode, load, parse

NMI = "/proc/sys/kernel/nmi_watchdog"
KSM = "/sys/kernel/mm/ksm/run"
STAT = "/proc/sys/vm/stat_interval"


class Bench:
    """A fake machine and its ledger, which can be closed and opened again."""

    def __init__(self, tmp_path, machine=laptop_like, disk=None):
        self.kernel = machine(tmp_path / "machine")
        self.path = str(tmp_path / "run" / "ledger.jsonl")
        self.before = self.kernel.snapshot()
        self.file = None
        self.open(disk)

    def open(self, disk=None, boot=None):
        self.close()
        # forcing to disk is left out: it costs milliseconds, and one test looks at its place in the order
        self.file = LedgerFile(self.path, disk or Disk(sync=lambda fd: None))
        knobs = MachineKnobs(self.kernel)
        self.ledger = Ledger(self.file, knobs, SystemClock(), boot_id(self.kernel) if boot is None else boot)
        return self.ledger

    def close(self):
        if self.file:
            self.file.close()

    def outcomes(self, *args):
        return {each.target: each.outcome for each in self.ledger.restore(*args)}

    def unchanged(self):
        return self.kernel.changes(self.before) == {}


@pytest.fixture
def bench(tmp_path):
    """The laptop-like machine."""
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def acpi(tmp_path):
    """The machine with ondemand."""
    made = Bench(tmp_path, acpi_server)
    yield made
    made.close()


# --- applying and restoring


def test_apply_and_restore(bench):
    """What is applied is restored, and the ledger is then empty."""
    assert bench.ledger.apply(Change(NMI, "0", form="number"), "kernel-quiet", "ease")
    assert bench.kernel.read(NMI) == "0\n"
    assert bench.outcomes() == {NMI: "restored"}
    assert bench.unchanged()
    assert os.path.getsize(bench.path) == 0


def test_the_record_is_on_disk_before_the_write(bench):
    """At the moment of the write the old value can be read from the file."""
    seen = []
    bench.kernel.around = lambda moment, path: seen.append((moment, load(bench.path)[0][-1]))
    bench.ledger.apply(Change(NMI, "0"), "a", "s")
    moment, record = seen[0]
    assert (moment, record["rec"], record["old"], record["new"], record["boot"]) == (
        "before",
        "begin",
        "1",
        "0",
        boot_id(bench.kernel),
    )
    assert load(bench.path)[0][-1] == {"rec": "done", "seq": 1, "applied": "0"}
    assert [record["rec"] for record in load(bench.path)[0]] == ["begin", "done"]


def test_the_record_is_forced_to_disk_before_the_write(tmp_path):
    """Fsync comes between the record and the knob, and the name of the file was forced too."""
    order = []

    def write(fd, data):
        order.append("record")
        return os.write(fd, data)

    bench = Bench(tmp_path, disk=Disk(write=write, sync=lambda fd: order.append("sync")))
    bench.kernel.around = lambda moment, path: order.append(moment)
    bench.ledger.apply(Change(NMI, "0"), "a", "s")
    bench.close()
    assert order == ["sync", "record", "sync", "before", "after", "record", "sync"]


def test_what_is_so_already_is_not_touched(bench):
    """The same value in another form is neither journalled nor written."""
    mask = bench.kernel.read("/proc/irq/25/smp_affinity")
    assert mask != "1\n"
    assert not bench.ledger.apply(Change("/proc/irq/25/smp_affinity", "1", form="cpumask"), "a", "s")
    assert bench.kernel.writes == []
    assert bench.ledger.live() == []
    assert os.path.getsize(bench.path) == 0


def test_restore_survives_the_process(bench):
    """Another process restores from the file."""
    bench.ledger.apply(Change(KSM, "0"), "a", "s")
    bench.open()
    assert bench.outcomes() == {KSM: "restored"}
    assert bench.unchanged()


def test_a_foreign_value_is_kept_and_reported(bench):
    """A value that somebody else set stays; the report names all three."""
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.kernel.write(STAT, "5")
    (found,) = bench.ledger.restore()
    assert (found.outcome, found.original, found.ours, found.theirs) == ("foreign", "1", "60", "5")
    assert bench.kernel.read(STAT) == "5\n"
    assert bench.ledger.live() == []


def test_a_value_that_is_back_already_is_only_noted(bench):
    """Restoring what somebody has put back writes nothing."""
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.kernel.write(STAT, "1")
    written = len(bench.kernel.writes)
    assert bench.outcomes() == {STAT: "already"}
    assert len(bench.kernel.writes) == written


def test_restore_twice_is_restore_once(bench):
    """The second restore finds nothing."""
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.ledger.restore()
    assert bench.ledger.restore() == []
    assert bench.unchanged()


def test_a_clamped_value_is_an_error_and_is_put_back(bench):
    """A write that succeeds and reads back otherwise says what was written and what is there, and is undone."""
    low = f"{CPUFREQ}/policy0/scaling_min_freq"
    bench.kernel.write(f"{CPUFREQ}/policy0/scaling_max_freq", "1000000")
    with pytest.raises(
        ApplyError, match='"2000000" was written and "1000000" is there; put back to "800000"'
    ):
        bench.ledger.apply(Change(low, "2000000", form="number"), "a", "s")
    assert bench.kernel.read(low) == "800000\n"
    assert bench.ledger.live() == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EACCES, errno.EBUSY, errno.EIO])
def test_a_refused_write_leaves_nothing(bench, code):
    """An error of the write is an error of the change; nothing is left to undo."""
    bench.kernel.fail(STAT, code, times=1)
    with pytest.raises(ApplyError, match=os.strerror(code)):
        bench.ledger.apply(Change(STAT, "60"), "a", "s")
    assert bench.ledger.live() == []
    assert bench.unchanged()


def test_what_cannot_be_read_is_not_changed(bench):
    """Without an original there is no change."""
    with pytest.raises(ApplyError, match="so it is not changed"):
        bench.ledger.apply(Change("/sys/no/such", "1"), "a", "s")
    assert bench.kernel.writes == []


def test_a_failing_restore_is_kept_for_a_retry(bench):
    """A write error keeps the entry; the next restore succeeds."""
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.kernel.fail(STAT, errno.EIO, times=1)
    assert bench.outcomes() == {STAT: "failed"}
    bench.open()
    assert bench.outcomes() == {STAT: "restored"}
    assert bench.unchanged()


def test_a_restore_that_reads_back_otherwise_is_a_failure(bench):
    """The original is verified too: a clamp on the way back keeps the entry."""
    high, low = (f"{CPUFREQ}/policy0/scaling_{which}_freq" for which in ("max", "min"))
    bench.kernel.write(low, "2000000")
    bench.ledger.apply(Change(low, "800000", form="number"), "a", "s")
    bench.kernel.write(high, "1000000")
    (found,) = bench.ledger.restore()
    assert (found.outcome, found.theirs) == ("failed", "1000000")
    bench.kernel.write(high, "3600000")
    assert bench.outcomes() == {low: "already"}


def test_a_target_that_is_gone_is_kept_until_it_returns(bench):
    """Hot-unplugged: kept in the ledger, also by another process, and restored when it is back."""
    bench.ledger.apply(Change(KSM, "0"), "a", "s")
    bench.kernel.vanish("/sys/kernel/mm/ksm")
    assert bench.outcomes() == {KSM: "gone"}
    bench.open()
    assert bench.outcomes() == {KSM: "gone"}
    bench.kernel.reappear("/sys/kernel/mm/ksm")
    assert bench.outcomes() == {KSM: "restored"}
    assert bench.unchanged()


def test_a_target_that_is_gone_can_be_forgotten(bench):
    """An admin may say that it will not return."""
    bench.ledger.apply(Change(KSM, "0"), "a", "s")
    assert [each.outcome for each in bench.ledger.forget(KSM)] == ["forgotten"]
    assert bench.ledger.forget(KSM) == []
    assert bench.open().live() == []
    assert bench.kernel.read(KSM) == "0\n"


# --- stacks, actions, stages


def test_stages_stack_and_unwind(bench):
    """Two stages change one knob: leaving the deeper one puts back what the first had set, leaving the first the original."""
    bench.ledger.apply(Change(STAT, "10"), "quiet", "ease")
    bench.ledger.apply(Change(STAT, "60"), "quiet", "deep")
    assert bench.outcomes(None, "deep") == {STAT: "restored"}
    assert bench.kernel.read(STAT) == "10\n"
    assert bench.outcomes() == {STAT: "restored"}
    assert bench.unchanged()


def test_a_stack_unwinds_in_one_restore(bench):
    """Backwards through both."""
    for value in ("10", "60", "90"):
        bench.ledger.apply(Change(STAT, value), "quiet", value)
    assert [each.original for each in bench.ledger.restore()] == ["60", "10", "1"]
    assert bench.unchanged()


@pytest.mark.parametrize("reopened", [False, True])
def test_an_earlier_change_restored_first_hands_its_original_on(bench, reopened):
    """Lanes may finish in any order: the later change then puts back the first original."""
    bench.ledger.apply(Change(STAT, "10"), "one", "s")
    bench.ledger.apply(Change(STAT, "60"), "two", "s")
    assert bench.outcomes("one") == {STAT: "handed"}
    assert bench.kernel.read(STAT) == "60\n"
    if reopened:
        bench.open()
    assert bench.outcomes("two") == {STAT: "restored"}
    assert bench.unchanged()


def test_a_failed_upper_entry_does_not_make_the_lower_one_foreign(bench):
    """When the newer entry cannot be restored the older one waits for it, and the retry brings the first original."""
    bench.ledger.apply(Change(STAT, "10"), "one", "s")
    bench.ledger.apply(Change(STAT, "60"), "two", "s")
    bench.kernel.fail(STAT, errno.EIO, times=1)
    assert [each.outcome for each in bench.ledger.restore()] == ["failed", "handed"]
    assert bench.outcomes() == {STAT: "restored"}
    assert bench.unchanged()


def test_one_action_is_restored_and_the_others_stay(bench):
    """Restore by action, newest first."""
    bench.ledger.apply(Change(STAT, "60"), "quiet", "s")
    bench.ledger.apply(Change(KSM, "0"), "ksm", "s")
    assert bench.ledger.actions() == ["ksm", "quiet"]
    assert bench.outcomes("quiet") == {STAT: "restored"}
    assert bench.ledger.actions() == ["ksm"]


def test_perform_undoes_its_own_part_when_a_step_fails(bench):
    """The action's earlier steps are put back, another action's are not; the plan is asked for no more."""
    asked = []

    def plan():
        for change in (Change(NMI, "0"), Change(KSM, "7"), Change(STAT, "60")):
            asked.append(change.target)
            yield change

    bench.ledger.perform("other", "s", [Change("/proc/sys/vm/dirty_writeback_centisecs", "6000")])
    with pytest.raises(ApplyError):
        bench.ledger.perform("quiet", "s", plan())
    assert asked == [NMI, KSM]
    assert bench.kernel.read(NMI) == "1\n"
    assert bench.ledger.actions() == ["other"]


def test_perform_can_be_stopped_between_steps(bench):
    """Somebody needs the machine: no further step is begun, and what was done is put back."""
    stop = threading.Event()
    bench.kernel.around = lambda moment, path: stop.set()
    with pytest.raises(StoppedError):
        bench.ledger.perform("quiet", "s", [Change(NMI, "0"), Change(STAT, "60")], stop)
    assert bench.unchanged()
    assert [path for path, _ in bench.kernel.writes] == [NMI, NMI]


def test_each_change_is_applied_before_the_next_is_asked_for(bench):
    """A plan sees what its earlier steps revealed."""
    seen = []

    def plan():
        yield Change(KSM, "0")
        seen.append(bench.kernel.read(KSM))

    assert bench.ledger.perform("quiet", "s", plan()).changed == 1
    assert seen == ["0\n"]


# --- collateral


def offline(bench, cpu):
    """Switch a processor off as cpu-offline does."""
    masks = [f"/proc/irq/{irq}/smp_affinity" for irq in (8, 24, 25, 26, 30)]
    plan = [
        *(Change(path, None, form="cpumask") for path in masks),
        Change(f"{CPU}/cpu{cpu}/online", "0", form="number"),
    ]
    bench.ledger.perform("cpu-offline", "s", plan)


@pytest.mark.parametrize("reopened", [False, True])
def test_masks_that_an_offline_cpu_broke_are_restored(bench, reopened):
    """The processor comes back first, then the mask that had moved off it; undisturbed ones are left."""
    offline(bench, 3)
    assert bench.kernel.read("/proc/irq/24/smp_affinity") == "00,00000007\n"
    if reopened:
        bench.open()
    found = bench.outcomes()
    assert found["/proc/irq/24/smp_affinity"] == found[f"{CPU}/cpu3/online"] == "restored"
    assert found["/proc/irq/25/smp_affinity"] == found["/proc/irq/30/smp_affinity"] == "already"
    assert bench.unchanged()


def test_a_mask_that_somebody_moved_meanwhile_is_kept(bench):
    """Collateral is compared too."""
    offline(bench, 3)
    bench.kernel.write("/proc/irq/24/smp_affinity", "2")
    assert bench.outcomes()["/proc/irq/24/smp_affinity"] == "foreign"
    assert bench.kernel.read("/proc/irq/24/smp_affinity") == "00,00000002\n"


@pytest.mark.parametrize("reopened", [False, True])
@pytest.mark.parametrize("last", ["moved", "collateral"])
def test_collateral_that_a_later_action_changed_is_restored(bench, last, reopened):
    """What another action of ours set, or left, since the processor went is not somebody else's: the first original comes back."""
    mask = "/proc/irq/24/smp_affinity"
    bench.kernel.write(mask, "8" if last == "moved" else "c")
    before = bench.kernel.snapshot()
    offline(bench, 3)
    later = {"moved": [Change(mask, "1", form="cpumask")], "collateral": [Change(mask, None, form="cpumask")]}
    bench.ledger.perform("smt-off", "s", [*later[last], Change(f"{CPU}/smt/control", "off")])
    assert bench.kernel.read(mask) in {"00,00000001\n", "00,00000003\n"}
    if reopened:
        bench.open()
    assert {each.outcome for each in bench.ledger.restore()} <= {"restored", "already"}
    assert bench.kernel.changes(before) == {}


def test_collateral_that_a_later_action_disturbed_when_it_was_killed_is_restored(bench):
    """It had not settled, so who changed the value cannot be told: the first original is right."""
    mask = "/proc/irq/24/smp_affinity"
    bench.kernel.write(mask, "c")
    before = bench.kernel.snapshot()
    offline(bench, 3)
    for change in (Change(mask, None, form="cpumask"), Change(f"{CPU}/smt/control", "off")):
        bench.ledger.apply(change, "smt-off", "s")
    bench.open()
    assert {each.outcome for each in bench.ledger.restore()} <= {"restored", "already"}
    assert bench.kernel.changes(before) == {}


@pytest.mark.parametrize("last", ["moved", "collateral"])
def test_collateral_that_was_changed_twice_and_then_by_somebody_is_kept(bench, last):
    """The stranger's value stands, and no entry beneath it writes over it."""
    offline(bench, 3)
    mask = "/proc/irq/24/smp_affinity"
    bench.ledger.perform("cpu-park", "s", [Change(mask, "1" if last == "moved" else None, form="cpumask")])
    bench.kernel.write(mask, "6")
    assert [each.outcome for each in bench.ledger.restore() if each.target == mask] == ["foreign", "foreign"]
    assert bench.kernel.read(mask) == "00,00000006\n"


class Driver:
    """Knobs of a machine with a driver that places its interrupt anew whenever a processor comes, as virtio_net does (virtnet_cpu_online).

    :ivar then: called right after that, once.
    """

    def __init__(self, kernel):
        self.kernel, self.knobs, self.then = kernel, MachineKnobs(kernel), lambda: None

    def read(self, change):
        return self.knobs.read(change)

    def write(self, change, value):
        self.knobs.write(change, value)
        if change.target.endswith("/online") and value == "1":
            self.kernel.write(DRIVEN, "e")
            then, self.then = self.then, lambda: None
            then()


DRIVEN = "/proc/irq/24/smp_affinity"


@pytest.fixture
def driven(bench):
    """A processor is off, and then the driver's interrupt was moved."""
    bench.kernel.write(DRIVEN, "8")
    bench.before = bench.kernel.snapshot()
    offline(bench, 3)
    bench.ledger.perform("cpu-park", "s", [Change(DRIVEN, "1", form="cpumask")])
    assert bench.kernel.read(DRIVEN) == "00,00000001\n"
    bench.ledger._knobs = bench.driver = Driver(bench.kernel)
    return bench


def test_what_a_driver_sets_when_a_processor_comes_is_not_somebody_elses(driven):
    """Two actions are put back side by side, and the one's mask comes after the driver has set it: no stranger did."""
    found = []
    driven.driver.then = lambda: found.extend(driven.ledger.restore("cpu-park"))
    found += driven.ledger.restore("cpu-offline")
    assert {each.outcome for each in found} <= {"restored", "already"}
    assert driven.unchanged()
    assert driven.ledger.live() == []


@pytest.mark.parametrize("reopened", [False, True])
def test_what_a_driver_sets_while_another_action_is_put_back_alone(driven, reopened):
    """The change that stands on it is put back when its turn comes, also in another life of the ledger."""
    assert {each.outcome for each in driven.ledger.restore("cpu-offline")} <= {
        "restored",
        "already",
        "handed",
    }
    if reopened:
        driven.open()
    assert [each.outcome for each in driven.ledger.restore("cpu-park")] == ["restored"]
    assert driven.unchanged()


def test_what_somebody_sets_after_the_driver_is_kept(driven):
    """Only what is there when the processor has come is the driver's doing."""
    driven.ledger.restore("cpu-offline")
    driven.kernel.write(DRIVEN, "6")
    assert [each.outcome for each in driven.ledger.restore("cpu-park")] == ["foreign"]
    assert driven.kernel.read(DRIVEN) == "00,00000006\n"


def test_tunables_return_with_their_governor(acpi):
    """They are not there while the governor is away, and come back with defaults: the admin's values are put back."""
    names = ("sampling_rate", "up_threshold")
    plan = [
        *(Change(f"{CPUFREQ}/ondemand/{name}", None, form="number") for name in names),
        *(Change(f"{CPUFREQ}/policy{number}/scaling_governor", "powersave") for number in (0, 2)),
    ]
    acpi.ledger.perform("cpu-clock", "s", plan)
    assert not acpi.kernel.exists(f"{CPUFREQ}/ondemand")
    acpi.open()
    assert set(acpi.outcomes().values()) == {"restored"}
    assert acpi.unchanged()


def test_smt_on_revives_a_processor_that_an_admin_took_away(bench):
    """What the restore itself disturbs is judged before: the admin's processor goes off again, also in a second attempt."""
    bench.kernel.write(f"{CPU}/cpu1/online", "0")
    before = bench.kernel.snapshot()
    plan = [
        *(Change(f"{CPU}/cpu{cpu}/online", None, form="number") for cpu in (1, 2, 3)),
        *(Change(f"/proc/irq/{irq}/smp_affinity", None, form="cpumask") for irq in (24, 25)),
        Change(f"{CPU}/smt/control", "off"),
    ]
    bench.ledger.perform("smt", "s", plan)
    bench.kernel.fail(f"{CPU}/cpu1/online", errno.EIO, times=1)
    assert bench.outcomes()[f"{CPU}/cpu1/online"] == "failed"
    bench.open()
    assert bench.outcomes()[f"{CPU}/cpu1/online"] == "restored"
    assert bench.kernel.changes(before) == {}


def test_hidden_epp_in_two_steps(bench):
    """Under performance the preference is hidden: governor first, then the revealed value; back in reverse."""
    governor, epp = (
        f"{CPUFREQ}/policy0/{name}" for name in ("scaling_governor", "energy_performance_preference")
    )
    bench.kernel.write(governor, "performance")
    before = bench.kernel.snapshot()
    bench.ledger.perform("cpu-clock", "s", [Change(governor, "powersave"), Change(epp, "power")])
    assert {each.change.target: each.old for each in bench.ledger.live()}[epp] == "balance_performance"
    bench.ledger.restore()
    assert bench.kernel.changes(before) == {}
    bench.kernel.write(governor, "powersave")
    assert bench.kernel.read(epp) == "balance_performance\n"


def test_collateral_is_remembered_once(bench):
    """The first original wins."""
    for _ in range(2):
        bench.ledger.apply(Change(STAT, None), "a", "s")
    assert len(bench.ledger.live()) == 1


# --- directories, units' hooks


PARK = [
    Change(f"{CGROUP}/cgroup.subtree_control", "+cpuset", form="controller"),
    Change(f"{CGROUP}/powernap", "present", kind="directory"),
    Change(f"{CGROUP}/powernap/cpuset.cpus", "1-3", form="cpulist"),
    Change(f"{CGROUP}/powernap/cpuset.cpus.partition", "isolated"),
]


def test_a_partition_is_made_and_dissolved(bench):
    """Controller, directory, processors, partition; and back."""
    assert bench.ledger.perform("cpu-park", "s", PARK).changed == 4
    assert bench.kernel.read(f"{CGROUP}/cpuset.cpus.effective") == "0\n"
    bench.open()
    assert set(bench.outcomes().values()) == {"restored"}
    assert bench.unchanged()


def test_an_invalid_partition_is_an_error(bench):
    """The write succeeds and the kernel says why it does not hold."""
    bench.kernel.write(f"{CGROUP}/cgroup.subtree_control", "+cpuset")
    bench.kernel.make_directory(f"{CGROUP}/other")
    bench.kernel.write(f"{CGROUP}/other/cpuset.cpus", "3")
    before = bench.kernel.snapshot()
    with pytest.raises(ApplyError, match="not exclusive"):
        bench.ledger.perform("cpu-park", "s", PARK)
    assert bench.kernel.changes(before) == {}


def test_a_directory_that_somebody_removed_takes_its_entries_with_it(bench):
    """No entry waits for ever for a file in a directory that was ours."""
    bench.ledger.perform("cpu-park", "s", PARK)
    bench.kernel.remove_directory(f"{CGROUP}/powernap")
    assert not any(each.left for each in bench.ledger.restore())
    assert bench.ledger.live() == []
    assert bench.unchanged()


def test_a_directory_in_use_stays_and_is_removed_later(bench):
    """A process in our cgroup keeps it; the retry removes it."""
    bench.ledger.perform("cpu-park", "s", PARK)
    bench.kernel.write(f"{CGROUP}/powernap/cgroup.procs", "612")
    found = bench.outcomes()
    assert found[f"{CGROUP}/powernap"] == "failed"
    assert found[f"{CGROUP}/powernap/cpuset.cpus.partition"] == "restored"
    bench.kernel.write(f"{CGROUP}/system.slice/cron.service/cgroup.procs", "612")
    bench.ledger.restore()
    assert bench.unchanged()


def test_a_directory_that_was_there_is_not_removed(bench):
    """Only what we made."""
    bench.kernel.make_directory(f"{CGROUP}/powernap")
    assert not bench.ledger.apply(PARK[1], "cpu-park", "s")
    assert bench.ledger.restore() == []
    assert bench.kernel.exists(f"{CGROUP}/powernap")


def test_hooks_are_called_once_and_told_when_it_is_over(bench, tmp_path):
    """A hook has no value to read: ``true`` once, also from two stages, ``false`` at the end, also after a crash."""
    script = tmp_path / "hook"
    script.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/log\n')
    script.chmod(0o755)
    change = Change(str(script), "true", kind="hook")
    assert bench.ledger.apply(change, "hooks", "ease")
    assert not bench.ledger.apply(change, "hooks", "deep")
    bench.open()
    assert bench.outcomes() == {str(script): "restored"}
    assert (tmp_path / "log").read_text() == "true\nfalse\n"


def test_a_hook_that_fails_is_told_that_it_is_over(bench, tmp_path):
    """It may have done half of it."""
    script = tmp_path / "hook"
    script.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/log\n[ "$1" = false ]\n')
    script.chmod(0o755)
    with pytest.raises(ApplyError, match="ended with 1"):
        bench.ledger.apply(Change(str(script), "true", kind="hook"), "hooks", "s")
    assert (tmp_path / "log").read_text() == "true\nfalse\n"
    assert bench.ledger.live() == []


# --- boots


def test_another_boot_drops_what_did_not_outlive_it(bench):
    """Volatile entries are dropped and reported, durable ones restored."""
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.ledger.apply(Change(KSM, "0", durable=True), "a", "s")
    ledger = bench.open(boot="another")
    assert [(each.target, each.outcome) for each in ledger.dropped] == [(STAT, "rebooted")]
    assert bench.outcomes() == {KSM: "restored"}
    assert bench.kernel.read(STAT) == "60\n"


# --- the file


def test_modes(bench):
    """Only root reads what was changed."""
    assert os.stat(bench.path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(bench.path)).st_mode & 0o777 == 0o700
    assert not os.get_inheritable(bench.file._fd)


def test_one_writer(bench):
    """A second opener is told who has it."""
    with pytest.raises(LedgerBusyError, match=rf"\(pid {os.getpid()}\) has .*ledger.jsonl open") as raised:
        LedgerFile(bench.path)
    assert raised.value.pid == os.getpid()


def test_a_full_disk_changes_nothing(tmp_path):
    """No record, no change: and the file is as it was."""
    full = {"now": False}

    def write(fd, data):
        if full["now"]:
            return os.write(fd, data[: len(data) // 2])
        return os.write(fd, data)

    bench = Bench(tmp_path, disk=Disk(write=write))
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    size, full["now"] = os.path.getsize(bench.path), True
    with pytest.raises(ApplyError, match=r"No space left on device.*so it is not changed"):
        bench.ledger.apply(Change(KSM, "0"), "a", "s")
    assert bench.kernel.read(KSM) == "1\n"
    assert os.path.getsize(bench.path) == size
    assert bench.outcomes() == {STAT: "restored"}
    assert bench.unchanged()
    assert os.path.getsize(bench.path) == 0
    bench.close()


def test_undone_entries_of_a_long_life_are_dropped(bench):
    """While one target stays away for ever the file does not grow for ever; the lock goes with it."""
    bench.ledger.apply(Change(KSM, "0"), "gone", "s")
    for _ in range(300):
        bench.ledger.apply(Change(STAT, "60"), "a", "s")
        bench.ledger.restore("a")
    assert os.path.getsize(bench.path) < 70000
    with pytest.raises(LedgerBusyError):
        LedgerFile(bench.path)
    bench.open()
    assert bench.outcomes() == {KSM: "restored"}
    assert bench.unchanged()


def test_a_damaged_line_is_reported_and_the_others_count(bench):
    """A wrong checksum in the middle loses that line only."""
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.ledger.apply(Change(KSM, "0"), "a", "s")
    bench.close()
    data = bytearray(Path(bench.path).read_bytes())
    data[10] ^= 1
    Path(bench.path).write_bytes(data)
    ledger = bench.open()
    assert ledger.damage == ["line 1 is damaged (its checksum does not match): what it said is lost"]
    assert bench.outcomes() == {KSM: "restored"}


def test_a_torn_last_line_does_not_swallow_the_next(bench):
    """What a crash left of a line is cut off, so that the next record is whole."""
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.close()
    Path(bench.path).write_bytes(Path(bench.path).read_bytes() + b'{"rec":"beg')
    bench.open().apply(Change(KSM, "0"), "a", "s")
    assert bench.open().damage == []
    assert bench.outcomes() == {KSM: "restored", STAT: "restored"}


def test_threads_restore_their_own_actions(bench):
    """Eight actions applied and restored at once leave nothing."""
    knobs = [
        (f"{CPU}/cpu{cpu}/cpuidle/state{state}/disable", f"{cpu}-{state}")
        for cpu in range(4)
        for state in (1, 2)
    ]

    def work(path, action):
        for _ in range(20):
            bench.ledger.perform(action, "s", [Change(path, "1", form="number")])
            bench.ledger.restore(action)

    threads = [threading.Thread(target=work, args=each) for each in knobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.unchanged()
    assert os.path.getsize(bench.path) == 0


class Gate:
    """Knobs whose next read waits until it is opened."""

    def __init__(self, knobs):
        self.knobs, self.came, self.open = knobs, threading.Event(), threading.Event()

    def read(self, change):
        if not self.came.is_set():
            self.came.set()
            assert self.open.wait(10)
        return self.knobs.read(change)

    def write(self, change, value):
        self.knobs.write(change, value)


def test_two_threads_restore_one_knob(bench):
    """While the upper of two stacked changes is put back, the lower one does not hand its original to what is being written already."""
    bench.ledger.apply(Change(STAT, "60"), "lower", "s")
    bench.ledger.apply(Change(STAT, "120"), "upper", "s")
    gate = Gate(MachineKnobs(bench.kernel))
    ledger = bench.open()
    ledger._knobs = gate
    upper = threading.Thread(target=ledger.restore, args=("upper",))
    lower = threading.Thread(target=ledger.restore, args=("lower",))
    upper.start()
    assert gate.came.wait(10)
    lower.start()
    lower.join(0.05)
    gate.open.set()
    for thread in (upper, lower):
        thread.join()
    assert bench.unchanged()
    assert ledger.live() == []


# --- lines


@given(
    st.dictionaries(
        st.text(max_size=8), st.one_of(st.text(), st.integers(), st.none(), st.booleans()), max_size=5
    )
)
def test_a_line_is_read_as_it_was_written(record):
    """Any record survives."""
    record.pop("crc", None)
    record["rec"] = "begin"
    assert decode(encode(record).rstrip(b"\n")) == record


@given(st.data())
def test_one_wrong_byte_is_noticed(data):
    """Whichever byte of a line changes, the line is not believed."""
    line = bytearray(encode({"rec": "begin", "seq": 1, "old": "1", "new": "0", "target": NMI}).rstrip(b"\n"))
    where = data.draw(st.integers(0, len(line) - 1))
    line[where] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        decode(bytes(line))


def test_a_line_that_is_no_record():
    """A whole line may still be nonsense."""
    for body in (b"[1]", b"1"):
        with pytest.raises(ValueError):
            decode(body[:-1] + b',"crc":"%08x"}' % zlib.crc32(body[:-1] + b"}"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_records_written_twice_or_cut_change_nothing_else(bench, data):
    """Replaying any prefix, with any line doubled, yields the entries of that prefix."""
    for each in bench.ledger.live():
        bench.ledger.forget(each.change.target)
    bench.ledger.apply(Change(STAT, "60"), "a", "s")
    bench.ledger.apply(Change(KSM, "0"), "b", "s")
    records, _ = load(bench.path)
    bench.ledger.restore()
    cut = records[: data.draw(st.integers(0, len(records)))]
    twice = data.draw(st.integers(0, max(0, len(cut) - 1)))
    assert replay(cut) == replay(cut[: twice + 1] + cut[twice:])
    assert replay([record for entry in replay(cut).values() for record in records_of(entry)]) == replay(cut)


@given(st.binary(max_size=300))
def test_garbage_is_never_a_record(data):
    """Bytes that we did not write are damage, never an entry."""
    records, damage = parse(data)
    assert records == []
    assert len(damage) == data.count(b"\n")
