"""Runs in the lab's guest: carries an action's plan out on the real kernel through the real ledger, and compares everything before and after.

Called by tests/lab/test_platform.py with ``lab.call("guest_platform:...")``: each is a process of its own, and answers with what JSON can hold.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from powernap.actions import find
from powernap.host import ethtool, port_settings
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles, text
from powernap.host.host import Host
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import ApplyError, Ledger, boot_id
from powernap.host.ledger_file import LedgerFile

FILES = TreeFiles()
TREES = (
    "/sys/devices/system/cpu",
    "/proc/irq",
    "/sys/devices/virtual/workqueue",
    "/sys/module/kernel/parameters",
)
MOVES = re.compile(
    r".*/(time|usage|above|below|rejected|s2idle/.*|scaling_cur_freq|cpuinfo_cur_freq|spurious|effective_affinity(_list)?|statistics/.*"
    r"|runtime_.*|power/.*_ms|.*_time|total_trans|time_in_state|trans_table|crash_hotplug|uevent|node|proximity_domain|hotplug/.*|microcode/.*)"
)


def tree() -> dict[str, str]:
    """Every value that an action of ours could have changed, and the affinity of every task."""
    found = {path: text(FILES, path) for root in TREES for path in _below(root) if not MOVES.fullmatch(path)}
    for port in os.listdir("/sys/class/net"):
        for kind in ("wake-flags", "link-modes", "eee"):
            found[f"{port} {kind}"] = _setting(kind, port)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        said = text(FILES, f"/proc/{pid}/status")
        kernel_thread = "\nVmSize:" not in said
        if not kernel_thread:
            found[f"task {pid}"] = next(
                (line for line in said.splitlines() if line.startswith("Cpus_allowed_list")), ""
            )
    found.pop(f"task {os.getpid()}", None)
    return found


def _below(root: str) -> Iterator[str]:
    for directory, _, names in os.walk(root):
        yield from (f"{directory}/{name}" for name in names)


def _setting(kind: str, port: str) -> str:
    try:
        return port_settings.read(FILES, kind, port)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def differing(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str | None]]:
    """What is not as it was; tasks that came or went are left out."""
    paths = {
        path
        for path in before.keys() | after.keys()
        if not path.startswith("task ") or path in before.keys() & after.keys()
    }
    return {
        path: [before.get(path), after.get(path)]
        for path in sorted(paths)
        if before.get(path) != after.get(path)
    }


def probe(action: str, options: dict[str, Any]) -> list[Any]:
    """What an action says of the guest."""
    module = find(action)
    answer = module.probe(Host(), module.Options(**_tuples(options)))
    return [answer.usable, answer.detail, answer.remedy]


def nap(action: str, options: dict[str, Any], watched: list[str]) -> dict[str, Any]:
    """Apply, look at some values, and restore: what was written, what was seen, the outcomes, and what is not as it was."""
    module = find(action)
    return carried_out(lambda: module.plan(Host(), module.Options(**_tuples(options))), watched)


def change(kind: str, target: str, new: str, watched: list[str]) -> dict[str, Any]:
    """The same for one knob."""
    return carried_out(lambda: iter([Change(target, new, kind=kind)]), watched)


def carried_out(plan: Callable[[], Iterator[Change]], watched: list[str]) -> dict[str, Any]:
    """A plan, and back."""
    before = tree()
    with tempfile.TemporaryDirectory(dir="/run") as directory:
        paper = LedgerFile(f"{directory}/ledger")
        ledger = Ledger(paper, MachineKnobs(FILES), SystemClock(), boot_id(FILES))
        done = ledger.perform("it", "nap", plan())
        wrote = {each.change.target: each.applied for each in ledger.live() if each.change.new is not None}
        now = tree()
        results = [
            [each.target, each.outcome, each.detail]
            for each in ledger.restore()
            if each.outcome not in {"restored", "already"}
        ]
        left = len(ledger.live())
        paper.close()
    return {
        "wrote": wrote,
        "refused": [str(each) for each in done.refused],
        "seen": {path: now.get(path) for path in watched},
        "changed": len(differing(before, now)),
        "results": results,
        "left": left,
        "differs": differing(before, tree()),
    }


def refused(action: str, options: dict[str, Any]) -> list[Any]:
    """Apply what the kernel will refuse in the middle: its reason, what is left in the ledger, and what is not as it was."""
    module, before, why = find(action), tree(), ""
    with tempfile.TemporaryDirectory(dir="/run") as directory:
        paper = LedgerFile(f"{directory}/ledger")
        ledger = Ledger(paper, MachineKnobs(FILES), SystemClock(), boot_id(FILES))
        try:
            ledger.perform("it", "nap", module.plan(Host(), module.Options(**_tuples(options))))
        except ApplyError as error:
            why = error.why
        left = len(ledger.live())
        paper.close()
    return [why, left, differing(before, tree())]


def _tuples(options: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def pinned(cpu: int) -> int:
    """A task that sleeps, bound to one processor; its number."""
    pid = os.fork()
    if not pid:
        os.sched_setaffinity(0, {cpu})
        os.execvp("sleep", ["sleep", "1000"])
    while os.sched_getaffinity(pid) != {cpu}:
        pass
    return pid


def answers() -> dict[str, dict[str, str]]:
    """The ethtool family's own bytes for each port, in hexadecimal, as a record for tests without hardware."""
    found: dict[str, dict[str, str]] = {}
    for _, port in socket.if_nameindex():
        for name, command in (
            ("wake", ethtool.WOL_GET),
            ("modes", ethtool.LINKMODES_GET),
            ("eee", ethtool.EEE_GET),
        ):
            try:
                found.setdefault(port, {})[name] = ethtool._get(command, port, None).hex()
            except OSError as error:
                found.setdefault(port, {})[name] = errno.errorcode[error.errno or 0]
    return found
