"""The lab is what docs/lab.md says: Linux drives its knobs with its own drivers, and it sleeps, wakes and measures for real."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.root]

POLICIES = "/sys/devices/system/cpu/cpufreq"
METER = "/sys/bus/acpi/drivers/power_meter/ACPI000D:00/power1_average"
ALL = "0-3"


def watts(lab):
    """What the meter shows once its last value has grown old (it samples every 50 ms)."""
    return int(lab.shell(f"sleep 0.1; cat {METER}").text()) / 1e6


def test_its_processors(lab):
    """Two cores of two threads, a frequency policy for each core with all governors, two C-states, SMT that can be switched."""
    cpu = "/sys/devices/system/cpu"
    assert lab.read(f"{cpu}/online") == ALL
    assert [lab.read(f"{POLICIES}/policy{number}/affected_cpus") for number in (0, 2)] == ["0 1", "2 3"]
    assert [lab.read(f"{cpu}/cpu{number}/topology/thread_siblings_list") for number in (0, 2)] == [
        "0-1",
        "2-3",
    ]
    assert lab.read(f"{POLICIES}/policy0/scaling_driver") == "acpi-cpufreq"
    governors = "conservative ondemand performance powersave schedutil"
    assert " ".join(sorted(lab.read(f"{POLICIES}/policy0/scaling_available_governors").split())) == governors
    assert lab.read(f"{POLICIES}/policy0/scaling_available_frequencies") == "3000000 2400000 1800000 1200000"
    assert lab.read(f"{cpu}/cpuidle/current_driver") == "acpi_idle"
    assert lab.shell(f"cat {cpu}/cpu0/cpuidle/state*/name").text().split() == ["POLL", "C1", "C2"]
    assert lab.read(f"{cpu}/smt/control") == "on"
    lab.write(f"{cpu}/smt/control", "off")
    assert lab.read(f"{cpu}/online") == "0,2"
    lab.write(f"{cpu}/smt/control", "on")
    assert lab.read(f"{cpu}/online") == ALL
    assert "cpuset" in lab.read("/sys/fs/cgroup/cgroup.controllers")


def test_its_meter_follows_the_clock_and_the_base(lab):
    """Each core draws 40 W at its fastest and 11 W at its slowest; the rest is what the test says."""
    shown = {}
    for base in (60, 25.5):
        lab.watts(base)
        for governor in ("performance", "powersave"):
            lab.shell(
                f"for each in {POLICIES}/policy*; do echo {governor} > $each/scaling_governor; done"
            ).text()
            shown[base, governor] = watts(lab)
    assert shown == {
        (60, "performance"): 140, (60, "powersave"): 82, (25.5, "performance"): 105.5, (25.5, "powersave"): 47.5
    }  # fmt: skip


def test_its_devices(lab):
    """Disks by SATA, SCSI and virtio, sound, a clock, two network cards of which one has wake flags, a mouse and two keyboards."""
    disks = lab.run("lsblk", "--nodeps", "--noheadings", "--output", "NAME,TRAN,VENDOR").text().splitlines()
    kinds = sorted(" ".join(line.split()[1:]) for line in disks)
    assert kinds == ["0x1af4", "0x1af4", "Linux", "Linux", "sata ATA"]
    cards = lab.read("/proc/asound/cards")
    assert "HDA-Intel" in cards
    assert "Dummy" in cards
    wake = lab.shell("for each in /sys/class/net/eth*; do ethtool ${each##*/}; done").text()
    assert "Supports Wake-on: pumbg" in wake
    names = lab.read("/proc/bus/input/devices")
    for name in (
        "AT Translated Set 2 keyboard",
        "QEMU QEMU USB Keyboard",
        "QEMU QEMU USB Mouse",
        "Power Button",
    ):
        assert name in names
    assert lab.read("/sys/class/rtc/rtc0/name").startswith("rtc_cmos")


def pressed(lab, name, *, act):
    """How many bytes of events a device gives while something is done."""
    # another one may be on its way out while this is looked for
    found = lab.shell(f"grep -ls '^{name}$' /sys/class/input/event*/device/name").out
    device = found.split("/")[4]
    reading = lab.begin("timeout", "60", "head", "-c", "24", f"/dev/input/{device}")
    while f"/dev/input/{device}" not in lab.shell("ls -l /proc/[0-9]*/fd 2>/dev/null").out:
        pass
    act()
    return len(lab.finish(reading).out) > 0


def test_keys_and_the_mouse_reach_it(lab):
    """Keys go to the USB keyboard, and to PS/2 when that is unplugged; the mouse moves."""
    assert pressed(lab, "QEMU QEMU USB Keyboard", act=lambda: lab.key("a"))
    assert pressed(lab, "QEMU QEMU USB Mouse", act=lab.mouse)
    lab.unplug_keyboard()
    assert pressed(lab, "AT Translated Set 2 keyboard", act=lambda: lab.key("a"))
    lab.plug_keyboard()
    lab.shell("until grep -q 'USB Keyboard' /proc/bus/input/devices; do sleep 0.1; done").text()


def asleep(lab):
    """Put it to sleep by the kernel's own file; what will tell that it is awake again."""
    sleeping = lab.begin("sh", "-c", "echo mem > /sys/power/state")
    lab.qmp.wait("SUSPEND")
    return sleeping


def test_it_sleeps_and_its_clock_wakes_it(lab):
    """Suspend to RAM, woken by the alarm that was set before."""
    lab.write("/sys/class/rtc/rtc0/wakealarm", "+5")
    sleeping = asleep(lab)
    lab.qmp.wait("WAKEUP")
    assert lab.finish(sleeping).status == 0
    assert lab.read("/sys/class/rtc/rtc0/wakealarm") == ""


def test_it_sleeps_and_is_woken_from_outside(lab):
    """By a wake signal of the board; twice, since on some emulated boards only the first works."""
    for _ in range(2):
        sleeping = asleep(lab)
        lab.wakeup()
        lab.qmp.wait("WAKEUP")
        assert lab.finish(sleeping).status == 0
    assert lab.read("/sys/devices/system/cpu/online") == ALL


def test_it_sleeps_and_a_key_wakes_it(lab):
    """A key of the PS/2 keyboard."""
    lab.unplug_keyboard()
    sleeping = asleep(lab)
    lab.key("a")
    lab.qmp.wait("WAKEUP")
    assert lab.finish(sleeping).status == 0


@pytest.mark.long
def test_its_reset_button(lab):
    """It boots again: another boot id, and what was on its memory disks is gone."""
    before = lab.read("/proc/sys/kernel/random/boot_id")
    lab.write("/run/left", "here")
    lab.reset()
    assert lab.read("/proc/sys/kernel/random/boot_id") != before
    assert lab.run("cat", "/run/left").status


def test_the_product_runs_in_it(lab):
    """`powernap` is on the path and has the version of this checkout."""
    from powernap import __version__  # noqa: PLC0415 - the claim is about the guest's

    assert lab.run("powernap", "--version").text() == f"powernap {__version__}"


@pytest.mark.long
def test_it_can_be_without_logind(plain_lab):
    """The login manager is stopped, and asking for it starts nothing."""
    assert plain_lab.run("systemctl", "is-active", "systemd-logind").out.strip() == "inactive"
    assert plain_lab.run("loginctl", "list-sessions").status
