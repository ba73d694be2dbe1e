"""The cgroup v2 tree as the cpuset controller sees it."""

from __future__ import annotations

import pytest

from fakekernel import plain_vm
from powernap.host.cpusets import PARKED, parse_mounts, placed, tree

UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev 0 0\n"
HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""
GROUPS = "/sys/fs/cgroup"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    kernel = plain_vm(tmp_path)
    kernel.add("/proc/mounts", UNIFIED)
    return kernel


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (UNIFIED, ("/sys/fs/cgroup", False)),
        (HYBRID, ("/sys/fs/cgroup/unified", True)),
        ("cgroup /c cgroup rw,cpuacct 0 0", ("", False)),
        ("", ("", False)),
        ("short line", ("", False)),
        (UNIFIED + "cgroup2 /mnt cgroup2 rw 0 0", ("/sys/fs/cgroup", False)),
    ],
)
def test_where_cgroups_are(mounts, expected):
    """The first cgroup v2 mount counts, and a version 1 cpuset hierarchy is noticed."""
    assert parse_mounts(mounts) == expected


def test_unified_machine_can_hold_a_partition(machine):
    """The default machine of systemd misses nothing."""
    found = tree(machine)
    assert (found.mount, found.missing) == (GROUPS, "")
    assert "cpuset" not in found.enabled


@pytest.mark.parametrize(
    ("path", "text", "missing"),
    [
        ("/proc/mounts", "", "cgroup v2 is not mounted"),
        ("/proc/mounts", HYBRID, "cpuset is bound to cgroup v1"),
        (
            f"{GROUPS}/cgroup.controllers",
            "cpu io",
            "the kernel offers no cpuset controller in /sys/fs/cgroup",
        ),
        (f"{GROUPS}/cgroup.type", "domain", "this is a container: the processors belong to its host"),
    ],
)
def test_what_is_missing_is_said(machine, path, text, missing):
    """Each machine that cannot hold a partition says why."""
    machine.add(path, text)
    assert tree(machine).missing == missing


def test_nobody_is_placed_by_hand(machine):
    """Also where the controller is handed down, empty cpusets restrict nobody."""
    assert list(placed(machine, GROUPS)) == []
    machine.write(f"{GROUPS}/cgroup.subtree_control", "+cpuset")
    assert list(placed(machine, GROUPS)) == []


def test_cgroups_with_processors_are_found_at_any_depth(machine):
    """A container's cpuset and somebody else's partition are named; ours is not."""
    machine.write(f"{GROUPS}/cgroup.subtree_control", "+cpuset")
    machine.write(f"{GROUPS}/system.slice/cgroup.subtree_control", "+cpuset")
    machine.write(f"{GROUPS}/system.slice/cron.service/cpuset.cpus", "1")
    machine.write(f"{GROUPS}/user.slice/cpuset.cpus.partition", "root")
    machine.make_directory(f"{GROUPS}/{PARKED}")
    machine.write(f"{GROUPS}/{PARKED}/cpuset.cpus", "1")
    assert sorted(placed(machine, GROUPS)) == [
        "system.slice/cron.service: 1",
        "user.slice: root invalid (cpuset.cpus and cpuset.cpus.exclusive are empty)",
    ]
