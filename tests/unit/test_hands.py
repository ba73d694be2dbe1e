"""The hands: each action in a thread of its own, so that what hangs delays nobody and leaves nothing changed for ever."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fakekernel import FakeKernel, acpi_server
from plans import MOUNTS
from powernap.actions import find
from powernap.config.model import ActionConfig
from powernap.core.events import Failure
from powernap.daemon.hands import PATIENCE, SLOW_LIMIT, Hands, refusals
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import ApplyError, Ledger, Performed
from powernap.host.ledger_file import Disk, LedgerFile

CPU = "/sys/devices/system/cpu"
QUEUES = "/sys/devices/virtual/workqueue/cpumask"
STAT = "/proc/sys/vm/stat_interval"
KSM = "/sys/kernel/mm/ksm/run"
GOVERNOR = f"{CPU}/cpufreq/policy0/scaling_governor"
ONLINE = f"{CPU}/cpu3/online"
ALL = ("cpu-clock", "kernel-quiet", "cpu-offline")
HOOK = "/etc/powernap/hooks.d/10-lamp"


class Sluggish:
    """The machine's files, of which some hang: a write of ``path`` waits until it is let go, then it is done."""

    def __init__(self, kernel):
        self.kernel, self.root = kernel, kernel.root
        self.hanging: dict[str, threading.Event] = {}
        self.came: dict[str, threading.Event] = {}

    def hang(self, path):
        """From now on; what to set to let it go, and what is set when somebody has come."""
        self.hanging[path], self.came[path] = threading.Event(), threading.Event()
        return self.hanging[path], self.came[path]

    def write(self, path, text):
        """As the kernel does it, once it is let go."""
        if path in self.hanging:
            self.came[path].set()
            assert self.hanging[path].wait(20)
        self.kernel.write(path, text)

    def __getattr__(self, name):
        return getattr(self.kernel, name)


@dataclass
class Bench:
    """A machine whose writes may hang, and hands with a ledger."""

    kernel: FakeKernel
    ledger: Ledger
    files: Sluggish
    before: dict[str, str] = field(default_factory=dict)

    def hands(self, limit=10.0):
        """For all actions that this machine can do."""
        configs = {
            name: ActionConfig(name=name, type=name, options=find(name).Options())
            for name in ("cpu-park", "hooks", *ALL)
        }
        return Hands(Host(files=self.files, live=False), self.ledger, configs, limit)

    def unchanged(self):
        return self.kernel.changes(self.before) == {}

    async def until_back(self, *paths):
        """How long until these are as they were, in seconds."""
        began = time.monotonic()
        while any(self.kernel.read(path) != self.before[path] for path in paths):
            await asyncio.sleep(0.001)
            assert time.monotonic() - began < 10
        return time.monotonic() - began


@pytest.fixture
def bench(tmp_path):
    """The server with two policies; at the end whatever hangs is let go."""
    kernel = acpi_server(tmp_path / "machine")
    kernel.add("/proc/mounts", MOUNTS)
    files = Sluggish(kernel)
    paper = LedgerFile(str(tmp_path / "run" / "ledger.jsonl"), Disk(sync=lambda fd: None))
    made = Bench(
        kernel,
        Ledger(paper, MachineKnobs(files, root=kernel.root), SystemClock(), ""),
        files,
        kernel.snapshot(),
    )
    yield made
    for event in files.hanging.values():
        event.set()
    for thread in threading.enumerate():
        if thread.name.startswith("powernap-"):
            thread.join()
    paper.close()


async def come(event):
    """Wait beside the loop for what a thread sets."""
    assert await asyncio.to_thread(event.wait, 10)


def appear(path):
    """Wait for a file that a program makes."""
    while not path.exists():
        time.sleep(0.001)


def applying(hands, names):
    """Begin to apply, as the node does it."""
    hands.ready()
    return asyncio.ensure_future(hands.apply("ease", names))


# --- applying and restoring


def test_applied_and_restored(bench):
    """All actions of a stage, in order; restored, the machine is as it was and the ledger empty."""

    async def story():
        hands = bench.hands()
        assert await applying(hands, ALL) == ()
        assert not bench.unchanged()
        assert bench.ledger.actions() == list(ALL[::-1])
        assert await hands.restore() == ((), ())

    asyncio.run(story())
    assert bench.unchanged()
    assert bench.ledger.live() == []


def test_clocks_come_back_after_their_processors(bench):
    """Fast actions go first, but the clocks of a processor that is off cannot be set: they come back in the same restore."""

    async def story():
        hands = bench.hands()
        assert await applying(hands, ("cpu-clock", "cpu-offline")) == ()
        assert bench.kernel.read(f"{CPU}/online") == "0\n"
        with pytest.raises(OSError):
            bench.kernel.read(f"{CPU}/cpufreq/policy2/scaling_governor")
        assert await hands.restore() == ((), ())

    asyncio.run(story())
    assert bench.unchanged()


def test_a_failing_action_leaves_the_others(bench):
    """Its failure names the value and the reason; what it had changed is put back."""
    bench.kernel.fail(STAT, errno.EIO)

    async def story():
        hands = bench.hands()
        failed = await applying(hands, ("kernel-quiet", "cpu-clock"))
        assert [(each.action, STAT in each.reason) for each in failed] == [("kernel-quiet", True)]
        assert bench.ledger.actions() == ["cpu-clock"]
        await hands.restore()

    asyncio.run(story())
    assert bench.unchanged()


def test_what_is_left_out_is_named(bench):
    """An action that finds nothing to do is no failure; a refused value of one that is applied is named too."""

    async def story():
        hands = bench.hands()
        assert await applying(hands, ("hooks", "cpu-park")) == ()
        found = {each["action"]: each["reason"] for each in hands.skipped()}
        assert "hooks.d does not exist" in found["hooks"]
        assert found["cpu-park"].startswith("/proc/irq/31 (nvme0q2; PCI-MSI 524290) smp_affinity: ")
        assert found["cpu-park"].endswith("; the rest is applied")
        hands.configure({}, 1.0)
        assert hands.skipped() == []
        await hands.restore()

    asyncio.run(story())
    assert bench.unchanged()


def test_many_refusals_are_counted():
    """Three are named."""
    refused = tuple(ApplyError(Change(f"/irq/{number}", "1"), "no") for number in range(5))
    assert refusals(Performed(0)) == ""
    assert refusals(Performed(9, refused[:1])) == "/irq/0: no; the rest is applied"
    assert (
        refusals(Performed(9, refused))
        == "/irq/0: no; /irq/1: no; /irq/2: no; and 2 more; the rest is applied"
    )


def test_a_foreign_value_is_reported(bench):
    """Kept, and said once."""

    async def story():
        hands = bench.hands()
        await applying(hands, ALL)
        bench.kernel.write(STAT, "7")
        failed, kept = await hands.restore()
        assert (failed, [each.split(":")[0] for each in kept]) == ((), [STAT])
        assert await hands.restore() == ((), ())

    asyncio.run(story())
    assert bench.kernel.read(STAT) == "7\n"


def test_a_foreign_value_is_reported_also_when_the_action_put_itself_back(bench):
    """Somebody sets a value while the action is being applied, and somebody comes: the restore tells of it."""
    go, came = bench.files.hang(STAT)

    async def story():
        hands = bench.hands()
        task = applying(hands, ("kernel-quiet",))
        await come(came)
        bench.kernel.write(KSM, "2")
        hands.stop()
        go.set()
        assert await task == ()
        _, kept = await hands.restore()
        assert [each.split(":")[0] for each in kept] == [KSM]

    asyncio.run(story())
    assert bench.kernel.read(KSM) == "2\n"


def test_watching_only(bench):
    """Without a ledger nothing is changed, and that is said."""

    async def story():
        hands = Hands(Host(files=bench.files, live=False), None, {}, 1.0)
        assert "only root" in (await applying(hands, ("cpu-clock",)))[0].reason
        assert await hands.restore() == ((), ())
        assert hands.changed() == []

    asyncio.run(story())


def test_an_action_that_is_no_longer_configured(bench):
    """A reload took it away while its stage was under way."""

    async def story():
        hands = bench.hands()
        hands.configure({}, 1.0)
        assert await applying(hands, ("cpu-clock",)) == (Failure("cpu-clock", "it is no longer configured"),)

    asyncio.run(story())


def test_what_an_earlier_life_left_is_restored_without_its_configuration(bench):
    """The ledger is enough, whatever the action was called."""
    bench.ledger.perform("cpu-offline", "s", [Change(STAT, "60")])
    bench.ledger.perform("gone", "s", [Change(KSM, "0")])

    async def story():
        hands = bench.hands()
        hands.configure({}, 1.0)
        assert await hands.restore() == ((), ())

    asyncio.run(story())
    assert bench.unchanged()


# --- somebody comes while an action is being applied


def test_stopped_before_the_first_action_begins(bench):
    """A stop between the command and its task is not lost."""

    async def story():
        hands = bench.hands()
        task = applying(hands, ALL)
        hands.stop()
        assert await task == ()

    asyncio.run(story())
    assert bench.kernel.writes == []


def test_stopped_between_two_writes(bench):
    """After the write in flight no further value is changed, and no further action begun."""
    go, came = bench.files.hang(STAT)

    async def story():
        hands = bench.hands()
        task = applying(hands, ("kernel-quiet", "cpu-clock"))
        await come(came)
        hands.stop()
        written = len(bench.kernel.writes)
        go.set()
        assert await task == ()
        assert bench.ledger.live() == []
        # the one in flight, and those before it put back
        assert len(bench.kernel.writes) == 2 * (written + 1)
        assert await hands.restore() == ((), ())

    asyncio.run(story())
    assert bench.unchanged()


def test_activity_never_waits_behind_an_apply_in_flight(bench):
    """What was applied before an action that hangs is back at once, and it itself as soon as its write ends."""
    go, came = bench.files.hang(QUEUES)

    async def story():
        hands = bench.hands()
        task = applying(hands, ("cpu-clock", "kernel-quiet", "cpu-park"))
        await come(came)
        hands.stop()
        restoring = asyncio.ensure_future(hands.restore())
        await bench.until_back(GOVERNOR, STAT, f"{CPU}/cpufreq/boost")
        assert not restoring.done()
        go.set()
        assert await restoring == ((), ())
        assert await task == ()

    asyncio.run(story())
    assert bench.unchanged()


def test_no_patience_with_an_apply_in_flight(bench):
    """Not even another slow action waits for it."""
    go, came = bench.files.hang(ONLINE)
    bench.ledger.perform("hooks", "ease", [Change(STAT, "60")])

    async def story():
        hands = bench.hands()
        task = applying(hands, ("cpu-offline",))
        await come(came)
        hands.stop()
        restoring = asyncio.ensure_future(hands.restore())
        await bench.until_back(STAT)
        assert not restoring.done()
        go.set()
        assert await restoring == ((), ())
        await task

    asyncio.run(story())
    assert bench.unchanged()


def test_a_hook_that_takes_long(bench):
    """A real program that takes its time: the restore of the others does not wait for it, and it hears ``false`` afterwards."""
    script = Path(bench.kernel.root + HOOK)
    bench.kernel.add(HOOK, "#!/bin/sh")
    script.write_text(
        '#!/bin/sh\ntouch "$0.began"\nwhile [ ! -e "$0.go" ]; do sleep 0.01; done\necho "$1" >> "$0.heard"\n'
    )
    script.chmod(0o755)
    bench.before = bench.kernel.snapshot()
    began, go = Path(f"{script}.began"), Path(f"{script}.go")

    async def story():
        hands = bench.hands()
        task = applying(hands, ("kernel-quiet", "hooks"))
        await asyncio.to_thread(appear, began)
        hands.stop()
        restoring = asyncio.ensure_future(hands.restore())
        await bench.until_back(STAT)
        assert not restoring.done()
        await asyncio.to_thread(go.touch)
        assert await restoring == ((), ())
        await task

    if os.geteuid() != 0:
        pytest.skip("hooks must belong to root: run `sudo make test`")
    asyncio.run(story())
    assert Path(f"{script}.heard").read_text() == "true\nfalse\n"


# --- what hangs


def test_an_apply_over_its_limit_is_put_back_when_it_ends(bench):
    """It has failed, the others are applied; when the write at last ends, its value is put back without anybody asking."""
    go, came = bench.files.hang(STAT)

    async def story():
        hands = bench.hands(limit=1.0)
        failed = await applying(hands, ("kernel-quiet", "cpu-clock"))
        assert failed == (Failure("kernel-quiet", "took longer than 1s; it is put back as soon as it ends"),)
        assert came.is_set()
        assert (await hands.apply("ease", ("kernel-quiet",)))[0].reason == "an earlier attempt still hangs"
        done = hands.busy["kernel-quiet"].done
        go.set()
        await done.wait()
        assert bench.ledger.actions() == ["cpu-clock"]
        await hands.restore()

    asyncio.run(story())
    assert bench.unchanged()


def test_what_hangs_is_named_and_picked_up_later(bench):
    """A write hangs while somebody comes: the restore says so; once it ends, the next restore (the core asks again) has it back."""
    go, came = bench.files.hang(STAT)

    async def story():
        hands = bench.hands(limit=1.0)
        task = applying(hands, ("cpu-clock", "kernel-quiet"))
        await come(came)
        hands.stop()
        failed, _ = await hands.restore()
        assert failed == (Failure("kernel-quiet", "a change of it still hangs after 1s"),)
        assert bench.kernel.read(GOVERNOR) == bench.before[GOVERNOR]
        go.set()
        assert await hands.restore() == ((), ())
        await task

    asyncio.run(story())
    assert bench.unchanged()
    assert bench.ledger.live() == []


def test_a_restore_that_hangs_is_picked_up_later(bench):
    """Its write hangs: failed after the limit, tried again while it hangs, complete when it has ended."""

    async def story():
        hands = bench.hands(limit=1.0)
        await applying(hands, ALL)
        go, _ = bench.files.hang(STAT)
        failed, _ = await hands.restore()
        assert failed == (Failure("kernel-quiet", "took longer than 1s"),)
        assert bench.ledger.actions() == ["kernel-quiet"]
        failed, _ = await hands.restore()
        assert failed == (Failure("kernel-quiet", "a change of it still hangs after 1s"),)
        go.set()
        assert await hands.restore() == ((), ())

    asyncio.run(story())
    assert bench.unchanged()
    assert bench.ledger.live() == []


def test_a_failing_restore_is_named_and_tried_again(bench):
    """The value and the reason; the next one succeeds."""

    async def story():
        hands = bench.hands()
        await applying(hands, ALL)
        bench.kernel.fail(STAT, errno.EIO, times=2)
        failed, _ = await hands.restore()
        assert [(each.action, each.reason.split(":")[0]) for each in failed] == [("kernel-quiet", STAT)]
        assert await hands.restore() == ((), ())

    asyncio.run(story())
    assert bench.unchanged()


@pytest.mark.parametrize("path", [ONLINE, QUEUES], ids=["slow lane", "fast lane"])
def test_a_hanging_restore_does_not_delay_the_others(bench, path):
    """With a slow action hanging all fast ones are back before it; one fast one that hangs costs the others its patience, 50 ms."""

    async def story():
        hands = bench.hands()
        await applying(hands, ("kernel-quiet", "cpu-clock", "cpu-offline" if path == ONLINE else "cpu-park"))
        go, _ = bench.files.hang(path)
        restoring = asyncio.ensure_future(hands.restore())
        watched = (STAT, KSM, GOVERNOR, f"{CPU}/cpufreq/boost")
        await bench.until_back(*watched)
        assert not restoring.done()
        go.set()
        assert await restoring == ((), ())

    asyncio.run(story())
    assert bench.unchanged()


def test_slow_actions_overtake_one_that_hangs(bench, monkeypatch):
    """Beyond its patience the slow lane goes on as well."""
    monkeypatch.setitem(PATIENCE, "slow", 0.05)

    async def story():
        hands = bench.hands()
        configs = dict(hands.actions)
        configs["other"] = ActionConfig("other", "hooks", find("hooks").Options())
        hands.configure(configs, 10.0)
        bench.ledger.perform("other", "ease", [Change(STAT, "60")])
        bench.ledger.perform("cpu-offline", "ease", [Change(KSM, "0")])
        go, _ = bench.files.hang(KSM)
        restoring = asyncio.ensure_future(hands.restore())
        assert await bench.until_back(STAT) >= 0.05
        assert not restoring.done()
        go.set()
        assert await restoring == ((), ())

    asyncio.run(story())
    assert bench.unchanged()


def test_restoring_in_reverse_order(bench, monkeypatch):
    """While each is quick, the action applied last is back before the one before it is begun, within a lane."""
    monkeypatch.setitem(PATIENCE, "fast", 20.0)  # quick on a loaded machine too

    async def story():
        hands = bench.hands()
        await applying(hands, ("kernel-quiet", "cpu-clock"))
        bench.kernel.writes.clear()
        await hands.restore()
        owners = ["quiet" if "/cpu/" not in path else "clock" for path, _ in bench.kernel.writes]
        assert owners == sorted(owners)

    asyncio.run(story())


def test_a_file_that_really_hangs(tmp_path):
    """A FIFO nobody reads: opening it hangs as a dead device does. The loop goes on, and the process could end."""
    (tmp_path / "proc").mkdir()
    os.mkfifo(tmp_path / "proc" / "knob")
    paper = LedgerFile(str(tmp_path / "ledger"), Disk(sync=lambda fd: None))
    ledger = Ledger(paper, MachineKnobs(TreeFiles(str(tmp_path))), SystemClock(), "")

    async def story():
        hands = Hands(Host(), ledger, {}, 0.05)
        with pytest.raises(TimeoutError):
            await hands._in_thread(
                "knob", lambda stop: ledger.perform("knob", "s", [Change("/proc/knob", "1")], stop), 0.05
            )
        done = hands.busy["knob"].done
        thread = next(each for each in threading.enumerate() if each.name == "powernap-knob")
        # somebody writes: the read that hung comes back, and the stop is seen
        fd = os.open(tmp_path / "proc" / "knob", os.O_RDWR | os.O_NONBLOCK)
        os.write(fd, b"1\n")
        os.close(fd)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 5)
        assert done.is_set()
        assert thread.daemon
        assert hands.busy == {}

    asyncio.run(story())
    assert ledger.live() == []
    paper.close()


def test_the_loop_may_close_while_something_hangs(bench):
    """The daemon ends although a write hangs; what the thread says then is heard by nobody, and does no harm."""
    go, came = bench.files.hang(STAT)

    async def story():
        hands = bench.hands(limit=0.5)
        task = applying(hands, ("kernel-quiet",))
        await come(came)
        hands.stop()
        assert (await hands.restore())[0] != ()
        assert (await task) != ()

    began = time.monotonic()
    asyncio.run(story())
    assert time.monotonic() - began < 30
    go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("powernap-"):
            thread.join(5)
    assert bench.unchanged()
    assert bench.ledger.live() == []


def test_probing_does_not_hold_the_loop(bench):
    """A probe that takes its time runs beside the loop."""
    asked, slow = threading.Event(), threading.Event()
    real = bench.files.kernel.names

    def names(path):
        asked.set()
        assert slow.wait(20)
        return real(path)

    bench.kernel.names = names

    async def story():
        hands = bench.hands()
        task = applying(hands, ("cpu-clock",))
        await asyncio.to_thread(asked.wait)
        assert not task.done()
        slow.set()
        hands.stop()
        await task
        await hands.restore()

    asyncio.run(story())


def test_the_slow_lane_has_longer_to_put_back(tmp_path, monkeypatch):
    """Disks spin up one after another; what hangs in the fast lane is named after the usual limit."""
    assert SLOW_LIMIT >= 4 * 25.0
    limits = []

    async def in_thread(self, name, work, limit):
        limits.append((name, limit))
        return ()

    monkeypatch.setattr(Hands, "_in_thread", in_thread)

    async def story():
        acting = Hands(Host(), cast("Ledger", SimpleNamespace(restore=lambda _: ())), {}, 10.0)
        await acting._restore("disk-spindown")
        await acting._restore("cpu-clock")

    asyncio.run(story())
    assert limits == [("disk-spindown", SLOW_LIMIT), ("cpu-clock", 10.0)]
