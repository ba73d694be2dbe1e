"""Claims of monitors/terminals.py: files stand for terminals; the kernel's inotify and access times are real."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ears import EpollEars
from powernap.core.reading import Reading
from powernap.host.availability import UnavailableError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, terminals
from powernap.monitors.terminals import Options, TerminalsMonitor

LONG_AGO = 1_000_000.0


class House:
    """A machine below a directory whose terminals are files."""

    def __init__(self, root: Path, ears: EpollEars) -> None:
        self.root, self.ears = root, ears
        self.host = Host(files=TreeFiles(str(root)), ears=ears)
        self.told: list[Reading] = []
        (root / "dev/pts").mkdir(parents=True)
        (root / "etc").mkdir()
        (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")

    def terminal(self, name: str, user: int = 0) -> None:
        path = self.root / "dev" / name
        path.write_text("typed\n")
        os.utime(path, (LONG_AGO, LONG_AGO))
        if os.geteuid() == 0:
            os.chown(path, user, 0)

    def type(self, name: str) -> None:
        """What a shell does when its user typed: it reads."""
        (self.root / "dev" / name).read_text()
        os.utime(self.root / "dev" / name, (time.time(), LONG_AGO))

    def open(self, options: Options | None = None) -> TerminalsMonitor:
        return terminals.open(Context("terminals", self.host, self.told.append), options or Options())

    def now(self) -> float:
        return self.host.clock.boottime()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An empty one."""
    with EpollEars() as ears:
        yield House(tmp_path, ears)


@pytest.fixture
def monitor(house: House) -> Iterator[TerminalsMonitor]:
    """Opened on two terminals."""
    house.terminal("pts/0")
    house.terminal("pts/1")
    monitor = house.open()
    yield monitor
    monitor.close()


def test_typing_is_told_once_then_nothing_is_heard(house: House, monitor: TerminalsMonitor) -> None:
    """Deaf after hearing: neither more typing nor new terminals wake anybody."""
    house.type("pts/1")
    assert house.ears.run(2, lambda: house.told)
    wakeups = house.ears.wakeups
    for _ in range(20):
        house.type("pts/0")
        house.type("pts/1")
    house.terminal("pts/5")
    house.ears.run(0.05)
    assert [reading.reason for reading in house.told] == ["root on pts/1 typed"]
    assert house.told[0].last == pytest.approx(house.now(), abs=1)
    assert house.ears.wakeups == wakeups


def test_output_is_not_heard(house: House, monitor: TerminalsMonitor) -> None:
    """A program that writes to a terminal is nobody."""
    for _ in range(20):
        (house.root / "dev/pts/0").write_text("output")
    house.ears.run(0.05)
    assert (house.told, house.ears.wakeups) == ([], 0)


def test_a_look_listens_again(house: House, monitor: TerminalsMonitor) -> None:
    """After a look the same terminal is heard again, and another too."""
    house.type("pts/0")
    house.ears.run(2, lambda: house.told)
    monitor.check(house.now())
    house.type("pts/0")
    assert house.ears.run(2, lambda: len(house.told) == 2)


def test_what_was_typed_while_deaf_is_found(house: House, monitor: TerminalsMonitor) -> None:
    """The access time tells, at most 8 s late."""
    house.type("pts/0")
    house.ears.run(2, lambda: house.told)
    (house.root / "dev/pts/1").read_text()
    os.utime(house.root / "dev/pts/1", (time.time() + 100, LONG_AGO))
    reading = monitor.check(house.now() + 100)
    assert reading.who == ("root on pts/1",)
    assert reading.last is not None
    assert house.now() + 99 <= reading.last <= house.now() + 108


def test_nothing_heard_means_nothing_typed(house: House, monitor: TerminalsMonitor) -> None:
    """A watch that stands is the proof: a look later does not move the instant by the kernel's 8-s step."""
    house.type("pts/0")
    house.ears.run(2, lambda: house.told)
    first = monitor.check(house.now()).last
    assert monitor.check(house.now() + 3).last == first
    assert monitor.check(house.now() + 60).last == first


def test_a_new_terminal_is_heard_but_is_no_activity(house: House, monitor: TerminalsMonitor) -> None:
    """Opening one is not typing; typing on it is, at once and without a look between."""
    house.terminal("pts/7")
    house.ears.run(2, lambda: "pts/7" in monitor.terminals)
    assert house.told == []
    house.type("pts/7")
    assert house.ears.run(2, lambda: house.told)


def test_an_unused_new_terminal_stays_silent_at_the_look(house: House, monitor: TerminalsMonitor) -> None:
    """Its access time is its birth, which is nobody's typing."""
    before = monitor.check(house.now()).last
    (house.root / "dev/pts/8").touch()
    house.ears.run(2, lambda: "pts/8" in monitor.terminals)
    assert monitor.check(house.now()).last == before


def test_a_closed_terminal_is_forgotten(house: House, monitor: TerminalsMonitor) -> None:
    """Its watch went with it."""
    os.unlink(house.root / "dev/pts/1")
    monitor.check(house.now())
    assert sorted(monitor.terminals) == ["pts/0"]


def test_a_storm_of_terminals_is_bounded(
    house: House, monitor: TerminalsMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sudo in a loop: after fifty, new ones are heard of again only after a pause, and then are watched."""
    monkeypatch.setattr(terminals, "PAUSE", 0.02)
    for number in range(100, 160):
        house.terminal(f"pts/{number}")
    house.ears.run(1, lambda: house.ears.timers)
    wakeups = house.ears.wakeups
    for number in range(200, 205):
        house.terminal(f"pts/{number}")
    assert monitor.directory is None
    assert house.ears.run(1, lambda: "pts/204" in monitor.terminals)
    assert house.ears.wakeups <= wakeups + 2
    house.type("pts/204")
    assert house.ears.run(1, lambda: house.told)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody")
def test_users_can_be_left_out(house: House) -> None:
    """Whose typing does not count is not even watched; the others are named."""
    house.terminal("pts/0", 1000)
    house.terminal("pts/1", 77)
    monitor = house.open(Options(exclude_users=("alice",)))
    house.type("pts/0")
    house.ears.run(0.03)
    assert house.told == []
    house.type("pts/1")
    assert house.ears.run(1, lambda: house.told)
    assert house.told[0].who == ("uid 77 on pts/1",)
    monitor.close()


def test_consoles_count_and_other_serial_lines_do_not(house: House) -> None:
    """Virtual consoles in use, the kernel's serial console; not the UPS on ttyUSB0, not ptmx."""
    (house.root / "sys/class/tty/console").mkdir(parents=True)
    (house.root / "sys/class/tty/console/active").write_text("tty0 ttyS0\n")
    for name in (
        "tty0",
        "tty1",
        "tty2",
        "ttyS0",
        "ttyS1",
        "ttyUSB0",
        "vcs",
        "vcs1",
        "vcsa1",
        "pts/ptmx",
        "pts/3",
    ):
        (house.root / "dev" / name).touch()
    assert terminals.names(house.host) == ["pts/3", "tty1", "ttyS0"]
    assert terminals.probe(house.host, Options()).detail == "3 terminals: pts/3, tty1, ttyS0"


def test_before_anybody_types_access_times_tell(house: House, monitor: TerminalsMonitor) -> None:
    """What was typed before the daemon began counts."""
    os.utime(house.root / "dev/pts/1", (time.time() + 1000, LONG_AGO))
    second = house.open()
    reading = second.check(house.now() + 1100)
    second.close()
    assert reading.who == ("root on pts/1",)


def test_a_terminal_that_was_made_when_the_machine_was_started_was_not_typed_on(
    house: House, monitor: TerminalsMonitor
) -> None:
    """Its access time is that of its making, or of before."""
    began = time.time() - house.now()
    for name, at in (("pts/0", began + 5), ("pts/1", LONG_AGO)):
        os.utime(house.root / "dev" / name, (at, LONG_AGO))
    fresh = house.open()
    reading = fresh.check(house.now())
    fresh.close()
    assert (None, "nobody typed on 2 terminals") == (reading.last, reading.reason)


def test_no_terminals_is_no_obstacle(house: House) -> None:
    """A machine without terminals now; and one without /dev/pts at all."""
    os.rmdir(house.root / "dev/pts")
    assert terminals.probe(house.host, Options()).detail == "no terminals now; new ones are watched"
    monitor = house.open()
    assert monitor.check(house.now()).reason == "nobody typed on 0 terminals"
    monitor.close()


def test_a_recorded_machine_is_not_opened(house: House) -> None:
    """Nobody types on a recording."""
    house.host.live = False
    with pytest.raises(UnavailableError, match="recorded machine"):
        house.open()


def test_everything_is_given_back(house: House) -> None:
    """As many descriptors after closing as before opening."""
    house.terminal("pts/0")
    before = len(os.listdir("/proc/self/fd"))
    house.open().close()
    assert (len(os.listdir("/proc/self/fd")), house.ears.heard) == (before, {})
