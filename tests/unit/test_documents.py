"""host/documents.py: a document is replaced whole, and nobody sees more of it than its mode allows, at no moment."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from powernap.host import documents


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Watching(dict[str, Any]):
    """A document that looks at the file which it is being written to."""

    def __init__(self, path: Path) -> None:
        super().__init__(secret=1)
        self.path, self.seen = path, -1

    def items(self) -> Any:
        """Asked for by the writer."""
        self.seen = mode_of(self.path)
        return super().items()


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o600), (0o022, 0o600), (0o077, 0o644)])
def test_a_mode_holds_from_before_the_first_byte(tmp_path: Path, umask: int, mode: int) -> None:
    """Whatever the umask is."""
    path = tmp_path / "a.json"
    document = Watching(tmp_path / "a.json.new")
    before = os.umask(umask)
    try:
        documents.replace(str(path), document, mode)
    finally:
        os.umask(before)
    assert (mode, mode) == (document.seen, mode_of(path))
    assert {"secret": 1} == json.loads(path.read_text())


@pytest.mark.parametrize("durable", [True, False])
def test_what_somebody_left_open_is_not_written_to(tmp_path: Path, durable: bool) -> None:
    """A half-written file of a killed process, which others may read, gets none of ours; nor what a link of that name points to."""
    path, left = tmp_path / "a.json", tmp_path / "a.json.new"
    left.write_text("half")
    with left.open() as others:
        documents.replace(str(path), {"secret": 1}, 0o600, durable=durable)
        assert "half" == others.read()
    target = tmp_path / "b"
    target.write_text("theirs")
    left.symlink_to(target)
    documents.replace(str(path), {"secret": 2}, 0o600, durable=durable)
    assert ("theirs", {"secret": 2}) == (target.read_text(), json.loads(path.read_text()))
    assert {"a.json", "b"} == {each.name for each in tmp_path.iterdir()}


def test_what_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """And nothing beside it."""
    path = tmp_path / "a.json"
    path.mkdir()
    with pytest.raises(OSError, match=r"a\.json"):
        documents.replace(str(path), {"a": 1})
    assert ["a.json"] == [each.name for each in tmp_path.iterdir()]
