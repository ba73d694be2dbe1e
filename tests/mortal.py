"""Knobs that end their own process at the n-th moment, and the undo after it: for tests that kill on this machine's real files.

A moment is just before and just after each write of a knob; a file beside the ledger tells how many there have been.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from powernap.host.knobs import Change, Knobs

HOOK = '#!/bin/sh\necho "$1" > "$0.state"\n'
"""A hook that notes what it heard last."""


class Mortal:
    """Knobs that SIGKILL this process at the ``nth`` moment; 0 is never."""

    def __init__(self, knobs: Knobs, nth: int, tally: Path) -> None:
        self.knobs, self.nth, self.seen, self.tally = knobs, nth, 0, tally
        self.lock = threading.Lock()

    def read(self, change: Change) -> str:
        """As it is."""
        return self.knobs.read(change)

    def write(self, change: Change, value: str) -> None:
        """Between two moments."""
        self.moment()
        self.knobs.write(change, value)
        self.moment()

    def moment(self) -> None:
        """Count, and perhaps die. One at a time: actions of both lanes write, each in a thread of its own."""
        with self.lock:
            self.seen += 1
            self.tally.write_text(str(self.seen))
            if self.seen == self.nth:
                os.kill(os.getpid(), signal.SIGKILL)


def sample(count: int, at_most: int) -> list[int]:
    """Numbers from 1 to ``count``: all, or ``at_most`` spread evenly with the first and the last among them."""
    if count <= at_most:
        return list(range(1, count + 1))
    return sorted({1 + round(step * (count - 1) / (at_most - 1)) for step in range(at_most)})


def two_hooks(directory: Path) -> Path:
    """A directory of hooks, made below ``directory``."""
    hooks = directory / "hooks.d"
    hooks.mkdir(mode=0o755)
    for name in ("10-lamp", "20-fan"):
        (hooks / name).write_text(HOOK)
        (hooks / name).chmod(0o755)
    return hooks


def undo(ledger: Path) -> tuple[int, dict[str, Any]]:
    """`powernap undo` as the admin calls it: its exit status and what it did."""
    done = subprocess.run(
        [sys.executable, "-m", "powernap", "undo", "--json", "--ledger", ledger],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)
