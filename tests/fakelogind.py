"""A stand-in for systemd-logind that keeps its promises about sleep, as a process on a private bus; the real one would need systemd.

It does what src/login/logind-dbus.c and logind-inhibit.c do (read at v252, v257 and later): locks are FIFOs under /run/systemd/inhibit
that outlive a restart and end when their last descriptor is closed; ``Suspend`` and its like say ``PrepareForSleep(true)``, answer, wait
until no delay lock is left or the time limit has passed, "sleep", and say ``false``. It "sleeps" by writing down that it did.

``start(machine, version=252, ...)`` starts it on a bus of tests/bus.py, ``events(machine)`` is what it did so far. In the process itself
only what /usr/bin/python3 has: dbus-python and GLib, which python3-dbusmock brings.
"""

# dbus-python and PyGObject are the system's: the environment that is checked has neither.
# mypy: disable-error-code="import-not-found,untyped-decorator,misc"

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from typing import Any

from bus import PrivateBus

NAME, PATH, MANAGER = (
    "org.freedesktop.login1",
    "/org/freedesktop/login1",
    "org.freedesktop.login1.Manager",
)
NOTES = "org.powernap.Notes"


def start(machine: PrivateBus, **settings: Any) -> None:
    """Start it, or start it again, and wait until it has its name.

    :param version: of systemd; before 249 there are no ``...WithFlags``, up to 256 a block lock stops root
        only when that flag is set and another user holds it, from 257 on always.
    :param delay_max: seconds; ``can``: answers of ``Can...`` other than "yes"; ``fails``: systemd cannot start the target.
    :param signature: of what ``ListInhibitors`` answers; ``without_fd``: ``Inhibit`` answers no descriptor.
    """
    command = ["/usr/bin/python3", "-m", "fakelogind", json.dumps({"root": machine.root, **settings})]
    environment = {**machine.environment, "PYTHONPATH": os.path.dirname(__file__)}
    machine.processes["logind"] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    stdout = machine.processes["logind"].stdout
    assert stdout
    assert stdout.readline() == b"ready\n"


def events(machine: PrivateBus) -> list[str]:
    """What it did, in order."""
    answer = machine.gdbus(NAME, PATH, f"{NOTES}.Events")
    found: list[str] = ast.literal_eval(answer.replace("@as ", ""))[0]
    return found


def asked(machine: PrivateBus) -> list[str]:
    """Of which states it was asked whether it can enter them, in order."""
    answer = machine.gdbus(NAME, PATH, f"{NOTES}.Asked")
    found: list[str] = ast.literal_eval(answer.replace("@as ", ""))[0]
    return found


def _serve(settings: dict[str, Any]) -> None:
    import dbus  # noqa: PLC0415
    import dbus.mainloop.glib  # noqa: PLC0415
    import dbus.service  # noqa: PLC0415
    from gi.repository import GLib  # noqa: PLC0415

    method, signal = dbus.service.method, dbus.service.signal
    directory = f"{settings['root']}/run/systemd/inhibit"
    os.makedirs(directory, exist_ok=True)
    version = settings.get("version", 252)
    delay_max = settings.get("delay_max", 5.0)

    def refuse(name: str, text: str) -> Exception:
        error: Exception = dbus.exceptions.DBusException(text, name=name)
        return error

    asked: list[str] = []

    class Logind(dbus.service.Object):
        """The manager object."""

        def __init__(self, bus: Any) -> None:
            super().__init__(bus, PATH)
            self.bus, self.count = bus, 0
            self.notes: list[str] = []
            self.locks: dict[str, tuple[Any, ...]] = {}
            self.action, self.timer = "", 0
            for file in sorted(os.listdir(directory)):
                if not file.endswith(".ref"):
                    with open(f"{directory}/{file}", encoding="utf-8") as saved:
                        self.watch(file, tuple(json.load(saved)))

        # --- locks

        def watch(self, key: str, row: tuple[Any, ...]) -> None:
            fd = os.open(f"{directory}/{key}.ref", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            # Opened on both sides, then closed on the writing one: the reading one hangs up once nobody else has it.
            os.close(os.open(f"{directory}/{key}.ref", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            self.locks[key] = row
            self.count = max(self.count, int(key))
            GLib.unix_fd_add_full(GLib.PRIORITY_LOW, fd, GLib.IO_HUP, self.ended, key)

        def ended(self, fd: int, _condition: Any, key: str) -> bool:
            os.close(fd)
            row = self.locks.pop(key)
            os.unlink(f"{directory}/{key}")
            os.unlink(f"{directory}/{key}.ref")
            self.notes.append(f"unlocked {row[3]} {row[1]}")
            self.tell(row[3])
            self.go_on()
            return False

        def held(self, what: str, modes: set[str], but: int = -1) -> list[str]:
            return [
                row[3]
                for row in self.locks.values()
                if what in row[0].split(":") and row[3] in modes and row[4] != but
            ]

        @method(MANAGER, in_signature="ssss", out_signature="h", sender_keyword="sender")
        def Inhibit(self, what: str, who: str, why: str, mode: str, sender: str = "") -> Any:
            if self.action and mode == "delay":
                raise refuse(f"{NAME}.OperationInProgress", "The operation is already running")
            self.count += 1
            key = str(self.count)
            pid = int(
                self.bus.call_blocking(
                    "org.freedesktop.DBus",
                    "/org/freedesktop/DBus",
                    "org.freedesktop.DBus",
                    "GetConnectionUnixProcessID",
                    "s",
                    (sender,),
                )
            )
            row = (str(what), str(who), str(why), str(mode), self.bus.get_unix_user(sender), pid)
            os.mkfifo(f"{directory}/{key}.ref", 0o600)
            with open(f"{directory}/{key}", "w", encoding="utf-8") as saved:
                json.dump(row, saved)
            self.keep = os.open(f"{directory}/{key}.ref", os.O_RDWR | os.O_CLOEXEC)
            given = os.open(f"{directory}/{key}.ref", os.O_WRONLY | os.O_CLOEXEC)
            self.watch(key, row)
            os.close(self.keep)
            self.notes.append(f"locked {mode} {who}")
            self.tell(str(mode))
            handed = dbus.types.UnixFd(given)
            os.close(given)
            return handed

        @method(MANAGER, out_signature=settings.get("signature", "a(ssssuu)"))
        def ListInhibitors(self) -> Any:
            rows = list(self.locks.values())
            return rows if "signature" not in settings else [row[:1] for row in rows]

        @signal("org.freedesktop.DBus.Properties", signature="sa{sv}as")
        def PropertiesChanged(self, interface: str, changed: Any, invalidated: Any) -> None:
            """As it is sent with each lock that comes or goes, also when the words stay the same (bus_manager_send_inhibited_change)."""

        def tell(self, mode: str) -> None:
            name = {"delay": "DelayInhibited", "block-weak": "BlockWeakInhibited"}.get(mode, "BlockInhibited")
            self.PropertiesChanged(MANAGER, {name: ""}, dbus.Array([], signature="s"))

        # --- sleep

        @signal(MANAGER, signature="b")
        def PrepareForSleep(self, start: bool) -> None:
            self.notes.append(f"PrepareForSleep {bool(start)}")

        @signal(MANAGER, signature="b")
        def PrepareForShutdown(self, start: bool) -> None:
            self.notes.append(f"PrepareForShutdown {bool(start)}")

        def prepare(self, start: bool) -> None:
            (self.PrepareForShutdown if self.action == "PowerOff" else self.PrepareForSleep)(start)

        def what(self, action: str) -> str:
            return "shutdown" if action == "PowerOff" else "sleep"

        def order(self, action: str, flags: int) -> None:
            if self.action:
                raise refuse(f"{NAME}.OperationInProgress", "There's already a sleep operation in progress")
            if settings.get("can", {}).get(action, "yes") != "yes":
                raise refuse(
                    f"{NAME}.SleepVerbNotSupported", f"Sleep verb '{action.lower()}' is not configured"
                )
            modes = {"block", "block-weak"} if flags & 1 else ({"block"} if version >= 257 else set())
            own = -1 if version >= 257 else 0  # who asks is root; up to 256 his own locks do not stop a user
            if self.held(self.what(action), modes, own):
                raise refuse(
                    "org.freedesktop.DBus.Error.AccessDenied", "Access denied due to active block inhibitor"
                )
            self.action = action
            self.prepare(True)
            if delay_max and self.held(self.what(action), {"delay"}):
                self.timer = GLib.timeout_add(int(delay_max * 1000), self.waited)
            else:
                GLib.idle_add(self.execute)

        def go_on(self) -> None:
            if self.timer and not self.held(self.what(self.action), {"delay"}):
                GLib.source_remove(self.timer)
                self.timer = 0
                self.execute()

        def waited(self) -> bool:
            self.timer = 0
            self.notes.append("waited long enough")
            self.execute()
            return False

        def execute(self) -> bool:
            self.notes.append(f"{self.action} failed" if settings.get("fails") else f"slept: {self.action}")
            self.prepare(False)
            self.action = ""
            return False

        # --- properties and notes

        @method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v")
        def Get(self, _interface: str, name: str) -> Any:
            values = {
                "InhibitDelayMaxUSec": dbus.UInt64(int(delay_max * 1e6)),
                "PreparingForSleep": bool(self.action) and self.action != "PowerOff",
                "PreparingForShutdown": self.action == "PowerOff",
            }
            if name not in values:
                raise refuse("org.freedesktop.DBus.Error.UnknownProperty", f"Unknown property {name}")
            return values[name]

        @method(NOTES, out_signature="as")
        def Events(self) -> Any:
            return self.notes

        @method(NOTES, out_signature="as")
        def Asked(self) -> Any:
            """Which ``Can...`` were asked."""
            return dbus.Array(asked, signature="s")

        @method(NOTES, in_signature="s")
        def Lock(self, who: str) -> None:
            """Another user takes a block lock that is never given back."""
            self.locks["999"] = ("sleep", str(who), "", "block", 65534, 999)

    def answering(verb: str) -> Any:
        def can(_self: Any) -> str:
            asked.append(verb)
            return str(settings.get("can", {}).get(verb, "yes"))

        can.__name__ = f"Can{verb}"
        return method(MANAGER, out_signature="s")(can)

    def ordering(verb: str, flags: bool) -> Any:
        def order(self: Any, argument: Any) -> None:
            self.order(verb, int(argument) if flags else 0)

        order.__name__ = f"{verb}WithFlags" if flags else verb
        return method(MANAGER, in_signature="t" if flags else "b")(order)

    made: dict[str, Any] = {}
    for verb in ("Suspend", "Hibernate", "HybridSleep", "SuspendThenHibernate", "PowerOff"):
        if verb == "SuspendThenHibernate" and version < 239:
            continue
        made[f"Can{verb}"] = answering(verb)
        made[verb] = ordering(verb, flags=False)
        if version >= 249:
            made[f"{verb}WithFlags"] = ordering(verb, flags=True)
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    type("Versioned", (Logind,), made)(bus)
    name = dbus.service.BusName(NAME, bus)
    print("ready", flush=True)
    GLib.MainLoop().run()
    del name


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
