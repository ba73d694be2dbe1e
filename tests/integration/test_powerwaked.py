"""A real powerwaked, without capabilities, and machines in other network namespaces that come up when they hear a real magic packet."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from networks import in_new_network
from powernap.wakeproxy.waking import LOOK_MAX

pytestmark = pytest.mark.root

LIMIT = 30.0
"""Real seconds after which what should have happened has not."""
MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
ALWAYS = 'type = "windows"\nup = "daily"\n'

MACHINE = """
import ctypes, socket, subprocess, sys, time
sys.path.insert(0, {tests!r})
assert not ctypes.CDLL(None).unshare(0x40000000)
from networks import loopback_up
from powernap.host.magic_send import address
from powernap.host.packets import magic_target
loopback_up()
print("there", flush=True)
sys.stdin.readline()
mac, deaf, port = address({mac!r}), {deaf}, {port}
def ip(*words):
    subprocess.run(["ip", *words], check=True)
ip("link", "set", "wake1", "address", {mac!r})
ip("link", "set", "wake1", "up")
card = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
card.bind(("wake1", 3))
print("off", flush=True)
service = None
heard = set()
while True:
    packet, about = card.recvfrom(2048)
    if about[2] == socket.PACKET_OUTGOING or magic_target(packet, frozenset({{mac}}), {secret!r}) is None:
        continue
    if packet[22:24] != bytes([0, 9]):
        continue  # one of the two ports is enough to count
    print("magic", time.time(), flush=True)
    deaf -= 1
    if deaf < 0 and service is None and port:
        ip("address", "add", "10.77.0.2/24", "dev", "wake1")
        service = socket.create_server(("10.77.0.2", port))
        print("up", time.time(), flush=True)
"""


class Machine:
    """Off at first: it has a card that listens, and no address. It hears packets from the other end of a cable, ``wake0``."""

    def __init__(self, deaf: int = 0, port: int = 22, secret: bytes = b"") -> None:
        code = MACHINE.format(tests=os.path.dirname(os.path.dirname(__file__)), mac=MAC, deaf=deaf, port=port, secret=secret)  # fmt: skip
        self.process = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
        assert self.line() == ["there"]
        for command in (
            f"link add wake0 type veth peer name wake1 netns {self.process.pid}",
            "address add 10.77.0.1/24 dev wake0",
            "link set wake0 up",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        assert self.line() == ["off"]

    def line(self) -> list[str]:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def told(self) -> list[list[str]]:
        """All that it said, after its end."""
        self.process.kill()
        assert self.process.stdout is not None
        return [line.split() for line in self.process.stdout.read().splitlines()]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class Waker:
    """powerwaked in a directory of its own."""

    def __init__(self, directory: Path, *hosts: str) -> None:
        self.config, self.errors = directory / "hosts.toml", directory / "stderr"
        self.config.write_text("".join(hosts))
        self.places = ["--runtime", str(directory / "run"), "--state", str(directory / "state")]
        self.command = [
            sys.executable,
            "-m",
            "powernap.wakeproxy",
            "--config",
            str(self.config),
            *self.places,
        ]
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen([*WITHOUT_RIGHTS, *self.command], stderr=errors)

    def log(self) -> str:
        return self.errors.read_text(errors="replace")

    def until(self, text: str, count: int = 1) -> str:
        """Wait for words in the journal, so many times; the last line that has them."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            if len(lines := [line for line in self.log().splitlines() if text in line]) >= count:
                return lines[-1]
            time.sleep(0.02)
        raise AssertionError(f"no {text!r} in: {self.log()}")

    def plan(self, *words: str) -> str:
        """``powerwaked --plan``."""
        done = subprocess.run(
            [*self.command, "--plan", *words], check=False, capture_output=True, text=True, timeout=LIMIT
        )
        assert (0, "") == (done.returncode, done.stderr)
        return done.stdout

    def until_state(self, state: str, name: str = "web3") -> dict[str, Any]:
        """Wait for what the plan says of a machine."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            found = next(each for each in json.loads(self.plan("--json"))["hosts"] if each["name"] == name)
            if found["state"] == state:
                return dict(found)
        raise AssertionError(f"{name} is not {state}: {found}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)


@contextlib.contextmanager
def scene(directory: Path, *hosts: str, **facts: object) -> Iterator[tuple[Machine, Waker]]:
    """A cable, a machine at its other end, and a powerwaked on this one."""
    machine = Machine(**facts)  # type: ignore[arg-type]
    waker = Waker(directory, *hosts)
    try:
        yield machine, waker
    finally:
        machine.close()
        if waker.process.poll() is None:
            waker.process.kill()
            waker.process.wait()
        assert "Traceback" not in waker.log(), waker.log()


def host(schedule: str = ALWAYS, more: str = "", name: str = "web3", mac: str = MAC, method: str = "") -> str:
    """A section of the inventory."""
    return (
        f'[host.{name}]\naddress = "10.77.0.2"\n{more}[[host.{name}.wake]]\ntype = "magic-packet"\nmac = "{mac}"\n{method}'
        f"[host.{name}.schedule.office]\n{schedule}"
    )


@in_new_network
def test_it_is_woken_confirmed_and_not_woken_twice(tmp_path: Path) -> None:
    """Started within a window; read again, and started again, it is up already and gets nothing more. No capability is needed."""
    with scene(tmp_path, host()) as (machine, waker):
        assert machine.line()[0] == "magic"
        assert machine.line()[0] == "up"
        waker.until("web3 is up after")
        confirmed = time.time()
        waker.process.send_signal(signal.SIGHUP)
        waker.until("read the inventory again: 1 machine")
        assert 0 == waker.stop()
        again = Waker(tmp_path, host())
        try:
            again.until("web3 is up already, for office (daily): tcp:22 of 10.77.0.2 answers")
            assert "CapEff:\t0000000000000000" in Path(f"/proc/{again.process.pid}/status").read_text()
            found = again.until_state("up")
            assert ("up", 180.0) == (found["now"], found["lead_s"])  # once is not enough to trust
            learned = json.loads((tmp_path / "state/lead-times/web3.json").read_text())
            assert 1 == len(learned["boot"])
            assert 0 == again.stop()
        finally:
            again.process.kill()
            again.process.wait()
        assert [] == [each for each in machine.told() if float(each[1]) > confirmed]


@in_new_network
def test_it_is_woken_as_much_earlier_as_it_takes_to_boot(tmp_path: Path) -> None:
    """Needed at the full minute, it is woken so long before, not sooner and not later, and is up in time."""
    now = time.time()
    at = (now // 60 + 1) * 60 + (60 if now % 60 > 45 else 0)
    lead = round(at - now - 4)
    since = datetime.fromtimestamp(at, UTC)
    until = datetime.fromtimestamp(at + 7200, UTC)
    window = f'type = "windows"\nup = "daily {since:%H:%M}-{until:%H:%M} UTC"\n'
    with scene(tmp_path, host(window, f'boot = "{lead}s"\n')) as (machine, waker):
        assert "web3     not asked" in waker.plan()
        woken = float(machine.line()[1])
        up = float(machine.line()[1])
        waker.until("web3 is up after")
        assert at - lead - LOOK_MAX <= woken <= up < at


@in_new_network
def test_a_packet_that_is_lost_is_sent_again(tmp_path: Path) -> None:
    """The first two are."""
    with scene(tmp_path, host(), deaf=2) as (machine, waker):
        assert ["magic", "magic", "magic", "up"] == [machine.line()[0] for _ in range(4)]
        waker.until("web3 is up after")
        assert {"up"} >= {each[0] for each in machine.told()}


@in_new_network
def test_one_that_never_comes_is_named_with_reason_and_remedy(tmp_path: Path) -> None:
    """In the journal and in the plan; the other one comes all the same."""
    with scene(tmp_path, host(more='boot = "4s"\n'), host(name="web4", mac=OTHER, more='boot = "2s"\nconfirm = "tcp:23"\n'), port=0) as (_, waker):  # fmt: skip
        line = waker.until("web3 is not up")
        assert "magic-packet through wake0, " in line
        assert "times in 4s: tcp:22 of 10.77.0.2" in line
        assert "No route to host" in line or "does not answer within" in line
        assert "Wake-on: g" in line
        waker.until("web4 is not up")
        waker.until_state("not-up")
        shown = waker.plan()
        assert "web3 is not up since" in shown
        assert "  -> see that its card is armed" in shown


@in_new_network
def test_the_password_of_the_card_is_sent_with_it(tmp_path: Path) -> None:
    """A card with a SecureOn password does not listen to anything else."""
    secret = tmp_path / "secureon"
    secret.write_text("00:11:22:33:44:55\n")
    method = f'password_file = "{secret}"\n'
    with scene(tmp_path, host(method=method), secret=bytes.fromhex("001122334455")) as (_, waker):
        waker.until("web3 is up after")


@in_new_network
def test_an_inventory_with_faults_is_refused_whole(tmp_path: Path) -> None:
    """All problems, exit status 2; and while it runs, it goes on with what it has."""
    with scene(tmp_path, host()) as (_, waker):
        waker.until("web3 is up after")
        waker.config.write_text(host().replace("mac =", "mca ="))
        waker.process.send_signal(signal.SIGHUP)
        told = waker.until("the inventory has faults and stays as it was")
        assert 'hosts.toml:3: method 1 of host "web3" (type magic-packet) has no "mac"' in told
        assert told.endswith("(and 1 more)")
        done = subprocess.run(waker.command, check=False, capture_output=True, text=True, timeout=LIMIT)
        assert 2 == done.returncode
        assert (
            f'{waker.config}:5: unknown key "mca" in method 1 of host "web3" (type magic-packet); did you mean "mac"?'
            in done.stderr
        )
        assert 0 == waker.stop()


@in_new_network
def test_there_is_one_of_it_and_what_it_knew_ends_with_it(tmp_path: Path) -> None:
    """Two would press the same button; and a plan without a daemon says so."""
    never = 'type = "dates"\nmeans = "up"\ndays = ["2001-01-01"]\n'
    with scene(tmp_path, host(never)) as (_, waker):
        waker.until("began: 1 machine")
        waker.until_state("")
        done = subprocess.run(waker.command, check=False, capture_output=True, text=True, timeout=LIMIT)
        assert 3 == done.returncode
        assert "another powerwaked runs with" in done.stderr
        assert 0 == waker.stop()
        assert "powerwaked is not running" in waker.plan()
