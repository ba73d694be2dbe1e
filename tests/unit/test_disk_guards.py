"""Each guard finds what it guards against on one disk, leaves the others alone, and can be passed over by its name."""

from __future__ import annotations

import pytest

from fakedrives import let_idle, set_drive
from fakekernel import FakeKernel
from fakestorage import HBA, add_disk, add_mapped, add_md, add_partition, mount
from powernap.host import disk_guards, disks
from powernap.host.disk_guards import (
    IDLING,
    RESTING,
    bad_budget,
    names,
    remedy,
    scene,
    smartd_wakes,
    staying,
    unknown_guard,
    verdicts,
)
from powernap.host.disk_starts import Lately


@pytest.fixture
def kernel(tmp_path):
    """The system's disk, and three for data."""
    kernel = FakeKernel(tmp_path)
    add_disk(kernel, "sda")
    mount(kernel, "/", f"/dev/{add_partition(kernel, 'sda', 1)}")
    for name in ("sdb", "sdc", "sdd"):
        add_disk(kernel, name)
    return kernel


def judged(kernel, *, guards=RESTING, despite=(), only=(), cycles=10):
    """Which disks stay up, by which guard and why."""
    candidates = disks.chosen(disks.disks(kernel), only)
    found = verdicts(scene(kernel, cycles), candidates, guards, despite)
    return {each.disk.name: (each.guard, each.why) for each in found if not each}


SYSTEM = {"sda": ("system", "system disk with /, /boot, /boot/efi, /usr, /var, /var/log")}


def test_a_plain_machine(kernel):
    """Only the system's disk stays up."""
    assert judged(kernel) == SYSTEM


def smartd(kernel, config="DEVICESCAN -a"):
    """It runs, with this configuration."""
    kernel.add_task(700, "smartd", {0})
    kernel.add("/etc/smartd.conf", config)


WAKES = "smartd wakes it every 30 minutes; add `-n standby` to its line in /etc/smartd.conf"
CASES = {
    "removable": (lambda kernel: kernel.add("/sys/block/sdb/removable", "1"), "its medium can be taken out"),
    "multipath": (
        lambda kernel: add_mapped(kernel, 0, "mpatha", "sdb", uuid="mpath-3600"),
        "a path of mpatha",
    ),
    "smartd": (lambda kernel: smartd(kernel, "/dev/sdb -a\n/dev/sdc -a -n standby,8"), WAKES),
    "smart-test": (lambda kernel: add_disk_state(kernel, test=True), "a SMART self-test runs, 40 % left"),
    "cycles": (
        lambda kernel: add_disk_state(kernel, starts=4200, hours=7200),
        "over its budget: started 4200 times in 300 days of service, and 3000 are allowed at 10 a day",
    ),
}


def add_disk_state(kernel, **values):
    """Change what sdb says of itself."""
    set_drive(kernel, "sdb", **values)


@pytest.mark.parametrize("name", CASES)
def test_guards_of_one_disk(kernel, name):
    """The guard stands for sdb alone, with its evidence, and not when it is passed over."""
    arrange, evidence = CASES[name]
    arrange(kernel)
    assert judged(kernel) == SYSTEM | {"sdb": (name, evidence)}
    assert judged(kernel, despite=[name]) == SYSTEM


@pytest.mark.parametrize(
    ("starts", "days", "why"), [(9, 1.0, ""), (10, 1.0, "24 hours, and 10"), (15, 1.5, "36 hours, and 15")]
)
def test_the_budget_of_the_last_day_comes_before_the_average(kernel, starts, days, why):
    """4200 starts in 300 days are too many on average; what counts is the last day, as soon as it is known."""
    add_disk_state(kernel, starts=4200, hours=7200)
    seen = scene(
        kernel, 10, lambda disk, now: Lately(starts, days) if (disk.name, now) == ("sdb", 4200) else None
    )
    found = verdicts(seen, disks.chosen(disks.disks(kernel), ["sdb"]), RESTING)
    assert [f"over its budget: started {starts} times in the last {why} are allowed" if why else ""] == [
        each.why for each in found
    ]


def test_usb_and_raid_controllers(kernel):
    """A bridge, and a volume whose disks only the vendor's tool sees; a SATA port that is called RAID is no such volume."""
    add_disk(kernel, "sde", "usb")
    add_disk(kernel, "sdf", "sas")
    kernel.add(f"{HBA}/class", "0x010400")
    kernel.add("/sys/devices/pci0000:00/0000:00:17.0/class", "0x010400")
    found = judged(kernel)
    assert {name: guard for name, (guard, _) in found.items()} == {
        "sda": "system",
        "sde": "usb-bridge",
        "sdf": "hba-raid",
    }


# ------------------------------------------------------------ sets


def test_members_of_a_calm_array_rest_together(kernel):
    """All of them may: nothing of the set is in use."""
    add_md(kernel, "md0", "sdb", "sdc", "sdd")
    assert judged(kernel) == SYSTEM


def test_a_member_in_use_keeps_the_others_up(kernel):
    """``sdb stays up: member of md0, whose sdc is in use``."""
    add_md(kernel, "md0", "sdb", "sdc")
    kernel.add("/sys/block/sdc/inflight", "       1        0")
    why = ("array", "member of md0, whose sdc is in use")
    assert judged(kernel) == SYSTEM | {"sdb": why, "sdc": why}
    assert judged(kernel, despite=["array"]) == SYSTEM


def test_a_member_that_stays_up_keeps_the_others_up(kernel):
    """Because of a guard of its own, over two sets, or because the admin did not choose it; sdd belongs to no set."""
    add_md(kernel, "md0", "sda", "sdb")
    add_mapped(kernel, 0, "vg-data", "sdb", "sdc")
    assert judged(kernel) == SYSTEM | {
        "sdb": ("array", "member of md0, whose sda stays up too"),
        "sdc": ("array", "member of vg-data, whose sdb stays up too"),
    }
    assert judged(kernel, only=["sdc", "sdd"]) == {
        "sdc": ("array", "member of vg-data, whose sdb stays up too")
    }


def test_it_follows_whatever_the_order_of_the_sets(kernel):
    """From the last set back to the first."""
    add_mapped(kernel, 0, "vg-data", "sdc", "sdd")
    add_mapped(kernel, 1, "vg-more", "sda", "sdc")
    assert judged(kernel) == SYSTEM | {
        "sdc": ("array", "member of vg-more, whose sda stays up too"),
        "sdd": ("array", "member of vg-data, whose sdc stays up too"),
    }


def test_a_member_that_is_asleep_keeps_nobody_up(kernel):
    """It has been put to rest already, by whomever."""
    add_disk(kernel, "sde", control="auto", delay=1000)
    add_md(kernel, "md0", "sdb", "sde")
    let_idle(kernel, 2)
    assert judged(kernel, only=["sdb"]) == {}


def test_flash_members_keep_nobody_up(kernel):
    """They do not turn."""
    add_disk(kernel, "sde", rotational=False)
    add_md(kernel, "md0", "sdb", "sde")
    assert judged(kernel) == SYSTEM


@pytest.mark.parametrize("action", ["resync", "recover", "check", "repair", "reshape"])
def test_an_array_at_work(kernel, action):
    """None of its disks may rest, and no other is concerned."""
    add_md(kernel, "md0", "sdb", "sdc", action=action)
    why = ("busy-array", f"md0 runs a {action}, 25 % done")
    assert judged(kernel) == SYSTEM | {"sdb": why, "sdc": why}


def test_a_scrub(kernel):
    """Is a guard of its own."""
    for node in ("sdb", "sdc"):
        kernel.link(f"/sys/fs/btrfs/u/devices/{node}", kernel.real(f"/sys/block/{node}"))
    kernel.add("/sys/fs/btrfs/u/label", "data")
    kernel.add("/var/lib/btrfs/scrub.status.u", "1|canceled:0|finished:0")
    kernel.add_task(900, "btrfs", {0})
    why = ("scrub", "btrfs data runs a scrub")
    assert judged(kernel) == SYSTEM | {"sdb": why, "sdc": why}


# ------------------------------------------------------------ wear


@pytest.mark.parametrize(
    ("starts", "hours", "stays"),
    [
        (999, 2400, False),
        (1000, 2400, True),
        (299, 2, False),
        (300, 2, True),
        (40000, 24 * 4001, False),
        (10**6, 0, False),
    ],
)
def test_budget(kernel, starts, hours, stays):
    """As many a day as its days in service have earned; a new disk has a month's; without its hours nothing is known."""
    add_disk_state(kernel, starts=starts, hours=hours)
    assert ("sdb" in judged(kernel)) is stays


def test_more_starts_than_it_is_made_for(kernel):
    """A SAS disk says so, whatever the budget."""
    add_disk(kernel, "sde", "sas", starts=10000, rated=10000, hours=10**6)
    assert judged(kernel, only=["sde"], cycles=1000) == {
        "sde": ("cycles", "started 10000 times, and made for 10000")
    }


def test_what_a_disk_does_not_tell(kernel):
    """Is unknown and forbids nothing: one that is asleep is not asked."""
    add_disk(kernel, "sde", "sas", control="auto", delay=1000, starts=10**6)
    let_idle(kernel, 2)
    found = verdicts(scene(kernel, 10), disks.chosen(disks.disks(kernel), ["sde"]), RESTING)
    assert [(bool(each), each.unknown) for each in found] == [(True, "it is asleep")]


def test_a_disk_that_may_not_be_asked(kernel):
    """Without the sg driver, or without the right to use it: it might be in a test, so it stays up."""
    kernel.delete(f"{disks.look(kernel, 'sdb').path}/scsi_generic")
    assert judged(kernel) == SYSTEM | {
        "sdb": (
            "unasked",
            "it cannot be asked for its starts and self-tests (it has no sg node; `modprobe sg`)",
        )
    }

    def forbidden(node, _command, _size):
        raise PermissionError(1, "Operation not permitted", node)

    kernel.scsi = forbidden
    found = judged(kernel, despite=["array"])
    assert {name: guard for name, (guard, _) in found.items()} == {
        "sda": "system", "sdb": "unasked", "sdc": "unasked", "sdd": "unasked"
    }  # fmt: skip
    assert found["sdc"][1].endswith("(Operation not permitted)")
    assert judged(kernel, despite=["unasked"]) == judged(kernel, guards=IDLING) == SYSTEM


def test_heads_that_are_unloaded_cost_no_start(kernel):
    """Neither wear nor smartd forbids that."""
    add_disk_state(kernel, starts=10**6)
    smartd(kernel)
    assert judged(kernel, guards=IDLING) == SYSTEM


# ------------------------------------------------------------ smartd


@pytest.mark.parametrize(
    ("config", "wakes"),
    [
        ("DEVICESCAN -a", True),
        ("DEVICESCAN -a -n standby,10,q -m root", False),
        ("DEVICESCAN -a -n never", True),
        ("DEFAULT -n idle\nDEVICESCAN -a", False),
        ("/dev/sdb -a -n standby # night\nDEVICESCAN -a", False),
        ("/dev/disk/by-id/ata-X -a\nDEVICESCAN -n standby", True),
        ("/dev/sdc -a", False),
        ("# DEVICESCAN", False),
        ("DEVICESCAN -a \\\n -n standby", False),
    ],
)
def test_smartd(config, wakes):
    """Its lines as smartd.conf(5) has them: a disk's own before DEVICESCAN, comments, continued lines."""
    assert smartd_wakes(config, ["/dev/sdb", "/dev/disk/by-id/ata-X"]) is wakes


def test_smartd_that_does_not_run_or_has_no_file(kernel):
    """Its file alone wakes nobody; without a file it looks at every disk."""
    kernel.add("/etc/smartd.conf", "DEVICESCAN -a")
    assert judged(kernel) == SYSTEM
    kernel.delete("/etc/smartd.conf")
    kernel.add_task(700, "smartd", {0})
    assert {guard for guard, _ in judged(kernel).values()} == {"system", "smartd"}


def test_smartd_by_a_link(kernel):
    """Admins name disks by udev's links."""
    number = kernel.get("/sys/block/sdb/dev")
    kernel.add(f"/run/udev/data/b{number}", "S:disk/by-id/ata-X\nE:ID_SERIAL=X")
    smartd(kernel, "/dev/disk/by-id/ata-X -a")
    assert judged(kernel) == SYSTEM | {"sdb": ("smartd", WAKES)}


# ------------------------------------------------------------ texts


def test_texts(kernel):
    """Disk, reason, and what passes over it; where no guard forbids it and it cannot be done, nothing does."""
    add_md(kernel, "md0", "sdb", "sdc", state="active")
    candidates = disks.chosen(disks.disks(kernel), ["sd[bcd]"])
    unable = {"sdd": "asleep already"}
    found = verdicts(scene(kernel, 10), candidates, RESTING, (), lambda disk: unable.get(disk.name, ""))
    assert staying(found) == [
        "sdb stays up: member of md0, which is being written to (active)",
        "sdc stays up: member of md0, which is being written to (active)",
        "sdd is left alone: asleep already",
    ]
    assert remedy(found) == 'despite = ["array"] passes over this'
    assert remedy([]) == ""


def test_a_member_that_cannot_rest_keeps_the_others_up(kernel):
    """Though no guard forbids it."""
    add_md(kernel, "md0", "sdb", "sdc")
    candidates = disks.chosen(disks.disks(kernel), ["sd[bc]"])
    found = verdicts(
        scene(kernel, 10), candidates, RESTING, (), lambda disk: "no motor" * (disk.name == "sdc")
    )
    assert staying(found) == [
        "sdb stays up: member of md0, whose sdc stays up too",
        "sdc is left alone: no motor",
    ]


def test_options():
    """Names that are none, and budgets that are none, say what to write."""
    assert unknown_guard(["array", "smartd"], RESTING) is None
    assert str(unknown_guard(["raid"], RESTING)).startswith('"raid" is no guard; they are: array, system, ')
    assert bad_budget(0.5) is None
    assert str(bad_budget(0)).startswith("must be more than 0")
    assert len(set(names(RESTING))) == len(names(RESTING))
    assert all(guard.finds.__doc__ for guard in RESTING)
    assert disk_guards.ASKING == RESTING[-3:]
