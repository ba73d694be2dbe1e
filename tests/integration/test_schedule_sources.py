"""The schedules that come from work which the machine has to do, against what makes that work: cron, at, systemd and logind themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import bus as private
import fakelogind
import reallogind
import user_manager
from bus import PrivateBus
from powernap.host.clock import Clock
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import at_jobs, cron_jobs, shutdowns, systemd_timers
from powernap.schedules._cron import instants, parse
from powernap.schedules._names import WrongError

CRON = pytest.mark.skipif(not shutil.which("crontab"), reason="cron is needed (apt-get install cron)")
AT = pytest.mark.skipif(not shutil.which("at"), reason="at is needed (apt-get install at)")
ANALYZE = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd is needed (apt-get install systemd)"
)
WEEK = 7 * 86400
BOUND = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
"""Runs a program that sees a directory of the test's in the place of its spool."""


def with_spool(mine: Path, spool: str, *command: str, text: str = "", **environment: str) -> str:
    """What it says. The spool of this machine is not touched."""
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            BOUND,
            "sh",
            str(mine),
            spool,
            *command,
        ],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout + done.stderr


# --- cron

LINES = (
    "*/5 * * * *", "5/10 * * * *", "0 0 0 * *", "0 0 1 0 *", "0 0 * * mon-fri", "0 0 * jan-mar,dec sun,mon", "0 0 * * fri-sun",
    "0 0 * * 5-7", "0 0 * * 5-1", "60 * * * *", "* 24 * * *", "*/0 * * * *", "*/100 * * * *", "0-59/70 * * * *", "1,,2 * * * *",
    "*,5 * * * *", "5,* * * * *", "*-5 * * * *", "0 0 * * Monday", "0 0 * * MON", "@daily", "@Daily", "@midnight", "@annually",
    "@every_minute", "@reboot", "@hourly", "0 0 * * 8", "0 0 L * *", "0 0 * * 5#3", "00007 08 * * *", "1-5-7 * * * *", "1-5/2/3 * * * *",
    "0 0 * * 1-5/", "0 0 31 2 *", "0~30 * * * *", "0 0 ? * *", "*5 * * * *", "5x * * * *", "0 0 * * 1-5,", "0 0 * * sun-7",
    "1- * * * *", "0 0 * * 0/2", "nonsense", "-5 * * * *", "5-5/3 * * * *", "*/1x * * * *", "1-2x * * * *", "1-x * * * *", "+5 * * * *",
)  # fmt: skip


@CRON
@pytest.mark.parametrize("when", LINES)
def test_debians_cron_takes_the_same_lines(when: str, tmp_path: Path) -> None:
    """`crontab -n` reads with cron's own reader."""
    path = tmp_path / "crontab"
    path.write_text(f"{when} true\n")
    done = subprocess.run(["crontab", "-n", str(path)], capture_output=True, text=True, check=False)
    ours = cron_jobs.read(path.read_text(), "x", "root", whole=True)
    assert (done.returncode == 0) == (ours.faults == ()), done.stderr


@CRON
@pytest.mark.parametrize("when", LINES)
def test_what_the_schedule_cron_takes_cron_takes(when: str, tmp_path: Path) -> None:
    """It takes less: what cron would not do as it is meant."""
    try:
        parse(when)
    except WrongError:
        return
    path = tmp_path / "crontab"
    path.write_text(f"{when} true\n")
    subprocess.run(["crontab", "-n", str(path)], check=True, capture_output=True)


@CRON
@pytest.mark.root
def test_a_crontab_that_a_user_installed_wakes_the_machine(tmp_path: Path) -> None:
    """By crontab(1), into Debian's spool."""
    spool = tmp_path / "var/spool/cron/crontabs"
    spool.mkdir(parents=True)
    with_spool(
        spool, "/var/spool/cron/crontabs", "crontab", "-", text="# mine\nMAILTO=''\n30 2 * * 1 backup -q\n"
    )
    start = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    options = cron_jobs.Options(jobs=("backup",))
    found = list(cron_jobs.spans(Host(TreeFiles(str(tmp_path))), options, start, start + WEEK, UTC))
    assert [(each.start, each.detail) for each in found] == [
        (start + 2.5 * 3600, "30 2 * * 1 backup (crontab of root)")
    ]


@CRON
def test_debians_own_crontab_is_read_whole() -> None:
    """Hourly, daily, weekly and monthly jobs, and no fault."""
    found = cron_jobs.read(Path("/etc/crontab").read_text(), "/etc/crontab", "", whole=True)
    assert found.faults == ()
    programs = {job.command.rpartition("/")[2].split(";")[0] for job in found.jobs}
    assert {"cron.hourly", "cron.daily", "cron.weekly", "cron.monthly"} <= programs


# --- at


class Now(Clock):
    """Booted long ago."""

    def boottime(self) -> float:
        return 1e8

    def wall(self) -> float:
        return time.time()


@AT
@pytest.mark.root
def test_jobs_that_at_wrote_wake_the_machine(tmp_path: Path) -> None:
    """Two queues and two time zones; what else is in the spool is no job."""
    spool = tmp_path / "var/spool/cron/atjobs"
    spool.mkdir(parents=True)
    (spool / ".SEQ").write_text("0\n")
    for path in (spool, spool / ".SEQ"):
        shutil.chown(path, "daemon", "daemon")
    year = datetime.now(UTC).year + 1
    for zone, queue in (("UTC", "a"), ("Asia/Tokyo", "c")):
        command = "at", "-q", queue, "-t", f"{year}03050430"
        with_spool(spool, "/var/spool/cron/atjobs", *command, text="true\n", TZ=zone)
    host = Host(TreeFiles(str(tmp_path)), Now())
    start = datetime(year, 3, 1, tzinfo=UTC).timestamp()
    found = list(at_jobs.spans(host, at_jobs.Options(), start, start + WEEK, UTC))
    assert {(each.start, each.detail) for each in found} == {
        (datetime(year, 3, 5, 4, 30, tzinfo=UTC).timestamp(), "at job 1"),
        (datetime(year, 3, 5, 4, 30, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp(), "at job 2, queue c"),
    }
    assert len(list(spool.iterdir())) > 2


# --- systemd


@ANALYZE
@pytest.mark.parametrize(
    ("calendar", "expression"),
    [
        ("Mon..Fri 07:30 Europe/Berlin", "30 7 * * mon-fri"),
        ("*-*-1,15 04:00:00 Europe/Berlin", "0 4 1,15 * *"),
        ("hourly Europe/Berlin", "@hourly"),
        ("*:0/15 Europe/Berlin", "*/15 * * * *"),
        ("Sun *-*-* 23:59 Europe/Berlin", "59 23 * * sun"),
        ("*-02-29 Europe/Berlin", "0 0 29 2 *"),
        ("Fri *-*-01,14,27 12:00 Europe/Berlin", "0 12 */13 * fri"),
    ],
)
@pytest.mark.parametrize("begin", ["2026-11-20", "2027-03-26", "2027-10-29"])
def test_systemd_and_cron_mean_the_same_times(calendar: str, expression: str, begin: str) -> None:
    """Twenty of them, from before each jump of the clock on: what systemd-analyze tells, and what we find for cron's expression."""
    zone, start = ZoneInfo("Europe/Berlin"), datetime.fromisoformat(f"{begin}+00:00").timestamp()
    command = ["systemd-analyze", "calendar", f"--base-time=@{start:.0f}", "--iterations=20", "--", calendar]
    theirs = systemd_timers.parse_calendar(systemd_timers.ask(command))
    assert len(theirs) == 20
    assert sorted(theirs) == list(instants(parse(expression), zone, start + 1, max(theirs) + 1))


@pytest.mark.skipif(bool(user_manager.missing()), reason=user_manager.missing())
@pytest.mark.root
def test_a_real_systemd_tells_its_timers() -> None:
    """The next time and those after it, a monotonic one by the clock of the wall, what runs since it was started, and what is not there."""
    said = user_manager.look()
    daily = [datetime.fromtimestamp(each["start"], ZoneInfo("Europe/Berlin")) for each in said["daily"]]
    assert [f"{each:%H:%M}" for each in daily] == ["02:30"] * 3
    assert {each["unit"] for each in said["daily"]} == {"daily.service"}
    (later,) = said["later"]
    assert said["before"] + 7200 <= later["start"] <= said["after"] + 7200
    (now,) = said["now"]
    assert (said["before"] <= now["start"] <= said["after"], now["unit"]) == (True, "now.service")
    assert said["nope"] == []
    assert all(each["detail"] == "wake.timer" for each in said["wake"])
    assert said["probe"] == "2 timers: daily.timer, wake.timer; nope.timer is not found"


# --- logind


@pytest.fixture
def machine() -> Iterator[PrivateBus]:
    """A bus with this machine's own logind."""
    made = PrivateBus()
    made.start_bus()
    reallogind.start(made)
    yield made
    made.stop("logind")
    made.stop("systemd")
    made.close()


@pytest.mark.skipif(
    bool(private.missing() or reallogind.missing()), reason=private.missing() or reallogind.missing()
)
@pytest.mark.root
@pytest.mark.xdist_group("bus")
@pytest.mark.parametrize(("mode", "shown"), [("poweroff", "power-off"), ("reboot", "reboot")])
def test_a_shutdown_that_logind_holds_finds_the_machine_awake(
    machine: PrivateBus, mode: str, shown: str
) -> None:
    """Until it is called off, as `shutdown -c` does."""
    manager = fakelogind.NAME, fakelogind.PATH
    at = int(time.time()) + 5 * 3600
    host, options = Host(TreeFiles(machine.root)), shutdowns.Options()
    assert list(shutdowns.spans(host, options, at - 86400, at + 86400, UTC)) == []
    machine.gdbus(*manager, f"{fakelogind.MANAGER}.ScheduleShutdown", mode, f"{at}000000")
    try:
        found = list(shutdowns.spans(host, options, at - 86400, at + 86400, UTC))
        assert [(each.start, each.detail) for each in found] == [(at - 600, f"{shown} by shutdown(8)")]
    finally:
        machine.gdbus(*manager, f"{fakelogind.MANAGER}.CancelScheduledShutdown")
    assert list(shutdowns.spans(host, options, at - 86400, at + 86400, UTC)) == []
