"""The admin's clock on a machine that really sleeps and goes off: it is up when it must be, and off when it must be."""

from __future__ import annotations

import datetime as dt

import pytest

from lab.installed import Daemon
from nights import SLOW
from nights import now as clock
from nights import settled_drivers as slept_before

pytestmark = [pytest.mark.root]

CONFIG = """
mode = "act"
min_awake = "2s"
loop_limit = 100
[sleep]
proof = "override"
min_sleep = "20s"
[[stage]]
name = "ease"
after = "2s"
actions = ["cpu-clock"]
{stage}
[monitor.input]
"""
SUSPEND = """
[[stage]]
name = "suspend"
after = "5s"
sleep = "suspend"
"""
MINUTE = 60


def minute(instant):
    """As a window has it."""
    return dt.datetime.fromtimestamp(instant, dt.UTC).strftime("%H:%M")


def alarm_of_a_machine_that_is_off(lab):
    """What the clock chip of the halted machine holds, as hours and minutes; empty when its alarm is off (MC146818: register B, bit 5)."""

    def register(number):
        lab.qmp.monitor(f"o /b 0x70 {number:#x}")
        return int(lab.qmp.monitor("i /b 0x71").split("=")[1], 16)

    if not register(0x0B) & 0x20:
        return ""
    return f"{register(5):02x}:{register(3):02x}"


def test_a_schedule_wakes_it_in_time(kernel_lab):
    """By itself the ladder sends it to sleep, and the alarm brings it back before it must be up; then it stays up."""
    lab = kernel_lab
    slept_before(lab)
    start = (clock(lab) + 150) // MINUTE * MINUTE  # so far ahead that a sleep pays, on a busy machine too
    window = (
        f'[schedule.morning]\ntype = "windows"\nup = "{minute(start)}-{minute(start + 5 * MINUTE)} UTC"\n'
    )
    daemon = Daemon(lab, CONFIG.format(stage=SUSPEND) + window)
    daemon.start()
    lab.qmp.wait("SUSPEND", SLOW)
    lab.qmp.wait("WAKEUP", SLOW)
    resumed = daemon.until("resumed", SLOW)
    assert resumed["detail"].endswith("woken by the clock's alarm (rtc0)")
    left = daemon.until("left", SLOW)
    assert left["time"] < start
    blockers = daemon.ask("why")["blockers"]
    assert ("window", "morning") in [(each["kind"], each["name"]) for each in blockers]
    assert [each["event"] for each in daemon.history()].count("sleep") == 1
    assert daemon.ask("schedule")["lead"]["suspend"] < 60


CRON = '[schedule.minutes]\ntype = "cron"\nat = "*/2 * * * *"\nstay = "5s"\nzone = "UTC"\n'


@pytest.mark.long
def test_three_sleeps_in_a_row_are_ended_in_time(kernel_lab):
    """Each of them by the alarm for the next time of a cron expression; it stays up until that, and sleeps again after it."""
    lab = kernel_lab
    slept_before(lab)
    daemon = Daemon(lab, CONFIG.format(stage=SUSPEND) + CRON)
    daemon.start()
    lab.call("guest_schedule:until_left", "suspend", 3, SLOW, limit=SLOW)
    told = daemon.history()
    sleeps, resumes, lefts = (
        [each for each in told if each["event"] == kind and each.get("stage") != "ease"]
        for kind in ("sleep", "resumed", "left")
    )
    assert len(resumes) == len(lefts) == 3
    for number, (sleep, resumed, left) in enumerate(zip(sleeps, resumes, lefts, strict=False)):
        need = (sleep["time"] // (2 * MINUTE) + 1) * 2 * MINUTE
        assert resumed["detail"].endswith("woken by the clock's alarm (rtc0)")
        assert resumed["time"] <= left["time"] <= need
        assert all(each["time"] >= need + 5 for each in sleeps[number + 1 :])
    assert "schedule-missed" not in [each["event"] for each in told]


@pytest.mark.long
def test_somebody_elses_sleep_has_the_alarm_too(lab):
    """A user suspends a machine on which nothing is changed: the alarm for what the schedule wants is set before it sleeps."""
    slept_before(lab)
    start = (clock(lab) + 3 * MINUTE) // MINUTE * MINUTE
    window = (
        f'[schedule.morning]\ntype = "windows"\nup = "{minute(start)}-{minute(start + 5 * MINUTE)} UTC"\n'
    )
    daemon = Daemon(lab, CONFIG.format(stage="").replace('"2s"\nactions', '"1h"\nactions') + window)
    daemon.start()
    assert lab.shell("cat /sys/class/rtc/rtc0/wakealarm").out.strip() == ""
    lab.shell(f"until systemd-inhibit --list | grep -q powernap; do sleep 0.2; done; {LOCKS}").text()
    sleeping = lab.begin("systemctl", "suspend")
    lab.qmp.wait("SUSPEND", SLOW)
    lab.qmp.wait("WAKEUP", SLOW)
    lab.finish(sleeping, SLOW).text()
    assert daemon.until("resumed", SLOW)["detail"].endswith("woken by the clock's alarm (rtc0)")
    assert clock(lab) < start + 5 * MINUTE


LOCKS = "systemd-inhibit --list"


@pytest.mark.long
def test_off_at_night_with_the_alarm_for_the_morning(lab):
    """The machine shuts down when the schedule says so, though somebody was there until just before, and its clock is set to bring it back."""
    slept_before(lab)
    lab.qmp.ask("set-action", shutdown="pause")
    night = (clock(lab) + 75) // MINUTE * MINUTE
    window = f'[off]\nwarn = "5s"\nquiet = "3s"\n[schedule.night]\ntype = "windows"\noff = "{minute(night)}-{minute(night + 60 * MINUTE)} UTC"\n'
    daemon = Daemon(lab, CONFIG.format(stage="") + window)
    daemon.start()
    daemon.until("entered", SLOW)
    lab.key("a")
    daemon.until("left", SLOW)
    daemon.until("warned", SLOW)
    lab.qmp.wait("SHUTDOWN", SLOW)
    # The lead of a machine that has not yet learned how long it takes to boot is three minutes.
    assert alarm_of_a_machine_that_is_off(lab) == minute(night + 57 * MINUTE)


TIMER = """
cat > /run/systemd/system/backup.service <<END
[Service]
Type=oneshot
ExecStart=sh -c "sleep 8; date +%%s > /run/backup-done"
END
cat > /run/systemd/system/backup.timer <<END
[Timer]
OnCalendar={at}
AccuracySec=1s
END
systemctl daemon-reload
systemctl start backup.timer
"""


@pytest.mark.long
def test_a_timers_job_is_woken_for_and_runs_to_its_end_before_the_next_sleep(kernel_lab):
    """The timer itself would wait until somebody wakes the machine."""
    lab = kernel_lab
    slept_before(lab)
    start = clock(lab) + 100
    at = dt.datetime.fromtimestamp(start, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lab.shell(TIMER.format(at=at)).text()
    timers = '[schedule.backup]\ntype = "systemd-timers"\ntimers = "backup.timer"\n'
    daemon = Daemon(lab, CONFIG.format(stage=SUSPEND) + timers)
    daemon.start()
    lab.qmp.wait("SUSPEND", SLOW)
    lab.qmp.wait("WAKEUP", SLOW)
    assert daemon.until("left", SLOW)["time"] < start
    lab.qmp.wait("SUSPEND", SLOW)
    lab.wakeup()
    done = int(lab.read("/run/backup-done"))
    sleeps = [each["time"] for each in daemon.history() if each["event"] == "sleep"]
    assert start <= done
    assert len(sleeps) == 2
    assert sleeps[1] > done
