"""Promise 2 in the lab: SIGKILL at a write, a second writer, and the reset button in the middle of a nap leave nothing behind."""

from __future__ import annotations

import pytest

from lab import tree
from lab.installed import Daemon

pytestmark = [pytest.mark.root]

AT_MOST = 8
"""Kills of one action."""
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


@pytest.mark.long
def test_killed_at_a_write_of_any_action(lab):
    """Every action that the guest has: whenever it is killed, the undo puts everything back."""
    names = lab.call("killing_in_lab:available")
    assert {"cpu-clock", "cpu-park", "cpu-offline", "kernel-quiet"} <= names.keys()
    before = tree.take(lab)
    found = {name: lab.call("killing_in_lab:kill", name, AT_MOST, limit=600) for name in names}
    assert {name: each["wrong"] for name, each in found.items() if each["wrong"]} == {}
    assert {name for name, each in found.items() if not each["moments"]} == set()
    assert "\n".join(tree.differences(before, tree.take(lab))) == ""


def test_a_second_writer_is_kept_and_named(lab):
    """Whenever the action is killed, what somebody else has set since stays, and one line says so."""
    done = lab.call("killing_in_lab:kill", "kernel-quiet", AT_MOST, "/proc/sys/vm/stat_interval")
    assert done["wrong"] == []
    assert done["kept"]


@pytest.mark.long
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
def test_the_reset_button_in_the_middle_of_a_nap(lab):
    """The machine boots with everything as it is after any boot; the next daemon finds nothing to undo and nothing to keep."""
    daemon = Daemon(lab, CONFIG)
    before = tree.take(lab)
    daemon.start()
    daemon.until("entered", stage="ease")
    assert daemon.changed()
    lab.reset()
    changed = tree.differences(before, tree.take(lab))
    assert [line for line in changed if line.startswith(SETTINGS) and not line.startswith(SIZED)] == []
    assert lab.run("powernap", "undo").text() == "nothing to undo"
    daemon.configure_file(lambda text: text.replace("1s", "1h"))
    daemon.start()
    assert daemon.changed() == []
    daemon.stop()
