"""Every action in the guest: what it takes there to be usable, and what a second writer would set. Which have no place there, and why.

Owns no test: what kills, resets or times an action (tests/lab/test_killed.py, bench/wake.py) takes it from here, so that a new action is one
entry, or one sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.guest import Guest

CPU = "/sys/devices/system/cpu"
USB = "/sys/devices/pci0000:00/0000:00:05.0/usb1"
EDU = "/sys/devices/pci0000:00/0000:00:0a.0"
HDA = "/sys/module/snd_hda_intel/parameters"
HOOKS = "/run/lab-hooks"
TOLD = "/var/lib/powernap/lamps"
"""What the hooks write: where the unit lets its programs write."""
MASK = r"/proc/irq/\d+\b.*\bsmp_affinity"


@dataclass(frozen=True)
class Case:
    """One action.

    :param options: lines of its section in the configuration. :param plugged: devices that are plugged in first, in QEMU's words, and
        ``there``: a file that each of them brings. :param shell: what the admin did before, as a line of shell.
    :param told: files beside the values that it changes that must be as they were: what its programs did.
    :param foreign: what somebody else may set in the middle of a nap: targets (a pattern that one of them matches whole), and a value of it
        that is neither the old one nor ours. :param aside: the same of values that are only remembered, since the action disturbs them.
    """

    options: str = ""
    plugged: tuple[dict[str, str], ...] = ()
    there: tuple[str, ...] = ()
    shell: str = ""
    told: tuple[str, ...] = ()
    foreign: tuple[tuple[str, str], ...] = ()
    aside: tuple[tuple[str, str], ...] = ()


CASES: dict[str, Case] = {
    "cpu-clock": Case(foreign=((r".*/policy0/scaling_max_freq", "1800000"),)),
    "kernel-quiet": Case(foreign=(("/proc/sys/vm/stat_interval", "7"),)),
    "cpu-park": Case(
        foreign=((MASK, "5"), ("/sys/devices/virtual/workqueue/cpumask", "5")),
    ),
    "cpu-offline": Case(
        shell=f"""echo conservative > {CPU}/cpufreq/policy2/scaling_governor; echo 9 > {CPU}/cpufreq/conservative/freq_step
            echo 2400000 > {CPU}/cpufreq/policy2/scaling_max_freq""",
        aside=((MASK, "3"),),
    ),
    "smt-off": Case(aside=((MASK, "5"),)),
    "cpu-idle": Case(
        options='enable = ["C2"]\nlimits = true',
        shell=f"""for each in 0 1 2 3; do echo 1 > {CPU}/cpu$each/cpuidle/state2/disable; done
            echo n/a > {CPU}/cpu1/power/pm_qos_resume_latency_us; echo ladder > {CPU}/cpuidle/current_governor""",
        foreign=((f"{CPU}/cpu1/power/pm_qos_resume_latency_us", "100"),),
    ),
    "usb-autosuspend": Case(
        options='delay = "3s"\ndespite = ["input"]',
        plugged=(
            {"driver": "usb-hub", "port": "3", "id": "hub"},
            {"driver": "usb-tablet", "port": "3.1", "id": "tablet"},
            {"driver": "usb-ccid", "port": "4", "id": "reader"},
        ),
        there=(f"{USB}/1-3/1-3.1/power/control", f"{USB}/1-4/power/control"),
        shell="for each in /sys/bus/usb/devices/*/power/control; do echo on > $each; done",
        foreign=((r".* power/autosuspend_delay_ms", "9000"),),
    ),
    "pci-runtime": Case(
        options='allow = ["1234:11e8"]',
        plugged=({"driver": "edu", "id": "edu"},),
        there=(f"{EDU}/power/control",),
        shell="echo 0000:00:06.0 > /sys/bus/pci/drivers/snd_hda_intel/unbind",
    ),
    "audio": Case(
        shell=f"echo 0 > {HDA}/power_save; echo N > {HDA}/power_save_controller",
        foreign=((f"{HDA}/power_save", "7"),),
    ),
    "disk-spindown": Case(options='idle = "5s"', foreign=((r".*\bpower/autosuspend_delay_ms", "90000"),)),
    "sata-link": Case(foreign=((r".*/link_power_management_policy", "medium_power"),)),
    "console-blank": Case(shell=r"printf '\033[9;7]' > /dev/tty0", foreign=(("/dev/tty0", "180"),)),
    "nic-downshift": Case(
        options='speed = 10\ndespite = ["can-wake"]',
        shell="""for each in eth0 eth1; do case $(readlink /sys/class/net/$each/device/driver) in *8139*) card=$each;; *) other=$each;; esac; done
            ip link set $card up; ip link set $other up; ip route add default dev $other
            until grep -q 1 /sys/class/net/$card/carrier; do sleep 0.1; done""",
        foreign=((r"eth\d", "autoneg 0x22cb"),),
    ),
    "units": Case(
        options='stop = ["lab-stop.service"]\nfreeze = ["lab-freeze.service"]',
        shell="""for each in stop freeze; do
            printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > /run/systemd/system/lab-$each.service; done
            systemctl daemon-reload; systemctl start lab-stop lab-freeze""",
    ),
    "hooks": Case(
        options=f'directory = "{HOOKS}"',
        shell=f"""mkdir -p {HOOKS}; for each in 10-lamp 20-fan; do
            printf '#!/bin/sh\\necho "$1" > "{TOLD}/${{0##*/}}"\\n' > {HOOKS}/$each; chmod 755 {HOOKS}/$each
            mkdir -p {TOLD}; echo false > {TOLD}/$each; done""",
        told=(f"{TOLD}/10-lamp", f"{TOLD}/20-fan"),
    ),
}
NOT_HERE = {
    "ata-standby": "QEMU's SATA disk says that it has no power management",
    "sas-idle": "the disks of scsi_debug have no power conditions",
    "nvme-latency": "QEMU's NVMe drive does not change its power state by itself (no APST), so its tolerance has no file",
    "nic-eee": "neither card has EEE, and no card of QEMU",
    "pcie-aspm": "the board has no PCI Express link",
    "gpu": "there is no graphics processor",
    "platform-profile": "no firmware that Linux has a driver for offers profiles",
}
"""What has no place in the guest, and why: it is killed, and met by a second writer, on the fake kernel only."""


def section(name: str) -> str:
    """Its section of a configuration."""
    options = CASES[name].options
    return f"[action.{name}]\n{options}\n" if options else ""


def prepare(guest: Guest, names: Iterable[str]) -> None:
    """Make them usable, as a machine of an admin might be that has them."""
    for case in (CASES[name] for name in names):
        for device in case.plugged:
            guest.qmp.ask("device_add", **_where(device))
        if case.there:
            guest.shell(f"until ls {' '.join(case.there)}; do sleep 0.1; done; udevadm settle").text()
        if case.shell:
            guest.shell(case.shell).text()


def _where(device: dict[str, str]) -> dict[str, Any]:
    return {"bus": "usb.0", **device} if "port" in device else dict(device)
