"""A real systemd with timers, on a machine that has not been booted with it: a user's manager, in namespaces and a cgroup of its own.

:func:`look` starts it and answers with what ``schedules/systemd_timers.py`` says of these timers: ``daily.timer`` has a calendar expression,
``later.timer`` elapses two hours after its start, ``wake.timer`` asks for ``WakeSystem``, ``now.timer`` has elapsed, and what it started runs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC
from pathlib import Path
from typing import Any

from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import systemd_timers
from powernap.schedules.systemd_timers import Options

MANAGER = "/lib/systemd/systemd"
UNITS = {
    "daily.timer": "[Timer]\nOnCalendar=*-*-* 02:30:00 Europe/Berlin\n",
    "later.timer": "[Timer]\nOnActiveSec=2h\nUnit=daily.service\n",
    "wake.timer": "[Timer]\nOnCalendar=*-*-* 12:00:00 UTC\nWakeSystem=yes\nUnit=daily.service\n",
    "now.timer": "[Timer]\nOnActiveSec=0\nAccuracySec=1us\n",
    "daily.service": "[Service]\nExecStart=/bin/true\n",
    "now.service": "[Service]\nExecStart=/bin/sh -c 'echo started > %t/started; exec sleep infinity'\n",
}
OUTER = """
mkdir "$1/cgroup" && mount -t cgroup2 none "$1/cgroup" && group=$1/cgroup/powernap-timers-$$ && mkdir "$group" || exit 1
sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
    unshare --cgroup --pid --fork --kill-child --mount-proc sh -c "$2" sh "$1" "$3" "$4"
ended=$?
find "$group" -depth -type d -exec rmdir {} ';'
umount "$1/cgroup"
exit $ended
"""
INNER = """
mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user && mount -t cgroup2 none /sys/fs/cgroup || exit 1
export XDG_RUNTIME_DIR=/run/user XDG_CONFIG_HOME="$1/config" HOME="$1"
exec "$2" "$3"
"""


def missing() -> str:
    """What this machine lacks for it; empty when nothing."""
    return "" if os.path.exists(MANAGER) else "systemd is needed (apt-get install systemd)"


def look() -> dict[str, Any]:
    """Spans as dictionaries, in seconds from when the timers had been started."""
    directory = tempfile.mkdtemp(prefix="timers-")
    try:
        units = Path(directory, "config/systemd/user")
        units.mkdir(parents=True)
        for name, content in UNITS.items():
            (units / name).write_text(content)
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OUTER, "sh"]
        done = subprocess.run(
            [*command, directory, INNER, sys.executable, __file__],
            env={**os.environ, "PYTHONPATH": os.path.dirname(__file__)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return dict(json.loads(done.stdout.splitlines()[-1]))
    finally:
        shutil.rmtree(directory)


# --- within


def _start() -> subprocess.Popen[bytes]:
    """The manager, once it says that it is ready (sd_notify(3))."""
    path = "/run/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(path)
        manager = subprocess.Popen(
            [MANAGER, "--user", "--unit=basic.target"], env={**os.environ, "NOTIFY_SOCKET": path}
        )
        ear.settimeout(60)
        while b"READY=1" not in ear.recv(4096).splitlines():
            pass
    return manager


def _asked(argv: list[str]) -> str:
    user = ["--user"] if argv[0] == "systemctl" else []
    return subprocess.run([argv[0], *user, *argv[1:]], capture_output=True, text=True, check=True).stdout


def _said(options: Options) -> list[dict[str, Any]]:
    now = time.time()
    found = systemd_timers.spans(Host(TreeFiles()), options, now - 3600, now + 3 * 86400, UTC, _asked)
    return [dataclasses.asdict(span) for span in found]


def main() -> None:
    """What is printed last is what :func:`look` answers with."""
    manager = _start()
    os.mkfifo("/run/user/started")
    before = time.time()
    for timer in ("daily.timer", "later.timer", "now.timer", "wake.timer"):
        subprocess.run(["systemctl", "--user", "start", timer], check=timer != "wake.timer")
    after = time.time()
    Path("/run/user/started").read_text()
    found = {name: _said(Options(timers=(f"{name}.timer",))) for name in ("daily", "later", "now", "nope")}
    found["wake"] = _said(Options(wake_system=True))
    probed = systemd_timers.probe(
        Host(TreeFiles()), Options(timers=("daily.timer", "nope.timer"), wake_system=True), _asked
    )
    subprocess.run(["systemctl", "--user", "exit"], check=True)
    manager.wait(60)
    print(json.dumps({**found, "probe": probed.detail, "before": before, "after": after}))


if __name__ == "__main__":
    main()
