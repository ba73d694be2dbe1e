"""How quickly it comes back: from an event to the news of it, and to the last value put back. ``python -m bench.reaction [--quick]``.

A real powernapd naps after 300 ms; each event must bring it back. Latencies count from before the process is started (or the
connection opened) until the line arrives at a client that watches: what a user waits, not what a function takes. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.arena import cgroup, cpu_used
from bench.programs import WORK, Programs, programs
from bench.report import DOCUMENT, begin, machine, provenance, said, say, write, write_json
from bench.subjects import Daemon, config, powernapd
from bench.tables import drawing, histogram, markdown, quartiles
from powernap import actions
from powernap.host.clock import SystemClock
from powernap.host.host import Host
from powernap.host.knobs import MachineKnobs
from powernap.host.ledger import Ledger, boot_id
from powernap.host.ledger_file import LedgerFile

AFTER = "300ms"
NAP_LIMIT = 30.0
"""Seconds until it must nap again."""
ROUNDS = 20
NEVER = {"cpu-offline", "units", "hooks", "cpu-clock"}
"""Actions that are not measured by themselves: dangerous on a shared machine, or the admin's own programs."""


def now() -> float:
    """``CLOCK_BOOTTIME``, as the daemon's instants."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Stream:
    """What ``powernap watch`` shows, with the instants at which it came."""

    sock: socket.socket
    buffer: bytes = b""
    lines: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def until(
        self, wanted: Callable[[dict[str, Any]], bool], limit: float
    ) -> tuple[float, dict[str, Any]] | None:
        """The next line of this kind and its instant; those before it are passed over. ``None`` after ``limit`` seconds."""
        last = time.monotonic() + limit
        while True:
            while self.lines:
                at, line = self.lines.pop(0)
                if wanted(line):
                    return at, line
            wait = last - time.monotonic()
            if wait <= 0 or not select.select([self.sock], [], [], wait)[0]:
                return None
            self.buffer += self.sock.recv(65536)
            at = now()
            *whole, self.buffer = self.buffer.split(b"\n")
            self.lines += [(at, json.loads(one)) for one in whole]


@contextlib.contextmanager
def watching(daemon: Daemon) -> Iterator[Stream]:
    """Everything the daemon says from now on."""
    with daemon.connect() as sock:
        sock.sendall(b'{"op":"watch"}\n')
        stream = Stream(sock)
        stream.until(lambda line: line.get("event") == "watching", 10)
        yield stream


@dataclass
class Reaction:
    """What became of some events of one kind. Milliseconds.

    :param told: until the activity was told; :param restored: until everything was put back and said so.
    """

    kind: str
    count: int
    missed: int = 0
    told: list[float] = field(default_factory=list)
    restored: list[float] = field(default_factory=list)


def react(
    daemon: Daemon,
    reaction: Reaction,
    monitor: str,
    fire: Callable[[], Callable[[], None]],
    limit: float = 2.0,
) -> Reaction:
    """Nap, let something happen, see what follows; as often as the reaction's ``count``.

    :param fire: makes the event begin; what it returns ends it.
    """
    with watching(daemon) as stream:
        for at in range(reaction.count):
            say(f"{reaction.kind}: {at + 1} of {reaction.count}")
            _nap(daemon)
            stream.until(lambda _: False, 0)
            stream.lines.clear()
            _one(stream, reaction, monitor, fire, limit)
    return reaction


def _nap(daemon: Daemon) -> None:
    daemon.until(lambda: daemon.ask("why", refresh=False)["phase"] == "napping", NAP_LIMIT)


def _one(
    stream: Stream, reaction: Reaction, monitor: str, fire: Callable[[], Callable[[], None]], limit: float
) -> None:
    began = now()
    finish = fire()
    try:
        told = stream.until(
            lambda line: (
                line.get("event") == "reading"
                and line.get("monitor") == monitor
                and (line.get("active", False) or (line.get("last") or 0) >= began)
            ),
            limit,
        )
        left = stream.until(lambda line: line.get("event") == "left", limit) if told else None
    finally:
        finish()
    if told is None or left is None:
        reaction.missed += 1
        return
    reaction.told.append((told[0] - began) * 1e3)
    reaction.restored.append((left[0] - began) * 1e3)


def process_event(
    compiled: Programs, milliseconds: int, name: str = WORK
) -> Callable[[], Callable[[], None]]:
    """A matching program that lives so long; 0 exits at once; below 0 it lasts until it was noticed."""

    def fire() -> Callable[[], None]:
        length = "60000" if milliseconds < 0 else str(milliseconds)
        pid = os.posix_spawn(compiled.path(name), [name, length], {})

        def finish() -> None:
            if milliseconds < 0:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

        return finish

    return fire


def connection_event(listener: socket.socket, seconds: float) -> Callable[[], Callable[[], None]]:
    """A connection that stands so long, in a process of its own, so that it closes at its time whatever we wait for."""

    def fire() -> Callable[[], None]:
        caller = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        pid = os.fork()
        if pid == 0:
            time.sleep(seconds)
            os._exit(0)
        caller.close()
        accepted.close()
        return lambda: (os.waitpid(pid, 0), None)[1]

    return fire


def monitors(port: int) -> str:
    """The two that events tell of, and nothing that must be looked at."""
    return (
        f'[monitor.work]\ntype = "process"\nprogram = "{WORK}"\n[monitor.port]\ntype = "tcp"\nport = {port}\n'
    )


def available() -> tuple[str, ...]:
    """The actions that can do something here, of those that may be tried on a shared machine."""
    usable = []
    for kind in actions.kinds():
        module = actions.find(kind)
        if kind not in NEVER and module.probe(Host(), module.Options()):
            usable.append(kind)
    return tuple(usable)


def reactions(compiled: Programs, directory: Path, count: int, lasting: int) -> list[Reaction]:
    """Every kind of event, in a stage with all actions that there are here."""
    found = []
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        group = opened.enter_context(cgroup("reaction"))
        text = config(AFTER, actions=available(), monitors=monitors(listener.getsockname()[1]))
        daemon = opened.enter_context(powernapd(directory / "reaction", group, text))
        for storm in (0, 500):
            under = f", {storm} others started each second" if storm else ""
            with compiled.storming(storm):
                for kind, times, length in (
                    ("lasting", lasting, -1),
                    ("100 ms", count, 100),
                    ("0 ms", count, 0),
                ):
                    named = Reaction(f"process, {kind}{under}", times)
                    found.append(react(daemon, named, "work", process_event(compiled, length)))
                named = Reaction(f"connection, 100 ms{under}", count)
                found.append(react(daemon, named, "port", connection_event(listener, 0.1)))
    return found


# ------------------------------------------------------------ the connector without BPF


@dataclass
class Overrun:
    """What the source that the kernel does not filter does under as many programs as the machine can start.

    :param rate: programs started a second; ``core``: per cent of one core that the daemon took.
    :param dropped: events that the kernel dropped while the daemon was stopped for 3 s; ``found``: milliseconds until the
        process that was started meanwhile was told, ``None`` for never.
    """

    rate: float
    core: float
    lasting: Reaction
    dropped: int
    found: float | None


def overrun(compiled: Programs, directory: Path, count: int) -> Overrun:
    """T5 and T8 of research/overhead.md: two generators at full speed."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        group = opened.enter_context(cgroup("overrun"))
        text = config(AFTER, mode="watch", monitors=monitors(listener.getsockname()[1]))
        daemon = opened.enter_context(powernapd(directory / "overrun", group, text, source="connector"))
        with compiled.storming(-1, 2):
            time.sleep(3)
            begun, before, begin = started(), cpu_used(group), time.monotonic()
            time.sleep(10)
            passed = time.monotonic() - begin
            rate, core = (started() - begun) / passed, (cpu_used(group) - before) / passed * 100
            lasting = Reaction("process, 1.5 s, connector without BPF, storm at full speed", count)
            react(daemon, lasting, "work", process_event(compiled, 1500), limit=5.0)
        dropped, found = _stopped(daemon, compiled)
    return Overrun(rate, core, lasting, dropped, found)


def started() -> int:
    """Processes started since boot (/proc/stat)."""
    return next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("processes")
    )


def drops() -> int:
    """Messages that the kernel could not deliver to listeners of the connector (/proc/net/netlink, protocol 11)."""
    rows = [line.split() for line in Path("/proc/net/netlink").read_text().splitlines()[1:]]
    return sum(int(row[8]) for row in rows if row[1] == "11")


def _stopped(daemon: Daemon, compiled: Programs) -> tuple[int, float | None]:
    """Stop the daemon, let more programs start than the socket has room for, a matching one among them, and let it go on."""
    assert daemon.process is not None
    daemon.until(lambda: "batches" not in _source(daemon) and "scan" not in _source(daemon), NAP_LIMIT)
    _nap(daemon)
    with watching(daemon) as stream:
        before = drops()
        daemon.process.send_signal(signal.SIGSTOP)
        with compiled.storming(-1, 2):
            time.sleep(3)
            finish = process_event(compiled, -1)()
            daemon.process.send_signal(signal.SIGCONT)
            began, dropped = now(), drops() - before
            try:
                told = stream.until(
                    lambda line: line.get("monitor") == "work" and line.get("active", False), 10
                )
            finally:
                finish()
    return dropped, None if told is None else (told[0] - began) * 1e3


def _source(daemon: Daemon) -> str:
    return next(
        str(one["source"]) for one in daemon.ask("status", refresh=False)["monitors"] if one["name"] == "work"
    )


# ------------------------------------------------------------ one action by itself


def per_action(directory: Path, rounds: int = ROUNDS) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds to apply and to put back each action that there is here, through a ledger of its own."""
    files = Host().files
    paper = LedgerFile(str(directory / "ledger.jsonl"))
    ledger = Ledger(paper, MachineKnobs(files), SystemClock(), boot_id(files))
    measured: dict[str, tuple[list[float], list[float]]] = {}
    with contextlib.closing(paper):
        try:
            for kind in available():
                say(f"{kind}, by itself")
                measured[kind] = ([], [])
                for _ in range(rounds):
                    for milliseconds, each in zip(
                        _apply_and_restore(ledger, kind), measured[kind], strict=True
                    ):
                        each.append(milliseconds)
        finally:
            ledger.restore()
    return measured


def _apply_and_restore(ledger: Ledger, kind: str) -> tuple[float, float]:
    module = actions.find(kind)
    begin = time.perf_counter()
    ledger.perform(kind, "bench", module.plan(Host(), module.Options()))
    middle = time.perf_counter()
    ledger.restore(kind)
    return (middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3


# ------------------------------------------------------------ tables


def reaction_table(found: list[Reaction]) -> str:
    """Latencies in ms: median / 95 % / maximum."""
    rows = [
        [one.kind, f"{one.missed} of {one.count}", quartiles(one.told), quartiles(one.restored)]
        for one in found
    ]
    return markdown(["event", "missed", "told, ms", "everything put back, ms"], rows)


def overrun_text(one: Overrun) -> str:
    """A sentence or two."""
    found = "never" if one.found is None else f"{one.found:.0f} ms after it went on"
    return (
        f"Without BPF (proc connector, names looked up) under {one.rate:,.0f} programs started a second: {one.core:.1f} % of a core; "
        f"processes that live 1.5 s: {one.lasting.missed} of {one.lasting.count} missed, told after {quartiles(one.lasting.told)} ms. "
        f"Stopped for 3 s in such a storm (the kernel dropped {one.dropped:,} events), it found the process started meanwhile {found}.\n"
    )


def text(
    found: list[Reaction], each: dict[str, tuple[list[float], list[float]]], worst: Overrun, head: str
) -> str:
    """The whole section."""
    rows = [[kind, quartiles(apply), quartiles(restore)] for kind, (apply, restore) in each.items()]
    alone = "".join(
        f"\n{kind}, put back:\n\n```text\n{histogram(restore)}```\n" for kind, (_, restore) in each.items()
    )
    every = [value for one in found for value in one.restored]
    return (
        f"{head}Milliseconds: median / 95 % / maximum, from before the event to the line that says so.\n\n{reaction_table(found)}\n"
        f"From the event to the last value put back ({len(every)} events, actions {', '.join(each)}):\n\n```text\n{histogram(every)}```\n\n"
        f"![Restore times](restore.svg)\n\nThe actions by themselves, through the ledger ({ROUNDS} rounds):\n\n"
        f"{markdown(['action', 'apply, ms', 'put back, ms'], rows)}{alone}\n{overrun_text(worst)}"
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.reaction", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a fifth of the events; nothing is written to docs"
    )
    parser.add_argument("--json", metavar="FILE", help="also write every figure here")
    args = parser.parse_args()
    begin()
    count, lasting = (10, 6) if args.quick else (50, 30)
    with programs() as compiled, scratch() as directory:
        found = reactions(compiled, directory, count, lasting)
        each = per_action(directory, count // 2 if args.quick else ROUNDS)
        worst = overrun(compiled, directory, 3 if args.quick else 10)
    said()
    facts = machine()
    section = text(found, each, worst, provenance(facts, "python -m bench.reaction"))
    print(section)
    if args.json:
        write_json(
            args.json,
            {
                "version": 1,
                "machine": facts,
                "reactions": [asdict(one) for one in found],
                "actions": each,
                "overrun": asdict(worst),
            },
        )
    if not args.quick:
        write("reaction", section)
        groups = {one.kind: one.restored for one in found} | {
            f"{kind}, by itself": times for kind, (_, times) in each.items()
        }
        (DOCUMENT.parent / "restore.svg").write_text(drawing(groups))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory in memory, as /run is for the real daemon: its ledger is flushed at each write."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="powernap-bench-", dir=place) as name:
        yield Path(name)


if __name__ == "__main__":
    main()
