"""Typing on real pseudo terminals is heard; output on them is not."""

from __future__ import annotations

import os
import pty
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ears import EpollEars
from powernap.core.reading import Reading
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, terminals
from powernap.monitors.terminals import Options, TerminalsMonitor


class Desk:
    """A machine that has only our own terminal (by a link): what others type here is not ours."""

    def __init__(self, root: Path, ears: EpollEars) -> None:
        self.ears = ears
        self.told: list[Reading] = []
        self.keyboard, self.screen = pty.openpty()
        name = os.ttyname(self.screen)
        (root / "dev/pts").mkdir(parents=True)
        os.symlink(name, root / name.lstrip("/"))
        self.monitor: TerminalsMonitor = terminals.open(
            Context("terminals", Host(files=TreeFiles(str(root)), ears=ears), self.told.append), Options()
        )

    def type(self) -> None:
        os.write(self.keyboard, b"x\n")
        os.read(self.screen, 100)

    def close(self) -> None:
        self.monitor.close()
        os.close(self.keyboard)
        os.close(self.screen)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """One real terminal."""
    with EpollEars() as ears:
        desk = Desk(tmp_path, ears)
        yield desk
        desk.close()


def test_typing_is_heard_50_times_of_50_and_output_never(desk: Desk) -> None:
    """Each line that is read is told, by event; a thousand lines of output wake nobody."""
    for number in range(50):
        desk.monitor.check(time.clock_gettime(time.CLOCK_BOOTTIME))
        for _ in range(20):
            os.write(desk.screen, b"output\n")
            os.read(desk.keyboard, 4096)
        assert len(desk.told) == number
        desk.type()
        assert desk.ears.run(2, lambda: len(desk.told) > number)  # noqa: B023
    assert desk.told[-1].last == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.5)


def test_ten_thousand_keys_wake_once(desk: Desk) -> None:
    """Deaf after hearing."""
    for _ in range(1000):
        desk.type()
    desk.ears.run(0.05)
    assert (len(desk.told), desk.ears.wakeups) == (1, 1)


def test_the_access_time_finds_what_was_not_heard(desk: Desk) -> None:
    """Typed while deaf: the look places it within 8 s of the truth."""
    desk.type()
    desk.ears.run(2, lambda: desk.told)
    desk.type()
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    last = desk.monitor.check(now).last
    assert last is not None
    assert now - 1 < last <= now
