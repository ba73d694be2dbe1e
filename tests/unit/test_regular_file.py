"""Only regular files are opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from powernap.host import regular_file, secret_file


def test_a_file_is_read_also_by_a_link(tmp_path: Path) -> None:
    """As any other."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    with regular_file.opened(str(tmp_path / "link")) as file:
        assert file.read() == b"x"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, make: object) -> None:
    """A FIFO without a writer, a directory."""
    make(tmp_path / "it")  # type: ignore[operator]
    with pytest.raises(OSError, match="it is no file"):
        regular_file.opened(str(tmp_path / "it"))
    with pytest.raises(secret_file.SecretError, match="is no file; correct its name"):
        secret_file.read(str(tmp_path / "it"), ("password",))


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open one may set something off: a watchdog, a tape."""

    def opened(*_: object) -> int:
        raise AssertionError

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(OSError, match="it is no file"):
        regular_file.opened("/dev/zero")


def test_what_took_its_place_meanwhile_is_refused_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was a file when it was looked at."""
    os.mkfifo(tmp_path / "it")
    found = os.stat(__file__)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda _path: found)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError, match="it is no file"):
            regular_file.opened(str(tmp_path / "it"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """With the kernel's word for it."""
    with pytest.raises(FileNotFoundError):
        regular_file.opened(str(tmp_path / "none"))


def test_its_text_has_an_end(tmp_path: Path) -> None:
    """A file of a terabyte is not read."""
    path = tmp_path / "file"
    path.write_bytes(b"a\xff" * 512)
    assert regular_file.text(str(path), 1024) == "a\udcff" * 512
    path.write_bytes(b"x" * 1025)
    with pytest.raises(OSError, match="it is larger than 1 KiB"):
        regular_file.text(str(path), 1024)
