"""powernapd puts the lab's guest to sleep, for real; it is woken as machines are, and everything is as it was."""

from __future__ import annotations

import pytest

from lab import tree
from lab.installed import Daemon
from nights import SLOW, slept_once

pytestmark = [pytest.mark.root]

NAPS = """
mode = "act"
min_awake = "5s"
loop_limit = 100
action_time_limit = "2min"
[sleep]
proof = "override"
min_sleep = "1s"
[[stage]]
name = "ease"
after = "3s"
actions = ["cpu-clock", "kernel-quiet"]
[[stage]]
name = "deep"
after = "6s"
actions = ["cpu-offline", "cpu-park"]
[action.cpu-offline]
keep = 2
[monitor.input]
[monitor.magic-packet]
"""
SLEEPS = (
    NAPS
    + """
[[stage]]
name = "suspend"
after = "10s"
sleep = "suspend"
"""
)
TROUBLE = {
    "apply-failed",
    "restore-failed",
    "sleep-failed",
    "action-spent",
    "kept-foreign",
    "unguarded",
    "unalarmed",
    "defect",
    "loop",
}
WHOLE = 23
"""MiB that powernapd may have with all that it loads late, D-Bus too (gate T9 of bench/gates.py)."""
POWER_BUTTON = "woken by the power button (LNXPWRBN:00)"
"""So QEMU says of all that wakes it but its clock (hw/acpi/core.c, acpi_notify_wakeup)."""


def with_alarm(config, length):
    """The configuration with a safety alarm."""
    return config.replace("[sleep]", f'[sleep]\nalarm = "{length}"')


def prepared(lab, widest=1):
    """Only the PS/2 keyboard, which can wake; and what every night is compared with."""
    lab.unplug_keyboard()
    before = slept_once(lab, widest)
    lab.qmp.events()
    return before


def started(lab, config):
    """powernapd, in whose ladder the first stage is soon due."""
    daemon = Daemon(lab, config)
    daemon.start()
    return daemon


def night(lab, wake):
    """The next sleep, ended by something; the history of it, and the settings after it."""
    looking = lab.begin_call("guest_sleep:morning")
    lab.qmp.wait("SUSPEND", SLOW)
    wake()
    found = lab.finish(looking, SLOW)
    found.text()
    return found.value["night"], found.value["settings"]


def the_one(entries, event):
    """The one entry of a kind."""
    (entry,) = [each for each in entries if each["event"] == event]
    return entry


def troubles(entries):
    """What went wrong."""
    return [each for each in entries if each["event"] in TROUBLE]


def down_and_back(lab, widest=1):
    """Three nights: a key, the board and the alarm end them."""
    before = prepared(lab, widest)
    daemon = started(lab, with_alarm(SLEEPS, "30s"))
    for wake, by in (
        (lambda: lab.key("a"), POWER_BUTTON),
        (lab.wakeup, POWER_BUTTON),
        (lambda: None, "woken by the clock's alarm (rtc0)"),
    ):
        entries, after = night(lab, wake)
        assert tree.differences(before, after) == []
        assert troubles(entries) == []
        assert [each["stage"] for each in entries if each["event"] == "entered"][-3:] == [
            "ease",
            "deep",
            "suspend",
        ]
        assert the_one(entries, "sleep")["detail"] == "suspend"
        resumed = the_one(entries, "resumed")["detail"]
        assert resumed.startswith("slept ")
        assert resumed.endswith(by)
    said = lab.run("powernap", "history").text()
    assert "going to suspend" in said
    assert "woken by the clock's alarm" in said
    daemon.stop()
    assert tree.differences(before, lab.call("guest_sleep:settings", limit=SLOW)) == []


@pytest.mark.long
def test_through_the_login_manager_down_to_sleep_and_back(lab):
    """By itself, three times: a key, the board and the alarm each bring it back, all settings are those of before, and the history tells."""
    down_and_back(lab)


def test_through_the_kernel_down_to_sleep_and_back(kernel_lab):
    """The same with the kernel's handshake."""
    down_and_back(kernel_lab)


@pytest.mark.long
def test_threads_bound_to_a_processor_that_is_switched_off_meanwhile(kernel_lab):
    """They are bound as before, too."""
    down_and_back(kernel_lab, widest=2)


@pytest.mark.long
def test_cycle_after_cycle_without_drift(kernel_lab):
    """Twenty sleeps in a row: the settings after the last are those of before, and the daemon is no larger than it may be.

    What it is held against is its tenth sleep: the first loads what only a sleep needs (1.5 MiB), and in the next few each of the threads that
    put back side by side gets its own share of the C library's memory (0.5 MiB in all).
    """
    lab = kernel_lab
    before = prepared(lab)
    quick = (
        SLEEPS.replace('"3s"', '"1s"')
        .replace('"6s"', '"1.5s"')
        .replace('"10s"', '"2s"')
        .replace('"5s"', '"1s"')
    )
    daemon = started(lab, quick)
    pid = int(lab.run("systemctl", "show", "-P", "MainPID", "powernapd").text())
    for cycle in range(19):
        lab.qmp.wait("SUSPEND", SLOW)
        lab.wakeup()
        if cycle == 9:
            early = lab.call("guest_sleep:size", pid, limit=SLOW)
    _entries, after = night(lab, lab.wakeup)
    late = lab.call("guest_sleep:size", pid, limit=SLOW)
    assert tree.differences(before, after) == []
    assert len([each for each in daemon.history() if each["event"] == "resumed"]) == 20
    assert troubles(daemon.history()) == []
    assert late["descriptors"] <= early["descriptors"]
    assert late["kB"] < early["kB"] + 1024
    assert late["kB"] < WHOLE * 1024
    print(early, late)


@pytest.mark.long
def test_a_wake_storm_is_seen_and_ended(kernel_lab):
    """Something wakes it at once each time: after so many sleeps it does nothing more, says so loudly, and goes on when an admin says so."""
    lab = kernel_lab
    daemon = started(lab, SLEEPS.replace("loop_limit = 100", "loop_limit = 2"))
    for _ in range(3):
        lab.qmp.wait("SUSPEND", SLOW)
        lab.wakeup()
    assert daemon.until("loop", SLOW)["detail"] == "3 sleeps within 900s"
    daemon.until("left", SLOW)
    assert daemon.ask("status")["phase"] == "halted"
    assert daemon.changed() == []
    warned = lab.run("journalctl", "-u", "powernapd", "-p", "warning", "-o", "cat", "--no-pager").text()
    assert "sleep-wake loop" in warned
    assert "halted" in lab.run("powernap", "status").out
    assert lab.run("powernap", "nap").status == 1
    assert lab.run("powernap", "wake").status == 0
    lab.qmp.wait("SUSPEND", SLOW)
