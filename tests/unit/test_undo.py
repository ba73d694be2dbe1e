"""``powernap undo``: from the file alone, without the daemon."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from powernap.cli import undo as command
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import Ledger
from powernap.host.ledger_file import Disk, LedgerFile
from powernap.host.undo import undo


@pytest.fixture
def root(tmp_path):
    """A machine with two changed values and their ledger."""
    for name, value in {"a": "1", "b": "old"}.items():
        (tmp_path / name).write_text(value + "\n")
    file = LedgerFile(f"{tmp_path}/run/powernap/ledger.jsonl")
    ledger = Ledger(file, MachineKnobs(TreeFiles(str(tmp_path))), SystemClock(), "")
    ledger.perform("one", "ease", [Change("/a", "2", form="number")])
    ledger.perform("two", "ease", [Change("/b", "new")])
    file.close()
    return tmp_path


def call(*words):
    """The command with these arguments."""
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    args = parser.parse_args(["undo", *map(str, words)])
    return command.run(args)


def values(root):
    """What is there."""
    return [(root / name).read_text().strip() for name in ("a", "b")]


def test_everything_is_put_back(root, capsys):
    """Newest first, one line each, status 0."""
    assert call("--root", root) == 0
    assert values(root) == ["1", "old"]
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["put", "back", "two", "/b", "put", "back", "to", '"old"'],
        ["put", "back", "one", "/a", "put", "back", "to", '"1"'],
    ]
    assert call("--root", root) == 0
    assert capsys.readouterr().out == "nothing to undo\n"


def test_dry_run_changes_nothing(root, capsys):
    """It says what it would do; ledger and values stay, and no lock is needed."""
    before = (root / "run/powernap/ledger.jsonl").read_bytes()
    holder = LedgerFile(f"{root}/run/powernap/ledger.jsonl")
    assert call("--root", root, "--dry-run") == 0
    holder.close()
    assert values(root) == ["2", "new"]
    assert (root / "run/powernap/ledger.jsonl").read_bytes() == before
    assert "would put back" in capsys.readouterr().out


def test_a_foreign_value_is_reported_and_no_failure(root, capsys):
    """Somebody else's value is theirs: status 0."""
    (root / "a").write_text("7\n")
    assert call("--root", root) == 0
    assert values(root) == ["7", "old"]
    assert 'somebody set it to "7" (we had "2", before it was "1"): left as it is' in capsys.readouterr().out


def test_a_target_that_is_gone_and_forgotten(root, capsys):
    """Gone is status 1 with the remedy; forgotten is 0; forgetting what is not there is 1."""
    (root / "a").unlink()
    assert call("--root", root) == 1
    assert "`powernap undo --forget /a`" in capsys.readouterr().out
    assert call("--root", root, "--forget", "/a") == 0
    assert call("--root", root) == 0
    assert call("--root", root, "--forget", "/a") == 1


def test_json(root, capsys):
    """One versioned object."""
    (root / "a").write_text("7\n")
    assert call("--root", root, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["version"], answer["clean"], answer["damage"]) == (1, True, [])
    assert [(each["target"], each["outcome"], each["theirs"]) for each in answer["results"]] == [
        ("/b", "restored", None),
        ("/a", "foreign", "7"),
    ]


def test_damage_is_said_and_a_failure(root, capsys):
    """A damaged line cannot be undone, and nobody is told that all is well."""
    path = root / "run/powernap/ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"old":"1"', b'"old":"3"'))
    assert call("--root", root) == 1
    assert "line 1 is damaged" in capsys.readouterr().out
    assert values(root) == ["2", "old"]


def test_a_running_daemon_is_named(root, capsys):
    """Whoever holds the ledger is asked instead: status 3."""
    holder = LedgerFile(f"{root}/run/powernap/ledger.jsonl")
    assert call("--root", root) == 3
    holder.close()
    assert f"(pid {os.getpid()}) is running: use `powernap wake`, or stop it" in capsys.readouterr().err
    assert values(root) == ["2", "new"]


def test_what_cannot_be_opened(tmp_path, capsys):
    """Status 3, with the reason."""
    (tmp_path / "ledger").mkdir()
    assert call("--ledger", tmp_path / "ledger") == 3
    assert "cannot be opened (Is a directory): nothing was put back" in capsys.readouterr().err


def test_a_ledger_that_is_named_and_not_there_is_wrong_usage(root, capsys):
    """A wrong name must not read as "nothing to undo"; the usual one that is not there does."""
    missing = root / "no-such-ledger"
    assert call("--root", root, "--ledger", missing) == 2
    said = capsys.readouterr().err
    assert f"{missing} is not there: nothing was put back" in said
    assert not missing.exists()


def test_no_ledger_is_not_made(tmp_path):
    """Looking leaves no trace."""
    assert undo(f"{tmp_path}/none/ledger", TreeFiles(str(tmp_path))).clean
    assert not (tmp_path / "none").exists()


def test_it_loads_little():
    """Standard library only, neither asyncio nor actions, and little of it: works when the daemon is what broke."""
    code = "import sys, powernap.cli.undo as u; u; print(*sys.modules)"
    command = [sys.executable, "-I", "-c", code]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert not {
        name
        for name in loaded
        if name == "asyncio" or name.startswith(("powernap.actions", "powernap.daemon", "powernap.monitors"))
    }
    assert len(loaded) < 130  # 104 with Python 3.11


@pytest.fixture
def open_directory():
    """One that anybody may enter; pytest's own are for its user alone."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def damage(root):
    """The first line of its ledger says what no checksum says; the bytes."""
    path = root / "run/powernap/ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"old":"1"', b'"old":"3"'))
    return path, path.read_bytes()


def test_a_damaged_ledger_is_kept_beside_it_and_named(root, capsys):
    """What was changed and cannot be undone can still be read by a person: all bytes, the ledger's mode; said in words and in JSON."""
    path, held = damage(root)
    path.chmod(0o640)
    assert call("--root", root, "--json") == 1
    copy = path.with_name("ledger.jsonl.damaged")
    assert f"the damaged ledger is kept as {copy}" == json.loads(capsys.readouterr().out)["damage"][-1]
    assert copy.read_bytes().startswith(held)
    assert copy.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes() == b""
    assert call("--root", root) == 0
    assert f"nothing to undo\na damaged ledger of before is kept as {copy}" in capsys.readouterr().out
    assert sorted(os.listdir(path.parent)) == [path.name, copy.name]


def test_only_the_latest_damaged_ledgers_are_kept(root):
    """Whoever damages it again and again fills no tmpfs; the latest is the one without a number."""
    path, _ = damage(root)
    for number in range(5):
        path.write_bytes(b"damage %d\n" % number)
        assert call("--root", root) == 1
    kept = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    assert kept == {
        "ledger.jsonl": b"",
        "ledger.jsonl.damaged": b"damage 4\n",
        "ledger.jsonl.damaged.1": b"damage 3\n",
        "ledger.jsonl.damaged.2": b"damage 2\n",
    }


def test_a_copy_is_written_through_no_link(root):
    """Where one stands in its place it is moved away or taken away, and what it leads to stays as it is."""
    path, held = damage(root)
    victim = root / "victim"
    victim.write_text("mine")
    for name in ("ledger.jsonl.damaged", "ledger.jsonl.damaged.new"):
        path.with_name(name).symlink_to(victim)
    assert call("--root", root) == 1
    assert victim.read_text() == "mine"
    copy = path.with_name("ledger.jsonl.damaged")
    assert not copy.is_symlink()
    assert copy.read_bytes().startswith(held)


def test_where_no_copy_can_be_made_the_damaged_ledger_stays(root):
    """A full disk: nothing is given up, no half copy pushes out a whole one, and the next undo says it all again."""
    path, held = damage(root)
    whole = path.with_name("ledger.jsonl.damaged")
    whole.write_text("an older one")

    def write(fd, data):
        if os.readlink(f"/proc/self/fd/{fd}") != str(path):
            raise OSError(28, "No space left on device")
        return os.write(fd, data)

    report = undo(str(path), TreeFiles(str(root)), disk=Disk(write=write))
    assert ["line 1 is damaged"] == [each[:17] for each in report.damage]
    assert path.read_bytes().startswith(held)
    assert whole.read_text() == "an older one"
    assert sorted(os.listdir(path.parent)) == [path.name, whole.name]


@pytest.mark.parametrize("last", range(12))
def test_killed_while_it_keeps_a_damaged_ledger_it_is_in_one_of_the_two(root, last):
    """At each call that changes a file: the bytes are in the ledger or in a copy."""
    path, held = damage(root)
    calls = iter(range(100))

    def mortal(do):
        def called(*args):
            if next(calls) == last:
                raise KeyboardInterrupt
            return do(*args)

        return called

    disk = Disk(*map(mortal, (os.write, os.fsync, os.ftruncate, os.replace)))
    with contextlib.suppress(KeyboardInterrupt):
        undo(str(path), TreeFiles(str(root)), disk=disk)
    assert any(each.read_bytes().startswith(held) for each in path.parent.iterdir())


def test_a_ledger_that_is_rewritten_keeps_its_damage_too(tmp_path):
    """Live entries are kept, the rest is given up: not without a copy."""
    file = LedgerFile(f"{tmp_path}/ledger")
    (tmp_path / "ledger").write_bytes(b"damaged\n")
    file.load()
    file.rewrite([{"rec": "x"}])
    file.clear()
    file.close()
    assert (tmp_path / "ledger.damaged").read_bytes() == b"damaged\n"
    assert not (tmp_path / "ledger.damaged.1").exists()


@pytest.mark.root
@pytest.mark.parametrize(("content", "status"), [("", 0), ("x\n", 3)])
def test_nobody_hears_the_same_of_undo_and_of_its_dry_run(open_directory, content, status, capsys):
    """An empty ledger need not be opened; one that may not be is said by both, and a dry run speaks of no putting back."""
    path = open_directory / "ledger"
    path.write_text(content)
    path.chmod(0o600)
    with nobody():
        assert call("--ledger", path) == status
        done = capsys.readouterr()
        assert call("--ledger", path, "--dry-run") == status
        dry = capsys.readouterr()
    assert done.out == dry.out
    assert ("nothing was put back" in done.err, "put back" in dry.err) == (status == 3, False)


@contextlib.contextmanager
def nobody():
    """An ordinary user, who may not read what is root's (credentials(7))."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
