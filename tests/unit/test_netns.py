"""Finding network namespaces, in a tree of links; entering them is tests/integration/test_tcp_live.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from powernap.host import netns
from powernap.host.netns import Namespace


def process(root: Path, pid: str, inode: int, comm: str = "nginx") -> None:
    """One in a namespace."""
    folder = root / "proc" / pid
    (folder / "ns").mkdir(parents=True)
    (folder / "ns/net").symlink_to(f"net:[{inode}]")
    (folder / "comm").write_text(comm + "\n")


def test_others_are_named_after_a_process(tmp_path: Path) -> None:
    """Each namespace once, ours not, with somebody who lives there."""
    process(tmp_path, "thread-self", 100)
    process(tmp_path, "1", 100, "init")
    process(tmp_path, "812", 300)
    process(tmp_path, "900", 200, "redis")
    process(tmp_path, "901", 200, "redis")
    found = netns.others(str(tmp_path))
    assert [one.inode for one in found] == [200, 300]
    assert found[1] == Namespace(300, f"{tmp_path}/proc/812/ns/net", "nginx, process 812")
    assert found[0].label.startswith("redis, process 90")


def test_named_namespaces_without_process(tmp_path: Path) -> None:
    """What `ip netns` and Docker have bound is found by name."""
    process(tmp_path, "thread-self", 100)
    (tmp_path / "run/netns").mkdir(parents=True)
    (tmp_path / "run/netns/blue").touch()
    (tmp_path / "run/netns/gone").symlink_to("nowhere")
    inode = os.stat(tmp_path / "run/netns/blue").st_ino
    assert netns.others(str(tmp_path)) == [Namespace(inode, f"{tmp_path}/run/netns/blue", "blue")]


def test_a_process_that_may_not_be_looked_at_or_is_gone(tmp_path: Path) -> None:
    """It is passed over; a name that cannot be read is replaced."""
    process(tmp_path, "thread-self", 100)
    (tmp_path / "proc/5").mkdir()
    process(tmp_path, "6", 200)
    (tmp_path / "proc/6/comm").unlink()
    assert [one.label for one in netns.others(str(tmp_path))] == ["a program that ended, process 6"]
    assert netns.others(str(tmp_path / "nothing")) == []


def test_what_cannot_be_entered_answers_with_its_error(tmp_path: Path) -> None:
    """One namespace that is gone leaves the others alone."""
    places = [Namespace(1, str(tmp_path / "gone")), Namespace(2, str(tmp_path))]
    answers = netns.visit(places, lambda: "never")
    assert [(place, isinstance(answer, OSError)) for place, answer in answers] == [
        (places[0], True),
        (places[1], True),
    ]
    assert netns.visit([], lambda: "never") == []


def test_a_defect_inside_is_raised_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no OSError is not swallowed with the thread."""
    monkeypatch.setattr(netns, "_move", lambda _: None)
    with pytest.raises(ZeroDivisionError):
        netns.visit([Namespace(1, "")], lambda: 1 // 0)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CapPrm:\t0\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n", True),
        ("CapEff:\t0000000000280000\n", True),
        ("CapEff:\t0000000000200000\n", False),
        ("CapEff:\t0000000000080000\n", False),
        ("CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n", False),
        ("CapEff:\tnonsense\n", False),
        ("CapEff:", False),
        ("", False),
    ],
)
def test_visible(status: str, expected: bool) -> None:
    """Both rights are needed, and effective."""
    assert netns.visible(status) == expected


def test_own_namespace_is_known() -> None:
    """The number that the kernel shows."""
    assert netns.own() == os.stat("/proc/self/ns/net").st_ino
