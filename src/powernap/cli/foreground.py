"""The daemon in the foreground, for ``powernap try``: shown while it runs, ended in time, everything put back.

Whatever ends it (the time, Ctrl-C, Ctrl-Z, a terminal that is closed, a reader that has gone), the machine is put back first; after
SIGKILL, ``powernap undo`` does it, since as root the ledger is the system's.
"""

from __future__ import annotations

# First, since it keeps ssl out before anybody imports asyncio.
from powernap.daemon import main as daemon  # isort: skip

import argparse
import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from powernap.cli import glance, output, overview, trial
from powernap.cli.client import DaemonError
from powernap.cli.paint import Cell, columns, show
from powernap.cli.watch import News, happening, live_line
from powernap.config.load import load
from powernap.config.show import as_toml, sections
from powernap.core.units import many, show_duration
from powernap.daemon import facts
from powernap.daemon.node import Node
from powernap.daemon.places import Places
from powernap.host.host import Host
from powernap.host.journal import Journal
from powernap.host.ledger import Ledger
from powernap.host.ledger_file import LedgerBusyError

BRIEF = 2.0
"""Seconds of idle time that a try which did not nap is advised to wait."""
PREFIX = "powernap-try-"
"""Of the directory that a try has for itself; its process id follows. It is locked as long as the try lives."""
MADE = "made"
"""In that directory: which of the ledger and its directory this try made, for whoever cleans up after a SIGKILL."""
ORDINARY = "an ordinary user may not change it; `sudo powernap try` may"


def run(args: argparse.Namespace) -> int:
    """0 done; 1 something could not be put back; 3 a daemon runs already (a ``DaemonError``)."""
    made: set[str] = set()
    with contextlib.suppress(OSError):
        made = tidy(tempfile.gettempdir())
    directory = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    lock = locked(directory)
    try:
        return asyncio.run(_run(args, directory, made))
    finally:
        if lock is not None:
            os.close(lock)
        shutil.rmtree(directory, ignore_errors=True)


async def _run(args: argparse.Namespace, directory: str, made: set[str]) -> int:
    root = os.geteuid() == 0
    places = Places(runtime=Places.runtime if root else directory, state="")
    with tidied(places, directory, made):
        ledger, refusal = ledger_of(places) if root else (None, ORDINARY)
        if ledger is None:
            places = Places(runtime=directory, state="")
        path = os.path.join(directory, "powernap.toml")
        document = await prepare(args, path, places.socket, refusal)
        view = View(as_json=args.json, nap_after=args.nap_after, quiet_only=args.quiet_only)
        view.say(document)
        view.watching = bool(refusal)
        config = load(path, trusted=False)
        began = view.following(args.length)
        try:
            status = await daemon.serve(
                config, [path], places, ledger, Journal(quiet=True), until=view.over, began=began
            )
        finally:
            after_a_defect(places, ledger)
        return view.end(ledger) or status


def after_a_defect(places: Places, ledger: Ledger | None) -> None:
    """After a clean end there is nothing to put back, and nobody's socket; after a defect of ours there may be both.

    Who has the ledger has the socket too.
    """
    if ledger is None:
        return
    if ledger.live():
        ledger.restore()
    with contextlib.suppress(OSError):
        os.unlink(places.socket)


@contextlib.contextmanager
def tidied(places: Places, directory: str = "", made: Iterable[str] = ()) -> Iterator[None]:
    """Leave no empty ledger, nor its directory, where there was none. It is locked until we have gone: nobody else can have begun it.

    :param directory: this try's own, which tells of it after a SIGKILL. :param made: what tries that were killed made and left.
    """
    ours = {path for path in (places.runtime, places.ledger) if path in made or not os.path.exists(path)}
    if directory:
        write(os.path.join(directory, MADE), "\n".join(ours))
    try:
        yield
    except DaemonError:
        # somebody else has it, and may have made it since we looked
        ours = set()
        raise
    finally:
        with contextlib.suppress(OSError):
            if places.ledger in ours and os.path.getsize(places.ledger) == 0:
                os.unlink(places.ledger)
        with contextlib.suppress(OSError):
            if places.runtime in ours:
                os.rmdir(places.runtime)


def ledger_of(places: Places) -> tuple[Ledger | None, str]:
    """The system's ledger; or none, and why nothing may be changed then. ``DaemonError`` when a daemon has it."""
    try:
        daemon.make_places(places)
        return daemon.open_ledger(places), ""
    except LedgerBusyError as error:
        owner = f"{error.name} (pid {error.pid})" if error.pid else "another process"
        raise DaemonError(f"{owner} is running already", make_room(error)) from None
    except OSError as error:
        return None, f"the undo ledger has no place ({error.filename or places.runtime}: {error.strerror})"


def make_room(busy: LedgerBusyError) -> str:
    """How to end who is there first: the service, or somebody else's try."""
    watch = f"see what it does with `{program()} watch`"
    if busy.name in {"powernapd", ""} or not busy.pid:
        return f"{watch}, or stop it for the try: `systemctl stop powernapd`"
    return f"{watch}; it ends by itself if it is a try, or by `kill {busy.pid}`, which undoes it first"


def program() -> str:
    """How to type this command in another terminal: by its name where that leads to it, else with its place."""
    if shutil.which("powernap"):
        return "powernap"
    started = os.path.abspath(sys.argv[0])
    if os.path.basename(started) == "powernap" and os.access(started, os.X_OK):
        return started
    return f"{sys.executable} -m powernap"


def locked(directory: str) -> int | None:
    """A directory of a try, locked until its process ends, however it does (flock(2)); ``None`` when somebody has it, or it has gone."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def tidy(directory: str) -> set[str]:
    """Take away what tries that were killed have left below a directory for temporary files; what they made elsewhere.

    Only our own, whose process is gone. The lock besides: a process of another pid namespace (a container with the same /tmp) is not in our
    /proc. The process id besides: the directory is a moment older than its lock.
    """
    made: set[str] = set()
    with os.scandir(directory) as entries:
        for entry in entries:
            number = entry.name.removeprefix(PREFIX).partition("-")[0]
            if (
                entry.name.startswith(PREFIX)
                and number.isdecimal()
                and ours(entry)
                and not alive(int(number))
            ):
                made |= take_away(entry.path)
    return made


def take_away(directory: str) -> set[str]:
    """A dead try's directory; what it made elsewhere. rmtree goes by descriptors and follows no link."""
    made: set[str] = set()
    lock = locked(directory)
    if lock is not None:
        with (
            contextlib.suppress(OSError, UnicodeError),
            open(os.path.join(directory, MADE), encoding="utf-8") as file,
        ):
            made = set(file.read().splitlines())
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)
    return made


def ours(entry: os.DirEntry[str]) -> bool:
    """A directory of this user's, and no link to one."""
    try:
        return (
            entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
        )
    except OSError:
        return False


def alive(pid: int) -> bool:
    """Whether there is such a process, whosever it is."""
    return os.path.exists(f"/proc/{pid}")


async def prepare(args: argparse.Namespace, path: str, socket: str, refusal: str) -> dict[str, Any]:
    """Write the configuration of this try, the same file that an admin would write; what will happen, as a document.

    :param refusal: why nothing may be changed; empty when it may.
    """
    wishes = trial.Wishes(args.nap_after, tuple(args.program), tuple(args.port), args.quiet_only)
    given, trouble = overview.in_force()
    wanted, useless = trial.candidates(given, wishes)
    seen = await glance.look_all(wanted.values())
    taken, blind = trial.sighted(seen)
    chosen, idle, doing = trial.actions(Host(), given, refusal)
    config = trial.plan(given, wishes, taken, chosen, act=not refusal)
    write(path, as_toml(sections(config)))
    return {
        "event": "trying",
        "root": os.geteuid() == 0,
        "for_s": args.length,
        "nap_after_s": args.nap_after,
        "actions": doing,
        "monitors": [trial.watched(monitor) for monitor in taken.values()],
        "left_out": {**idle, **useless, **blind},
        "trouble": trouble,
        "socket": socket,
        "invitation": trial.invitation(seen, taken),
    }


def write(path: str, text: str) -> None:
    """A new file."""
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)


class View:
    """Shows what happens, and ends the try.

    :ivar over: set to end it; :ivar watching: nothing is changed, so what it says is what would have been.
    """

    def __init__(self, *, as_json: bool, nap_after: float = 10.0, quiet_only: bool = False) -> None:
        self.as_json, self.nap_after, self.quiet_only = as_json, nap_after, quiet_only
        self.over = asyncio.Event()
        self.news = News()
        self.trouble: OSError | None = None
        self.watching = False
        self.naps = 0
        self.napping = 0.0
        self.entered: float | None = None
        self.began = time.monotonic()
        self.blockers: list[dict[str, Any]] = []
        self.latest: dict[str, Any] | None = None

    def following(self, length: float) -> Callable[[Node], None]:
        """To be called when the node begins: time it, hear what it tells, and mind the terminal."""

        def begin(node: Node) -> None:
            self.began = time.monotonic()
            loop = asyncio.get_running_loop()
            loop.call_later(length, self._time_is_over, node)
            # A terminal that closes (ssh broke off) ends it; so does Ctrl-Z: a stopped daemon could not bring the machine back.
            for number in (signal.SIGHUP, signal.SIGTSTP):
                loop.add_signal_handler(number, self.over.set)
            node.told.append(lambda entry: self.hear(entry, node))
            read_along()

        return begin

    def _time_is_over(self, node: Node) -> None:
        self.blockers = facts.why(node)["blockers"]
        self.over.set()

    def hear(self, entry: dict[str, Any], node: Node) -> None:
        """One thing that happened."""
        if entry["event"] == "entered":
            self.naps, self.entered = self.naps + 1, time.monotonic()
            entry = {**entry, "changed": node.hands.changed()}
        elif entry["event"] == "left":
            self._napped()
        elif happening(entry):
            self.latest = {"name": entry["monitor"], "reason": entry.get("reason", "")}
        if self.as_json or self.news.worth_a_line(entry):
            self.say(entry)

    def _napped(self) -> None:
        if self.entered is not None:
            self.napping, self.entered = self.napping + time.monotonic() - self.entered, None

    def say(self, entry: dict[str, Any]) -> None:
        """Print it. When nobody reads any more, end: this runs in the middle of what the daemon does and must not raise."""
        if self.trouble is not None:
            return
        try:
            if self.as_json:
                output.show_json_line({"version": 1, "time": round(time.time(), 3), **entry})
            else:
                print(as_text(entry), flush=True)
        except OSError as error:
            self.trouble = error
            self.over.set()

    def end(self, ledger: Ledger | None) -> int:
        """Say what came of it; the exit status."""
        self._napped()
        left = len(ledger.live()) if ledger else 0
        document = {
            "event": "tried",
            "for_s": round(time.monotonic() - self.began, 3),
            "watching": self.watching,
            "nap_after_s": self.nap_after,
            "quiet_only": self.quiet_only,
            "naps": self.naps,
            "napping_s": round(self.napping, 3),
            "blockers": self.blockers,
            "latest": self.latest,
            "left_changed": left,
        }
        self.say(document)
        if self.trouble is not None:
            return output.unwritable(self.trouble) or int(left > 0)
        return int(left > 0)


def read_along() -> None:
    """Take what is typed on our own terminal: the terminals monitor hears the read, as it does when a shell reads."""
    loop = asyncio.get_running_loop()

    def take() -> None:
        try:
            # In the background a read would stop us, and the line is the shell's.
            typed = os.read(0, 4096) if os.tcgetpgrp(0) == os.getpgrp() else b""
        except OSError:
            typed = b""
        if not typed:
            loop.remove_reader(0)

    if sys.stdin.isatty():
        loop.add_reader(0, take)


# ---------------------------------------------------------------- as a person reads it


def as_text(entry: dict[str, Any]) -> str:
    """One entry, or the first or last lines of the view."""
    if entry["event"] == "trying":
        return opening(entry)
    if entry["event"] == "tried":
        return closing(entry)
    rows: list[list[Cell]] = [[c["target"], f"{c['old']} -> {c['new']}"] for c in entry.get("changed", [])]
    return live_line(entry) + ("\n" + columns(rows, indent=" " * 12) if rows else "")


def opening(entry: dict[str, Any]) -> str:
    """What will happen to this machine, and how to bring it back."""
    length, idle = show_duration(entry["for_s"]), show_duration(entry["nap_after_s"])
    lines = [f"powernap try: for {length}, napping after {idle} without activity; Ctrl-C ends it"]
    if entry["trouble"]:
        lines.append(f"  attention     {entry['trouble']}")
    nothing = "nothing: it only says what it would do"
    rows: list[list[Cell]] = [[("a nap changes", "bold"), ", ".join(entry["actions"]) or nothing]]
    if entry["actions"]:
        rows.append(["", f"put back at the end, however it ends (after SIGKILL: `{program()} undo`)"])
    rows.append([("watches", "bold"), ", ".join(entry["monitors"]) or "nothing"])
    rows += overview.section(
        "left out", [[f"{name}: {reason}"] for name, reason in entry["left_out"].items()]
    )
    usual = entry["socket"] == Places().socket
    powernap = program() if usual else f"POWERNAP_SOCKET={entry['socket']} {program()}"
    back = [
        "press Enter here" if sys.stdin.isatty() else "",
        f"in another terminal: {entry['invitation']}" if entry["invitation"] else "",
    ]
    rows.append([("come back", "bold"), "; or ".join(filter(None, back)) or f"{powernap} wake"])
    rows.append([("ask it", "bold"), f"in another terminal: {powernap} why"])
    return "\n".join([*lines, columns(rows)])


def closing(entry: dict[str, Any]) -> str:
    """What came of it."""
    if entry["left_changed"]:
        return f"{many(entry['left_changed'], 'value')} could not be put back; try `{program()} undo`"
    if entry["naps"]:
        times = {1: "once", 2: "twice"}.get(entry["naps"], f"{entry['naps']} times")
        napped = "would have napped" if entry["watching"] else "napped"
        return f"it {napped} {times}, {show_duration(entry['napping_s'])} of {show_duration(entry['for_s'])}"
    guilty = entry["blockers"] or [entry["latest"]] * bool(entry["latest"])
    reasons = "; ".join(f"{each['name']}: {each['reason']}" for each in guilty)
    hint = f" ({advice})" if (advice := shorter(entry)) else ""
    did = "would not have napped" if entry["watching"] else "did not nap"
    return f"it {did}: {show(reasons) or 'it was not idle for long enough'}{hint}"


def shorter(entry: dict[str, Any]) -> str:
    """Options that would let it nap sooner, of those that were not given; empty where there is none."""
    return ", ".join(
        filter(
            None,
            [
                "" if entry["quiet_only"] else "--quiet-only leaves rates out",
                f"--nap-after {show_duration(BRIEF)} waits less long" if entry["nap_after_s"] > BRIEF else "",
            ],
        )
    )
