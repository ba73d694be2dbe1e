"""The actions of the platform, on a real kernel: threads, idle states, network ports and the console, each back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from lab.guest import Guest

pytestmark = [pytest.mark.root]

CPU = "/sys/devices/system/cpu"
BLANK = "/sys/module/kernel/parameters/consoleblank"
SLOW = 400.0
"""Seconds: on a busy machine the guest has a twentieth of a processor."""


def probe(lab: Guest, action: str, **options: Any) -> Any:
    """What an action says of the guest."""
    return lab.call("guest_platform:probe", action, options)


def nap(lab: Guest, action: str, watched: Iterable[str] = (), **options: Any) -> Any:
    """Apply and restore; nothing may be left, foreign or changed. What was written, and what was seen meanwhile."""
    found = lab.call("guest_platform:nap", action, options, list(watched), limit=SLOW)
    assert (found["results"], found["left"], found["differs"]) == ([], 0, {})
    return found


def change(lab: Guest, kind: str, target: str, new: str, watched: str) -> Any:
    """The same for one knob."""
    found = lab.call("guest_platform:change", kind, target, new, [watched], limit=SLOW)
    assert (found["results"], found["left"], found["differs"]) == ([], 0, {})
    return found["seen"][watched]


def movable(lab: Guest) -> str:
    """An interrupt that may be moved, bound to processor 1 now."""
    line = "for each in /proc/irq/[0-9]*; do echo 2 2>/dev/null > $each/smp_affinity && cat $each/smp_affinity && echo $each && break; done"
    return lab.shell(line).text().split()[-1]


def test_threads_that_an_admin_took_masks_and_bound_tasks(lab: Guest) -> None:
    """A task bound to a second thread forbids it; without it, an admin's processor stays off and an interrupt comes back to its own."""
    lab.write(f"{CPU}/cpu3/online", "0")
    interrupt = movable(lab)
    pid = lab.call("guest_platform:pinned", 1)
    usable, detail, _ = probe(lab, "smt-off")
    assert not usable
    assert f"sleep (pid {pid}) is pinned to 1" in detail
    lab.run("kill", str(pid)).text()
    found = nap(lab, "smt-off", [f"{CPU}/online", f"{interrupt}/smp_affinity"], despite=["lost-core"])
    assert found["wrote"] == {f"{CPU}/smt/control": "off"}
    assert found["seen"][f"{CPU}/online"] == "0,2"
    assert found["seen"][f"{interrupt}/smp_affinity"] not in {"2", "02"}
    assert lab.read(f"{CPU}/online") == "0-2"


@pytest.mark.long
def test_a_core_is_not_lost(lab: Guest) -> None:
    """With a core's first thread off the answer is no; passed over, the whole core goes and comes back as it was."""
    lab.write(f"{CPU}/cpu2/online", "0")
    usable, detail, remedy = probe(lab, "smt-off")
    assert (usable, remedy) == (False, 'despite = ["lost-core"] passes over this')
    assert detail.startswith("processor 3 may be a second thread whose first is offline")
    assert nap(lab, "smt-off", [f"{CPU}/online"], despite=["lost-core"])["seen"] == {f"{CPU}/online": "0"}
    assert lab.read(f"{CPU}/online") == "0-1,3"


@pytest.mark.long
def test_a_thread_that_cannot_go(lab: Guest) -> None:
    """Three tasks with 90 % of a processor each by deadline: the kernel refuses, at the first thread or, with some of them off already, at a
    later one. All are as they were.
    """
    numbers = "--sched-runtime 900000000 --sched-deadline 1000000000 --sched-period 1000000000"
    for _ in range(3):
        lab.begin("chrt", "--deadline", *numbers.split(), "0", "sleep", "1000")
    bound = "for each in $(pgrep -x sleep); do chrt -p $each; done | grep -c DEADLINE"
    lab.shell(f"until [ $({bound}) = 3 ]; do :; done").text()
    assert probe(lab, "smt-off")[2] == 'despite = ["deadline"] passes over this'
    why, left, differs = lab.call("guest_platform:refused", "smt-off", {"despite": ["deadline"]}, limit=SLOW)
    assert "Device or resource busy" in why
    assert (left, differs) == (0, {})


def test_idle_states(lab: Guest) -> None:
    """What an admin closed is told; what is allowed is opened, and closed again."""
    states = [f"{CPU}/cpu{cpu}/cpuidle/state2/disable" for cpu in range(4)]
    limit, governor = f"{CPU}/cpu1/power/pm_qos_resume_latency_us", f"{CPU}/cpuidle/current_governor"
    for path in states:
        lab.write(path, "1")
    lab.write(limit, "n/a")
    lab.write(governor, "ladder")
    usable, detail, _ = probe(lab, "cpu-idle", governor=False)
    assert not usable
    assert detail == "C2 is switched off on 0-3 and stays; may not idle at all on 1 and stays"
    found = nap(lab, "cpu-idle", enable=["C2"], limits=True)
    assert found["wrote"] == {**dict.fromkeys([*states, limit], "0"), governor: "menu"}
    assert found["refused"] == []
    assert [lab.read(path) for path in (states[3], limit, governor)] == ["1", "n/a", "ladder"]


def realtek(lab: Guest) -> str:
    """The name of the card that can wake the machine."""
    line = "for each in /sys/class/net/*; do case $(readlink $each/device/driver) in *8139*) basename $each;; esac; done"
    return lab.shell(line).text()


def test_wake_flags(lab: Guest) -> None:
    """Armed by letters as ethtool(8) reads them, and as they were afterwards."""
    port = realtek(lab)
    assert change(lab, "wake-flags", port, "pg", f"{port} wake-flags") == "pg"
    assert "Wake-on: d" in lab.run("ethtool", port).text()
    lab.run("ethtool", "-s", port, "wol", "um").text()
    assert change(lab, "wake-flags", port, "g", f"{port} wake-flags") == "g"
    assert "Wake-on: um" in lab.run("ethtool", port).text()


def test_a_slower_port(lab: Guest) -> None:
    """The card that is able to wake stays, also on request while it is armed; disarmed and asked for it slows down, and offers all again."""
    port = realtek(lab)
    other = {"eth0": "eth1", "eth1": "eth0"}[port]
    lab.shell(f"ip link set {port} up; ip link set {other} up; ip route add default dev {other}").text()
    lab.shell(f"until [ $(cat /sys/class/net/{port}/carrier) = 1 ]; do sleep 0.1; done").text()
    answer = probe(lab, "nic-downshift", speed=10)
    assert f'{port} can be armed to wake this machine (guard "can-wake")' in answer[1]
    found = nap(lab, "nic-downshift", [f"{port} link-modes"], speed=10, despite=["can-wake"])
    assert found["seen"] == {f"{port} link-modes": "autoneg 0x22c3"}
    assert "100baseT/Full" in lab.run("ethtool", port).text()
    lab.run("ethtool", "-s", port, "wol", "g").text()
    answer = probe(lab, "nic-downshift", speed=10, despite=["can-wake"])
    assert not answer[0]
    assert f"{port} is armed to wake this machine: the way back is left alone" in answer[1]


def test_the_console_goes_dark(lab: Guest) -> None:
    """The interval is set by the escape sequence and read back; seven minutes come back, ninety seconds could not."""
    lab.shell(r"printf '\033[9;7]' > /dev/tty0").text()
    assert lab.read(BLANK) == "420"
    assert nap(lab, "console-blank", [BLANK])["seen"] == {BLANK: "60"}
    assert lab.read(BLANK) == "420"
