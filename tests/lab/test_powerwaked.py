"""powerwaked by its own unit, with all its restrictions, under a systemd that is the machine's first process; and a machine at the end of a cable."""

from __future__ import annotations

import json

import pytest

from lab.code import CHECKOUT
from nights import SLOW, minute
from nights import now as clock

pytestmark = [pytest.mark.root, pytest.mark.long]

MINUTE = 60

UNIT = "/etc/systemd/system/powerwaked.service"
HOSTS = "/etc/powernap/hosts.d"
PROGRAM = '#!/bin/sh\nexec python3 -m powernap.wakeproxy "$@"\n'
MAC, SECRET = "52:54:00:00:00:01", "00:11:22:33:44:55"
CABLE = """
set -e
ip netns add web3
ip link add wake0 type veth peer name wake1 netns web3
ip address add 10.77.0.1/24 dev wake0
ip link set wake0 up
"""
CREDENTIAL = "[Service]\nLoadCredential=secureon:/etc/powernap/secureon\n"
WEB3 = """[host.web3]
address = "10.77.0.2"
boot = "20s"
[[host.web3.wake]]
type = "magic-packet"
mac = "52:54:00:00:00:01"
password_file = "/run/credentials/powerwaked.service/secureon"
[host.web3.schedule.office]
type = "windows"
up = "{start}-{end} UTC"
"""
PINGED = """[host.web5]
address = "10.77.0.2"
confirm = "ping"
[[host.web5.wake]]
type = "magic-packet"
mac = "52:54:00:00:00:01"
[host.web5.schedule.always]
type = "windows"
up = "daily"
"""
NAMELESS = """[host.web4]
address = "web4.example.org"
boot = "1h"
[[host.web4.wake]]
type = "magic-packet"
mac = "52:54:00:00:00:02"
[host.web4.schedule.always]
type = "windows"
up = "daily"
"""
"""The name server does not answer."""
ALIVE = """
began=$(systemctl show powerwaked --property=ActiveEnterTimestampMonotonic --value)
told=$(systemctl show powerwaked --property=WatchdogTimestampMonotonic --value)
test $((told - began)) -gt 30000000
"""
"""It has told the service manager that its loop turns, for twice the time of its watchdog."""


def install(lab):
    """As `make install` does it, where pip has put the programs elsewhere."""
    unit = (CHECKOUT / "packaging/powerwaked.service").read_text()
    lab.write("/usr/local/bin/powerwaked", PROGRAM)
    lab.write(UNIT, unit.replace("/usr/bin/", "/usr/local/bin/"))
    lab.shell(f"chmod 755 /usr/local/bin/powerwaked; mkdir -p {HOSTS} {UNIT}.d").text()


def edit(lab, name, text):
    """`systemctl edit`."""
    lab.write(f"{UNIT}.d/{name}.conf", text)
    lab.run("systemctl", "daemon-reload").text()


def logged(lab, text, count=1):
    """Wait for words in its journal, so many times."""
    return lab.call("guest_waking:until_logged", "powerwaked", text, count, SLOW, limit=SLOW)


def plan(lab):
    """What everybody may ask, without any right, by name."""
    ask = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "powerwaked", "--plan", "--json"]
    return {each["name"]: each for each in json.loads(lab.run(*ask).text())["hosts"]}


def unit(lab, *properties):
    """Of the service."""
    done = lab.run("systemctl", "show", "powerwaked", "--property", ",".join(properties)).text()
    return dict(line.split("=", 1) for line in done.splitlines())


def test_the_unit_wakes_a_machine_in_time(lab):
    """With a password that only root may read; reloaded with a fault it goes on; one that hangs is started anew; and it ends at once, whatever it waits for."""
    install(lab)
    lab.write("/etc/powernap/secureon", SECRET)
    lab.shell(f"chmod 600 /etc/powernap/secureon; {CABLE}").text()
    edit(lab, "credential", CREDENTIAL)
    lab.begin("ip", "netns", "exec", "web3", "python3", "/code/tests/guest_waking.py", MAC, SECRET)
    lab.call("guest_waking:until", "off", SLOW, limit=SLOW)
    start = (clock(lab) + 110) // MINUTE * MINUTE
    lab.write(f"{HOSTS}/web3.toml", WEB3.format(start=minute(start), end=minute(start + 60 * MINUTE)))
    lab.run("systemctl", "start", "powerwaked").text()

    waits = plan(lab)["web3"]
    assert (waits["state"], waits["need"]["at"], waits["wake_at"]) == ("", start, start - 20)
    woken = lab.call("guest_waking:until", "magic", SLOW, limit=SLOW)
    assert start - 20 - 3 <= woken
    assert "tcp:22 of 10.77.0.2 answers" in logged(lab, "web3 is up after")
    assert "through wake0" in logged(lab, "waking web3 for office")
    found = plan(lab)["web3"]
    assert (found["state"], found["detail"]) == ("up", "tcp:22 of 10.77.0.2 answers")
    heard = lab.call("guest_waking:told")

    good = lab.read(f"{HOSTS}/web3.toml")
    lab.write(f"{HOSTS}/web3.toml", good.replace("mac =", "mca ="))
    lab.run("systemctl", "reload", "powerwaked").text()
    assert 'web3.toml:4: method 1 of host "web3" (type magic-packet) has no "mac"' in logged(
        lab, "the inventory has faults and stays as it was"
    )
    assert unit(lab, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}
    refused = lab.run("powerwaked", "--plan", "--json")
    assert (refused.status, "mac" in json.loads(refused.out)["error"]) == (2, True)
    lab.write(f"{HOSTS}/web3.toml", good)
    lab.run("systemctl", "reload", "powerwaked").text()
    logged(lab, "read the inventory again: 1 machine")
    assert plan(lab)["web3"]["state"] == "up"

    # The service manager finds out that its loop turns no more, and starts it anew: the machine is up already.
    edit(lab, "watchdog", "[Service]\nWatchdogSec=15s\n")
    lab.run("systemctl", "restart", "powerwaked").text()
    logged(lab, "web3 is up already")
    lab.call("guest_waking:until_true", ALIVE, SLOW, limit=SLOW)
    assert unit(lab, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}
    lab.run("systemctl", "kill", "--signal=STOP", "powerwaked").text()
    lab.call("guest_waking:until_true", "systemctl show powerwaked | grep -qx NRestarts=1", SLOW, limit=SLOW)
    logged(lab, "web3 is up already", 2)

    lab.run("sysctl", "-w", "net.ipv4.ping_group_range=0 2147483647").text()
    lab.write(f"{HOSTS}/web5.toml", PINGED)
    lab.run("systemctl", "reload", "powerwaked").text()
    assert logged(lab, "web5 is up already").endswith("ping of 10.77.0.2 is answered")
    assert lab.call("guest_waking:told") == heard  # nothing was sent to one that is up

    lab.write("/etc/resolv.conf", "nameserver 10.77.0.9\n")
    lab.write(f"{HOSTS}/web4.toml", NAMELESS)
    lab.run("systemctl", "reload", "powerwaked").text()
    logged(lab, "waking web4 for always")
    lab.run("systemctl", "stop", "powerwaked").text()
    ended = unit(lab, "ActiveState", "Result", "ExecMainStatus")
    assert ended == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert plan(lab)["web3"]["state"] == ""
