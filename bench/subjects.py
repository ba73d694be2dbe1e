"""Who is measured: a real powernapd, and autosuspend of Debian watching for the same things.

Owns how they are configured, started and asked; nothing of how they are measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.arena import cpu_used
from bench.programs import WORK, end, start
from powernap import monitors

SOURCE = Path(__file__).parent.parent / "src"
START_LIMIT = 30.0
PORT = 22

MONITORS = f"""
[monitor.sessions]
[monitor.terminals]
[monitor.ssh]
type = "tcp"
port = {PORT}
[monitor.work]
type = "process"
program = "{WORK}"
[monitor.load]
type = "{"load" if "load" in monitors.kinds() else "load-average"}"
[monitor.disk]
[monitor.network]
"""
"""Process, TCP, load, users (sessions and terminals), network and disk."""

DEAF = (
    MONITORS.replace("[monitor.disk]", 'above = "10000"\n[monitor.disk]\nabove = "100GiB/s"')
    + 'above = "100GiB/s"\n'
)
"""The same, with limits that no neighbour passes: where it must nap for as long as it is measured."""

AUTOSUSPEND = """
[general]
interval = {interval}
idle_time = 900
suspend_cmd = /bin/true
wakeup_cmd = /bin/true
woke_up_file = {directory}/woke-up
lock_file = {directory}/lock
[check.Work]
class = Processes
enabled = true
processes = {work}
[check.Ssh]
class = ActiveConnection
enabled = true
ports = {port}
[check.Load]
class = Load
enabled = true
threshold = 0.5
[check.Users]
class = Users
enabled = true
name = .*
terminal = .*
host = .*
"""


def config(
    after: str, *, mode: str = "act", actions: tuple[str, ...] = ("kernel-quiet",), monitors: str = MONITORS
) -> str:
    """A configuration with one stage."""
    return f'mode = "{mode}"\n[[stage]]\nname = "ease"\nafter = "{after}"\nactions = {json.dumps([*actions])}\n{monitors}'


def interpreter() -> str:
    """Debian's Python, as the service will have it; where it is too old, the one that runs the bench."""
    system = "/usr/bin/python3"
    told = subprocess.run(
        [system, "-c", "import sys; print(sys.version_info >= (3, 11))"],
        capture_output=True,
        text=True,
        check=False,
    )
    return system if told.stdout.strip() == "True" else sys.executable


def environment(**more: str) -> dict[str, str]:
    """The daemon's, as systemd would give it: little, and the watchdog of the unit."""
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{SOURCE}:{SOURCE.parent}",
        "WATCHDOG_USEC": "600000000",
        **more,
    }


@dataclass
class Daemon:
    """One powernapd in a directory and a control group of its own.

    :param source: which source of process starts it is told to use ("" for its own choice), see forced.py.
    :param before: what is put before the command (``Arena.enter``).
    """

    directory: Path
    cgroup: Path
    text: str
    source: str = ""
    before: list[str] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    cpu_at_ready: float = 0.0

    def start(self) -> Daemon:
        """Start it and wait for ``READY=1``, which systemd would wait for, and for its first look."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "powernap.toml").write_text(self.text)
        heard = str(self.directory / "notify")
        # As the installed script starts it. ``python -m`` would bring runpy, pkgutil and inspect along: 1.4 MiB that no service has.
        begin = "import sys; from powernap.daemon.start import main; sys.exit(main())"
        how = ["-m", "bench.forced", self.source] if self.source else ["-c", begin]
        command = [*self.before, interpreter(), *how]
        places: list[str | Path] = [
            "--config",
            self.directory / "powernap.toml",
            "--runtime",
            self.directory / "run",
            "--state",
            self.directory / "state",
        ]
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told,
            (self.directory / "log").open("ab") as log,
        ):
            told.bind(heard)
            told.settimeout(0.2)
            self.process = start(
                *command,
                *places,
                cgroup=self.cgroup,
                env=environment(NOTIFY_SOCKET=heard, **self.more),
                stderr=log,
                orphaned=signal.SIGTERM,  # it puts back what it changed
            )
            self._wait_ready(told)
        self.cpu_at_ready = cpu_used(self.cgroup)
        os.unlink(heard)
        self.until(lambda: self.ask("why", refresh=False)["phase"] != "checking")
        return self

    def _wait_ready(self, told: socket.socket) -> None:
        limit = time.monotonic() + START_LIMIT
        while True:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in told.recv(4096):
                    return
            if time.monotonic() > limit or self.process is None or self.process.poll() is not None:
                raise TimeoutError(f"powernapd did not start: {self.log()}")

    def until(self, true: Any, limit: float = START_LIMIT) -> None:
        """Wait until something is so."""
        begin = time.monotonic()
        while not true():
            if time.monotonic() - begin > limit:
                raise TimeoutError(f"powernapd: {self.log()} {self.ask('status', refresh=False)}")
            time.sleep(0.01)

    def log(self) -> str:
        """What it wrote to standard error."""
        return (self.directory / "log").read_text(errors="replace")

    def connect(self) -> socket.socket:
        """The control socket."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        # The path of a socket may have 107 bytes.
        sock.connect(f"/proc/self/fd/{self._runtime()}/control")
        return sock

    def _runtime(self) -> int:
        if not hasattr(self, "_fd"):
            self._fd = os.open(self.directory / "run", os.O_PATH)
        return self._fd

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request, one answer."""
        with self.connect() as sock, sock.makefile("rw") as file:
            file.write(json.dumps({"op": op, **fields}) + "\n")
            file.flush()
            answer: dict[str, Any] = json.loads(file.readline())
            return answer

    def stop(self) -> None:
        """Stop it as systemd would."""
        if self.process is not None:
            end(self.process, signal.SIGTERM)
        if hasattr(self, "_fd"):
            os.close(self._fd)


@contextlib.contextmanager
def powernapd(directory: Path, cgroup: Path, text: str, **given: Any) -> Iterator[Daemon]:
    """A running daemon, stopped afterwards."""
    daemon = Daemon(directory, cgroup, text, **given)
    try:
        yield daemon.start()
    finally:
        daemon.stop()


def autosuspend_version() -> str:
    """The version of Debian's package, empty without it."""
    if not shutil.which("autosuspend"):
        return ""
    command = ["dpkg-query", "-W", "-f", "${Version}", "autosuspend"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@contextlib.contextmanager
def autosuspend(directory: Path, cgroup: Path, interval: int, before: list[str]) -> Iterator[None]:
    """A running autosuspend, killed afterwards; its action is harmless."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "autosuspend.conf"
    file.write_text(AUTOSUSPEND.format(interval=interval, directory=directory, work=WORK, port=PORT))
    with (directory / "log").open("ab") as log:
        process = start(*before, "autosuspend", "-c", file, "daemon", cgroup=cgroup, stdout=log, stderr=log)
        try:
            yield
        finally:
            end(process, signal.SIGTERM)
