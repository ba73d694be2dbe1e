"""Applies an action to this machine's real files and restores it, and is ended by SIGKILL at a moment. Run as a program.

For test_killed_on_this_machine.py. Processors are never taken offline here, and no cpuset partition is made: what would be written
below /sys/fs/cgroup is left out of the plan.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mortal import Mortal
from powernap.actions import find
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile

OPTIONS: dict[str, dict[str, Any]] = {
    "kernel-quiet": {"writeback": 600.0},
    "cpu-park": {"keep": 1},
}


def main() -> int:
    """The program: prints how many moments there were in applying, and in all, where it is not killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action")
    parser.add_argument("directory", type=Path, help="for the ledger, the tally and the hooks")
    parser.add_argument("nth", type=int, help="the moment to die at; 0 for never")
    args = parser.parse_args()
    files = TreeFiles()
    knobs = Mortal(MachineKnobs(files), args.nth, args.directory / "tally")
    ledger = Ledger(LedgerFile(str(args.directory / "ledger")), knobs, SystemClock(), boot_id(files))
    module = find(args.action)
    options = OPTIONS.get(args.action, {"directory": str(args.directory / "hooks.d")})
    plan = module.plan(Host(), module.Options(**options))
    here = (change for change in plan if not change.target.startswith("/sys/fs/cgroup"))
    ledger.perform(args.action, "nap", here)
    applied = knobs.seen
    ledger.restore()
    print(applied, knobs.seen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
