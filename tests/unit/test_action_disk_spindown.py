"""disk-spindown lets the kernel stop idle disks, and no read ever fails: not while it is in force, not after it is taken back."""

from __future__ import annotations

import asyncio

import pytest

from fakedrives import drive_of, let_idle, read, set_drive
from fakekernel import FakeKernel
from fakestorage import add_disk, add_md, add_partition, mount
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import disk_spindown
from powernap.actions.disk_spindown import Options
from powernap.config.model import ActionConfig
from powernap.daemon.hands import Hands

ACTION = "disk-spindown"


@pytest.fixture
def kernel(tmp_path):
    """The system's disk, and two for data: SATA (its driver stops the motor) and SAS (it does not)."""
    kernel = FakeKernel(tmp_path / "machine")
    host_of(kernel)
    add_disk(kernel, "sda")
    mount(kernel, "/", f"/dev/{add_partition(kernel, 'sda', 1)}")
    add_disk(kernel, "sdb")
    add_disk(kernel, "sdc", "sas")
    return kernel


def power(kernel, name):
    """What the drive itself does."""
    return drive_of(kernel, name)["power"]


def test_a_disk_spins_down_and_the_next_read_succeeds(kernel):
    """The kernel stops it after the time set, starts it for the read, and stops it again; afterwards all is as it was."""
    before = kernel.snapshot()
    with napping(kernel, ACTION, idle=60.0):
        let_idle(kernel, 59)
        assert [power(kernel, name) for name in ("sda", "sdb", "sdc")] == ["active"] * 3
        let_idle(kernel, 60)
        assert [power(kernel, name) for name in ("sda", "sdb", "sdc")] == ["active", "stopped", "stopped"]
        read(kernel, "sdc")
        assert power(kernel, "sdc") == "active"
        let_idle(kernel, 60)
    for name in ("sda", "sdb", "sdc"):
        read(kernel, name)
    assert kernel.changes(before) == {}
    assert {name: drive_of(kernel, name)["starts"] for name in ("sda", "sdb", "sdc")} == {
        "sda": 120,
        "sdb": 121,
        "sdc": 122,
    }


def test_the_order(kernel):
    """Delay, motor, permission; each disk for itself. A SATA disk's driver stops the motor anyway."""
    with napping(kernel, ACTION) as entries:
        assert [(target.rpartition(" ")[2], value) for target, value in written(entries).items()] == [
            ("power/autosuspend_delay_ms", "600000"),
            ("power/control", "auto"),
            ("power/autosuspend_delay_ms", "600000"),
            ("scsi_disk/2:0:0:0/manage_runtime_start_stop", "1"),
            ("power/control", "auto"),
        ]


def test_a_kernel_before_6_6(kernel):
    """The attribute was one for all occasions."""
    add_disk(kernel, "sdd", "sas", split=False)
    with napping(kernel, ACTION, disks=("sdd",)) as entries:
        assert any(target.endswith("/manage_start_stop") for target in written(entries))
        let_idle(kernel, 600)
        read(kernel, "sdd")


@pytest.mark.parametrize("delay", [-1, 5000, 900_000])
@pytest.mark.parametrize("manage", [0, 1])
def test_a_disk_that_may_rest_already(kernel, delay, manage):
    """Asleep at any moment of the nap, it is awake before its motor is given back, and reads succeed; its values are exact."""
    add_disk(kernel, "sdd", "sas", control="auto", delay=delay, manage=manage)
    before = kernel.snapshot()
    let_idle(kernel, 3600)
    with napping(kernel, ACTION, disks=("sdd",)):
        let_idle(kernel, 3600)
        assert power(kernel, "sdd") == "stopped"
    read(kernel, "sdd")
    assert kernel.changes(before) == {}


def test_a_shorter_delay_is_kept(kernel):
    """Somebody's choice, which saves more."""
    add_disk(kernel, "sdd", delay=30_000)
    with napping(kernel, ACTION, disks=("sdd",)) as entries:
        assert [target.rpartition(" ")[2] for target in written(entries)] == ["power/control"]


class Killed(BaseException):
    """As SIGKILL: nobody may handle it."""


def die_at(kernel, nth):
    """Let an hour pass before each write, and die before the ``nth``, counted before and after."""
    seen = 0

    def point(_moment, _path):
        nonlocal seen
        seen += 1
        let_idle(kernel, 3600)
        if seen == nth:
            raise Killed

    kernel.around = point


@pytest.mark.parametrize("control", ["on", "auto"])
def test_killed_anywhere_the_disk_can_be_read(kernel, control):
    """Whatever write was the last one, and though the disk slept at each: a read succeeds, before the undo and after it."""
    add_disk(kernel, "sdd", "sas", control=control, delay=5000)
    before, host, nth, deaths = kernel.snapshot(), host_of(kernel), 0, 0
    while deaths == nth:
        nth += 1
        with ledger_of(kernel) as ledger:
            die_at(kernel, nth)
            try:
                ledger.perform(ACTION, "nap", disk_spindown.plan(host, Options(disks=("sdd",))))
                ledger.restore()
            except Killed:
                deaths += 1
            kernel.around = lambda _moment, _path: None
        let_idle(kernel, 3600)
        read(kernel, "sdd")
        let_idle(kernel, 3600)
        with ledger_of(kernel) as ledger:
            ledger.restore()
            assert ledger.live() == []
        read(kernel, "sdd")
        assert kernel.changes(before) == {}, nth
    assert deaths >= 6


def test_one_disk_that_refuses_hinders_no_other(kernel):
    """It is passed over and named; nothing more is tried on it."""
    kernel.fail(f"{drive_of(kernel, 'sdb')['path']}/power/autosuspend_delay_ms", 5)
    module, host = disk_spindown, host_of(kernel)
    with ledger_of(kernel) as ledger:
        done = ledger.perform(ACTION, "nap", module.plan(host, Options()))
        assert len(done.refused) == 1
        assert "autosuspend_delay_ms" in str(done.refused[0])
        assert {entry.change.target.split(" ")[0] for entry in ledger.live()} == {
            drive_of(kernel, "sdc")["path"]
        }
        ledger.restore()


def test_a_disk_that_was_taken_out(kernel):
    """Its settings went with it: nothing is left to undo, and one that is put in its place is left alone."""
    host, device = host_of(kernel), drive_of(kernel, "sdc")["path"]
    with ledger_of(kernel) as ledger:
        ledger.perform(ACTION, "nap", disk_spindown.plan(host, Options(disks=("sdc",))))
        kernel.vanish(device)
        add_disk(kernel, "sdx", "sas", host=2, control="auto", delay=600_000, manage=1)
        assert {each.outcome for each in ledger.restore()} == {"already"}
        assert kernel.read(f"{device}/power/control") == "auto\n"


def test_what_somebody_set_meanwhile_is_kept(kernel):
    """Another delay is another owner's."""
    host, delay = host_of(kernel), f"{drive_of(kernel, 'sdc')['path']}/power/autosuspend_delay_ms"
    with ledger_of(kernel) as ledger:
        ledger.perform(ACTION, "nap", disk_spindown.plan(host, Options(disks=("sdc",))))
        kernel.write(delay, "77000")
        assert [each.outcome for each in ledger.restore()] == ["restored", "restored", "foreign"]
    assert kernel.read(delay) == "77000\n"


# ------------------------------------------------------------ what it says


def test_probe(kernel):
    """Which rest, which stay up, and why."""
    set_drive(kernel, "sdb", test=True)
    answer = probe(kernel, ACTION)
    assert answer
    assert answer.detail == (
        "sdc (DISK-sdc) after 10min; sda stays up: system disk with /, /boot, /boot/efi, /usr, /var, /var/log; "
        "sdb stays up: a SMART self-test runs, 40 % left"
    )
    assert answer.left_out == answer.detail.partition("; ")[2]


def test_why_says_so(kernel):
    """The daemon's answer names each disk that stays up while others rest, and what refused."""
    set_drive(kernel, "sdb", test=True)
    config = ActionConfig(name=ACTION, type=ACTION, options=Options())
    with ledger_of(kernel) as ledger:
        hands = Hands(host_of(kernel), ledger, {ACTION: config}, 60.0)
        assert asyncio.run(hands.apply("ease", (ACTION,))) == ()
        [left] = hands.skipped()
        ledger.restore()
    assert (left["action"], left["reason"].split("; ")[1:]) == (
        ACTION,
        ["sdb stays up: a SMART self-test runs, 40 % left"],
    )


def test_left_alone(kernel):
    """In a RAID whose other disk is in use, under a self-test, over its budget: nothing is written to them, and the reasons are told."""
    for name in ("sdd", "sde"):
        add_disk(kernel, name)
    add_md(kernel, "md0", "sdb", "sdc")
    kernel.add("/sys/block/sdc/inflight", "       1        0")
    set_drive(kernel, "sdd", test=True)
    set_drive(kernel, "sde", starts=5000, hours=2400)
    answer = probe(kernel, ACTION)
    assert not answer
    assert answer.detail.split("; ")[1:] == [
        "sdb stays up: member of md0, whose sdc is in use",
        "sdc stays up: member of md0, whose sdc is in use",
        "sdd stays up: a SMART self-test runs, 40 % left",
        "sde stays up: over its budget: started 5000 times in 100 days of service, and 1000 are allowed at 10 a day",
    ]
    assert answer.remedy == 'despite = ["array", "cycles", "smart-test", "system"] passes over this'
    with napping(kernel, ACTION) as entries:
        assert entries == []


def test_an_array_rests_as_a_whole(kernel):
    """All its members, or none."""
    add_md(kernel, "md0", "sdb", "sdc")
    with napping(kernel, ACTION):
        let_idle(kernel, 3600)
        assert [power(kernel, name) for name in ("sdb", "sdc")] == ["stopped", "stopped"]


@pytest.mark.parametrize(
    ("arrange", "detail"),
    [
        (lambda kernel: kernel.delete("/sys/block"), "no disk that rotates; flash disks rest by themselves"),
        (
            lambda kernel: [
                kernel.put(f"{drive_of(kernel, name)['path']}/power/autosuspend_delay_ms", "none")
                for name in ("sdb", "sdc")
            ],
            "sdb is left alone: the kernel has no runtime power management for it; see ata-standby",
        ),
        (
            lambda kernel: [
                kernel.lock(f"{drive_of(kernel, name)['path']}/power/control") for name in ("sdb", "sdc")
            ],
            "/power/control cannot be written from here; run as root, outside a container",
        ),
    ],
    ids=["no disk", "no runtime PM", "read-only"],
)
def test_unavailable(kernel, arrange, detail):
    """With the reason."""
    arrange(kernel)
    answer = probe(kernel, ACTION)
    assert not answer
    assert detail in answer.detail


def test_unknown_and_unnamed(kernel):
    """A disk that tells no counts is spun down, and that is said; a name that fits no disk too."""
    set_drive(kernel, "sdc", silent=True)
    assert (
        "sdc's starts and self-tests are not known (it keeps no count of its starts)"
        in probe(kernel, ACTION).detail
    )
    assert probe(kernel, ACTION, disks=("sdq", "X*")).detail == "no disk is sdq or X*"


def test_other_tools(kernel):
    """hd-idle stops disks by itself."""
    kernel.add_task(700, "hd-idle", {0})
    assert "hd-idle (pid 700): it spins disks down by itself" in probe(kernel, ACTION).detail


@pytest.mark.parametrize(("seconds", "fine"), [(0.5, False), (1, True), (86400, True), (86401, False)])
def test_delay_option(seconds, fine):
    """A second to a day."""
    assert (disk_spindown._idle(seconds) is None) is fine
