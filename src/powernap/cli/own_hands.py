"""What a command that changes the machine by itself has in common with another: the ledger, and an end that puts everything back."""

from __future__ import annotations

# First, since it keeps ssl out before anybody imports asyncio.
from powernap.daemon import main as daemon  # isort: skip

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping

from powernap.cli.client import DaemonError
from powernap.config.model import ActionConfig
from powernap.daemon.hands import Hands
from powernap.daemon.places import Places
from powernap.host.host import Host
from powernap.host.ledger_file import LedgerBusyError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
"""What ends such a command: everything is put back, also when the terminal closes or Ctrl-Z would leave it half done."""


def only_root(command: str) -> None:
    """Raises ``DaemonError`` for anybody else."""
    if os.geteuid() != 0:
        raise DaemonError("only root may change the machine", f"sudo powernap {command}")


def take(host: Host, places: Places, actions: Mapping[str, ActionConfig], limit: float) -> Hands:
    """Hands with the ledger, which nobody else has meanwhile. Raises ``DaemonError`` where somebody has it, and ``OSError``."""
    daemon.make_places(places)
    try:
        ledger = daemon.open_ledger(places)
    except LedgerBusyError as error:
        owner = f"{error.name} (pid {error.pid})" if error.pid else "another process"
        message = f"{owner} is running and may change the machine meanwhile"
        raise DaemonError(message, "systemctl stop powernapd") from None
    for line in ledger.unreadable:
        print(f"powernap: ledger: {line}", file=sys.stderr)
    return Hands(host, ledger, actions, limit)


@contextlib.contextmanager
def ended_by_signals(over: asyncio.Event) -> Iterator[None]:
    """Each of them ends the command in an orderly way, also while values are put back."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, over.set)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
