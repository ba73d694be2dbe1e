"""Others in the lab's guest put it to sleep, forbid it to, or end the daemon and the machine; nothing changed is left behind."""

from __future__ import annotations

import time

import pytest

from lab import tree
from lab.installed import Daemon
from nights import SLOW, slept_once

pytestmark = [pytest.mark.root]

AWAKE = """
mode = "act"
min_awake = "{min_awake}"
action_time_limit = "2min"
[sleep]
proof = "{proof}"
min_sleep = "1s"
alarm = "{alarm}"
[monitor.input]
"""
NAPS = (
    AWAKE
    + """
[[stage]]
name = "ease"
after = "1s"
actions = ["cpu-clock", "kernel-quiet"]
[[stage]]
name = "deep"
after = "2s"
actions = ["cpu-offline", "cpu-park"]
[action.cpu-offline]
keep = 2
"""
)
SUSPENDS = """
[[stage]]
name = "suspend"
after = "4s"
sleep = "suspend"
"""
SEEN = 2.1
"""Seconds of sleep that the guest's hardware clock, which counts whole ones, is sure to show: the kernel tells nobody of less."""
DELAYS = """
mkdir -p /etc/systemd/logind.conf.d
printf '[Login]\\nInhibitDelayMaxSec=5min\\n' > /etc/systemd/logind.conf.d/lab.conf
systemctl restart systemd-logind
"""
"""The emulated machine is slow: logind's own patience is 5 s."""


def started(lab, config=NAPS, **settings):
    """powernapd, in whose ladder the first stage is soon due."""
    wanted = {"min_awake": "1h", "proof": "override", "alarm": "2min", **settings}
    daemon = Daemon(lab, config.format(**wanted))
    daemon.start()
    return daemon


def napping(lab, **settings):
    """Powernapd deep in a nap."""
    daemon = started(lab, **settings)
    daemon.until("entered", SLOW, stage="deep")
    assert {each["action"] for each in daemon.changed()} == {
        "cpu-clock",
        "kernel-quiet",
        "cpu-park",
        "cpu-offline",
    }
    return daemon


def test_whoever_asks_the_login_manager_for_sleep_waits_until_all_is_put_back(lab):
    """Right before the kernel is told to sleep every setting is as it was and the alarm is set; afterwards the alarm is gone."""
    lab.shell(DELAYS).text()
    before = slept_once(lab)
    lab.call("guest_sleep:look_at_sleep")
    last_look = lab.begin_call("guest_sleep:at_sleep")
    napping(lab)
    looking = lab.begin_call("guest_sleep:morning", "systemctl suspend")
    lab.qmp.wait("SUSPEND", SLOW)
    lab.wakeup()
    found = lab.finish(looking, SLOW).value
    at_sleep = lab.finish(last_look).value
    alarm = next(path for path in at_sleep if path.endswith("/rtc0/wakealarm"))
    assert at_sleep[alarm] != ""
    assert tree.differences(before, {**at_sleep, alarm: ""}) == []
    assert tree.differences(before, found["settings"]) == []
    night = [each for each in found["night"] if each["event"] in {"activity", "left", "resumed"}]
    assert [each["event"] for each in night] == ["activity", "left", "resumed"]
    assert "somebody sends this machine to sleep" in str(night[0])
    assert (
        "timeout is reached" not in lab.run("journalctl", "-b", "-u", "systemd-logind", "--no-pager").text()
    )


@pytest.mark.long
def test_a_sleep_that_nobody_announced(kernel_lab):
    """Straight to the kernel: after it everything is put back, the machine stays up, and the history tells."""
    lab = kernel_lab
    before = slept_once(lab)
    daemon = napping(lab)
    looking = lab.begin_call("guest_sleep:morning", "echo mem > /sys/power/state")
    lab.qmp.wait("SUSPEND", SLOW)
    time.sleep(SEEN)
    lab.wakeup()
    found = lab.finish(looking, SLOW)
    found.text()
    assert tree.differences(before, found.value["settings"]) == []
    night = found.value["night"]
    assert [each["event"] for each in night if each["event"] in {"resumed", "left"}] == ["resumed", "left"]
    assert [each["kind"] for each in daemon.ask("why")["blockers"]] == ["resume"]
    assert daemon.ask("status")["phase"] == "awake"


def test_a_block_inhibitor_keeps_it_awake(lab):
    """`powernap why` names who; when the lock is given back the machine sleeps, and does not wait for its next attempt."""
    holding = lab.begin(
        "systemd-inhibit",
        "--what=sleep",
        "--mode=block",
        "--who=backup",
        "--why=nightly copy",
        "sleep",
        "infinity",
    )
    lab.shell("until systemd-inhibit --list | grep -q backup; do sleep 0.1; done").text()
    daemon = started(lab, AWAKE + SUSPENDS)
    said = daemon.until("sleep-refused", SLOW)["detail"]
    assert said.startswith("suspend waits: backup (pid ")
    assert said.endswith(", root) blocks sleep: nightly copy")
    assert "backup (pid" in lab.run("powernap", "why").out
    assert lab.qmp.events() == []
    next_attempt = float(lab.read("/proc/uptime").split()[0]) + daemon.ask("why")["next"]["in_s"]
    lab.kill(holding)
    lab.qmp.wait("SUSPEND", SLOW)
    lab.wakeup()
    assert daemon.until("sleep")["at"] < next_attempt


def test_no_sleep_before_the_way_back_is_proven(lab):
    """The refusal says what to do; done, the machine sleeps by itself and its clock wakes it."""
    daemon = started(lab, AWAKE + SUSPENDS, proof="require", min_awake="1s", alarm="20s")
    daemon.until("sleep-refused", SLOW)
    why = lab.run("powernap", "why").out
    assert "no way to wake this machine from suspend is proven" in why
    assert "powernap prove-wake" in why
    assert lab.qmp.events() == []
    proving = lab.run("powernap", "prove-wake", "--method", "rtc", "--alarm", "20s", "--yes", limit=SLOW)
    assert proving.status == 0, proving
    assert proving.out.startswith("proven: ")
    lab.qmp.wait("SUSPEND", SLOW)
    lab.qmp.wait("SUSPEND", SLOW)
    lab.qmp.wait("WAKEUP", SLOW)
    assert "woken by the clock's alarm" in daemon.until("resumed", SLOW)["detail"]


KILLED_AND_ASLEEP = "systemctl kill -s KILL powernapd; echo mem > /sys/power/state"


@pytest.mark.long
def test_a_daemon_that_was_killed_before_the_sleep(plain_lab):
    """Killed in a nap, and the machine asleep before anybody could put things back: it is done by the next one."""
    lab = plain_lab
    before = slept_once(lab)
    napping(lab)
    sleeping = lab.begin("sh", "-c", KILLED_AND_ASLEEP)
    lab.qmp.wait("SUSPEND", SLOW)
    lab.wakeup()
    lab.finish(sleeping, SLOW).text()
    lab.shell("until systemctl is-active powernapd; do sleep 0.5; done", limit=SLOW).text()
    found = lab.call("guest_sleep:awake", limit=SLOW)
    assert tree.differences(before, found["settings"]) == []
    assert found["changed"] == []
