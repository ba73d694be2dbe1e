"""What the mode of a file says before a write is tried."""

from __future__ import annotations

import os
import stat

from powernap.host.files import TreeFiles
from powernap.host.modes import status, writable


class Rootless:
    """A tree that has no modes: a recorded machine in memory."""

    def read(self, path):
        return ""

    def write(self, path, text):
        raise NotImplementedError

    def names(self, path):
        return []

    def exists(self, path):
        return path == "/there"

    def real(self, path):
        return path

    def make_directory(self, path):
        raise NotImplementedError

    def remove_directory(self, path):
        raise NotImplementedError


def test_mode_decides(tmp_path):
    """A cleared write bit is a no, also for root, whom access(2) would let pass."""
    for name, mode in (("open", 0o644), ("closed", 0o444)):
        (tmp_path / name).write_text("1")
        os.chmod(tmp_path / name, mode)
    files = TreeFiles(str(tmp_path))
    assert (writable(files, "/open"), writable(files, "/closed"), writable(files, "/missing")) == (
        True,
        False,
        False,
    )


def test_links_are_followed(tmp_path):
    """Devices are linked in sysfs; the attribute behind counts."""
    (tmp_path / "closed").write_text("1")
    os.chmod(tmp_path / "closed", 0o444)
    (tmp_path / "link").symlink_to("closed")
    assert not writable(TreeFiles(str(tmp_path)), "/link")


def test_status_is_of_the_link_itself(tmp_path):
    """A script that is a link is seen as one."""
    (tmp_path / "link").symlink_to("nowhere")
    found = status(TreeFiles(str(tmp_path)), "/link")
    assert found is not None
    assert stat.S_ISLNK(found.st_mode)
    assert status(TreeFiles(str(tmp_path)), "/missing") is None


def test_tree_without_modes():
    """Where nothing is known of modes, what exists may be tried."""
    assert status(Rootless(), "/there") is None
    assert (writable(Rootless(), "/there"), writable(Rootless(), "/gone")) == (True, False)
