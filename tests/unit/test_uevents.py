"""Claims of host/uevents.py."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ears import EpollEars
from powernap.host import uevents
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.uevents import NewDevices, Uevent, parse

ADD = (
    b"add@/devices/pci0000:00/usb1/1-2/input/input7/event5\0ACTION=add\0"
    b"DEVPATH=/devices/pci0000:00/usb1/1-2/input/input7/event5\0SUBSYSTEM=input\0DEVNAME=input/event5\0SEQNUM=3711\0"
)


def test_a_kernel_message_is_read() -> None:
    """Action, path and subsystem of a recorded message."""
    assert parse(ADD) == Uevent("add", "/devices/pci0000:00/usb1/1-2/input/input7/event5", "input")


@pytest.mark.parametrize(
    "data", [b"", b"add", b"libudev\0\xfe\xed\xca\xfe", b"add@nowhere\0", b"@/x\0", b"\xff@/x\0"]
)
def test_what_is_no_kernel_message_is_nothing(data: bytes) -> None:
    """Messages of udev's own and garbage are not read."""
    assert parse(data) is None


@given(st.binary(max_size=300))
def test_garbage_never_raises(data: bytes) -> None:
    """Whatever comes."""
    parse(data)


@pytest.mark.parametrize(
    ("uid_map", "own"),
    [
        ("         0          0 4294967295\n", False),
        ("0 100000 65536\n", True),
        ("0 0 4294967295\n1 1 1\n", True),
        ("", False),
    ],
)
def test_a_user_namespace_is_recognised(tmp_path: Path, uid_map: str, own: bool) -> None:
    """Only the whole range mapped to itself is the first namespace; no such file is an old kernel without namespaces."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/uid_map").write_text(uid_map)
    assert uevents.own_user_namespace(TreeFiles(str(tmp_path))) is own


def test_the_filter_keeps_additions_only() -> None:
    """The kernel's own interpreter, on a datagram socket: only what begins with add@ arrives."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        uevents.attach_filter(right)
        for message in (b"remove@/x", b"change@/x", ADD, b"add", b"bind@/x", b"add@/y"):
            left.send(message)
        right.setblocking(False)
        assert [right.recv(8192), right.recv(8192)] == [ADD, b"add@/y"]
        with pytest.raises(BlockingIOError):
            right.recv(8192)


def test_the_filter_keeps_what_is_switched_on() -> None:
    """For those who ask for it: a core that came back, not one that goes."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        uevents.attach_filter(right, uevents.ONLINE)
        for message in (b"offline@/devices/system/cpu/cpu1", b"online@/devices/system/cpu/cpu1", ADD):
            left.send(message)
        right.setblocking(False)
        assert right.recv(8192) == b"online@/devices/system/cpu/cpu1"
        with pytest.raises(BlockingIOError):
            right.recv(8192)


def contained(tmp_path: Path, ears: EpollEars | None) -> Host:
    """A machine in a user namespace of its own."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/uid_map").write_text("0 100000 65536\n")
    return Host(files=TreeFiles(str(tmp_path)), ears=ears)


def test_in_a_container_a_new_node_is_heard_by_inotify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no uevents arrive, one look follows a burst of new nodes."""
    monkeypatch.setattr(uevents, "SETTLE", 0.01)
    (tmp_path / "dev/input").mkdir(parents=True)
    looks: list[int] = []
    with EpollEars() as ears:
        devices = NewDevices(contained(tmp_path, ears), "input", "/dev/input", lambda: looks.append(1))
        (tmp_path / "dev/input/event0").touch()
        (tmp_path / "dev/input/event1").touch()
        assert ears.run(2, lambda: looks)
        ears.run(0.05)
        devices.close()
        assert (looks, devices.source) == ([1], "found by a look")


def test_no_look_after_closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that was due when the monitor closed does not happen."""
    monkeypatch.setattr(uevents, "SETTLE", 0.01)
    (tmp_path / "dev/input").mkdir(parents=True)
    looks: list[int] = []
    with EpollEars() as ears:
        devices = NewDevices(contained(tmp_path, ears), "input", "/dev/input", lambda: looks.append(1))
        os.mkfifo(tmp_path / "dev/input/event0")
        ears.run(1, lambda: ears.timers)
        devices.close()
        ears.run(0.03)
    assert looks == []


def test_without_a_directory_only_a_look_finds_devices(tmp_path: Path) -> None:
    """No uevents, no directory: said, not raised."""
    with EpollEars() as ears:
        devices = NewDevices(contained(tmp_path, ears), "input", "/dev/input", lambda: None)
        assert devices.source == "found by a look"
        devices.close()


def test_without_ears_nothing_is_opened(tmp_path: Path) -> None:
    """A one-time look opens no socket."""
    devices = NewDevices(contained(tmp_path, None), "input", "/dev/input", lambda: None)
    assert (devices.socket, devices.inotify) == (None, None)
    devices.close()
