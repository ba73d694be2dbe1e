"""powernapd and its schedules: what they allow happens, exceptions hold, also for the next daemon. None of these wakes a machine or sends one to sleep."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from integration.daemon_process import Daemon

LADDER = """
mode = "act"
[[stage]]
name = "ease"
after = "300ms"
actions = ["kernel-quiet"]
[monitor.work]
type = "process"
program = "pn-nobody-runs-this"
"""
ALWAYS = """
[schedule.always]
type = "windows"
up = "daily 00:00-24:00 UTC"
wake = false
"""
BEYOND = 3600.0
KNOB = Path("/proc/sys/vm/stat_interval")


def windows(daemon: Daemon) -> list[str]:
    """Which schedules keep it up, by the name that `powernap why` shows; but for the moment in which they are asked."""
    blockers = daemon.ask("why", refresh=False)["blockers"]
    asked = "the schedule is being asked"
    return [each["name"] for each in blockers if each["kind"] == "window" and each["reason"] != asked]


def until_up_for(daemon: Daemon, *names: str) -> None:
    """Wait for exactly these."""
    end = time.monotonic() + 15
    while windows(daemon) != list(names):
        assert time.monotonic() < end, daemon.ask("status", refresh=False)
        time.sleep(0.02)


def entered(daemon: Daemon) -> list[float]:
    """When the stage was entered, on the wall clock."""
    entries = daemon.ask("history", count=1000)["entries"]
    return [entry["time"] for entry in entries if entry["event"] == "entered"]


@pytest.mark.root
@pytest.mark.alone
def test_what_a_schedule_wants_up_stays_up_until_an_admin_skips_it(tmp_path: Path) -> None:
    """Skipped, the ladder goes on; restored, everything comes back, and the history says because of whom."""
    before = KNOB.read_text()
    with Daemon(tmp_path, LADDER + ALWAYS) as daemon:
        until_up_for(daemon, "always")
        asked = daemon.ask("why", refresh=False)["blockers"][0]
        assert asked["reason"] == "the schedule keeps it up: daily 00:00-24:00 UTC"
        refused = daemon.ask("nap")
        assert "always: the schedule keeps it up" in refused["error"]
        assert entered(daemon) == []

        assert daemon.ask("schedule-skip", schedule="always", end=time.time() + BEYOND)["ok"]
        daemon.until_phase("napping")
        assert daemon.ask("schedule-restore")["skipped"] == []
        daemon.until_phase("awake")
        left = daemon.until("activity", stage="ease")
        assert [(each["kind"], each["name"]) for each in left["because"]] == [("window", "always")]
        assert before == KNOB.read_text()
    assert "Traceback" not in daemon.log()


@pytest.mark.root
@pytest.mark.alone
def test_the_edge_of_the_timetable_lets_it_go(tmp_path: Path) -> None:
    """Up until an instant, with nobody asking and nothing happening then: it naps after that, and not before."""
    with Daemon(tmp_path, LADDER + ALWAYS) as daemon:
        end = time.time() + 2
        assert daemon.ask("schedule-extend", end=end, why="a deadline")["ok"]
        assert daemon.ask("schedule-skip", schedule="always", end=end + BEYOND)["ok"]
        until_up_for(daemon, "extended")
        daemon.until_phase("napping")
        assert all(at >= end - 0.1 for at in entered(daemon))


@pytest.mark.root
@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_daemon_keeps_the_exceptions(tmp_path: Path, number: int) -> None:
    """Ended in order or killed: what is skipped stays skipped, and so the machine naps."""
    before = KNOB.read_text()
    with Daemon(tmp_path, LADDER + ALWAYS) as daemon:
        until_up_for(daemon, "always")
        facts = daemon.ask("schedule-skip", end=time.time() + BEYOND)
        daemon.stop(number)
        daemon.process = daemon.start()
        daemon.ready()
        assert daemon.ask("schedule")["skipped"] == facts["skipped"]
        daemon.until_phase("napping")
    assert before == KNOB.read_text()


@pytest.mark.root
@pytest.mark.alone
def test_schedules_come_and_go_with_the_configuration(tmp_path: Path) -> None:
    """Reloaded with and without them, and with faulty ones, which change nothing."""
    with Daemon(tmp_path, LADDER) as daemon:
        refused = daemon.ask("schedule")
        assert "no schedule is configured" in refused["error"]
        daemon.until_phase("napping")

        daemon.config.write_text(LADDER + ALWAYS)
        assert daemon.ask("reload")["ok"]
        until_up_for(daemon, "always")
        assert daemon.ask("schedule")["troubles"] == []
        assert "scheduled-off" in [stage["name"] for stage in daemon.ask("status")["stages"]]

        daemon.config.write_text(LADDER + ALWAYS + 'unless = ["others"]\n')
        assert '"others" is no schedule' in daemon.ask("reload")["error"]
        assert windows(daemon) == ["always"]

        daemon.config.write_text(LADDER)
        assert daemon.ask("reload")["ok"]
        daemon.until_phase("napping")
        assert "no schedule is configured" in daemon.ask("schedule")["error"]
    assert "Traceback" not in daemon.log()


@pytest.mark.root
@pytest.mark.alone
def test_a_schedule_that_cannot_tell_keeps_it_up_and_says_why(tmp_path: Path) -> None:
    """From the first moment on; without it, it naps."""
    calendar = f'[schedule.ical]\nsource = "{tmp_path}/none.ics"\nwake = false\n'
    with Daemon(tmp_path, LADDER + calendar) as daemon:
        until_up_for(daemon, "ical")
        detail = daemon.until("schedule-failed")["detail"]
        assert f"{tmp_path}/none.ics" in detail
        assert "the machine stays up" in detail
        assert "none.ics" in daemon.ask("why", refresh=False)["blockers"][0]["reason"]
        assert daemon.ask("schedule")["troubles"][0]["schedule"] == "ical"
        assert entered(daemon) == []
        daemon.config.write_text(LADDER)
        assert daemon.ask("reload")["ok"]
        daemon.until_phase("napping")


@pytest.mark.root
@pytest.mark.alone
def test_a_limit_of_how_deep_it_may_nap_holds(tmp_path: Path) -> None:
    """The stage that is allowed is entered, and nothing comes after it; asked for by hand the deeper one is refused with who says so."""
    deeper = '[[stage]]\nname = "deeper"\nafter = "600ms"\nactions = ["cpu-clock"]\n'
    night = (
        '[schedule.day]\ntype = "windows"\nnap = "daily 00:00-24:00 UTC"\ndeepest = "ease"\nwake = false\n'
    )
    watching = LADDER.replace('"act"', '"watch"') + deeper
    with Daemon(tmp_path, watching + night) as daemon:
        daemon.until("entered", stage="ease")
        assert daemon.ask("status", refresh=False)["next"] is None
        daemon.ask("nap", stage="deeper")
        refused = daemon.until("refused", stage="deeper")
        assert 'the schedule "day" allows no deeper stage than "ease" now' in refused["detail"]
        daemon.config.write_text(watching)
        assert daemon.ask("reload")["ok"]
        daemon.until("entered", stage="deeper")
