"""Claims of host/inotify.py."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.files import TreeFiles
from powernap.host.inotify import ACCESS, CREATE, IGNORED, ONESHOT, Event, Inotify, on_disk, parse


def record(event: Event) -> bytes:
    """A struct inotify_event."""
    name = os.fsencode(event.name)
    padded = name + b"\0" * (-len(name) % 16 or (16 if name else 0))
    return struct.pack("=iIII", event.watch, event.mask, 0, len(padded)) + padded


EVENTS = st.builds(
    Event,
    st.integers(-1, 2**31 - 1),
    st.integers(0, 2**32 - 1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0/"), max_size=40),
)


@given(st.lists(EVENTS, max_size=8))
def test_records_are_read_as_the_kernel_writes_them(events: list[Event]) -> None:
    """Any sequence of records, with and without names, comes back as it was."""
    assert parse(b"".join(record(event) for event in events)) == events


@given(st.binary(max_size=200))
def test_garbage_never_raises(data: bytes) -> None:
    """What is no record is dropped."""
    parse(data)


@pytest.fixture
def watcher() -> Iterator[Inotify]:
    """A real instance."""
    inotify = Inotify()
    yield inotify
    inotify.close()


def test_a_new_file_is_told_by_name(watcher: Inotify, tmp_path: Path) -> None:
    """A watched directory tells who came."""
    watch = watcher.watch(str(tmp_path), CREATE)
    (tmp_path / "new").touch()
    assert watcher.drain() == [Event(watch, CREATE, "new")]


def test_one_shot_hears_one_read_only(watcher: Inotify, tmp_path: Path) -> None:
    """A one-shot watch is silent after its event, and can be set again."""
    (tmp_path / "file").write_text("x")
    watch = watcher.watch(str(tmp_path / "file"), ACCESS | ONESHOT)
    (tmp_path / "file").read_text()
    (tmp_path / "file").read_text()
    assert [event.mask for event in watcher.drain()] == [ACCESS, IGNORED]
    assert watcher.watch(str(tmp_path / "file"), ACCESS | ONESHOT) != watch


def test_nothing_waiting_is_an_empty_list(watcher: Inotify) -> None:
    """Draining never blocks."""
    assert watcher.drain() == []


def test_unwatching_what_is_gone_is_ignored(watcher: Inotify) -> None:
    """A watch that does not exist is no error."""
    watcher.unwatch(12345)


def test_a_missing_file_is_an_os_error(watcher: Inotify, tmp_path: Path) -> None:
    """The kernel's errno reaches the caller."""
    with pytest.raises(FileNotFoundError):
        watcher.watch(str(tmp_path / "none"), ACCESS)


def test_paths_are_below_the_machines_root(tmp_path: Path) -> None:
    """A tree below another root is watched there."""
    assert on_disk(TreeFiles(str(tmp_path)), "/dev/pts") == f"{tmp_path}/dev/pts"
    assert on_disk(TreeFiles("/"), "/dev/pts") == "/dev/pts"
