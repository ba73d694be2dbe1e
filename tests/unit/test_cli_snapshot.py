"""cli/snapshot.py: each way in which it cannot be written has its remedy and exit status."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from powernap.cli import main, snapshot
from powernap.host import snapshot as recording
from powernap.host.snapshot import Snapshot

TAKEN = Snapshot(
    files={"/proc/stat": b"cpu 1\n"}, modes={"/proc/stat": 0o444}, pseudonyms={"mac": 2, "host": 1}
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording itself is tested elsewhere."""
    monkeypatch.setattr(recording, "take", lambda **_: TAKEN)


@pytest.mark.parametrize(
    ("number", "remedy", "status"),
    [
        (errno.EACCES, "a directory of your own", 3),
        (errno.EROFS, "a directory of your own", 3),
        (errno.ENOSPC, "make room", 3),
        (errno.ENOENT, "make its directory first", 2),
        (errno.EEXIST, "choose another name", 2),
    ],
)
def test_what_to_do(
    number: int, remedy: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, and as a document."""

    def refuse(_taken: Snapshot, target: str) -> None:
        raise OSError(number, os.strerror(number), target)

    monkeypatch.setattr(recording, "save", refuse)
    assert status == main.main(["snapshot", "x.tar.gz"])
    assert remedy in capsys.readouterr().err
    assert status == main.main(["snapshot", "x.tar.gz", "--json"])
    assert remedy in json.loads(capsys.readouterr().out)["remedy"]


def test_what_was_hidden_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the admin sends it."""
    target = str(tmp_path / "s.tar.gz")
    assert 0 == main.main(["snapshot", target])
    out = capsys.readouterr().out
    assert f"{target}: 1 file, 6B" in out
    assert "hidden: 1 host, 2 mac" in out
    assert ("as root more" in out) is (os.geteuid() != 0)


def test_progress_is_taken_away_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, on standard error."""
    snapshot.progress(1, 2)
    snapshot.progress(2, 2)
    assert "\rrecording: 50%\r\033[K" == capsys.readouterr().err
