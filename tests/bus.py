"""A private message bus with a mock of logind on it (python-dbusmock), as real processes; for tests of the sessions monitor."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time

CONFIG = """<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="false"/><allow own="*"/><allow receive_sender="*"/></policy></busconfig>
"""
LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Mock")


def missing() -> str:
    """What this machine lacks for such a bus; empty when nothing."""
    if not shutil.which("dbus-daemon") or not shutil.which("gdbus"):
        return "dbus-daemon and gdbus are needed (apt-get install dbus libglib2.0-bin)"
    found = subprocess.run(["/usr/bin/python3", "-c", "import dbusmock"], capture_output=True, check=False)
    return "python3-dbusmock is needed (apt-get install python3-dbusmock)" if found.returncode else ""


class PrivateBus:
    """A machine's root with a bus at /run/dbus/system_bus_socket and logind's mark. The path is short: a socket's may have 107 bytes."""

    def __init__(self) -> None:
        self.root = tempfile.mkdtemp(prefix="bus-", dir="/tmp")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        os.makedirs(f"{self.root}/run/dbus")
        os.makedirs(f"{self.root}/run/systemd/seats")
        os.makedirs(f"{self.root}/dev/pts")
        self.socket = f"{self.root}/run/dbus/system_bus_socket"
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.socket}"}

    def start_bus(self) -> None:
        """Start dbus-daemon and wait until it listens."""
        with open(f"{self.root}/bus.conf", "w", encoding="utf-8") as file:
            file.write(CONFIG.format(socket=self.socket))
        command = [
            "dbus-daemon",
            f"--config-file={self.root}/bus.conf",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.processes["bus"] = process
        assert process.stdout
        process.stdout.readline()

    def start_logind(self) -> None:
        """Start the mock and wait until it has its name."""
        command = ["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind"]
        self.processes["logind"] = subprocess.Popen(command, env=self.environment)
        for _ in range(500):
            if self.gdbus(
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus.GetNameOwner",
                LOGIND[0],
                fails=True,
            ):
                return
            time.sleep(0.02)
        raise TimeoutError("the mock of logind does not start")

    def gdbus(self, to: str, path: str, method: str, *arguments: str, fails: bool = False) -> str:
        """Call a method with a foreign client."""
        command = ["gdbus", "call", "--system", "-d", to, "-o", path, "-m", method, *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=not fails, timeout=20
        )
        return "" if done.returncode else done.stdout.strip()

    def add_session(self, name: str, user: str, **properties: str) -> str:
        """Somebody logs in; ``properties`` are GVariant texts. Answers with the session's path."""
        path = f"/org/freedesktop/login1/session/{name}"
        self.gdbus(*LOGIND[:2], f"{LOGIND[2]}.AddSession", name, "seat0", "1000", user, "true")
        self.change(path, **properties)
        self.gdbus(
            *LOGIND[:2],
            f"{LOGIND[2]}.EmitSignal",
            "org.freedesktop.login1.Manager",
            "SessionNew",
            "so",
            f"[<'{name}'>, <objectpath '{path}'>]",
        )
        return path

    def change(self, path: str, **properties: str) -> None:
        """Change properties of a session, with the signal."""
        if properties:
            values = ", ".join(f"'{key}': <{value}>" for key, value in properties.items())
            self.gdbus(
                LOGIND[0],
                path,
                f"{LOGIND[2]}.UpdateProperties",
                "org.freedesktop.login1.Session",
                "{" + values + "}",
            )

    def remove_session(self, path: str) -> None:
        """Somebody logs out."""
        name = path.rsplit("/", 1)[1]
        self.gdbus(*LOGIND[:2], f"{LOGIND[2]}.RemoveObject", path)
        self.gdbus(
            *LOGIND[:2],
            f"{LOGIND[2]}.EmitSignal",
            "org.freedesktop.login1.Manager",
            "SessionRemoved",
            "so",
            f"[<'{name}'>, <objectpath '{path}'>]",
        )

    def stop(self, which: str) -> None:
        """End one of the processes."""
        process = self.processes.pop(which, None)
        if process:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def close(self) -> None:
        """Leave nothing."""
        self.stop("logind")
        self.stop("bus")
        shutil.rmtree(self.root)
