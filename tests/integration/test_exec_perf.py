"""Claims about the perf source of program starts on this machine's real kernel; what all sources have in common is in
test_process_events.py.

No core is switched off: that a core goes and comes back is said to the source (its list of cores, a synthetic uevent).
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ears import EpollEars
from powernap.host import exec_perf, perf
from powernap.host.availability import UnavailableError
from powernap.host.cpus import CPU
from powernap.host.exec_perf import ExecPerf
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from tracefs import FilesWithTracefs, tracefs

pytestmark = pytest.mark.root
NAME = f"pnperf{os.getpid()}".encode()
"""Another test process's starts are not ours."""


@dataclass
class Heard:
    """An opened source that watches one program, and what it told."""

    ears: EpollEars
    files: FilesWithTracefs
    program: Path
    told: list[tuple[bytes, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        host = Host(self.files, ears=self.ears)
        self.source = ExecPerf(host, self.ears, lambda name, pid: self.told.append((name, pid)))
        self.source.add(NAME)

    def start(self, core: int = 0) -> None:
        """Start the program on one core and wait for its end."""
        subprocess.run(["taskset", "-c", str(core), self.program], check=True)

    def hear(self, timeout: float = 1.0) -> list[tuple[bytes, int]]:
        """Serve until something is told."""
        self.ears.run(timeout, lambda: self.told)
        said, self.told[:] = list(self.told), []
        return said

    def say_online(self, cores: str) -> None:
        """Let the list of running cores say something else."""
        self.files.said[f"{CPU}/online"] = cores


@pytest.fixture(scope="module")
def traced() -> Iterator[FilesWithTracefs]:
    """This machine's files with tracefs."""
    with tracefs() as files:
        yield files


@pytest.fixture
def heard(traced: FilesWithTracefs, tmp_path: Path) -> Iterator[Heard]:
    """The source and a program that exits at once."""
    shutil.copy("/bin/true", tmp_path / NAME.decode())
    traced.said.clear()
    with EpollEars() as ears:
        heard = Heard(ears, traced, tmp_path / NAME.decode())
        yield heard
        heard.source.close()


def test_overwritten_records_are_looked_for(heard: Heard) -> None:
    """When more starts came than the ring keeps, nobody knows the first one's process: whoever waits shall look himself. The count
    is exact, and so is the instant of the last.
    """
    heard.source.arm(NAME)
    loop = f"for i in $(seq 200); do {heard.program}; done"
    subprocess.run(["taskset", "-c", "0", "sh", "-c", loop], check=True)
    assert heard.hear() == [(NAME, 0)]
    starts = heard.source.starts(NAME)
    assert starts.count == 200
    assert starts.last == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.5)


def test_newest_first_and_no_more_than_are_whole(heard: Heard) -> None:
    """Of a ring that went round, the records that can be read come newest first, one for each process."""
    subprocess.run(
        ["taskset", "-c", "0", "sh", "-c", f"for i in $(seq 200); do {heard.program}; done"], check=True
    )
    samples = heard.source.names[NAME].taps[0].newest()
    assert len(samples) == perf.KEPT == 127
    assert [sample.at for sample in samples] == sorted((sample.at for sample in samples), reverse=True)
    assert len({sample.pid for sample in samples}) == 127


def test_a_start_before_the_ears_are_ready_is_told(heard: Heard) -> None:
    """To begin to listen is to forget what rang before: what came while arming is told all the same."""
    listen = heard.ears.listen

    def late(fd: int, do) -> None:
        if fd == heard.source.names[NAME].taps[0].fd:
            heard.start()
        listen(fd, do)

    heard.ears.listen = late  # type: ignore[method-assign, assignment]
    heard.source.arm(NAME)
    heard.ears.listen = listen  # type: ignore[method-assign]
    assert [name for name, _ in heard.hear()] == [NAME]


def test_a_deaf_name_wakes_nobody_and_is_counted(heard: Heard) -> None:
    """Told once, the source sleeps through what follows, and knows of it."""
    heard.source.arm(NAME)
    heard.start()
    assert len(heard.hear()) == 1
    before = heard.ears.wakeups
    for _ in range(5):
        heard.start()
    heard.ears.run(0.05)
    assert heard.ears.wakeups == before
    assert heard.source.starts(NAME).count == 6


def test_instants_do_not_move(heard: Heard, traced: FilesWithTracefs) -> None:
    """What was said of a start once is said again after the machine has slept, though the two clocks are further apart."""
    heard.start()
    before = heard.source.starts(NAME)

    class AfterSleep:
        """A clock that has slept for an hour."""

        def boottime(self) -> float:
            """An hour later."""
            return time.clock_gettime(time.CLOCK_BOOTTIME) + 3600

        def wall(self) -> float:
            """Of no matter."""
            return 0.0

    heard.source.host = Host(traced, AfterSleep(), heard.ears)
    assert heard.source.starts(NAME) == before


def test_a_core_that_comes_back_is_heard(heard: Heard) -> None:
    """After a look that finds a core gone and one that finds it back, starts there are told, and none was forgotten."""
    heard.source.arm(NAME)
    heard.start(1)
    assert len(heard.hear()) == 1
    heard.say_online("0\n")
    heard.source.arm(NAME)
    assert list(heard.source.names[NAME].taps) == [0]
    heard.start(1)
    assert heard.hear() == [(NAME, 0)]
    heard.source.arm(NAME)
    heard.say_online("0-1\n")
    heard.source.arm(NAME)
    assert heard.hear() == [(NAME, 0)]  # who waits shall look: nobody listened there
    heard.source.arm(NAME)
    heard.start(1)
    said = heard.hear()
    assert said
    assert said[0][1] > 0
    assert heard.source.starts(NAME).count == 2


def test_a_core_opened_anew_is_listened_to_at_once(heard: Heard) -> None:
    """An arming that stands goes on on the core that came back, before anybody has looked."""
    heard.source.arm(NAME)
    heard.source.reopen({1})
    heard.start(1)
    said = heard.hear(0.15)
    assert said
    assert said[0][1] > 0


@pytest.mark.alone
def test_a_uevent_opens_a_core_anew(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that went and came between two looks: its taps are dead, though the list of cores is the same."""
    monkeypatch.setattr(exec_perf, "SETTLE", 0.01)
    heard.source.arm(NAME)
    before = dict(heard.source.names[NAME].taps)
    Path(f"{CPU}/cpu1/uevent").write_text("online")
    assert heard.hear() == [(NAME, 0)]
    after = heard.source.names[NAME].taps
    assert after[0] is before[0]
    assert after[1] is not before[1]
    assert heard.source.text == "perf tracepoint"


def test_a_core_that_goes_meanwhile_is_left_out(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the list of cores and the opening one may go: no error, and the others are heard."""

    def gone(tracepoint: int, core: int, passing: bytes) -> perf.Tap:
        if core == 1:
            raise OSError(errno.ENODEV, "No such device")
        return perf.Tap(tracepoint, core, passing)

    monkeypatch.setattr(exec_perf, "Tap", gone)
    heard.source.reopen({1})
    assert list(heard.source.names[NAME].taps) == [0]
    heard.source.arm(NAME)
    heard.start()
    assert len(heard.hear()) == 1


def test_a_wrong_list_of_cores_fails_the_look_only(heard: Heard) -> None:
    """A core that cannot be opened fails the look that arms, so the machine stays awake; the next right list mends it."""
    heard.say_online("0-1,999\n")
    heard.source.reopen({0})  # out of an event: silent
    with pytest.raises(UnavailableError):
        heard.source.arm(NAME)
    heard.say_online("0-1\n")
    heard.source.arm(NAME)
    heard.start()
    assert len(heard.hear()) == 1


def test_a_dead_tap_is_opened_anew(heard: Heard) -> None:
    """A descriptor that only says that it hung up wakes us once, not for ever."""
    left, right = os.pipe()
    os.close(right)
    tap = heard.source.names[NAME].taps[0]
    os.dup2(left, tap.fd)
    os.close(left)
    heard.source.arm(NAME)
    heard.ears.run(0.05)
    assert heard.ears.wakeups == 1
    assert heard.source.names[NAME].taps[0] is not tap
    heard.start()
    assert len(heard.hear()) == 1


def test_without_tracefs_it_is_not_available(tmp_path: Path) -> None:
    """And says what would help."""
    with EpollEars() as ears, pytest.raises(UnavailableError, match="tracefs") as refused:
        ExecPerf(Host(TreeFiles(str(tmp_path)), ears=ears), ears, lambda _name, _pid: None)
    assert "mount -t tracefs" in refused.value.availability.remedy


IN_CHILD = """
from ears import EpollEars
from powernap.host.exec_events import exec_events
from powernap.host.host import Host
with EpollEars() as ears:
    watch = exec_events(Host(ears=ears), ("perf", "connector", "scan")).watch(b"x", print)
    print(watch.events.source)
    watch.close()
"""


@pytest.mark.alone
@pytest.mark.parametrize(
    ("mount", "source"),
    [
        ("mount -t tracefs t /sys/kernel/tracing", "perf tracepoint"),
        ("true", "proc connector, names looked up"),
    ],
)
def test_third_in_the_chain(mount: str, source: str) -> None:
    """Where tracefs is mounted, for real, perf is chosen before the connector; where it is not, the connector is."""
    root = Path(__file__).parents[2]
    umount = "umount -R /sys/kernel/tracing 2>/dev/null; umount -R /sys/kernel/debug 2>/dev/null"
    command = f"{umount}; {mount}; exec {sys.executable} -c '{IN_CHILD}'"
    environment = {
        "PYTHONPATH": f"{root}/src:{root}/tests",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    }
    child = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert child.stdout.strip() == source
