"""cli/prove_wake.py: what an admin is asked and told, and what is recorded."""

from __future__ import annotations

import argparse
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

import fakesleep
from fakedaemon import FakeDaemon, free_path
from fakekernel import FakeKernel
from powernap.cli import client, main, proofs, prove_wake
from powernap.sleep import kernel as door
from powernap.sleep import proof
from powernap.sleep.options import SleepOptions


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """A fake machine without a daemon, on which nobody works."""
    monkeypatch.setenv("POWERNAP_SOCKET", free_path())
    monkeypatch.setattr(prove_wake, "users_here", list)
    return fakesleep.sleeper(tmp_path / "machine")


def asked(kernel: FakeKernel, *words: str) -> argparse.Namespace:
    """The command line; the record is in the test's own directory."""
    return main.parser(["prove-wake"]).parse_args(
        ["prove-wake", "--record", f"{kernel.root}/proof.json", *words]
    )


def prove(kernel: FakeKernel, *words: str) -> int:
    """A trial on the fake machine."""
    clock = fakesleep.SleepClock(kernel)
    return prove_wake.prove(
        kernel,
        asked(kernel, *words),
        lambda state: door.enter(kernel, state, lambda: ""),
        clock,
        clock.asleep,
    )


def test_proven(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """Said, recorded, and from then on suspend is not refused."""
    assert 0 == prove(kernel, "--yes")
    assert "proven: its alarm woke it after 1min\n" == capsys.readouterr().out
    record = proof.load(f"{kernel.root}/proof.json")
    assert "" == proof.refusal(kernel, record, "suspend", SleepOptions(), alarm=True)


def test_not_proven(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1, and nothing is recorded."""
    assert 1 == prove(kernel, "--yes", "--method", "magic-packet")
    assert "NOT proven: the safety alarm woke it after 5min: no magic packet did\n" == capsys.readouterr().out
    assert () == proof.load(f"{kernel.root}/proof.json").proofs


def test_json(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs."""
    assert 0 == prove(kernel, "--yes", "--json", "--alarm", "90s")
    document = json.loads(capsys.readouterr().out)
    assert (1, True, 90.0, "rtc") == (
        document["version"],
        document["proven"],
        document["slept_s"],
        document["woken_by"]["kind"],
    )
    assert "suspend" == document["proof"]["state"]


def test_the_peer_is_told_what_to_send(
    kernel: FakeKernel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three commands with the address; then it asks, and a no sleeps not."""
    answer(monkeypatch, "n\n")
    assert 1 == prove(kernel, "--method", "magic-packet", "--peer", "web1")
    said = capsys.readouterr().err
    assert "On web1" in said
    for command in ("powernap prove-wake --send", "wakeonlan", "etherwake"):
        assert f"{command} {fakesleep.MAC}" in said
    assert "it stays awake" in said
    assert [] == kernel.writes


def answer(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Somebody at a terminal."""

    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return line

    monkeypatch.setattr("sys.stdin", Terminal())


@pytest.mark.parametrize(("line", "status"), [("y\n", 0), ("YES\n", 0), ("\n", 1), ("", 1), ("nope\n", 1)])
def test_only_a_yes_is_a_yes(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, line: str, status: int
) -> None:
    """The end of the input is none."""
    answer(monkeypatch, line)
    assert status == prove(kernel)


def test_who_uses_the_machine_is_named(
    kernel: FakeKernel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the question."""
    monkeypatch.setattr(prove_wake, "users_here", lambda: ["ssh: 1 connection from 10.0.0.7"])
    answer(monkeypatch, "n\n")
    assert 1 == prove(kernel)
    assert "It is in use: ssh: 1 connection from 10.0.0.7" in capsys.readouterr().err


def test_nobody_to_ask(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script must say --yes."""
    with open("/dev/null", encoding="utf-8") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        assert 2 == prove(kernel)
    assert [] == kernel.writes


@pytest.mark.parametrize(
    ("words", "status"),
    [(["--method", "magic-packet", "--interface", "enp9s0"], 2), (["--state", "hibernate"], 1)],
)
def test_what_cannot_be_tried(kernel: FakeKernel, words: list[str], status: int) -> None:
    """No such card; no such sleep."""
    kernel.put("/sys/power/resume", "0:0")
    assert status == prove(kernel, "--yes", *words)
    assert [] == kernel.writes


def test_a_machine_that_does_not_sleep(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """With the culprit."""
    fakesleep.refuse_sleep(kernel, "0000:00:14.0")
    assert 1 == prove(kernel, "--yes")
    assert "0000:00:14.0" in capsys.readouterr().err


def test_from_off_and_back(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """Two commands with a boot between them."""
    kernel.add("/proc/sys/kernel/random/boot_id", "boot-1")
    clock, args = fakesleep.SleepClock(kernel), asked(kernel, "--yes", "--state", "power-off")
    assert 0 == prove_wake.prove(kernel, args, lambda _state: None, clock, clock.asleep)
    finishing = asked(kernel, "--finish")
    assert 1 == prove_wake.finish(kernel, finishing)
    kernel.put("/proc/sys/kernel/random/boot_id", "boot-2")
    kernel.add("/proc/stat", f"btime {fakesleep.NOW + 70}\n")
    assert 0 == prove_wake.finish(kernel, finishing)
    assert 1 == prove_wake.finish(kernel, finishing)
    assert ["not over", "not over", "proven", "NOT proven"] == [
        line.split(":")[0] for line in capsys.readouterr().out.splitlines()
    ]


@pytest.mark.parametrize("state", ["suspend-then-hibernate", "hybrid-sleep"])
def test_states_that_share_a_proof(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """It is said which."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert 2 == main.main(["prove-wake", "--state", state])
    assert "`powernap prove-wake --state suspend`" in capsys.readouterr().err


def test_not_root(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 3, before anything else."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert 3 == main.main(["prove-wake", "--yes"])
    assert "use sudo" in capsys.readouterr().err


# --- beside a daemon


def test_what_the_daemon_says_of_use() -> None:
    """Our own lease is none."""
    blockers = [
        {"kind": "lease", "name": "lease-1", "reason": "ours"},
        {"kind": "resume", "name": "resume", "reason": "just resumed"},
        {"kind": "monitor", "name": "ssh", "reason": "1 connection"},
    ]
    assert ["ssh: 1 connection"] == prove_wake.users_known({"blockers": blockers})


def test_a_napping_daemon_is_brought_up_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked until everything is put back: the machine sleeps with its own values."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    answers = iter([{"phase": "napping"}, {"phase": "leaving"}, {"phase": "awake", "blockers": []}])
    monkeypatch.setattr(client, "ask", lambda _op: next(answers))
    assert "awake" == prove_wake.up(60)["phase"]


def test_a_daemon_that_refuses_the_lease_is_not_passed_by(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It might put the machine to sleep in the middle of the trial."""

    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b'{"ok": false, "error": "user x may not hold", "code": 3}\n')

    with FakeDaemon(script) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        with pytest.raises(client.DaemonError, match="may not hold"):
            prove(kernel, "--yes")
    assert [] == kernel.writes


# --- what is proven


def test_the_list(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """Each proof with what no longer holds; exit status by whether any does."""
    args = asked(kernel, "--list")
    assert 1 == proofs.listed(kernel, args)
    prove(kernel, "--yes")
    capsys.readouterr()
    assert 0 == proofs.listed(kernel, args)
    assert "suspend: the hardware clock's alarm, 2027-01-15" in capsys.readouterr().out
    kernel.put("/sys/class/dmi/id/bios_version", "9")
    assert 1 == proofs.listed(kernel, args)
    assert "NO LONGER: the firmware has changed" in capsys.readouterr().out
    assert 1 == proofs.listed(kernel, asked(kernel, "--list", "--json"))
    assert "the firmware" in json.loads(capsys.readouterr().out)["proofs"][0]["doubt"]


def test_a_damaged_record_is_listed_as_such(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    """With its damage."""
    Path(f"{kernel.root}/proof.json").write_text("{", encoding="utf-8")
    assert 1 == proofs.listed(kernel, asked(kernel, "--list"))
    assert "the record cannot be read" in capsys.readouterr().out


def test_a_note_is_kept_beside_the_proofs(kernel: FakeKernel) -> None:
    """And forgotten without touching them."""
    path = f"{kernel.root}/proof.json"
    prove(kernel, "--yes")
    before = proof.load(path)
    prove_wake.keep(path, {"state": "power-off"})
    assert replace(before, pending={"state": "power-off"}) == proof.load(path)
    prove_wake.keep(path, None)
    assert before == proof.load(path)
