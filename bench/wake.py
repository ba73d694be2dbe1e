"""From a wake to the last value put back, in the lab's guest, for each action by itself and for all: ``python -m bench.wake [--rounds N]``.

Two ways to wake. A *key* ends a nap: counted from the kernel's time stamp of the key (evdev) until powernapd has put back the last
value. A *sleep* that nobody announced (``echo mem > /sys/power/state``) comes over the nap: counted from the instant at which the
kernel lets programs run again; of it, too, from QEMU's WAKEUP event to the answer on this machine, which holds the kernel's own
resume. The guest is emulated, a tenth as fast as this machine: figures say which action is slow, not how slow it is elsewhere.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.report import said, say
from bench.tables import markdown, quartiles
from lab import guest
from lab.errors import LabError
from lab.installed import SOCKET, Daemon

ACTIONS = ("cpu-clock", "kernel-quiet", "cpu-park", "cpu-offline")
CONFIG = """
mode = "act"
min_awake = "0s"
action_time_limit = "2min"
[[stage]]
name = "ease"
after = "1s"
actions = {actions}
[monitor.input]
[sleep]
through = "kernel"
"""
READY = Path("/run/bench-ready")
SLOW = 300.0


@dataclass
class Wakes:
    """Milliseconds. ``key``, ``sleep``: to the last value put back; ``board``: from QEMU's event to the answer after it."""

    actions: list[str]
    values: int = 0
    key: list[float] = field(default_factory=list)
    sleep: list[float] = field(default_factory=list)
    board: list[float] = field(default_factory=list)


def measured(lab: guest.Guest, actions: list[str], rounds: int) -> Wakes:
    """One set of actions."""
    found = Wakes(actions)
    daemon = Daemon(lab, CONFIG.format(actions=json.dumps(actions)))
    daemon.start()
    try:
        for number in range(rounds):
            say(f"{', '.join(actions)}: round {number + 1} of {rounds}")
            found.values = max(found.values, napping(lab, daemon))
            answer = begun(lab, "key")
            lab.key("a")
            found.key.append(lab.finish(answer, SLOW).value)
            napping(lab, daemon)
            answer = begun(lab, "sleep")
            lab.qmp.wait("SUSPEND", SLOW)
            time.sleep(1.5)  # the guest's clocks go on by whole seconds: a shorter sleep is none to them
            lab.wakeup()
            lab.qmp.wait("WAKEUP", SLOW)
            began = time.monotonic()
            found.sleep.append(lab.finish(answer, SLOW).value)
            found.board.append((time.monotonic() - began) * 1000)
    finally:
        daemon.stop()
    return found


def napping(lab: guest.Guest, daemon: Daemon) -> int:
    """Wait until it naps; how many values are changed."""
    lab.call("bench.wake:nap", limit=SLOW)
    return len(daemon.changed())


def begun(lab: guest.Guest, how: str) -> int:
    """Begin to listen in the guest; ``finish`` tells the milliseconds."""
    lab.shell(f"rm -f {READY}").text()
    number = lab.begin_call(f"bench.wake:{how}")
    lab.shell(f"until test -e {READY}; do sleep 0.05; done").text()
    return number


def table(found: list[Wakes]) -> str:
    """As Markdown."""
    head = [
        "actions",
        "values",
        "key to the last value (ms)",
        "programs run again to the last value (ms)",
        "WAKEUP to the answer (ms)",
    ]
    rows = [
        [
            ", ".join(each.actions),
            str(each.values),
            *(quartiles(times) for times in (each.key, each.sleep, each.board)),
        ]
        for each in found
    ]
    return markdown(head, rows)


# In the guest, called there by its agent.


def news() -> Iterator[dict[str, Any]]:
    """Everything the daemon says from now on."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(SOCKET)
        sock.sendall(b'{"op":"watch"}\n')
        for line in sock.makefile("rb"):
            yield json.loads(line)


def nap() -> None:
    """Wait until it naps."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(SOCKET)
        answers = sock.makefile("rb")
        while True:
            sock.sendall(b'{"op":"status","refresh":false}\n')
            if json.loads(answers.readline())["phase"] == "napping":
                return
            time.sleep(0.2)


def put_back(entries: Iterator[dict[str, Any]], began: float) -> float:
    """Milliseconds until the last value is put back."""
    left = next(float(each["at"]) for each in entries if each.get("event") == "left")
    return max(0.0, left - began) * 1000


def key() -> float:
    """Of the next key."""
    entries = news()
    next(entries)
    devices = Path("/proc/bus/input/devices").read_text().split("\n\n")
    name = (
        next(text for text in devices if "AT Translated Set 2 keyboard" in text)
        .partition("event")[2]
        .split()[0]
    )
    with Path(f"/dev/input/event{name}").open("rb", buffering=0) as device:
        fcntl.ioctl(device, 0x400445A0, struct.pack("i", time.CLOCK_BOOTTIME))  # EVIOCSCLOCKID
        READY.touch()
        seconds, microseconds = struct.unpack_from("qq", device.read(24))
    return put_back(entries, seconds + microseconds / 1e6)


def sleep() -> float:
    """Of a sleep, from its end."""
    entries = news()
    next(entries)
    READY.touch()
    Path("/sys/power/state").write_text("mem")
    return put_back(entries, time.clock_gettime(time.CLOCK_BOOTTIME))


def main() -> int:
    """The program: 0, or 1 where there is no lab."""
    parser = argparse.ArgumentParser(prog="python -m bench.wake", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="every figure")
    args = parser.parse_args()
    try:
        with guest.thawed(say) as lab:
            lab.unplug_keyboard()
            found = [measured(lab, actions, args.rounds) for actions in ([name] for name in ACTIONS)]
            found.append(measured(lab, list(ACTIONS), args.rounds))
    except LabError as error:
        print(f"nothing was measured: {error}", file=sys.stderr)
        return 1
    finally:
        said()
    print("median / 95 % / maximum")
    print(table(found), end="")
    if args.json:
        Path(args.json).write_text(json.dumps([asdict(each) for each in found], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
