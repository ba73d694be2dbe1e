"""The history: nothing that the disk does costs more than lines of a file."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.daemon.history import History


def entry(n: int, **more: Any) -> dict[str, Any]:
    return {"event": "entered", "at": n, **more}


def on_disk(path: Path) -> list[int]:
    return [json.loads(line)["at"] for line in path.read_bytes().splitlines() if line]


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    """Entries survive the daemon, in order, and nothing is written before the flush."""
    path = tmp_path / "history.jsonl"
    first = History(str(path))
    first.add(entry(1))
    assert not path.exists()
    first.flush()
    first.add(entry(2))
    first.flush()
    first.flush()

    assert [entry(1), entry(2)] == list(History(str(path)).entries)


def test_without_a_path_it_is_kept_in_memory() -> None:
    """Nothing is written, nothing gathers."""
    history = History()
    history.add(entry(1))
    history.flush()

    assert [entry(1)] == list(history.entries)
    assert not history.unwritten


def test_a_note_is_for_the_file_only(tmp_path: Path) -> None:
    """What the machine used: `powernap report` reads it there, and it takes no decision's place in memory, also after a restart."""
    path = tmp_path / "history.jsonl"
    first = History(str(path), keep=1)
    first.add(entry(1))
    first.note({"event": "energy", "at": 2})
    assert [entry(1)] == list(first.entries)
    first = History(str(path), keep=10)
    first.add(entry(1))
    first.note({"event": "energy", "at": 2})
    first.flush()

    assert [1, 2] == on_disk(path)
    assert [entry(1)] == list(History(str(path)).entries)
    History().note(entry(1))


def test_a_torn_line_costs_itself_only(tmp_path: Path) -> None:
    """The machine lost power while a line was written: the lines before it and after it are read."""
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(entry(1)) + '\n{"event":"ente')
    history = History(str(path))
    history.add(entry(2))
    history.flush()

    assert [1, 2] == [e["at"] for e in History(str(path)).entries]


@given(st.binary(max_size=200) | st.just(b"[" * 100_000) | st.just(b'{"event":["x"]}\n7\nnull\n'))
def test_any_file_is_read(data: bytes) -> None:
    """Garbage is passed over."""
    path = f"/dev/shm/powernap-history-{os.getpid()}"
    try:
        Path(path).write_bytes(data)
        assert list(History(path).entries) == []
    finally:
        os.unlink(path)


@pytest.mark.parametrize("path", ["/nonexistent/history.jsonl", "/proc/history.jsonl", "/", "/dev/full"])
def test_a_disk_that_does_not_take_it_is_named_and_nothing_raised(path: str) -> None:
    """Full, read-only or gone: the trouble is told, the entries stay in memory, and what waits is bounded."""
    history = History(path, keep=10)
    for n in range(100):
        history.add(entry(n))
        history.flush()

    assert path in history.trouble
    assert 10 == len(history.unwritten)
    assert 99 == history.entries[-1]["at"]


def test_a_disk_that_comes_back_gets_what_waited(tmp_path: Path) -> None:
    """The trouble is over, and nothing that was kept is lost."""
    path = tmp_path / "later" / "history.jsonl"
    history = History(str(path))
    history.add(entry(1))
    history.flush()
    path.parent.mkdir()
    history.add(entry(2))
    history.flush()

    assert [1, 2] == on_disk(path)
    assert not history.trouble


def test_half_a_write_does_not_spoil_the_next_line(tmp_path: Path) -> None:
    """A disk that takes only a part of it (here by a limit on the file's size): nothing is lost but what does not fit any more."""
    path = tmp_path / "history.jsonl"
    history = History(str(path))
    history.add(entry(1))
    history.flush()
    history.add(entry(2))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        history.flush()
        history.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
    assert history.trouble
    history.flush()

    assert not history.trouble
    assert [1, 2] == [e["at"] for e in History(str(path)).entries]


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """However long it runs, the file stays within a few times what is kept, and the newest are in it."""
    path = tmp_path / "history.jsonl"
    history = History(str(path), keep=20)
    for n in range(2000):
        history.add(entry(n, detail="x" * 200))
        history.flush()

    assert path.stat().st_size <= 4 * history.room + 300
    assert [*range(1980, 2000)] == [e["at"] for e in History(str(path), keep=20).entries]
    assert ["history.jsonl"] == os.listdir(tmp_path)


def test_a_big_old_file_is_not_read_whole(tmp_path: Path) -> None:
    """Only its end is."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(json.dumps(entry(n)).encode() + b"\n" for n in range(50_000)))
    history = History(str(path), keep=10)

    assert len(history._tail()) <= 2 * history.room
    assert 49_999 == history.entries[-1]["at"]


def test_what_json_lacks_is_written_as_text(tmp_path: Path) -> None:
    """Lone surrogates of a program's name, and objects that JSON does not know."""
    path = tmp_path / "history.jsonl"
    history = History(str(path))
    history.add({"event": "x", "detail": "\udc80", "thing": {1, 2}})
    history.flush()

    assert "\udc80" == History(str(path)).entries[0]["detail"]
