"""An *off* that is announced, on a machine with systemd, its login manager and users: who is told how, and who may postpone it."""

from __future__ import annotations

import pytest

from lab.installed import Daemon
from nights import SLOW, minute
from nights import now as clock

pytestmark = [pytest.mark.root, pytest.mark.long]

MINUTE = 60

ANN, BOB = 1001, 1002
CONFIG = """
mode = "act"
min_awake = "2s"
[sleep]
proof = "override"
[off]
warn = "130s"
in_use = "off"
[warn]
command = ["/usr/local/bin/tell-users", "a $HOME"]
[schedule.night]
type = "windows"
off = "{start}-{end} UTC"
[monitor.input]
"""
PROGRAM = '#!/bin/sh\necho "$POWERNAP_EVENT" "$@" >> /home/told\n'
"""It writes where powernapd itself may not."""
USERS = f"""
set -e
useradd -m -u {ANN} ann
useradd -m -u {BOB} bob
loginctl enable-linger ann
until test -d /run/user/{ANN}/systemd; do sleep 0.2; done
systemd-run --quiet --uid=ann --unit=ann-bus dbus-daemon --session --nofork --nopidfile --address=unix:path=/run/user/{ANN}/bus
systemd-run --quiet --uid=ann --unit=ann-desktop python3 /code/tests/guest_desktop.py /run/user/{ANN}
busctl call {{manager}} SetWallMessage sb "maintenance" false
"""
MANAGER = "org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager"
WALL = f"busctl get-property {MANAGER} WallMessage EnableWallMessages"
THEIRS = 's "maintenance"\nb false'
OURS = 's "PowerNap: schedule \\"night\\" wants it off."\nb true'
AS_SERVICE = ("systemd-run", "--quiet", "--pipe", "--wait", "--uid=ann")
AS_LOGIN = ("env", "XDG_SESSION_CLASS=user", "runuser", "-l", "bob", "-c")
"""Without a terminal pam_systemd(8) takes it for a job in the background."""


def desktop(lab, count):
    """What ann's was asked to show, without its own first word, when it was so much."""
    return lab.call("guest_desktop:until_told", ANN, count + 1, SLOW, limit=SLOW)[1:]


def wall(lab, expected):
    """Wait until logind would broadcast that."""
    lab.call("guest_waking:until_true", f"test \"$({WALL})\" = '{expected}'", SLOW, limit=SLOW)


def test_users_are_told_of_an_off_and_postpone_it(lab):
    """On the desktop of one who lingers, by the login manager's words; again, and that it does not come. Only who is logged in may postpone it."""
    lab.shell(USERS.format(manager=MANAGER)).text()
    lab.write("/usr/local/bin/tell-users", PROGRAM)
    lab.run("chmod", "755", "/usr/local/bin/tell-users").text()
    lab.call("guest_desktop:until_told", ANN, 1, SLOW, limit=SLOW)
    start = clock(lab) // MINUTE * MINUTE
    daemon = Daemon(
        lab, CONFIG.format(start=minute(start - 5 * MINUTE), end=minute(start + 12 * 60 * MINUTE))
    )
    daemon.start()

    [first] = desktop(lab, 1)
    assert (first["did"], first["number"], first["uid"], first["urgency"]) == ("notify", 1, ANN, 2)
    assert first["summary"].startswith("lab powers off at ")
    assert "run powernap postpone" in first["body"]
    wall(lab, OURS)
    # A minute before it comes: in the place of the first.
    _, second = desktop(lab, 2)
    assert (second["did"], second["number"], second["summary"]) == ("notify", 1, first["summary"])

    until = minute(start + 60 * MINUTE) + " UTC"
    lab.run("powernap", "schedule", "extend", "--until", until, "--why", "release").text()
    *_, closed, news = desktop(lab, 4)
    assert (closed["did"], closed["number"]) == ("close", 1)
    assert (news["summary"], news["urgency"]) == ("lab stays awake", 1)
    assert news["body"].startswith("root keeps it up until ")
    wall(lab, THEIRS)

    lab.run("powernap", "schedule", "restore", "extended").text()
    *_, again = desktop(lab, 5)
    assert (again["did"], again["number"] > 1, again["urgency"]) == ("notify", True, 2)
    wall(lab, OURS)
    refused = lab.run(*AS_SERVICE, "powernap", "postpone")
    assert refused.status == 3
    assert "user ann is not logged in here" in refused.err + refused.out
    assert "this machine stays up until" in lab.run(*AS_LOGIN, "powernap postpone --why build").text()
    *_, closed, news = desktop(lab, 7)
    assert (closed["did"], closed["number"]) == ("close", again["number"])
    assert news["body"].startswith("bob postponed it until ")
    assert news["body"].endswith(" (build)")
    wall(lab, THEIRS)
    lab.call("guest_waking:until_true", "test $(wc -l < /home/told) -eq 5", SLOW, limit=SLOW)
    assert daemon.ask("schedule")["extended"][0]["who"] == "bob"
    events = ("warn", "warn", "unwarn", "warn", "unwarn")
    assert lab.read("/home/told").splitlines() == [f"{each} a $HOME" for each in events]
    assert "warn-failed" not in [each["event"] for each in daemon.history()]
    assert "PowerNap tells users on their desktops" in lab.run("journalctl", "-b", "--no-pager").out

    lab.run("powernap", "schedule", "restore", "extended").text()
    desktop(lab, 8)
    wall(lab, OURS)
    daemon.stop()
    wall(lab, THEIRS)
    assert desktop(lab, 9)[8]["did"] == "close"
