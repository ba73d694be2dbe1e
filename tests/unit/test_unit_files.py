"""Units: names, what must never be stopped, and what their files tell."""

from __future__ import annotations

import pytest

from powernap.host.files import TreeFiles
from powernap.host.unit_files import definition, full_name, refusal, starters, watched


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""

    def add(path, text=""):
        file = tmp_path / path.strip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    add("/usr/lib/systemd/system/packagekit.service", "[Service]\nWatchdogSec=30\n")
    add("/usr/lib/systemd/system/backup@.service", "[Service]\n")
    add("/usr/lib/systemd/system/cups.service", "[Service]\n")
    add("/usr/lib/systemd/system/cups.socket")
    add("/etc/systemd/system/cups.path")
    add("/etc/systemd/system/cups.service.d/slow.conf", "[Service]\nWatchdogSec = 1min\n")
    add("/etc/systemd/system/packagekit.service.d/off.conf", "[Service]\nWatchdogSec=0\n")
    return TreeFiles(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "full"),
    [("cron", "cron.service"), ("a.timer", "a.timer"), ("x.y", "x.y.service"), ("home.mount", "home.mount")],
)
def test_names_are_completed_as_systemctl_does(name, full):
    """A name without a type is a service."""
    assert full_name(name) == full


@pytest.mark.parametrize(
    "name",
    ["ssh", "sshd.service", "sshd@7.service", "ssh.socket", "systemd-journald.service", "systemd-logind", "dbus", "dbus-broker.service",
     "dbus.socket", "NetworkManager", "networking", "systemd-networkd.service", "init.scope", "-.slice", "system.slice", "user.slice",
     "user@1000.service", "session-3.scope", "getty@tty1", "powernapd", "powernapd.service", "iscsid", "multipathd", "polkit",
     "pacemaker", "watchdog", "wpa_supplicant", "multi-user.target", "home.mount", "a*", "../x", "a b", "tuned; reboot"],
)  # fmt: skip
def test_never_these(name):
    """What the machine or its admin hangs on is refused with a reason."""
    assert refusal(name)


@pytest.mark.parametrize(
    "name",
    [
        "cron",
        "packagekit.service",
        "fwupd.timer",
        "backup@home.service",
        "irqbalance",
        "docker-abc.scope",
        "jobs.slice",
        r"a\x2db",
    ],
)
def test_these_may_be_listed(name):
    """Ordinary services are the admin's to stop."""
    assert refusal(name) == ""


def test_definition_has_the_drop_ins(machine):
    """The unit's file and what the admin added; an instance is defined by its template."""
    assert "1min" in (definition(machine, "cups.service") or "")
    assert definition(machine, "backup@home.service") == "[Service]"
    assert definition(machine, "nosuch.service") is None


def test_what_would_start_it_again(machine):
    """Sockets and paths with the name of the service."""
    assert starters(machine, "cups.service") == ["cups.socket", "cups.path"]
    assert starters(machine, "packagekit.service") == starters(machine, "cups.socket") == []


def test_watchdog_of_systemd(machine):
    """The last setting counts, and 0 means none."""
    assert watched(machine, "cups.service")
    assert not watched(machine, "packagekit.service")
    assert not watched(machine, "nosuch.service")
