"""Disks in the lab: real ones of scsi_debug, RAID of md, and a SATA disk, put to rest by the real daemon in its unit."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import tree
from lab.installed import Daemon

pytestmark = [pytest.mark.root]

CONFIG = """
mode = "act"
[[stage]]
name = "ease"
after = "{after}"
actions = ["{action}"]
[monitor.input]
[action.{action}]
disks = ["{disks}"]
{options}
"""
PERMITTED = Path("packaging/disks.conf").read_text(encoding="utf-8")
"""The drop-in for ATA disks."""
RESTS = "for each in {names}; do until grep -q suspended /sys/block/$each/device/power/runtime_status; do sleep 0.1; done; done"
READ = "dd if=/dev/{name} of=/dev/null bs=64k count=16 iflag=direct"


@pytest.fixture
def debug(lab):
    """Names of the two disks of scsi_debug, which no driver of theirs stops."""
    return lab.shell("cd /sys/block; grep -l scsi_debug sd*/device/model | cut -d/ -f1").text().split()


@pytest.fixture
def napping(lab):
    """Start the daemon with one action on some disks, and wait until its stage is entered."""

    def nap(action, disks, options="", permitted=PERMITTED):
        lab.run("mkdir", "-p", "/etc/systemd/system/powernapd.service.d").text()
        lab.write("/etc/systemd/system/powernapd.service.d/disks.conf", permitted)
        daemon = Daemon(lab, CONFIG.format(after="1s", action=action, disks=disks, options=options))
        daemon.start()
        daemon.until("entered", stage="ease")
        return daemon

    return nap


def come_back(daemon):
    """The stage is far away now, and everything is put back."""
    daemon.configure(lambda text: text.replace('"1s"\nactions', '"1h"\nactions'))
    daemon.until("left")


def left_alone(daemon):
    """What `powernap why` says of disks that stay up."""
    return "; ".join(each["reason"] for each in daemon.ask("why")["left_out"])


def said(lab, words):
    """How often the kernel said so."""
    return lab.run("dmesg").text().count(words)


def read(lab, *names):
    """Through the disk's cache, from the medium. ``LabError`` at an I/O error."""
    for name in names:
        lab.shell(READ.format(name=name)).text()


def test_a_disk_spins_down_and_the_next_read_succeeds(lab, debug, napping):
    """The kernel stops its motor, starts it for the read without an error, and stops it again; afterwards all is as it was."""
    before = tree.take(lab)
    daemon = napping("disk-spindown", "scsi_debug", 'idle = "1s"')
    lab.shell(RESTS.format(names=" ".join(debug))).text()
    assert said(lab, "Stopping disk") == 2
    read(lab, debug[0])
    assert said(lab, "Starting disk") == 1
    lab.shell(RESTS.format(names=debug[0])).text()
    come_back(daemon)
    daemon.stop()
    assert tree.differences(before, tree.take(lab)) == []
    read(lab, *debug)
    assert said(lab, "I/O error") == 0


@pytest.mark.long
def test_killed_while_disks_sleep(lab, debug, napping):
    """Its unit starts it anew, it puts everything back, and each disk can be read at any moment of that."""
    before = tree.take(lab)
    napping("disk-spindown", "scsi_debug", 'idle = "1s"')
    lab.shell(RESTS.format(names=" ".join(debug))).text()
    lab.shell(
        "systemctl kill --signal=KILL powernapd; until powernap undo --json; do sleep 0.2; done; systemctl stop powernapd"
    ).text()
    read(lab, *debug)
    assert tree.differences(before, tree.take(lab)) == []
    assert said(lab, "I/O error") == 0


@pytest.mark.long
def test_a_raid_at_work_and_at_rest(lab, debug, napping):
    """While it is checked its disks stay up and `why` says so; once it is done they rest together, and the array is read without an error."""
    first, second = debug
    lab.shell(
        "modprobe raid1; echo 1 > /proc/sys/dev/raid/speed_limit_min; echo 1 > /proc/sys/dev/raid/speed_limit_max;"
        # without a superblock: the two share their memory, so each would seem a member twice
        f"mdadm --build /dev/md0 --assume-clean --level=1 --raid-devices=2 /dev/{first} /dev/{second};"
        "echo check > /sys/block/md0/md/sync_action"
    ).text()
    daemon = napping("disk-spindown", "scsi_debug", 'idle = "1s"')
    for name in debug:
        assert f"{name} stays up: md0 runs a check" in left_alone(daemon)
        assert lab.read(f"/sys/block/{name}/device/power/control") == "on"
    lab.shell(
        "echo idle > /sys/block/md0/md/sync_action; until grep -q clean /sys/block/md0/md/array_state; do sleep 0.1; done"
    ).text()
    come_back(daemon)
    daemon.configure(lambda text: text.replace('"1h"\nactions', '"1s"\nactions'))
    lab.shell(RESTS.format(names=" ".join(debug))).text()
    assert left_alone(daemon) == ""
    read(lab, "md0")
    assert said(lab, "I/O error") == 0
    daemon.stop()


@pytest.mark.long
def test_a_disk_over_its_budget(lab, napping):
    """Emulated SATA disks say that they have been started 100 times in an hour: it stays up, and `why` says so."""
    daemon = napping("disk-spindown", "QEMU HARDDISK", "cycles_per_day = 1.0")
    assert left_alone(daemon).endswith(
        "stays up: over its budget: started 100 times in 0 days of service, and 30 are allowed at 1 a day; "
        'despite = ["cycles"] passes over this'
    )
    assert daemon.changed() == []
    daemon.stop()


@pytest.mark.long
def test_a_disk_that_may_not_be_asked(lab, debug, napping):
    """Its node is closed: what cannot be known to do no harm is not done, and `why` says so."""
    daemon = napping(
        "disk-spindown", "scsi_debug", permitted="[Service]\nDeviceAllow=\nDeviceAllow=char-input r\n"
    )
    for name in debug:
        assert (
            f"{name} stays up: it cannot be asked for its starts and self-tests (Operation not permitted)"
            in left_alone(daemon)
        )
    assert daemon.changed() == []
    daemon.stop()


@pytest.mark.long
def test_a_disk_without_power_management(lab, napping):
    """The emulated SATA disk says so in its IDENTIFY data: it is told nothing, and named."""
    daemon = napping("ata-standby", "QEMU HARDDISK", 'despite = ["runtime-pm"]\ncycles_per_day = 100.0')
    assert left_alone(daemon).endswith(" is left alone: the disk has no power management")
    assert daemon.changed() == []
    daemon.stop()


@pytest.mark.long
def test_a_sas_disk_without_power_conditions(lab, debug, napping):
    """scsi_debug has none: it is asked, told nothing, and named."""
    daemon = napping("sas-idle", "scsi_debug")
    for name in debug:
        assert f"{name} is left alone: the disk, or what is between, does not know the command" in left_alone(
            daemon
        )
    daemon.stop()


@pytest.mark.long
def test_links(lab):
    """The port with the disk is asked for deeper sleep, and as before afterwards, or it refuses and is named; the empty ones are not touched."""
    config = CONFIG.replace('disks = ["{disks}"]\n', "").format(after="1s", action="sata-link", options="")
    before = tree.take(lab)
    daemon = Daemon(lab, config)
    daemon.start()
    daemon.until("entered", stage="ease")
    changed = [each["new"] for each in daemon.changed()]
    assert changed == ["med_power_with_dipm"] or "Operation not supported" in left_alone(daemon)
    come_back(daemon)
    daemon.stop()
    assert tree.differences(before, tree.take(lab)) == []
