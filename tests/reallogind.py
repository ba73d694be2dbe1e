"""The machine's own systemd-logind on a private bus, in a mount namespace of its own, with a systemd that only notes what it is to start.

logind sees the bus's /run as its own and a /sys/power that offers suspend; nothing can sleep, since systemd is the stand-in below. What
the stand-in of tests/fakelogind.py claims is held against this.
"""

# dbus-python and PyGObject are the system's: the environment that is checked has neither.
# mypy: disable-error-code="import-not-found,untyped-decorator,misc"

from __future__ import annotations

import os
import subprocess
from typing import Any

import fakelogind
from bus import PrivateBus

PROGRAM = "/lib/systemd/systemd-logind"
SCRIPT = """mount --bind "$1/run" /run && mount -t tmpfs none /sys/power || exit 1
echo 'freeze mem' > /sys/power/state; echo '[deep]' > /sys/power/mem_sleep
exec $2
"""
SYSTEMD, NOTES = "org.freedesktop.systemd1", "org.powernap.Notes"


def missing() -> str:
    """What this machine lacks for it; empty when nothing."""
    return "" if os.path.exists(PROGRAM) else "systemd-logind is needed (apt-get install systemd)"


def start(machine: PrivateBus) -> None:
    """Start both, or logind again, and wait until logind has its name."""
    if "systemd" not in machine.processes:
        os.makedirs(f"{machine.root}/run/systemd/system", exist_ok=True)
        environment = {**machine.environment, "PYTHONPATH": os.path.dirname(__file__)}
        command = ["/usr/bin/python3", "-m", "reallogind"]
        systemd = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        machine.processes["systemd"] = systemd
        assert systemd.stdout
        assert systemd.stdout.readline() == b"ready\n"
    private = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        SCRIPT,
        "sh",
        machine.root,
        PROGRAM,
    ]
    machine.processes["logind"] = subprocess.Popen(
        private, env=machine.environment, stderr=subprocess.DEVNULL
    )
    asking = "GetNameOwner", fakelogind.NAME
    bus = "org.freedesktop.DBus", "/org/freedesktop/DBus"
    while not machine.gdbus(*bus, f"org.freedesktop.DBus.{asking[0]}", asking[1], fails=True):
        assert machine.processes["logind"].poll() is None


def started(machine: PrivateBus) -> int:
    """How often systemd was to start suspend.target."""
    answer = machine.gdbus(SYSTEMD, "/org/freedesktop/systemd1", f"{NOTES}.Started")
    return answer.count("suspend.target")


def _serve() -> None:
    import dbus  # noqa: PLC0415
    import dbus.mainloop.glib  # noqa: PLC0415
    import dbus.service  # noqa: PLC0415
    from gi.repository import GLib  # noqa: PLC0415

    method = dbus.service.method
    manager = f"{SYSTEMD}.Manager"

    class Systemd(dbus.service.Object):
        started: list[str] = []  # noqa: RUF012

        @method(manager)
        def Subscribe(self) -> None:
            pass

        @method(manager, in_signature="s", out_signature="o")
        def GetUnit(self, _unit: str) -> str:
            return "/org/freedesktop/systemd1/unit/one"

        @method(manager, in_signature="ss", out_signature="o")
        def StartUnit(self, unit: str, _mode: str) -> str:
            self.started.append(unit)
            job = f"/org/freedesktop/systemd1/job/{len(self.started)}"
            GLib.idle_add(lambda: self.JobRemoved(len(self.started), job, unit, "failed"))
            return job

        @dbus.service.signal(manager, signature="uoss")
        def JobRemoved(self, number: int, job: str, unit: str, result: str) -> None:
            pass

        @method(NOTES, out_signature="as")
        def Started(self) -> list[str]:
            return self.started

    class Units(dbus.service.FallbackObject):
        @method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v")
        def Get(self, _interface: str, name: str) -> Any:
            return {"LoadState": "loaded", "Result": "exit-code"}[name]

    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    Systemd(bus, "/org/freedesktop/systemd1")
    Units(bus, "/org/freedesktop/systemd1/unit")
    name = dbus.service.BusName(SYSTEMD, bus)
    print("ready", flush=True)
    GLib.MainLoop().run()
    del name


if __name__ == "__main__":
    _serve()
