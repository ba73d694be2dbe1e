"""Sets of processors as the kernel writes them, and which of them stay in use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakekernel import FakeKernel, laptop_like
from powernap.host.cpus import (
    CPU,
    Topology,
    awake,
    format_cpulist,
    format_cpumask,
    number,
    parse_cpulist,
    parse_cpumask,
    read_cpulist,
    topology,
    wake_nodes,
)

cpu_sets = st.frozensets(st.integers(0, 300), max_size=40)
TWO_SOCKETS = Topology(
    online=frozenset(range(8)),
    siblings={cpu: frozenset({cpu % 4, cpu % 4 + 4}) for cpu in range(8)},
    nodes={0: frozenset({0, 1, 4, 5}), 1: frozenset({2, 3, 6, 7})},
)


@given(cpu_sets)
def test_list_comes_back(cpus):
    """What is written as a list reads as the same processors."""
    assert parse_cpulist(format_cpulist(cpus) + "\n") == cpus


@given(cpu_sets)
def test_mask_comes_back(cpus):
    """What is written as a mask reads as the same processors."""
    assert parse_cpumask(format_cpumask(cpus) + "\n") == cpus


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-3,5\n", {0, 1, 2, 3, 5}),
        ("", set()),
        ("(null)\n", set()),
        ("7", {7}),
        (" 0, 2 ", {0, 2}),
        ("0-7:1/4", {0, 4}),
        ("0-7:2/4", {0, 1, 4, 5}),
    ],
)
def test_lists_of_the_kernel(text, cpus):
    """Every form that sysfs prints and the command line takes is read."""
    assert parse_cpulist(text) == cpus


@pytest.mark.parametrize("text", ["3-1", "a", "0-", "-1", "0-7:3/2", "0-7:0/2", "1;2"])
def test_what_is_no_list_is_an_error(text):
    """Anything else is refused, so that nothing is parked by a misread list."""
    with pytest.raises(ValueError, match="processors"):
        parse_cpulist(text)


def test_list_is_as_the_kernel_prints_it():
    """Runs become ranges, two neighbours too."""
    assert format_cpulist([5, 0, 1, 2, 3, 8, 9]) == "0-3,5,8-9"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("ff,00000003", {0, 1, *range(32, 40)}), ("3", {0, 1}), ("00,00000000", set()), ("1,0", {32})],
)
def test_masks_of_the_kernel(text, cpus):
    """Words count 32 bits each, however many digits they are written with."""
    assert parse_cpumask(text) == cpus


@pytest.mark.parametrize("text", ["", "xyz", "123456789", "1,,2"])
def test_what_is_no_mask_is_an_error(text):
    """Anything else is refused."""
    with pytest.raises(ValueError, match="mask"):
        parse_cpumask(text)


def test_wide_mask_has_the_highest_word_first():
    """CPU 32 is the lowest bit of the second word from the right."""
    assert format_cpumask({0, 33}) == "00000002,00000001"


def test_topology_of_a_laptop(tmp_path):
    """Threads of a core know each other, and a machine without NUMA has one node."""
    kernel = laptop_like(tmp_path)
    kernel.add("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n")
    machine = topology(kernel)
    assert machine.online == {0, 1, 2, 3}
    assert machine.siblings[1] == {1, 3}
    assert machine.nodes == {0: machine.online}
    assert machine.vendor == "GenuineIntel"


def test_nodes_without_processors_do_not_count(tmp_path):
    """A node that has only memory, or whose processors are offline, keeps nobody awake."""
    kernel = laptop_like(tmp_path)
    for node, cpus in {0: "0-1", 1: "2-3", 2: "", 10: "9"}.items():
        kernel.add(f"/sys/devices/system/node/node{node}/cpulist", cpus)
    assert topology(kernel).nodes == {0: {0, 1}, 1: {2, 3}}


def test_unreadable_list_is_empty(tmp_path):
    """A file that is missing or says something else lists nobody."""
    kernel = FakeKernel(tmp_path)
    kernel.add(f"{CPU}/online", "garbage")
    assert read_cpulist(kernel, f"{CPU}/online") == read_cpulist(kernel, "/missing") == frozenset()


def test_number_at_the_end():
    """The number of a directory is its last digits, and -1 where it has none."""
    assert (number("/x/policy12"), number("/1/x")) == (12, -1)


def test_wake_cards_tell_their_node(tmp_path):
    """Only cards that are armed count; one that knows no node counts for node 0."""
    kernel = FakeKernel(tmp_path)
    for name, (armed, node) in {
        "eth0": ("enabled", "1"),
        "eth1": ("disabled", "2"),
        "eth2": ("enabled", "-1"),
    }.items():
        kernel.add(f"/sys/class/net/{name}/device/power/wakeup", armed)
        kernel.add(f"/sys/class/net/{name}/device/numa_node", node)
    kernel.add("/sys/class/net/wl0/device/power/wakeup", "enabled")
    assert wake_nodes(kernel) == {0, 1}


@pytest.mark.parametrize(
    ("nodes", "count", "kept"),
    [
        ((), None, {0}),
        ((1,), None, {0, 2}),
        ((7,), None, {0}),
        ((), 2, {0, 4}),
        ((1,), 3, {0, 2, 4}),
        ((1,), 1, {0}),
        ((), 0, {0}),
        ((), 99, set(range(8))),
    ],
)
def test_who_stays_awake(nodes, count, kept):
    """The first, one beside each wake card, then threads of cores that are awake anyway."""
    assert awake(TWO_SOCKETS, nodes, count) == kept


@given(
    st.frozensets(st.integers(0, 63), min_size=1),
    st.frozensets(st.integers(0, 3)),
    st.none() | st.integers(1, 70),
)
def test_somebody_always_stays_awake(online, nodes, count):
    """Whatever is asked for, at least one online processor stays, and only online ones do."""
    machine = Topology(online=online, nodes={0: online})
    kept = awake(machine, nodes, count)
    assert kept
    assert kept <= online
    assert count is None or len(kept) == min(count, len(online))
