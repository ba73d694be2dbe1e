"""The kinds of knob: how each is read, written and compared."""

from __future__ import annotations

import errno
import os
import signal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakesystemd
from fakeattributes import CGROUP
from fakekernel import laptop_like
from powernap.host.files import TreeFiles
from powernap.host.knobs import Change, MachineKnobs, Pretend, same
from powernap.host.systemctl import run


@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        ("text", "powersave\n", "powersave"),
        ("number", "0\n", "00"),
        ("cpumask", "00000000,00000003", "3"),
        ("cpumask", "00,0000000F\n", "f"),
        ("cpulist", "0-3", "0,1,2,3"),
        ("cpulist", "", "\n"),
        ("choice", "always [madvise] never", "madvise"),
        ("controller", "+cpuset", "+cpuset\n"),
        ("number", "n/a", "n/a\n"),
        ("cpumask", "", "\n"),
    ],
)
def test_same(form, one, other):
    """Two ways to write one value are the same."""
    assert same(form, one, other)
    assert same(form, other, one)


@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        ("text", "0", "00"),
        ("number", "1", "n/a"),
        ("cpumask", "1,00000000", "1"),
        ("cpulist", "0-3", "0-2"),
        ("cpulist", "x", "0"),
        ("choice", "always [madvise] never", "always"),
        ("controller", "+cpuset", "-cpuset"),
    ],
)
def test_not_the_same(form, one, other):
    """Different values, and texts that are not of the form, differ."""
    assert not same(form, one, other)
    assert not same(form, other, one)


@given(st.integers(min_value=0, max_value=2**200), st.integers(min_value=1, max_value=9))
def test_masks_compare_by_their_bits(bits, words):
    """A mask in any width is the same as itself in the shortest, and differs when one bit differs."""

    def shown(value, words):
        return ",".join(f"{value >> 32 * word & 0xFFFFFFFF:08x}" for word in reversed(range(max(words, 7))))

    assert same("cpumask", shown(bits, words), shown(bits, 7))
    assert not same("cpumask", shown(bits ^ 1, words), shown(bits, 7))


@given(
    st.sampled_from(["text", "number", "cpumask", "cpulist", "choice", "controller"]), st.text(max_size=30)
)
def test_anything_is_the_same_as_itself(form, text):
    """No text, however odd, makes the comparison fail."""
    assert same(form, text, text + "\n")


def test_file_keeps_its_text_and_writes_nothing_as_a_newline(tmp_path):
    """A value is read without its newline; an empty one is written as a newline, because write(2) of nothing does nothing."""
    (tmp_path / "attribute").write_text("  a b \n")
    knobs, change = MachineKnobs(TreeFiles(str(tmp_path))), Change("/attribute", "x")
    assert knobs.read(change) == "  a b "
    knobs.write(change, "")
    assert (tmp_path / "attribute").read_text() == "\n"


def test_choice_reads_the_word_that_can_be_written_back(tmp_path):
    """Of a bracket list only the chosen word can be written."""
    kernel = laptop_like(tmp_path)
    knobs, change = (
        MachineKnobs(kernel),
        Change("/sys/module/pcie_aspm/parameters/policy", "powersave", form="choice"),
    )
    assert knobs.read(change) == "default"
    knobs.write(change, "powersave")
    assert knobs.read(change) == "powersave"


def test_controller_is_one_word_of_the_subtree(tmp_path):
    """Only the controller that is asked for is read and switched; the others stay."""
    knobs = MachineKnobs(laptop_like(tmp_path))
    change = Change(f"{CGROUP}/cgroup.subtree_control", "+cpuset", form="controller")
    assert knobs.read(change) == "-cpuset"
    knobs.write(change, "+cpuset")
    assert knobs.read(change) == "+cpuset"
    assert knobs.files.read(change.target) == "cpuset cpu io memory pids\n"
    knobs.write(change, "-cpuset")
    assert knobs.files.read(change.target) == "cpu io memory pids\n"


def test_directory_is_made_and_removed_but_not_with_processes(tmp_path):
    """A cgroup is made and removed; with a process inside it stays (EBUSY)."""
    kernel = laptop_like(tmp_path)
    knobs, change = MachineKnobs(kernel), Change(f"{CGROUP}/powernap", "present", kind="directory")
    assert knobs.read(change) == "absent"
    knobs.write(change, "present")
    assert knobs.read(change) == "present"
    kernel.write(f"{CGROUP}/powernap/cgroup.procs", "612")
    with pytest.raises(OSError) as raised:
        knobs.write(change, "absent")
    assert raised.value.errno == errno.EBUSY
    kernel.write(f"{CGROUP}/cgroup.procs", "612")
    knobs.write(change, "absent")
    assert knobs.read(change) == "absent"


def test_directory_on_a_plain_tree(tmp_path):
    """The live tree's mkdir and rmdir."""
    knobs, change = MachineKnobs(TreeFiles(str(tmp_path))), Change("/here", "present", kind="directory")
    knobs.write(change, "present")
    assert (tmp_path / "here").is_dir()
    knobs.write(change, "absent")
    assert knobs.read(change) == "absent"


def test_unit_is_stopped_and_started(tmp_path):
    """A failed unit counts as inactive; stop and start go through systemctl."""
    systemctl = fakesystemd.install(tmp_path, {"cron.service": "active", "bad.service": "failed"})
    knobs, change = (
        MachineKnobs(TreeFiles(str(tmp_path)), systemctl),
        Change("cron.service", "inactive", kind="unit"),
    )
    assert knobs.read(change) == "active"
    assert knobs.read(Change("bad.service", "inactive", kind="unit")) == "inactive"
    knobs.write(change, "inactive")
    assert knobs.read(change) == "inactive"
    knobs.write(change, "active")
    assert knobs.read(change) == "active"


def test_unit_is_frozen_and_thawed(tmp_path):
    """Freezing is a state beside active."""
    systemctl = fakesystemd.install(tmp_path, {"vm.service": "active"})
    knobs, change = (
        MachineKnobs(TreeFiles(str(tmp_path)), systemctl),
        Change("vm.service", "frozen", kind="freeze"),
    )
    assert knobs.read(change) == "running"
    knobs.write(change, "frozen")
    assert knobs.read(change) == "frozen"
    knobs.write(change, "running")
    assert fakesystemd.states(tmp_path) == {"vm.service": "active", "vm.service.freezer": "running"}


def test_unit_errors(tmp_path):
    """A missing unit is ENOENT; a refusal carries what systemctl said."""
    systemctl = fakesystemd.install(tmp_path, {"cron.service": "active"})
    knobs = MachineKnobs(TreeFiles(str(tmp_path)), systemctl)
    with pytest.raises(FileNotFoundError):
        knobs.read(Change("none.service", "inactive", kind="unit"))
    (tmp_path / "units" / "refuse").write_text("cron.service\n")
    with pytest.raises(OSError, match="Access denied"):
        knobs.write(Change("cron.service", "inactive", kind="unit"), "inactive")


def hook(tmp_path, body):
    """A hook script."""
    path = tmp_path / "hook"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return Change(str(path), "true", kind="hook")


def test_hook_is_called_with_its_word(tmp_path):
    """A hook gets one argument, and no shell sees it."""
    change = hook(tmp_path, f'echo "$# $1" >> {tmp_path}/log')
    knobs = MachineKnobs(TreeFiles(str(tmp_path)))
    knobs.write(change, "true")
    knobs.write(change, "false")
    assert (tmp_path / "log").read_text() == "1 true\n1 false\n"


def test_hook_that_fails_says_why(tmp_path):
    """The last line of a failing hook's output is the reason."""
    with pytest.raises(OSError, match="ended with 3: no such disk"):
        MachineKnobs(TreeFiles(str(tmp_path))).write(
            hook(tmp_path, "echo begin; echo no such disk >&2; exit 3"), "true"
        )


def test_hook_that_hangs_is_killed_with_its_children(tmp_path):
    """A time limit ends a hook and what it started."""
    change = hook(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(TimeoutError, match=r"within 0\.3 s"):
        MachineKnobs(TreeFiles(str(tmp_path)), hook_limit=0.3).write(change, "true")
    child = (tmp_path / "child").read_text().strip()
    until = time.monotonic() + 2
    while time.monotonic() < until and _state(child) not in ("Z", ""):
        time.sleep(0.01)
    assert _state(child) in ("Z", "")


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        return ""


def test_a_child_that_keeps_the_output_open_is_not_waited_for(tmp_path):
    """A hook may leave something running in the background."""
    change = hook(tmp_path, "sleep 60 &\necho $!")
    os.kill(int(run([change.target, "true"], 10).output), signal.SIGKILL)


def test_a_program_may_print_more_than_a_pipe_holds():
    """Output is read while waiting; the end of it is kept."""
    outcome = run(["/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; echo END"], 10)
    assert (outcome.code, outcome.output[-3:], len(outcome.output) <= 4096) == (0, "END", True)


def test_pretend_changes_nothing(tmp_path):
    """What would be written is remembered, and only that."""
    kernel = laptop_like(tmp_path)
    before, knobs = kernel.snapshot(), Pretend(MachineKnobs(kernel))
    change = Change("/proc/sys/kernel/nmi_watchdog", "0")
    assert knobs.read(change) == "1"
    knobs.write(change, "0")
    assert knobs.read(change) == "0"
    assert kernel.changes(before) == {}
