"""Runs in the lab's guest: carries a bus action's plan out on real devices through the real ledger, and compares everything before and after.

Called by tests/lab/test_buses.py with ``lab.call("guest_buses:...")``: each is a process of its own, and answers with what JSON can hold.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

from powernap.actions import find
from powernap.host import pci, usb
from powernap.host.clock import SystemClock
from powernap.host.devices import path_of
from powernap.host.files import TreeFiles, text
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile
from powernap.host.wake_path import wake_path

FILES = TreeFiles()
KEPT = re.compile(r".*/(power/(control|wakeup|autosuspend_delay_ms|async)|link/\w+|d3cold_allowed)")
LEDGER = "/run/lab-buses"
LIMIT = 30.0


def tree() -> dict[str, str]:
    """Every switch of every device, the sound drivers' parameters and the links' policy."""
    found = {}
    for root in ("/sys/devices", "/sys/module/snd_hda_intel/parameters", "/sys/module/pcie_aspm/parameters"):
        for directory, _, names in os.walk(root):
            for path in (f"{directory}/{name}" for name in names):
                if root != "/sys/devices" or KEPT.fullmatch(path):
                    found[path] = text(FILES, path)
    return found


def found() -> dict[str, Any]:
    """The devices and the wake path."""
    return {
        "usb": [[str(each), each.place, each.control, sorted(each.kinds)] for each in usb.devices(FILES)],
        "pci": [[str(each), each.place, each.driver, each.control] for each in pci.functions(FILES)],
        "path": dict(wake_path(FILES)),
    }


def probe(action: str, options: dict[str, Any]) -> list[Any]:
    """What an action says of the guest."""
    module = find(action)
    answer = module.probe(Host(), _options(action, options))
    return [answer.usable, answer.detail, answer.remedy]


def nap(action: str, options: dict[str, Any]) -> dict[str, Any]:
    """Apply, wait until every device that was let sleep does, and restore."""
    before = tree()
    applied = apply(action, options)
    states = {path: _asleep(path) for path in applied["wrote"] if path.endswith("/power/control")}
    now = tree()
    answer = restore()
    return {
        **applied,
        **answer,
        "states": states,
        "changed": _differing(before, now),
        "differs": _differing(before, tree()),
    }


def apply(action: str, options: dict[str, Any]) -> dict[str, Any]:
    """Carry it out, and leave it so; what was written, and what was refused."""
    ledger, paper = _ledger()
    done = ledger.perform(action, "nap", find(action).plan(Host(), _options(action, options)))
    wrote = {
        path_of(each.change.target)
        if each.change.kind in {"device", "link"}
        else each.change.target: each.applied
        for each in ledger.live()
    }
    paper.close()
    return {"wrote": wrote, "refused": [str(each) for each in done.refused]}


def restore() -> dict[str, Any]:
    """Put everything back; each outcome with its sentence, and how much is left."""
    ledger, paper = _ledger()
    results = [[each.outcome, each.detail] for each in ledger.restore()]
    left = len(ledger.live())
    paper.close()
    return {"results": results, "left": left}


def _ledger() -> tuple[Ledger, LedgerFile]:
    paper = LedgerFile(f"{LEDGER}/ledger")
    return Ledger(paper, MachineKnobs(FILES), SystemClock(), boot_id(FILES)), paper


def _asleep(path: str) -> str:
    """The state of a device once it sleeps, or after a while."""
    until = time.monotonic() + LIMIT
    where = path.replace("/control", "/runtime_status")
    while (state := text(FILES, where)) in {"active", "suspending"} and time.monotonic() < until:
        time.sleep(0.05)
    return state


def _differing(one: dict[str, str], other: dict[str, str]) -> dict[str, list[str | None]]:
    return {
        path: [one.get(path), other.get(path)]
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path)
    }


def _options(action: str, options: dict[str, Any]) -> Any:
    return find(action).Options(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    )
