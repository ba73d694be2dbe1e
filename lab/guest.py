"""A running guest, driven from outside: programs in it, keys, sleep and wake, reset, and what its meter shows.

    with guest.thawed() as lab:
        lab.run("powernap", "--version").text()

It boots once: the booted machine is frozen into a file and each guest is thawed from it, in seconds. Nothing of a guest stays: its disks
are written to copies that end with it, and QEMU dies with the program that started it.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab import cache, code, machine
from lab.build import Parts, build
from lab.errors import LabError
from lab.machine import Disks
from lab.programs import run
from lab.qmp import Lines, Qmp

LIMIT = 120.0
"""Seconds that anything in the guest may take. The guest is slow (a tenth of this machine) and the machine may be busy."""
ASK_AGAIN = 10.0
"""Seconds after which a question is repeated; the guest does nothing twice (lab/agent.py)."""
BOOT_LIMIT = 300.0
DATA_SIZE = "64M"
CONSOLE = "console.log"
REGISTER = {name: re.compile(rf"\b{name}=(\w+)") for name in ("RIP", "HLT")}
SETTLE = "systemctl is-system-running --wait; udevadm settle; sync"
"""What is waited for before the booted machine is frozen."""


@dataclass(frozen=True)
class Outcome:
    """How a program in the guest ended; ``value`` is what a called function returned."""

    what: str
    status: int
    out: str
    err: str
    value: Any = None

    def text(self) -> str:
        """What it printed. Raises ``LabError`` when it failed."""
        if self.status:
            raise LabError(
                f"in the guest, {self.what} ended with {self.status}: {self.out[-2000:]}{self.err[-4000:]}"
            )
        return self.out.strip()


@dataclass(frozen=True)
class Request:
    """What was asked of the agent, and how it is called in messages."""

    what: str
    document: dict[str, Any]


class Guest:
    """One guest. Made by ``thawed()``; ``qmp`` is its QEMU."""

    def __init__(self, parts: Parts, disks: Disks, *words: str, console: str = "") -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="powernap-lab-"))
        console = console or f"file,path={self.directory / CONSOLE}"
        command = machine.command(parts, disks, self.directory, console)
        self._open = contextlib.ExitStack()
        errors = self._open.enter_context((self.directory / "stderr").open("wb"))
        # QEMU dies with this thread, also when that is killed
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command, *words],
            stdin=None if "stdio" in console else subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            self.qmp = self._open.enter_context(contextlib.closing(Qmp(f"{self.directory}/qmp")))
            self.agent = self._open.enter_context(contextlib.closing(Lines(f"{self.directory}/agent")))
        except LabError as error:
            said = (self.directory / "stderr").read_text(errors="replace")
            self.end()
            raise LabError(f"{error} {said.strip()}") from error
        # answers to a guest that was frozen never come
        self._numbers = itertools.count(time.time_ns() // 1_000_000)
        self._begun: dict[int, Request] = {}
        self._done: dict[int, Outcome] = {}

    # programs

    def run(self, *words: str, limit: float = LIMIT) -> Outcome:
        """Run a program to its end."""
        return self.finish(self.begin(*words), limit)

    def shell(self, line: str, limit: float = LIMIT) -> Outcome:
        """Run a line of shell."""
        return self.run("sh", "-c", line, limit=limit)

    def call(self, target: str, *arguments: Any, limit: float = LIMIT) -> Any:
        """What ``module:function`` of the code disk returns in the guest; called in a fork of the agent, without a new interpreter."""
        outcome = self.finish(self.begin_call(target, *arguments), limit)
        outcome.text()
        return outcome.value

    def begin(self, *words: str) -> int:
        """Start a program; ``finish`` tells how it ended."""
        return self._ask(" ".join(words), argv=list(words))

    def begin_call(self, target: str, *arguments: Any) -> int:
        """Start a function."""
        return self._ask(target, call=target, args=list(arguments))

    def finish(self, number: int, limit: float = LIMIT) -> Outcome:
        """Wait for what was begun. After so many seconds it is killed in the guest, and ``LabError``."""
        if not self._answered(number, time.monotonic() + limit):
            state = self.state()
            self.kill(number)
            raise LabError(
                f"in the guest, {self._begun[number].what} has not ended in {limit:.0f} s: {state}; {self.console()[-2000:]}"
            )
        del self._begun[number]
        return self._done.pop(number)

    def kill(self, number: int) -> None:
        """SIGKILL what was begun, with all it started."""
        self.agent.send({"kill": number})

    def _ask(self, what: str, **request: Any) -> int:
        number = next(self._numbers)
        self._begun[number] = Request(what, {"id": number, **request})
        self.agent.send(self._begun[number].document)
        return number

    def _keep(self, document: dict[str, Any]) -> None:
        number = document.pop("id", 0)
        if number in self._begun:
            self._done[number] = Outcome(self._begun[number].what, **document)

    # files

    def read(self, path: str) -> str:
        """A file's content, without the white space around it."""
        return self.run("cat", path).text()

    def write(self, path: str, text: str) -> None:
        """Write to a file; ``LabError`` when the guest's kernel refuses."""
        self.run("sh", "-c", 'printf %s "$2" > "$1"', "sh", path, text).text()

    # hands and cables

    def key(self, *names: str) -> None:
        """Press and let go keys (names of QEMU's QKeyCode: "a", "shift", "ret"). They go to the USB keyboard while it is plugged in."""
        self.qmp.ask("send-key", keys=[{"type": "qcode", "data": name} for name in names])

    def mouse(self, right: int = 5, down: int = 0) -> None:
        """Move the mouse."""
        axes = (("x", right), ("y", down))
        events = [{"type": "rel", "data": {"axis": axis, "value": value}} for axis, value in axes]
        self.qmp.ask("input-send-event", events=events)

    def unplug_keyboard(self) -> None:
        """Pull the USB keyboard out: keys go to the PS/2 keyboard then."""
        self.qmp.ask("device_del", id="keyboard")
        self.qmp.wait("DEVICE_DELETED")

    def plug_keyboard(self) -> None:
        """Put the USB keyboard in again."""
        driver, *fields = machine.KEYBOARD.split(",")
        self.qmp.ask("device_add", driver=driver, **dict(field.split("=") for field in fields))

    def watts(self, base: float) -> None:
        """Set what all but the processors draws."""
        self.qmp.monitor(f"o /h 0xe2 {round(base * 10)}")

    # sleep and reset

    def wakeup(self) -> None:
        """Wake the sleeping guest, as a wake signal of its board would."""
        self.qmp.ask("system_wakeup")

    def reset(self) -> None:
        """The reset button; returns when the guest has booted again."""
        self.qmp.ask("system_reset")
        self.qmp.wait("RESET")
        self._begun.clear()
        self.ready()
        self.shell(SETTLE)
        self.mount_code()

    def ready(self, limit: float = BOOT_LIMIT) -> None:
        """Wait until programs can be started."""
        number = self._ask("hello")
        if not self._answered(number, time.monotonic() + limit):
            raise LabError(f"the guest has not booted in {limit:.0f} s: {self.console()[-3000:]}")
        self.finish(number)

    def _answered(self, number: int, end: float) -> bool:
        """Whether the answer has come by then. What is lost while the guest boots, sleeps or wakes is asked again."""
        while number not in self._done:
            document = self.agent.receive(max(0.0, min(ASK_AGAIN, end - time.monotonic())))
            if document is not None:
                self._keep(document)
            elif time.monotonic() >= end:
                return False
            else:
                self.agent.send(self._begun[number].document)
        return True

    def mount_code(self) -> None:
        """What is under test, on /code."""
        self.run("mount", "-o", "ro,noload", "/dev/disk/by-id/virtio-code", "/code").text()

    # the guest itself

    def console(self) -> str:
        """What it has said on its serial console."""
        path = self.directory / CONSOLE
        return path.read_text(errors="replace") if path.exists() else ""

    def state(self) -> str:
        """What QEMU says of it, to tell a guest that waits from one that hangs: whether it runs, and twice where its processors are."""
        seen = []
        for pause in (1.0, 0.0):
            registers = self.qmp.monitor("info registers -a")
            at = zip(REGISTER["RIP"].findall(registers), REGISTER["HLT"].findall(registers), strict=False)
            seen.append(" ".join(f"{rip}{' (halted)' * (halted == '1')}" for rip, halted in at))
            time.sleep(pause)
        return f"{self.qmp.monitor('info status')}, processors at {seen[0]}, then at {seen[1]}"

    def end(self) -> None:
        """Power off without asking, and leave nothing."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._open.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def frozen(parts: Parts, say: cache.Say = lambda _: None) -> Path:
    """The booted machine as files: ``root`` and ``data`` are its disks, ``state`` all the rest."""
    version = run("qemu-system-x86_64", "--version")
    named = Parts(*map(Path, parts.names()))
    command = machine.command(named, Disks(Path("root"), Path("code"), Path("data")), Path("run"), "null")
    made_of = [version, *parts.names(), *command, SETTLE]
    return cache.product("frozen", made_of, lambda path: _freeze(path, parts), say)


def _freeze(path: Path, parts: Parts) -> None:
    path.mkdir()
    backing = f"../{parts.root.name}"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", "raw", path / "root")
    run("truncate", "-s", DATA_SIZE, path / "data")
    run("truncate", "-s", str(machine.CODE_SIZE), path / "code")
    with Guest(parts, Disks(path / "root", path / "code", path / "data", keep=True)) as guest:
        guest.ready()
        guest.shell(SETTLE)
        guest.qmp.ask("stop")
        guest.qmp.ask("migrate", uri=f"exec:cat > {path}/state")
        while (state := guest.qmp.ask("query-migrate")["status"]) != "completed":
            if state == "failed":
                raise LabError("QEMU cannot freeze the guest")
            time.sleep(0.05)
        guest.qmp.ask("quit")
        guest.process.wait()
    (path / "code").unlink()


@contextlib.contextmanager
def thawed(say: cache.Say = lambda _: None, console: str = "") -> Iterator[Guest]:
    """A guest that has just booted, with the code under test. Its first clock is right, its disks are as built."""
    parts = build(say)
    place, source = frozen(parts, say), code.make(say)
    disks = Disks(place / "root", source, place / "data")
    with Guest(parts, disks, "-incoming", f"exec:cat {place}/state", console=console) as guest:
        while guest.qmp.ask("query-status")["status"] == "inmigrate":
            time.sleep(0.02)
        guest.qmp.ask("cont")
        guest.ready()
        guest.run("hwclock", "--hctosys", "--utc").text()
        guest.mount_code()
        guest.qmp.events()
        yield guest
