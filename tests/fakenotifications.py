"""A user's session bus with a small notification service on it, as real processes of that user; it writes down what it is asked to show.

In the service only what /usr/bin/python3 has: dbus-python and GLib, which python3-dbusmock brings.
"""

# dbus-python and PyGObject are the system's: the environment that is checked has neither.
# mypy: disable-error-code="import-not-found,untyped-decorator,misc"

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
CONFIG = """<busconfig><type>session</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="false"/><allow own="*"/><allow receive_sender="*"/></policy></busconfig>
"""


class Desktop:
    """One user's, whom this machine knows (libdbus wants a name); ``root`` is the machine's, which others may enter."""

    def __init__(self, root: Path, uid: int) -> None:
        self.uid, self.gid = uid, pwd.getpwuid(uid).pw_gid
        self.runtime = root / f"run/user/{uid}"
        self.runtime.mkdir(parents=True)
        self.notes = self.runtime / "notes"
        (self.runtime / "bus.conf").write_text(CONFIG.format(socket=self.runtime / "bus"))
        os.chmod(self.runtime, 0o700)
        for path in (self.runtime, self.runtime / "bus.conf"):
            os.chown(path, uid, self.gid)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *abilities: str, does: str = "answer") -> None:
        """The bus, and the service with these abilities. ``does``: ``answer``, or ``hang``."""
        self.start_bus()
        command = ["/usr/bin/python3", __file__, str(self.notes), does, *abilities]
        self._begin(command, DBUS_SESSION_BUS_ADDRESS=f"unix:path={self.runtime}/bus")

    def start_bus(self) -> None:
        """Nobody shows anything there."""
        config = f"--config-file={self.runtime}/bus.conf"
        self._begin(["dbus-daemon", config, "--nofork", "--nopidfile", "--print-address=1"])

    def _begin(self, command: list[str], **environment: str) -> None:
        """Until it says that it is ready."""
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **environment},
            user=self.uid,
            group=self.gid,
            extra_groups=[],
        )
        self.processes.append(process)
        assert process.stdout
        assert process.stdout.readline()

    def told(self) -> list[dict[str, Any]]:
        """What it was asked, in order: who asked is ``uid``."""
        return (
            [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []
        )

    def close(self) -> None:
        """Leave no process."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _serve(notes: str, does: str, abilities: list[str]) -> None:
    import dbus  # noqa: PLC0415
    import dbus.mainloop.glib  # noqa: PLC0415
    import dbus.service  # noqa: PLC0415
    from gi.repository import GLib  # noqa: PLC0415

    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    method = dbus.service.method

    def note(sender: str, **facts: Any) -> None:
        with open(notes, "a", encoding="utf-8") as file:
            file.write(json.dumps({**facts, "uid": bus.get_unix_user(sender)}) + "\n")

    class Notifications(dbus.service.Object):
        shown = 0
        stands: set[int] = set()  # noqa: RUF012

        @method(NAME, out_signature="as", async_callbacks=("done", "_failed"))
        def GetCapabilities(self, done: Any, _failed: Any) -> None:
            if does != "hang":
                done(abilities)

        @method(NAME, in_signature="susssasa{sv}i", out_signature="u", sender_keyword="sender")
        def Notify(
            self, app: str, replaces: int, icon: str, summary: str, body: str, _actions: Any, hints: Any, timeout: int, sender: str = "",
        ) -> int:  # fmt: skip
            if replaces not in self.stands:
                Notifications.shown += 1
                replaces = Notifications.shown
            self.stands.add(int(replaces))
            note(
                sender, did="notify", number=int(replaces), app=str(app), icon=str(icon), summary=str(summary), body=str(body),
                urgency=int(hints["urgency"]), transient=bool(hints["transient"]), timeout=int(timeout),
            )  # fmt: skip
            return int(replaces)

        @method(NAME, in_signature="u", sender_keyword="sender")
        def CloseNotification(self, number: int, sender: str = "") -> None:
            self.stands.discard(int(number))
            note(sender, did="close", number=int(number))

    service = Notifications(bus, PATH)
    name = dbus.service.BusName(NAME, bus)
    print("ready", flush=True)
    GLib.MainLoop().run()
    del service, name


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], sys.argv[3:])
