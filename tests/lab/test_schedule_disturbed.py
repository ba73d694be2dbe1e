"""Meddling with a machine that has a schedule: its clock and its zone are set, its daemon and itself start anew, another program takes its alarm."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import sysconfig
import zipfile
from pathlib import Path

import pytest

from lab.installed import Daemon
from nights import SLOW, settled_drivers
from nights import now as clock

pytestmark = [pytest.mark.root]

AWAKE = """
mode = "act"
min_awake = "2s"
loop_limit = 100
[sleep]
proof = "override"
min_sleep = "10s"
[[stage]]
name = "suspend"
after = "{after}"
sleep = "suspend"
[monitor.input]
"""
WINDOW = """
[schedule.morning]
type = "windows"
up = ["{start}-{end}{zone}", "{again}-{then}{zone}"]
"""
HOUR, MINUTE = 3600, 60
LATER = 80000
"""Seconds: less than a day, as far as the guest's clock reaches."""
ALARM = "/sys/class/rtc/rtc0/wakealarm"


def shown(instant):
    """As a window has it."""
    return dt.datetime.fromtimestamp(instant, dt.UTC).strftime("%H:%M")


def window(start, length=10 * MINUTE, zone=" UTC"):
    """Twice a day, for so long."""
    times = [shown(each) for each in (start, start + length, start + 12 * HOUR, start + 12 * HOUR + length)]
    return WINDOW.format(start=times[0], end=times[1], again=times[2], then=times[3], zone=zone)


def rings(lab):
    """When the alarm rings, by the system's clock; 0 where none is set."""
    return lab.call("guest_schedule:rings")


def rung_for(lab, daemon, need):
    """Wait until the alarm is the one for that need."""
    lab.call("guest_schedule:until_rings_for", need, SLOW, limit=SLOW)
    assert daemon.ask("schedule")["need"]["at"] == need


def test_the_clock_the_zone_and_the_daemon_are_set_anew(kernel_lab):
    """Where nobody tells of others' sleep, the alarm is always the right one; the history says what happened."""
    lab = kernel_lab
    start = clock(lab) // MINUTE * MINUTE + 11 * HOUR
    daemon = Daemon(lab, AWAKE.format(after="99h") + window(start, zone=""))
    lab.shell("ln -sfn /usr/share/zoneinfo/UTC /etc/localtime").text()
    daemon.start()
    rung_for(lab, daemon, start)

    lab.run("date", "-s", "+3 hours").text()
    assert daemon.until("clock-set", SLOW)["detail"] == "3h ahead"
    rung_for(lab, daemon, start)
    lab.run("date", "-s", "-6 hours").text()
    assert daemon.until("clock-set", SLOW, detail="6h back")
    rung_for(lab, daemon, start - 12 * HOUR if start - 12 * HOUR > clock(lab) else start)

    # Another program takes the alarm; what is looked at next sees that. In Tokyo it is nine hours later.
    lab.shell(f"echo 0 > {ALARM}; echo +{LATER} > {ALARM}").text()
    theirs = rings(lab)
    lab.shell("ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime").text()
    rung_for(lab, daemon, start - 9 * HOUR)
    assert "rtc0" in daemon.until("alarm-taken", SLOW)["detail"]

    now = clock(lab)
    soon = now // MINUTE * MINUTE + HOUR
    assert daemon.ask("schedule-extend", start=soon, end=soon + HOUR, why="release")["ok"]
    rung_for(lab, daemon, soon)
    daemon.stop()
    assert abs(rings(lab) - theirs) <= 2  # a later one of others is put back
    daemon.start()
    rung_for(lab, daemon, soon)
    assert daemon.ask("schedule")["extended"][0]["why"] == "release"


def admin_suspends(lab, daemon):
    """By hand, as soon as nothing is against it; returns when it is back."""
    lab.call("guest_schedule:nap", SLOW, limit=SLOW)
    lab.qmp.wait("SUSPEND", SLOW)
    lab.qmp.wait("WAKEUP", SLOW)
    return daemon.until("resumed", SLOW)


@pytest.mark.long
def test_the_alarm_is_taken_by_others_and_it_is_up_in_time(kernel_lab):
    """A later one gives way and is put back; an earlier one is left, and ours is set after it."""
    lab = kernel_lab
    settled_drivers(lab)
    start = (clock(lab) + 150) // MINUTE * MINUTE
    daemon = Daemon(lab, AWAKE.format(after="99h") + window(start, MINUTE))
    daemon.start()
    rung_for(lab, daemon, start)
    lab.shell(f"echo 0 > {ALARM}; echo +{LATER} > {ALARM}").text()
    resumed = admin_suspends(lab, daemon)
    assert resumed["detail"].endswith("woken by the clock's alarm (rtc0)")
    assert resumed["time"] <= start
    assert daemon.until("alarm-taken", SLOW)
    rung_for(lab, daemon, start + 12 * HOUR)

    lab.run("rtcwake", "-m", "no", "-s", "240").text()
    earlier = rings(lab)
    resumed = admin_suspends(lab, daemon)
    assert resumed["detail"].endswith("woken by the clock's alarm (rtc0)")
    assert earlier - 2 <= resumed["time"] < start + 12 * HOUR
    assert any("somebody else wakes it" in str(each) for each in daemon.history())
    rung_for(lab, daemon, start + 12 * HOUR)
    assert "schedule-missed" not in [each["event"] for each in daemon.history()]


def booted(lab):
    """Ready for tests, as after a thaw."""
    lab.ready()
    lab.shell("systemctl is-system-running --wait; udevadm settle")
    lab.mount_code()


@pytest.mark.long
def test_the_machine_goes_off_and_boots_again(lab):
    """Somebody switches it off: its alarm is set before, written down, and known again after the boot, as are the admin's exceptions."""
    settled_drivers(lab)
    start = clock(lab) // MINUTE * MINUTE + 12 * HOUR
    daemon = Daemon(lab, AWAKE.format(after="99h") + window(start))
    daemon.start()
    soon = start - 2 * HOUR
    assert daemon.ask("schedule-extend", start=soon, end=soon + HOUR, why="release")["ok"]
    lab.shell("until systemd-inhibit --list | grep -q powernap; do sleep 0.2; done").text()
    lab.qmp.ask("set-action", shutdown="pause")
    lab.begin("systemctl", "poweroff")
    lab.qmp.wait("SHUTDOWN", SLOW)
    lab.qmp.ask("system_reset")
    lab.qmp.ask("cont")
    lab.qmp.wait("RESET", SLOW)
    booted(lab)
    kept = json.loads(lab.read("/var/lib/powernap/set-alarm.json"))
    assert abs(kept["at"] - (soon - 180)) <= 2
    daemon.start()
    assert daemon.ask("schedule")["extended"][0]["why"] == "release"
    assert daemon.ask("schedule")["need"]["at"] == soon
    assert lab.shell("test -e /var/lib/powernap/set-alarm.json").status == 1
    assert daemon.until("stopped", SLOW)


CALENDAR = """
[schedule.servers]
type = "ical"
source = "/etc/powernap/servers.ics"
"""
LIBRARIES = (
    "icalendar",
    "recurring_ical_events",
    "dateutil",
    "click",
    "six",
    "typing_extensions",
    "x_wr_timezone",
)
PIECE = 90_000
"""Characters of one argument; the kernel takes 128 KiB."""


def put_libraries(lab):
    """What the extra [ical] brings, as a package would install it."""
    archive, base = io.BytesIO(), Path(sysconfig.get_paths()["purelib"])
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in LIBRARIES:
            for file in [*base.glob(f"{name}.py"), *(base / name).rglob("*.py")]:
                if not {"tests", "test"} & {*file.relative_to(base).parts}:
                    packed.write(file, file.relative_to(base))
    text = base64.b64encode(archive.getvalue()).decode()
    pieces = [text[at : at + PIECE // 4 * 4] for at in range(0, len(text), PIECE // 4 * 4)]
    for number, piece in enumerate(pieces):
        lab.write(f"/run/libraries.{number}", piece)
    lab.call(
        "guest_schedule:unpack", [f"/run/libraries.{number}" for number in range(len(pieces))], limit=SLOW
    )


@pytest.mark.long
def test_a_calendar_is_read_by_a_unit_of_its_own(kernel_lab):
    """From a file, by a user without rights; the daemon's own unit could not do it. Then the alarm is set for the next event."""
    lab = kernel_lab
    put_libraries(lab)
    start = clock(lab) // MINUTE * MINUTE + 5 * HOUR
    stamp = dt.datetime.fromtimestamp(start, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    event = f"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:{stamp}\r\nSUMMARY:Restore test\r\nDTSTART:{stamp}\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n"
    calendar = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//a//b//EN\r\n{event}END:VCALENDAR\r\n"
    daemon = Daemon(lab, AWAKE.format(after="99h") + CALENDAR)
    lab.write("/etc/powernap/servers.ics", calendar)
    daemon.start()
    rung_for(lab, daemon, start)
    assert daemon.ask("schedule")["need"]["detail"].endswith("Restore test")
    assert "PowerNap reads a calendar" in lab.run("journalctl", "-b", "--no-pager").out
    lab.write("/etc/powernap/servers.ics", "no calendar")
    lab.call("guest_schedule:until_a_copy_is_used", SLOW, limit=SLOW)
    assert daemon.ask("schedule")["need"]["at"] == start
    assert "Restore test" in lab.run("powernap", "schedule").out
