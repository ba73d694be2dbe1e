"""Promise 2 in the lab: SIGKILL at a write, a second writer, and the reset button in the middle of a nap leave nothing behind."""

from __future__ import annotations

import json

import pytest

from lab import actions, tree
from lab.installed import Daemon
from powernap.actions import kinds

pytestmark = [pytest.mark.root]

GROUPS = (
    ("cpu-park",),
    ("cpu-offline", "smt-off", "cpu-clock"),
    ("units", "hooks", "kernel-quiet", "cpu-idle", "console-blank"),
    ("usb-autosuspend", "pci-runtime", "audio", "nic-downshift", "disk-spindown", "sata-link"),
)
"""What is killed in one guest; each takes it about as long."""
TOGETHER = tuple(name for name in actions.CASES if name not in {"cpu-offline", "smt-off"})
"""What is applied in one nap; the other two take away what these park."""
SLOWEST = ("units", "smt-off")
"""What takes half of the time of all of them: systemctl, and processors that go one after the other."""
SLOW = 900.0
"""Seconds for all of one group."""
SETTINGS = (
    "/proc/sys/",
    "/proc/irq/default",
    "/sys/devices/system/",
    "/sys/devices/virtual/workqueue/",
    "/sys/kernel/",
    "/sys/fs/cgroup/",
)
"""What is the same after each boot; the names of devices are not."""
SIZED = (
    "/proc/sys/vm/user_reserve_kbytes",
    "/proc/sys/vm/admin_reserve_kbytes",
    "/proc/sys/vm/min_free_kbytes",
    *(f"/proc/sys/net/ipv4/{name}" for name in ("tcp_mem", "tcp_rmem", "tcp_wmem", "udp_mem")),
)
"""What the kernel computes at boot from the memory that is free then."""
CONFIG = """
mode = "act"
[[stage]]
name = "ease"
after = "1s"
actions = ["cpu-clock", "kernel-quiet", "cpu-park"]
[monitor.input]
"""
NAP = """
mode = "act"
action_time_limit = "5min"
[[stage]]
name = "ease"
after = "1s"
actions = {}
[monitor.input]
{}"""


def test_every_action_has_its_place_or_a_reason():
    """A new one is made usable in the guest, or it is said why it cannot be."""
    assert sorted([*actions.CASES, *actions.NOT_HERE]) == sorted(kinds())
    assert sorted(name for group in GROUPS for name in group) == sorted(actions.CASES)


@pytest.fixture
def equipped(lab):
    """The guest in which actions are usable, by name; afterwards, all of it as it was before they were applied."""
    before = {}

    def equip(*names):
        actions.prepare(lab, names)
        before.update(tree.take(lab))
        return lab

    yield equip
    assert "\n".join(tree.differences(before, tree.take(lab))) == ""


def attacked(lab, names, kills, meddled):
    """What each action went through. Nothing was wrong, and as many values of the second writer were kept as he can set."""
    found = lab.call("killing_in_lab:attack", list(names), kills, meddled, limit=SLOW)
    assert {name: each["wrong"] for name, each in found.items() if each["wrong"]} == {}
    cases = {name: actions.CASES[name] for name in names}
    assert {name: len(each["met"]) for name, each in found.items()} == {
        name: len(case.foreign) + len(case.aside) for name, case in cases.items()
    }
    assert {name for name, each in found.items() if not each["kept"]} == {
        name for name, case in cases.items() if not case.foreign
    }
    return found


def test_killed_and_met_a_few_times(equipped):
    """Each action that the guest can have, but the slowest: killed at a few of its writes, and met by a second writer. The others it has not."""
    quick = [name for name in actions.CASES if name not in SLOWEST]
    lab = equipped(*quick)
    assert lab.call("killing_in_lab:usable", list(actions.NOT_HERE)) == []
    found = attacked(lab, quick, 3, 1)
    assert {name for name, each in found.items() if each["killed"] < 3} == set()


@pytest.mark.long
@pytest.mark.parametrize("names", GROUPS, ids="+".join)
def test_killed_at_every_write_and_met(equipped, names):
    """Whenever an action is killed, applying or restoring, the undo puts everything back. What somebody else has set since stays, and one line
    says so; also without a kill, and of what is only remembered since the action disturbs it.
    """
    found = attacked(equipped(*names), names, 0, 8)
    assert {name for name, each in found.items() if not each["killed"] == each["moments"] >= 4} == set()


def test_the_daemon_is_killed_in_a_nap_and_the_service_manager_starts_it_anew(lab):
    """Its unit's ExecStopPost puts everything back, and the next life begins awake with an empty ledger."""
    daemon = Daemon(lab, CONFIG)
    before = tree.take(lab)
    daemon.start()
    daemon.until("entered", stage="ease")
    assert daemon.changed()
    lab.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "powernapd").text()
    daemon.configure_file(lambda text: text.replace("1s", "1h"))
    lab.shell("while ! systemctl is-active --quiet powernapd; do sleep 0.2; done").text()
    assert daemon.changed() == []
    daemon.stop()
    assert "\n".join(tree.differences(before, tree.take(lab))) == ""


@pytest.mark.long
@pytest.mark.parametrize(
    "names", [TOGETHER, ("cpu-offline",), ("smt-off",)], ids=["together", "cpu-offline", "smt-off"]
)
def test_the_reset_button_in_the_middle_of_a_nap(lab, names):
    """The machine boots with everything as it is after any boot; the next daemon finds nothing to undo and nothing to keep."""
    before = tree.take(lab)
    actions.prepare(lab, names)
    daemon = Daemon(lab, NAP.format(json.dumps(list(names)), "".join(map(actions.section, names))))
    daemon.start()
    daemon.until("entered", SLOW, stage="ease")
    assert {each["action"] for each in daemon.changed()} == {*names}
    lab.reset()
    changed = tree.differences(before, tree.take(lab))
    assert [line for line in changed if line.startswith(SETTINGS) and not line.startswith(SIZED)] == []
    assert lab.run("powernap", "undo").text() == "nothing to undo"
    daemon.configure_file(lambda text: text.replace("1s", "1h"))
    daemon.start()
    assert daemon.changed() == []
    daemon.stop()
