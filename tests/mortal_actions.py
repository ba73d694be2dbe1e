"""There and back on a fake machine that ends itself with SIGKILL at the n-th moment: ``mortal_actions.py NTH TALLY ROOT LEDGER ACTION...``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from fakekernel import FakeKernel
from mortal import Mortal
from plans import host_of
from powernap.actions import find
from powernap.cli import there_and_back
from powernap.config.model import ActionConfig
from powernap.daemon.hands import Hands
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile


def main(nth: int, tally: str, root: str, path: str, *names: str) -> int:
    """0: it lived."""
    kernel = FakeKernel(root)
    host = host_of(kernel)
    knobs = Mortal(MachineKnobs(kernel), nth, Path(tally))
    ledger = Ledger(LedgerFile(path), knobs, host.clock, boot_id(kernel))
    hands = Hands(
        host, ledger, {name: ActionConfig(name, name, find(name).Options()) for name in names}, 30.0
    )
    course = asyncio.run(there_and_back.go(hands, names, lambda _: None))
    return int(bool(course.ended))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
