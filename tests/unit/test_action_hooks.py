"""hooks calls only scripts that nobody but root could have written."""

from __future__ import annotations

import os
import stat

import pytest

from powernap.actions import hooks
from powernap.host.files import TreeFiles
from powernap.host.host import Host

FILE = stat.S_IFREG
HOOKS = "/etc/powernap/hooks.d"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    directory = tmp_path / "etc/powernap/hooks.d"
    directory.mkdir(parents=True, mode=0o755)
    return TreeFiles(str(tmp_path))


def add(machine, name, mode=0o755):
    """A script with this mode."""
    path = f"{machine.root}/etc/powernap/hooks.d/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    os.chmod(path, mode)


def answer(machine, directory=HOOKS):
    """What the probe says, when the files of whoever runs the test count as root's."""
    return hooks.answer(machine, directory, owner=os.getuid())


@pytest.mark.parametrize(
    ("name", "mode", "uid", "why"),
    [
        ("10fan", FILE | 0o755, 0, ""),
        ("10fan", FILE | 0o700, 0, ""),
        ("10fan", FILE | 0o644, 0, "it is not executable"),
        ("10fan", FILE | 0o755, 1000, "it belongs to user 1000, not to root"),
        ("10fan", FILE | 0o775, 0, "others than root can write it"),
        ("10fan", FILE | 0o757, 0, "others than root can write it"),
        ("10fan", stat.S_IFLNK | 0o777, 0, "it is a link; put the script itself here"),
        ("10fan", stat.S_IFDIR | 0o755, 0, "it is not a file"),
        ("10fan~", FILE | 0o755, 0, "it is the leftover of an editor or a package"),
        ("10fan.dpkg-old", FILE | 0o755, 0, "it is the leftover of an editor or a package"),
    ],
)
def test_who_is_called(name, mode, uid, why):
    """Each refusal has its reason; a script of root's is called."""
    assert hooks.reason(name, mode, uid) == why


def test_scripts_in_the_order_of_their_names(machine):
    """By name; hidden files are passed over without a word; the others are named."""
    for name in ("20late", "10early", ".hidden"):
        add(machine, name)
    add(machine, "README", 0o644)
    scripts, refused = hooks.judge(machine, HOOKS, owner=os.getuid())
    assert [path.rpartition("/")[2] for path in scripts] == ["10early", "20late"]
    assert refused == {"README": "it is not executable"}


def test_no_directory(tmp_path):
    """The remedy says where scripts go and what they get."""
    found = answer(TreeFiles(str(tmp_path)))
    assert found.detail == "/etc/powernap/hooks.d does not exist"
    assert "true or false" in found.remedy
    assert list(hooks.plan(Host(files=TreeFiles(str(tmp_path))), hooks.Options())) == []


def test_directory_that_others_can_write(machine):
    """Who can write the directory can put a script into it: nothing is called."""
    add(machine, "10fan")
    os.chmod(machine.root + HOOKS, 0o777)
    found = answer(machine)
    assert not found
    assert "is not used" in found.detail
    assert list(hooks.plan(Host(files=machine), hooks.Options())) == []


def test_what_is_no_directory(machine):
    """A file in its place is said."""
    assert answer(machine, f"{HOOKS}/x").detail.endswith("does not exist")
    add(machine, "x")
    assert answer(machine, f"{HOOKS}/x").detail.endswith("is not a directory")


def test_directory_above_that_others_can_write(machine):
    """Who can rename a directory above can put another in its place; a sticky one, as /tmp, is safe."""
    add(machine, "10fan")
    above = f"{machine.root}/etc/powernap"
    os.chmod(above, 0o777)
    assert answer(machine).detail == f"{HOOKS} is not used: /etc/powernap: others than root can write it"
    os.chmod(above, 0o1777)
    assert answer(machine).detail == "10fan"


def test_what_is_called_and_what_is_not(machine):
    """The probe lists both; without any script it says where to put one."""
    assert answer(machine).detail == f"{HOOKS} is empty"
    add(machine, "20bad", 0o777)
    assert answer(machine).detail == "20bad is not called: others than root can write it"
    add(machine, "10fan")
    assert answer(machine).detail == "10fan; 20bad is not called: others than root can write it"
