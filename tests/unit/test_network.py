"""The interface rate, on a recorded tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from powernap.core.reading import Reading
from powernap.host.availability import UnavailableError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, network
from powernap.monitors.network import NetworkMonitor, Options


class Tree:
    """/sys/class/net of a machine, with a clock that stands at 100 s until told otherwise."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, 100.0
        self.host = Host(TreeFiles(str(root)), self, live=False)

    def boottime(self) -> float:
        return self.now

    def wall(self) -> float:
        return 0.0

    def interface(self, name: str, received: int, sent: int = 0, *, hardware: bool = True) -> None:
        folder = self.root / "sys/class/net" / name
        (folder / "statistics").mkdir(parents=True, exist_ok=True)
        (folder / "statistics/rx_bytes").write_text(f"{received}\n")
        (folder / "statistics/tx_bytes").write_text(f"{sent}\n")
        if hardware:
            (folder / "device").mkdir(exist_ok=True)

    def remove(self, name: str) -> None:
        (self.root / "sys/class/net" / name).rename(self.root / f"gone-{name}")

    def open(self, options: Options = Options()) -> NetworkMonitor:  # noqa: B008 - a frozen value
        return network.open(Context("net", self.host, lambda _: None), options)

    def after(self, monitor: NetworkMonitor, seconds: float) -> Reading:
        self.now += seconds
        return monitor.check(self.now)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """One card and the loopback."""
    made = Tree(tmp_path)
    made.interface("eth0", 1000, 1000)
    made.interface("lo", 5000, hardware=False)
    return made


def test_above_the_limit_is_a_pulse_that_names_the_busiest(tree: Tree) -> None:
    """Both directions of all interfaces against the limit; the reason says which one and how much."""
    tree.interface("eth1", 0)
    monitor = tree.open()
    tree.interface("eth0", 1000 + 10 * 1024, 1000 + 10 * 1024)
    tree.interface("eth1", 409600)
    found = tree.after(monitor, 10)
    assert (found.active, found.last, found.measured, found.limit, found.unit) == (
        False,
        110.0,
        43008.0,
        10240.0,
        "B/s",
    )
    assert found.reason.startswith("eth1 40KiB/s of 42KiB/s on 2 interfaces over the last 10s")
    assert tree.after(monitor, 10).last == 110.0


def test_below_the_limit_is_no_activity(tree: Tree) -> None:
    """Chatter leaves `last` as it was."""
    monitor = tree.open()
    tree.interface("eth0", 6000, 6000)
    found = tree.after(monitor, 60)
    assert (found.last, found.reason) == (None, "eth0 167B/s over the last 1min (limit 10KiB/s)")


def test_directions(tree: Tree) -> None:
    """Received and sent apart."""
    into, out = tree.open(Options(direction="in")), tree.open(Options(direction="out"))
    tree.interface("eth0", 1000, 1000 + 1024 * 1024)
    assert tree.after(into, 10).last is None
    assert "sent" in tree.after(out, 0).reason
    assert out.check(tree.now).last == tree.now


def test_within_the_first_second_only_proof_counts(tree: Tree) -> None:
    """A short interval repeats the last verdict, unless a whole second's limit has passed already."""
    monitor = tree.open()
    tree.interface("eth0", 1000 + 10 * 1024, 1000)
    assert tree.after(monitor, 0.1).reason == "interfaces not measured yet"
    tree.interface("eth0", 1000 + 10 * 1024 + 1, 1000)
    assert tree.after(monitor, 0.1).last == tree.now


def test_interfaces_that_come_go_and_start_again(tree: Tree) -> None:
    """A new one counts from zero, one that is gone is forgotten, a counter that fell counts anew; nothing fails."""
    monitor = tree.open()
    tree.interface("eth1", 50000)
    assert tree.after(monitor, 2).measured == 25000
    tree.remove("eth1")
    tree.interface("eth0", 500, 1000)
    assert tree.after(monitor, 1).measured == 500
    tree.remove("eth0")
    assert tree.after(monitor, 1).reason == "no interface to watch"


def test_which_interfaces_count(tree: Tree) -> None:
    """With hardware; those named; in a container all but lo; one without counters never."""
    tree.interface("veth1", 0, hardware=False)
    (tree.root / "sys/class/net/bonding_masters").touch()
    assert network.watched(tree.host.files, ()) == ["eth0"]
    assert network.watched(tree.host.files, ("ve*", "lo")) == ["lo", "veth1"]
    tree.remove("eth0")
    assert network.watched(tree.host.files, ()) == ["veth1"]


def test_probe(tree: Tree, tmp_path: Path) -> None:
    """Names what is counted, promises what may come, and says what is missing."""
    assert network.probe(tree.host, Options()).detail == "eth0"
    later = network.probe(tree.host, Options(interfaces=("wlan0",)))
    assert (bool(later), later.detail) == (
        True,
        "no interface wlan0 now (here: eth0, lo); one that comes is watched",
    )
    bare = Host(TreeFiles(str(tmp_path / "nothing")), live=False)
    with pytest.raises(UnavailableError, match="cannot be read"):
        network.open(Context("net", bare, lambda _: None), Options())


def test_a_counter_that_is_no_number_is_left_out(tree: Tree) -> None:
    """An interface may vanish between two reads."""
    (tree.root / "sys/class/net/eth0/statistics/rx_bytes").write_text("")
    assert network.counters(tree.host.files, Options()) == {"eth0/tx_bytes": 1000}
    tree.open().close()
