"""powernapd as a whole: it naps by itself, comes back at once, and leaves the machine as it was."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from integration.daemon_process import Daemon, request
from powernap.cli import undo

KNOB = Path("/proc/sys/vm/stat_interval")

ACTING = """
mode = "act"
[[stage]]
name = "ease"
after = "500ms"
actions = ["kernel-quiet"]
[monitor.work]
type = "process"
program = "pn-work"
"""


@pytest.fixture
def work(tmp_path: Path) -> str:
    """A program under a name of its own."""
    path = tmp_path / "pn-work"
    shutil.copy("/bin/sleep", path)
    return str(path)


@pytest.mark.root
@pytest.mark.alone
def test_naps_and_comes_back(tmp_path: Path, work: str) -> None:
    """With nobody there the stage is applied; a program that lives 100 ms brings everything back."""
    before = KNOB.read_text()
    with Daemon(tmp_path, ACTING) as daemon:
        daemon.until_phase("napping")
        napping = KNOB.read_text()
        subprocess.run([work, "0.1"], check=True)
        daemon.until("left", stage="ease")

        assert before != napping
        assert before == KNOB.read_text()
        assert daemon.stop() == 0
    assert before == KNOB.read_text()


@pytest.mark.root
@pytest.mark.alone
def test_a_process_keeps_it_awake_and_why_names_it(tmp_path: Path, work: str) -> None:
    """`why` names program, pid and user of what keeps it awake, for as long as it runs."""
    with subprocess.Popen([work, "60"]) as running:
        with Daemon(tmp_path, ACTING) as daemon:
            time.sleep(1.2)
            answer = daemon.ask("why")

            assert ["work"] == [b["name"] for b in answer["blockers"]]
            assert f"pn-work[{running.pid}] root" in answer["blockers"][0]["reason"]
            assert answer["phase"] == "awake"
            running.kill()
            daemon.until_phase("napping")


@pytest.mark.root
@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ended_in_a_nap_it_leaves_nothing(tmp_path: Path, number: int) -> None:
    """Stopped in the middle of a nap it restores by itself; killed, the next start restores before it does anything else."""
    before = KNOB.read_text()
    with Daemon(tmp_path, ACTING) as daemon:
        daemon.until_phase("napping")
        daemon.stop(number)
        if number == signal.SIGKILL:
            assert before != KNOB.read_text()
            daemon.config.write_text(ACTING.replace("500ms", "1h"))
            daemon.process = daemon.start()
            daemon.ready()

        assert before == KNOB.read_text()


@pytest.mark.root
@pytest.mark.alone
def test_a_foreign_change_is_kept_and_reported(tmp_path: Path, work: str) -> None:
    """What somebody else set during a nap stays, and the history says so."""
    before = KNOB.read_text()
    try:
        with Daemon(tmp_path, ACTING) as daemon:
            daemon.until_phase("napping")
            KNOB.write_text("7\n")
            subprocess.run([work, "0"], check=True)

            assert "stat_interval" in daemon.until("kept-foreign")["detail"]
            assert KNOB.read_text() == "7\n"
    finally:
        KNOB.write_text(before)


@pytest.mark.root
@pytest.mark.alone
def test_watching_changes_nothing(tmp_path: Path) -> None:
    """In watch mode the ladder is climbed and reported, and no value is touched."""
    before = KNOB.read_text()
    with Daemon(tmp_path, ACTING.replace('"act"', '"watch"')) as daemon:
        entry = daemon.until("entered", stage="ease")

        assert entry["watching"]
        assert before == KNOB.read_text()
        assert daemon.ask("status")["changed"] == []


@pytest.mark.root
@pytest.mark.alone
def test_a_lease_lasts_as_long_as_its_connection(tmp_path: Path) -> None:
    """A lease keeps it awake until its descriptor is closed, however that comes about."""
    with Daemon(tmp_path, ACTING) as daemon:
        with daemon.connect() as sock:
            assert request(sock, "hold", why="a backup")["ok"]
            time.sleep(1.0)
            answer = daemon.ask("why")
            assert [("lease", "a backup")] == [(b["kind"], b["reason"]) for b in answer["blockers"]]
        daemon.until_phase("napping")


@pytest.mark.root
@pytest.mark.alone
def test_undo_beside_a_running_daemon_asks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the ledger; it puts everything back and says what it did. With nothing changed that is said too."""
    before = KNOB.read_text()
    with Daemon(tmp_path, ACTING.replace("500ms", "1h")) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", str(daemon.socket))
        assert undo.by_daemon() == 0
        assert "nothing is changed" in capsys.readouterr().out
        assert daemon.ask("nap")["ok"]
        daemon.until_phase("napping")
        assert KNOB.read_text() != before
        assert undo.by_daemon() == 0
        assert KNOB.read_text() == before
        assert "put everything back" in capsys.readouterr().out


@pytest.mark.root
@pytest.mark.alone
def test_nap_and_wake_on_request(tmp_path: Path, work: str) -> None:
    """`nap` goes down at once but not while in use, with the reason; `wake` comes back."""
    with Daemon(tmp_path, ACTING.replace("500ms", "1h")) as daemon:
        assert daemon.ask("nap")["ok"]
        daemon.until_phase("napping")
        assert daemon.ask("wake")["ok"]
        daemon.until_phase("awake")
        with subprocess.Popen([work, "60"]) as running:
            time.sleep(0.1)
            refused = daemon.ask("nap")
            running.kill()

        assert not refused["ok"]
        assert "pn-work" in refused["error"]


@pytest.mark.root
@pytest.mark.alone
def test_reload_keeps_the_old_configuration_when_the_new_one_is_bad(tmp_path: Path) -> None:
    """A faulty file is refused with file and line and changes nothing; a good one takes effect."""
    with Daemon(tmp_path, ACTING.replace("500ms", "1h")) as daemon:
        daemon.config.write_text(ACTING.replace("after", "aftr"))
        refused = daemon.ask("reload")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("reload-refused")

        assert "powernap.toml:5" in refused["error"]
        assert 3600.0 == daemon.ask("status")["stages"][0]["after_s"]

        daemon.config.write_text(ACTING)
        assert daemon.ask("reload")["ok"]
        daemon.until_phase("napping")


@pytest.mark.root
@pytest.mark.alone
def test_a_failing_monitor_keeps_it_awake(tmp_path: Path) -> None:
    """Missing, failing and hanging commands keep the machine awake, say why and what to do, and delay nobody else."""
    monitors = """
[monitor.missing]
type = "command"
command = ["/nonexistent/check"]
[monitor.hangs]
type = "command"
command = ["/bin/sleep", "1000"]
time_limit = "300ms"
[monitor.fails]
type = "command"
command = ["/bin/sh", "-c", "exit 42"]
"""
    with Daemon(tmp_path, ACTING + monitors) as daemon:
        time.sleep(1.5)
        answer = daemon.ask("why", refresh=False)

        found = {b["name"]: b for b in answer["blockers"]}
        assert {"missing", "hangs", "fails"} == set(found)
        assert all(b["failed"] for b in found.values())
        assert "0.3s" in found["hangs"]["reason"]
        assert "/nonexistent/check" in found["missing"]["reason"] + found["missing"]["remedy"]
        assert answer["phase"] == "awake"


@pytest.mark.root
@pytest.mark.alone
def test_a_storm_of_starts_is_heard_once_a_window(tmp_path: Path, work: str) -> None:
    """A watched program starts 200 times a second: the daemon wakes a few times a second and not for each, never naps meanwhile, and
    does when the storm is over.
    """
    with Daemon(tmp_path, ACTING.replace("500ms", "1s")) as daemon:
        storm = subprocess.Popen(["/bin/sh", "-c", f"while :; do {work} 0; sleep 0.002; done"])
        try:
            time.sleep(1.5)
            before, began = switches(daemon), time.clock_gettime(time.CLOCK_BOOTTIME)
            time.sleep(4)
            woken, length = switches(daemon) - before, time.clock_gettime(time.CLOCK_BOOTTIME) - began
        finally:
            storm.kill()
            storm.wait()
        entries = daemon.ask("history", count=1000)["entries"]
        daemon.until_phase("napping")

    assert [] == [e for e in entries if e["event"] == "entered" and e["at"] > began]
    assert woken / length < 6


def switches(daemon: Daemon) -> int:
    """How often the daemon went to sleep so far, and so was woken."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])


@pytest.mark.root
@pytest.mark.alone
def test_asked_to_stop_twice_it_stops_once_and_in_order(tmp_path: Path) -> None:
    """A second TERM, an INT and a HUP while it ends cut nothing short."""
    before = KNOB.read_text()
    with Daemon(tmp_path, ACTING) as daemon:
        daemon.until_phase("napping")
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            with contextlib.suppress(ProcessLookupError):
                daemon.process.send_signal(number)
        assert daemon.process.wait(20) == 0
    assert before == KNOB.read_text()
    assert "Traceback" not in daemon.log()
    assert daemon.ledger.read_text() == ""


@pytest.mark.root
@pytest.mark.alone
def test_told_to_reload_at_any_moment_it_goes_on(tmp_path: Path) -> None:
    """HUP in whichever phase, and in a row: at the end it naps, and what it changed is known and put back."""
    before = KNOB.read_text()
    with Daemon(tmp_path, ACTING) as daemon:
        for wait in (0.0, 0.1, 0.5, 0.502, 0.51, 0.6, 0.0, 0.0):
            time.sleep(wait)
            daemon.process.send_signal(signal.SIGHUP)
        daemon.config.write_text(ACTING.replace('"act"', '"watch"'))
        daemon.until_phase("napping")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("entered", watching=True)
        assert before == KNOB.read_text()
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


DEFECTIVE = """
import sys
from powernap.daemon import main as daemon

serve = daemon.serve
daemon.serve = lambda *given: serve(*given, began=lambda node: node.loop.call_later(1.5, node.feed, None))
from powernap.daemon.start import main
sys.exit(main())
"""


@pytest.mark.root
@pytest.mark.alone
def test_a_defect_puts_everything_back_and_ends_loudly(tmp_path: Path) -> None:
    """An exception where decisions are made, in the middle of a nap: the machine is as it was, the log says why, and the exit status
    makes the service manager start it anew.
    """
    before = KNOB.read_text()
    with Daemon(tmp_path, ACTING, command=[sys.executable, "-c", DEFECTIVE]) as daemon:
        daemon.until_phase("napping")

        assert daemon.process.wait(20) == 70
    assert before == KNOB.read_text()
    assert "defect of powernapd" in daemon.log()
    assert "Traceback" in daemon.log()


@pytest.mark.root
@pytest.mark.alone
def test_python_has_nothing_to_say_against_it(tmp_path: Path, work: str) -> None:
    """With every warning an error and asyncio in debug mode: a nap, a way back, a reload, and an end without one of them."""
    monitors = "".join(
        f"[monitor.{name}]\n"
        for name in (
            "sessions",
            "terminals",
            "input",
            "cpu",
            "load",
            "disk",
            "network",
            "pressure",
            "magic-packet",
        )
    )
    quiet = 'on_error = "ignore"\nabove = "99%"\n'
    config = ACTING.replace('"act"', '"watch"') + monitors.replace(
        "[monitor.cpu]\n", f"[monitor.cpu]\n{quiet}"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "powernap.daemon"]
    with Daemon(tmp_path, config, command=command) as daemon:
        subprocess.run([work, "0.1"], check=True)
        assert daemon.ask("status")["ok"]
        assert daemon.ask("reload")["ok"]
        time.sleep(1)
        assert daemon.stop() == 0

    said = [line for line in daemon.log().splitlines() if not line.startswith(("powernapd:", "Executing <"))]
    assert said == []


@pytest.mark.root
@pytest.mark.alone
def test_no_sleep_without_a_way_back(tmp_path: Path) -> None:
    """Where it cannot sleep, or no way to wake it has been proven, a sleep stage is refused with the reason, and the machine stays up."""
    ladder = ACTING.replace('actions = ["kernel-quiet"]', 'sleep = "suspend"')
    with Daemon(tmp_path, ladder) as daemon:
        entry = daemon.until("sleep-refused", stage="ease")

        assert any(
            why in entry["detail"] for why in ("suspend is not possible", "no way to wake this machine")
        )
        assert daemon.ask("why")["next"]["refused"] == entry["detail"]


@pytest.mark.root
@pytest.mark.alone
def test_a_damaged_ledger_is_kept_and_told_at_the_start(tmp_path: Path) -> None:
    """What an earlier life left and nobody can put back: in the history, with the name of the copy."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ledger.jsonl").write_bytes(b"no record of ours\n")
    with Daemon(tmp_path, ACTING) as daemon:
        told = [e["detail"] for e in daemon.ask("history", count=99)["entries"] if e["event"] == "damaged"]
        log = daemon.log()
    copy = tmp_path / "run" / "ledger.jsonl.damaged"
    assert told[0].startswith("line 1 is damaged")
    assert f"the damaged ledger is kept as {copy}" == told[1]
    assert str(copy) in log
    assert copy.read_bytes() == b"no record of ours\n"
