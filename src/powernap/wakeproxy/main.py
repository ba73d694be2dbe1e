"""From an inventory to a running powerwaked, until it is asked to stop. The entry point is start.py."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import time
import traceback
from typing import Any

from powernap import __version__, wakers
from powernap.config.hosts import load
from powernap.config.inventory import Inventory
from powernap.config.kinds import WAKERS
from powernap.config.problems import ConfigErrors
from powernap.core.units import many
from powernap.host import documents, huge_pages
from powernap.host.host import Host
from powernap.host.journal import INFO, WARNING, Journal
from powernap.host.notify import notify, watchdog_period
from powernap.wakeproxy.confirm import Looks
from powernap.wakeproxy.gate import Gate
from powernap.wakeproxy.places import Places
from powernap.wakeproxy.probes import Probes, shortened
from powernap.wakeproxy.roster import Roster
from powernap.wakeproxy.waking import Means
from powernap.wakeproxy.words import LOUD, sentence

BROKEN, NOT_PERMITTED = 70, 3
"""Exit statuses besides 0."""
AFTER_DEFECT = 60.0
"""Seconds."""


class Voice:
    """What it says goes to the journal; what it knows, to a document for ``powerwaked --plan`` and to the service manager."""

    def __init__(self, journal: Journal, places: Places) -> None:
        self.journal, self.places = journal, places
        self.trouble = ""

    def say(self, what: str, host: str = "", detail: str = "", remedy: str = "") -> None:
        """One line."""
        priority = WARNING if what in LOUD else INFO
        text = sentence(what, host, detail, remedy)
        self.journal.log(text, priority, event=what, target=host, reason=detail)

    def publish(self, facts: dict[str, Any]) -> None:
        """All that is known of the machines."""
        states = [each["state"] for each in facts.values()]
        missing = sorted(name for name, each in facts.items() if each["state"] == "not-up")
        notify(
            f"STATUS={many(len(states), 'machine')}, {states.count('waking')} being woken"
            + (f"; not up: {shortened(missing)}" if missing else "")  # systemd takes no more than 4096 bytes
        )
        try:
            documents.replace(self.places.status, {"version": 1, "time": time.time(), "hosts": facts}, 0o644, durable=False)  # fmt: skip
        except OSError as error:
            if not self.trouble:
                self.say("defect", detail=f"{self.places.status} cannot be written ({error.strerror})")
            self.trouble = error.strerror or str(error)
        else:
            self.trouble = ""

    def forget(self) -> None:
        """Nobody is kept any more."""
        with contextlib.suppress(OSError):
            os.unlink(self.places.status)


def run(inventory: Inventory, config: str, places: Places, journal: Journal) -> int:
    """Serve until asked to stop; the exit status. :param config: where the inventory came from, to load it again."""
    huge_pages.refuse()
    try:
        os.makedirs(places.runtime, mode=0o755, exist_ok=True)
        alone(places.runtime)
    except BlockingIOError:
        journal.log(
            f"another powerwaked runs with {places.runtime}; stop it: two would wake the same machines twice",
            WARNING,
        )
        return NOT_PERMITTED
    except OSError as error:
        journal.log(f"{places.runtime}: {error.strerror}; give --runtime a directory of yours", WARNING)
        return NOT_PERMITTED
    try:
        asyncio.run(serve(inventory, config, places, journal))
    except Exception as error:
        for line in traceback.format_exception(error):
            journal.log(line.rstrip(), WARNING)
        return BROKEN
    return 0


def alone(runtime: str) -> None:
    """Held until this process ends, however it does (flock(2)); ``BlockingIOError`` where another one holds it."""
    fd = os.open(runtime, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise


async def serve(inventory: Inventory, config: str, places: Places, journal: Journal) -> None:
    """Until SIGTERM or SIGINT; SIGHUP reads the inventory again."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    voice = Voice(journal, places)
    gate = Gate(inventory.together.at_once, inventory.together.apart)
    means = Means(Host(state=places.state), gate, find, Looks().look)
    roster = Roster(inventory, places.state, means, voice.say, lambda: voice.publish(roster.facts()))
    probes = Probes(means.machine, find, lambda detail: voice.say("note", detail=detail))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: reload(roster, probes, config, voice))
    loop.set_exception_handler(lambda _, context: startled(roster, voice, context))
    voice.say("started", detail=f"{__version__} began: {many(len(inventory.hosts), 'machine')} in {config}")
    for note in inventory.notes:
        voice.say("note", detail=str(note))
    probes.look(inventory.hosts.values())
    roster.look()
    notify("READY=1")
    watchdog(loop, watchdog_period())
    await done.wait()
    notify("STOPPING=1")
    roster.close()
    probes.close()
    voice.forget()
    voice.say("stopped")
    journal.close()


def find(kind: str) -> wakers.WakerModule:
    """The module of a waker, also one that another package brings."""
    module: wakers.WakerModule = WAKERS.module(kind)
    return module


def startled(roster: Roster, voice: Voice, context: dict[str, Any]) -> None:
    """A defect that nobody catches. What it left undone is done a little later: a timer that is not set again would wake nobody."""
    error = context.get("exception")
    voice.say("defect", detail=f"{type(error).__name__}: {error}" if error else str(context.get("message")))
    for line in traceback.format_exception(error) if error else ():
        voice.journal.log(line.rstrip(), WARNING)
    roster.loop.call_later(AFTER_DEFECT, roster.look)


def reload(roster: Roster, probes: Probes, config: str, voice: Voice) -> None:
    """An inventory with faults changes nothing."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        inventory = load(config)
    except ConfigErrors as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        voice.say("reload-refused", detail=f"{error.problems[0]}{more}")
    else:
        roster.take(inventory)
        voice.say("reloaded", detail=many(len(inventory.hosts), "machine"))
        probes.look(inventory.hosts.values())
        roster.look()
    notify("READY=1")


def watchdog(loop: asyncio.AbstractEventLoop, period: float | None) -> None:
    """Says that the loop still turns, for as long as it does."""
    if period is not None:
        notify("WATCHDOG=1")
        loop.call_later(period, watchdog, loop, period)
