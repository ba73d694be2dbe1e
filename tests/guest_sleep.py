"""Runs in the lab's guest, for the tests of sleep: an admin's own settings, all settings, and what is there right after a sleep.

Called with ``lab.call("guest_sleep:...")``: each is a process of its own, and answers with what JSON can hold.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.installed import SOCKET
from lab.tree import look

CPU = Path("/sys/devices/system/cpu")
PS2_MOUSE = Path("/sys/bus/serio/devices/serio1")
ALARM = Path("/sys/class/rtc/rtc0/wakealarm")
NUMBER = re.compile(r"^/proc/irq/(\d+)/")
COMES_AND_GOES = re.compile(r"/sys/fs/cgroup/system\.slice/[^/]+\.service/.*")
"""Of services that run: powernapd's own, and systemd's that sleeps."""
HOOKS = Path("/usr/lib/systemd/system-sleep")
ABOUT, LOOKED = Path("/run/about-to-sleep"), Path("/run/looked")
LOOK = f"""#!/bin/sh
echo > {ABOUT}
[ "$1" = post ] || exec cat {LOOKED}
"""


def settings_of_an_admin(widest: int = 1) -> None:
    """A processor off, other governors with tunables of their own, an interrupt and tasks bound to 0, 0-1 ... 0-``widest``.

    And no PS/2 mouse: on a busy machine it answers its driver too late after a sleep, and becomes a new device.
    """
    for name, word in (("bind_mode", "manual"), ("drvctl", "none")):
        (PS2_MOUSE / name).write_text(word)
    (CPU / "cpu3/online").write_text("0")
    for policy, governor in (("policy0", "ondemand"), ("policy2", "conservative")):
        (CPU / f"cpufreq/{policy}/scaling_governor").write_text(governor)
    (CPU / "cpufreq/ondemand/up_threshold").write_text("77")
    (CPU / "cpufreq/conservative/freq_step").write_text("9")
    Path("/proc/sys/vm/stat_interval").write_text("3")
    # to two processors: of one alone the kernel itself forgets it, when that goes off for the sleep
    Path("/proc/irq/12/smp_affinity").write_text("3")
    for last in range(widest + 1):
        bind(set(range(last + 1)))


def bind(cpus: set[int]) -> None:
    """A task that sleeps for ever, and may run on these only."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.sched_setaffinity(0, cpus)
        os.execvp("sleep", ["sleep", "infinity"])
    while os.sched_getaffinity(pid) != cpus:
        time.sleep(0.01)


def settings() -> dict[str, str]:
    """The tree, with interrupts called by their handlers: some drivers ask for new numbers after each sleep."""
    handlers = {
        path.parent.name: path.read_text().strip() for path in Path("/sys/kernel/irq").glob("*/actions")
    }

    def named(found: re.Match[str]) -> str:
        return f"/proc/irq/{handlers.get(found[1]) or found[1]}/"

    return {
        NUMBER.sub(named, path): value for path, value in look().items() if not COMES_AND_GOES.match(path)
    }


def look_at_sleep() -> None:
    """From now on systemd-sleep(8) waits, right before it tells the kernel to sleep, until ``at_sleep`` has looked."""
    os.mkfifo(ABOUT)
    os.mkfifo(LOOKED)
    (HOOKS / "look").write_text(LOOK)
    (HOOKS / "look").chmod(0o755)


def at_sleep() -> dict[str, str]:
    """All settings at that moment. It waits here, since in the hook an interpreter would have to start first, and a hook has 90 s.

    Told when the machine is back: what is told while it falls asleep is lost, and asked again only after a while.
    """
    ABOUT.read_text()
    found = settings()
    LOOKED.write_text("")
    ABOUT.read_text()
    return found


class Line:
    """A connection to the daemon."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(SOCKET)
        self.answers = self.socket.makefile("r")

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request, one answer."""
        self.socket.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
        return self.next()

    def next(self) -> dict[str, Any]:
        """What comes next."""
        document: dict[str, Any] = json.loads(self.answers.readline())
        return document

    def watched(self) -> Iterator[dict[str, Any]]:
        """All that happens from now on."""
        yield self.ask("watch")
        while True:
            yield self.next()


def morning(begins: str = "") -> dict[str, Any]:
    """Wait for the end of the next sleep, keep the machine up, and tell what is there once everything is put back.

    The night is what happened since the end of the sleep before. :param begins: a line of shell that puts the machine to sleep, run when
        the end cannot be missed any more.
    """
    news = Line()
    watched = news.watched()
    next(watched)
    going = subprocess.Popen(["sh", "-c", begins])
    next(entry for entry in watched if entry.get("event") == "resumed")
    going.wait()
    asking = Line()  # now: one that asks nothing for a while is hung up on
    asking.ask("hold", why="a look at the settings")
    # an alarm that did not ring goes when the login manager has told of the sleep's end
    while ALARM.read_text().strip() or asking.ask("status", refresh=False)["phase"] not in {
        "awake",
        "halted",
    }:
        time.sleep(0.1)
    entries = asking.ask("history", count=1000)["entries"]
    ends = [number for number, entry in enumerate(entries) if entry["event"] == "resumed"]
    began = ends[-2] + 1 if len(ends) > 1 else 0
    return {"night": entries[began:], "settings": settings()}


def awake() -> dict[str, Any]:
    """Keep the machine up, and tell what is there once everything is put back."""
    asking = Line()
    asking.ask("hold", why="a look at the settings")
    while asking.ask("status", refresh=False)["phase"] not in {"awake", "halted"}:
        time.sleep(0.1)
    changed = asking.ask("status", refresh=False)["changed"]
    return {"settings": settings(), "why": asking.ask("why", refresh=False), "changed": changed}


def size(pid: int) -> dict[str, int]:
    """Open descriptors and resident kB of a process."""
    resident = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "kB": int(resident[1]) if resident else 0}
