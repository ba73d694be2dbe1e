"""``powernap undo``: from the file alone, without the daemon."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import pytest

from powernap.cli import undo as command
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import Ledger
from powernap.host.ledger_file import LedgerFile
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
