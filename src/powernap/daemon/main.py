"""From a configuration to a running node, and back to a machine that is as it was. The entry point is start.py."""

from __future__ import annotations

# isort: off
from powernap.daemon import lean  # noqa: F401 - first: it keeps out what asyncio and dataclasses would load

# isort: on
import asyncio
import ctypes
import os
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any

from powernap import __version__, monitors
from powernap.config.kinds import MONITORS
from powernap.config.model import Config
from powernap.config.problems import ConfigErrors
from powernap.core import events as ev
from powernap.daemon.control import ControlSocket
from powernap.daemon.hands import Hands
from powernap.daemon.history import History
from powernap.daemon.loading import load
from powernap.daemon.loop_ears import LoopEars
from powernap.daemon.node import Node
from powernap.daemon.places import Places
from powernap.daemon.requests import Requests
from powernap.host import huge_pages
from powernap.host.host import Host
from powernap.host.journal import WARNING, Journal
from powernap.host.knobs import Knobs, MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerBusyError, LedgerFile
from powernap.host.notify import notify

LEFT, NOT_PERMITTED, BROKEN = 1, 3, 70
"""Exit statuses besides 0. The service manager tries again, but not after 2 (packaging/powernapd.service)."""


def run(
    config: Config, paths: list[str], places: Places, journal: Journal, knobs: Knobs | None = None
) -> int:
    """Serve until asked to stop; the exit status, as start.py explains it.

    :param paths: where the configuration came from, to load it again.
    :param knobs: the machine's; a test's die at the n-th write.
    """
    huge_pages.refuse()
    try:
        make_places(places)
        ledger = open_ledger(places, knobs) if os.geteuid() == 0 else None
    except LedgerBusyError as error:
        journal.log(f"{error}; is powernapd running already?", WARNING)
        return NOT_PERMITTED
    except OSError as error:
        journal.log(
            f"{error.filename or places.runtime}: {error.strerror}; powernapd needs root, or --runtime and --state",
            WARNING,
        )
        return NOT_PERMITTED
    try:
        return asyncio.run(serve(config, paths, places, ledger, journal))
    except Exception as error:
        for line in traceback.format_exception(error):
            journal.log(line.rstrip(), WARNING)
        journal.log("powernapd ends on a defect; `powernap undo` puts back what is left changed", WARNING)
        return BROKEN


def make_places(places: Places) -> None:
    """The directories; anybody may reach the socket, the ledger itself is 0600."""
    for path in (places.runtime, places.state):
        if path and not os.path.isdir(path):
            os.makedirs(path)
            os.chmod(path, 0o755)  # noqa: S103 - whatever the umask is: `powernap why` is for everybody


def open_ledger(places: Places, knobs: Knobs | None = None) -> Ledger:
    """The ledger, locked. Raises ``LedgerBusyError`` or ``OSError``."""
    host = Host()
    return Ledger(
        LedgerFile(places.ledger), knobs or MachineKnobs(host.files), host.clock, boot_id(host.files)
    )


async def serve(
    config: Config,
    paths: list[str],
    places: Places,
    ledger: Ledger | None,
    journal: Journal,
    *,
    until: asyncio.Event | None = None,
    began: Callable[[Node], Any] = lambda _node: None,
) -> int:
    """Run until asked to stop; put everything back.

    :param ledger: ``None`` where nothing may be changed (not root).
    :param until: set by whoever else may end it (``powernap try --for``).
    """
    loop = asyncio.get_running_loop()
    done = until or asyncio.Event()
    host = Host(ears=LoopEars(loop), state=places.state)
    hands = Hands(host, ledger, config.actions, config.settings.action_time_limit)
    left = sorted({change["action"] for change in hands.changed()})
    failed, kept = await hands.restore()
    node = Node(host, config, hands, find, journal, History(places.history, config.settings.history))
    node.gave_up = done.set
    control = ControlSocket(places.socket, Requests(node, lambda: reload(node, paths)).answer)
    try:
        await control.listen()
    except OSError as error:
        journal.log(
            f"{places.socket}: {error.strerror or error}; nobody could ask powernapd anything", WARNING
        )
        await node.stop()
        return NOT_PERMITTED
    for number, act in signals(node, done, paths).items():
        loop.add_signal_handler(number, act)
    began(node)
    node.begin()
    if not node.broken:
        say_start(node, left, failed, kept)
        for line in ledger.unreadable if ledger else []:
            node.tell("damaged", detail=line)
    give_back()
    await done.wait()
    clean = await node.stop()
    node.voice.say("stopped", detail="" if clean else "something is left changed; `powernap undo` goes on")
    node.voice.history.flush()
    await control.close()
    journal.close()
    return BROKEN if node.broken else 0 if clean else LEFT


def give_back() -> None:
    """Let the C library return what starting took and freed, 0.5 MiB: it keeps free pages between pages in use (malloc_trim(3), glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def find(kind: str) -> monitors.MonitorModule:
    """The module of a monitor's type, also one that another package brings."""
    module: monitors.MonitorModule = MONITORS.module(kind)
    return module


def say_start(node: Node, left: list[str], failed: tuple[ev.Failure, ...], kept: tuple[str, ...]) -> None:
    """That it began; what an earlier life left changed, and what became of it; what the admin should know of the configuration."""
    node.tell("started", detail=f"{__version__} began, mode {node.config.mode}")
    if left and not failed:
        node.tell("undone", detail=", ".join(left))
    for foreign in kept:
        node.tell("kept-foreign", detail=foreign)
    for note in node.config.notes:
        node.tell("note", detail=str(note))
    for conflict in node.hands.conflicts() if node.acting else []:
        node.tell("conflict", detail=f"{conflict['tool']} ({conflict['owns']}): {conflict['remedy']}")
    node.leftovers(failed)


def signals(node: Node, done: asyncio.Event, paths: list[str]) -> dict[int, Callable[[], object]]:
    """TERM and INT stop; HUP loads the configuration again; USR1 and USR2 nap and wake, as PowerNap 2.x's did."""
    now = node.host.clock.boottime
    return {
        signal.SIGTERM: done.set,
        signal.SIGINT: done.set,
        signal.SIGHUP: lambda: reload(node, paths),
        signal.SIGUSR1: lambda: node.feed(ev.NapAsked(now(), "SIGUSR1")),
        signal.SIGUSR2: lambda: node.feed(ev.WakeAsked(now(), "SIGUSR2")),
    }


def reload(node: Node, paths: list[str]) -> list[str]:
    """Load the configuration again: its faults (then nothing has changed), or none."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        config = load(*paths)
    except ConfigErrors as error:
        faults = [str(problem) for problem in error.problems]
        node.tell(
            "reload-refused", detail=faults[0] + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "")
        )
        notify("READY=1")
        return faults
    node.reload(config)
    notify("READY=1")
    return []
