"""From a wake to the last value put back, in the lab's guest, for each action by itself and for stages: ``python -m bench.wake``.

Two ways to wake. A *key* ends a nap: counted from the kernel's time stamp of the key (evdev) until powernapd has put back the last value. A
*sleep* that nobody announced (``echo mem > /sys/power/state``) comes over a nap and QEMU's wake signal ends it: counted from the instant at
which the kernel lets programs run again. Beside each stands the same nap without any action, which is what the daemon itself takes. The guest
is emulated, a tenth as fast as this machine or less: so the ratio tells which action is slow, not the milliseconds.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import socket
import statistics
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.report import machine, provenance, said, say, write, write_json
from bench.tables import histogram, markdown, number, quartiles
from lab import actions, guest
from lab.errors import LabError
from lab.installed import SOCKET, Daemon
from powernap.actions import find

NOTHING = "no action"
ABSENT = "platform-profile"
"""Stands for no action, since a stage must have one: the guest has no profiles."""
APART = ("cpu-offline", "smt-off")
"""Take away what others park."""
QUICK = ("kernel-quiet", "cpu-clock", "cpu-offline")
CONFIG = """
mode = "act"
min_awake = "0s"
loop_limit = 1000
action_time_limit = "5min"
[[stage]]
name = "ease"
after = "1s"
actions = {actions}
[monitor.input]
[sleep]
through = "kernel"
{sections}"""
READY = Path("/run/bench-ready")
SLOW = 300.0
COMMAND = "python -m bench.wake"
HEAD = ("stage", "values", "key, ms", "times", "sleep, ms", "times", "whole wake, ms")


@dataclass
class Wakes:
    """Milliseconds, one a round. ``key``, ``sleep``: to the last value put back; ``board``: from QEMU's wake signal to the same, told here.

    :ivar values: how many were changed.
    """

    name: str
    actions: list[str]
    values: int = 0
    key: list[float] = field(default_factory=list)
    sleep: list[float] = field(default_factory=list)
    board: list[float] = field(default_factory=list)


def stages(chosen: Iterable[str]) -> dict[str, list[str]]:
    """What is measured: nothing, each action, the default ladder's stages, and all that can stand together, by lane."""
    names = [name for name in actions.CASES if name in set(chosen)]
    together = [name for name in names if name not in APART]
    fast = [name for name in together if find(name).LANE == "fast"]
    whole = {
        "ease: cpu-clock, kernel-quiet": ["cpu-clock", "kernel-quiet"],
        "park: the same and cpu-park": ["cpu-clock", "kernel-quiet", "cpu-park"],
        f"all {len(fast)} of the fast lane": fast,
        f"all {len(together)} that go together": together,
    }
    known = {name: each for name, each in whole.items() if len(each) > 1 and {*each} <= {*names}}
    found = {NOTHING: list[str]()}
    for name, each in [*known.items(), *((name, [name]) for name in names)]:
        if each not in found.values():
            found[name] = each
    return found


def config(names: list[str]) -> str:
    """A daemon with one stage of these actions."""
    return CONFIG.format(actions=json.dumps(names or [ABSENT]), sections="".join(map(actions.section, names)))


def alone(found: Wakes, rounds: int, sleeps: int) -> Wakes:
    """One stage in a guest of its own. One that hangs (one in some 500 sleeps: a timer of the emulator is lost) is measured anew, once."""
    try:
        return in_guest(found, rounds, sleeps)
    except LabError as error:
        said()
        print(f"{found.name}, once more: {str(error)[:300]}", file=sys.stderr)
        return in_guest(Wakes(found.name, found.actions), rounds, sleeps)


def in_guest(found: Wakes, rounds: int, sleeps: int) -> Wakes:
    """From a fresh guest to its end."""
    with guest.thawed(say) as lab:
        lab.unplug_keyboard()
        actions.prepare(lab, found.actions)
        measured(Daemon(lab, config([])), found, rounds, sleeps)
    return found


def measured(daemon: Daemon, found: Wakes, rounds: int, sleeps: int) -> None:
    """One stage."""
    lab = daemon.guest
    daemon.configure_file(lambda _: config(found.actions))
    daemon.start()
    for each in range(rounds):
        say(f"{found.name}: key {each + 1} of {rounds}")
        pressed(lab, found)
    for each in range(sleeps):
        say(f"{found.name}: sleep {each + 1} of {sleeps}")
        slept(lab, found)
    daemon.stop()


def pressed(lab: guest.Guest, found: Wakes) -> None:
    """One key."""
    lab.shell(f"rm -f {READY}").text()
    answer = lab.begin_call("bench.wake:listen", "key")
    lab.shell(f"until test -e {READY}; do sleep 0.05; done", SLOW).text()
    lab.key("a")
    milliseconds, found.values = lab.finish(answer, SLOW).value
    found.key.append(milliseconds)


def slept(lab: guest.Guest, found: Wakes) -> None:
    """One sleep. Until it is over the guest is asked nothing."""
    answer = lab.begin_call("bench.wake:listen", "sleep")
    lab.qmp.wait("SUSPEND", SLOW)
    time.sleep(1.5)  # the guest's clocks go on by whole seconds: a shorter sleep is none to them
    lab.wakeup()
    lab.qmp.wait("WAKEUP", SLOW)
    began = time.monotonic()
    found.sleep.append(lab.finish(answer, SLOW).value[0])
    found.board.append((time.monotonic() - began) * 1000)


# --- telling


def table(found: list[Wakes]) -> str:
    """As Markdown: median, 95 % and maximum, and how many times what the daemon takes without any action."""
    return markdown(HEAD, [row(each, found[0]) for each in found])


def row(each: Wakes, nothing: Wakes) -> list[str]:
    """One stage."""
    return [
        each.name,
        str(each.values),
        quartiles(each.key),
        times(each.key, nothing.key),
        quartiles(each.sleep),
        times(each.sleep, nothing.sleep),
        quartiles(each.board),
    ]


def times(one: list[float], other: list[float]) -> str:
    """The ratio of the medians."""
    return number(statistics.median(one) / statistics.median(other)) if one and other else "-"


def section(found: list[Wakes], facts: dict[str, str]) -> str:
    """For docs/measurements.md."""
    bars = [each for each in found if len(each.actions) != 1]
    return (
        provenance(facts, COMMAND)
        + "Emulated milliseconds (see [the lab](lab.md)), median / 95 % / maximum; *times* is the median over that of a nap without any action.\n\n"
        + table(found)
        + "".join(f"\n{each.name}, from a key:\n\n```text\n{histogram(each.key)}```\n" for each in bars)
    )


# --- in the guest, called there by its agent


def listen(how: str) -> tuple[float, int]:
    """Wait until it naps, then for the key, or sleep: milliseconds to the last value put back, and how many were changed."""
    entries = news()
    next(entries)
    values = napping()
    began = {"key": key, "sleep": sleep}[how]()
    left = next(float(each["at"]) for each in entries if each.get("event") == "left")
    return max(0.0, left - began) * 1000, values


def news() -> Iterator[dict[str, Any]]:
    """Everything the daemon says from now on."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(SOCKET)
        sock.sendall(b'{"op":"watch"}\n')
        for line in sock.makefile("rb"):
            yield json.loads(line)


def napping() -> int:
    """Wait until it naps; how many values are changed."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(SOCKET)
        answers = sock.makefile("rb")
        while True:
            sock.sendall(b'{"op":"status","refresh":false}\n')
            status = json.loads(answers.readline())
            if status["phase"] == "napping":
                return len(status["changed"])
            time.sleep(0.2)


def key() -> float:
    """When the kernel saw the next key, in seconds since the boot."""
    devices = Path("/proc/bus/input/devices").read_text().split("\n\n")
    keyboard = next(text for text in devices if "AT Translated Set 2 keyboard" in text)
    with Path(f"/dev/input/event{keyboard.partition('event')[2].split()[0]}").open(
        "rb", buffering=0
    ) as device:
        fcntl.ioctl(device, 0x400445A0, struct.pack("i", time.CLOCK_BOOTTIME))  # EVIOCSCLOCKID
        READY.touch()
        seconds, microseconds = struct.unpack_from("qq", device.read(24))
    return float(seconds + microseconds / 1e6)


def sleep() -> float:
    """When programs run again."""
    Path("/sys/power/state").write_text("mem")
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> int:
    """The program: 0, or 1 where there is no lab."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="keys for each stage (12)")
    parser.add_argument("--sleeps", type=int, default=4, metavar="N", help="sleeps for each stage (4)")
    parser.add_argument("--quick", action="store_true", help="three rounds, one sleep, a few actions")
    parser.add_argument(
        "--only",
        metavar="ACTION",
        action="append",
        choices=sorted(actions.CASES),
        help="these actions (again for more)",
    )
    parser.add_argument("--json", metavar="FILE", help="every figure")
    args = parser.parse_args()
    rounds, sleeps = (3, 1) if args.quick else (args.rounds, args.sleeps)
    chosen = args.only or (QUICK if args.quick else actions.CASES)
    found: list[Wakes] = []
    try:
        for name, names in stages(chosen).items():
            found.append(alone(Wakes(name, names), rounds, sleeps))
            if args.json:
                write_json(args.json, [asdict(each) for each in found])
    except LabError as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    finally:
        said()
    print(section(found, machine()), end="")
    if not args.quick and not args.only:
        write("wake", section(found, machine()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
