"""Where something is measured: namespaces with an exact number of processes and connections, and a control group per subject.

Nothing of it outlives the bench: an arena ends when its standard input is closed, and a control group is removed with what is in it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.programs import Programs, end, start

PREFIX = "powernap-bench-"
REMOVE_LIMIT = 5.0
"""Seconds until the processes of a control group must have gone."""


def apart(mount: str = "mount -t devpts none /dev/pts") -> list[str]:
    """Put before a command to give it terminals of its own: a neighbour's ``sudo`` opens one, which is heard, once.

    :param mount: what else is mounted, for this command alone.
    """
    return ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]


@dataclass(frozen=True)
class Arena:
    """Pid, mount and network namespaces; ``pid`` is their first process."""

    pid: int

    def enter(self, *, processes: bool = True) -> list[str]:
        """Put before a command to run it inside; without ``processes`` it shares the connections only and sees the whole machine."""
        return ["nsenter", "-t", str(self.pid), "-n", *(["-p", "-m"] if processes else apart())]


@contextlib.contextmanager
def arena(programs: Programs, processes: int, connections: int = 0) -> Iterator[Arena]:
    """So many processes, so many established connections."""
    pipe = subprocess.PIPE
    crowd = start(programs.path("crowd"), str(processes), str(connections), stdin=pipe, stdout=pipe)
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    try:
        said = crowd.stdout.readline()
        if not said.strip():
            raise OSError("the arena could not be made (see above)")
        yield Arena(int(said))
    finally:
        crowd.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            crowd.wait(REMOVE_LIMIT)
        end(crowd)


def unified() -> Path:
    """Where cgroup v2 is mounted. Raises ``OSError`` where it is not."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise OSError("cgroup v2 is not mounted")


@contextlib.contextmanager
def cgroup(name: str) -> Iterator[Path]:
    """A control group of its own; whoever is still in it at the end is killed."""
    path = unified() / f"{PREFIX}{os.getpid()}-{name}"
    clear_away(path.parent)
    path.mkdir()
    try:
        yield path
    finally:
        remove(path)


def clear_away(place: Path) -> None:
    """Control groups that a bench left which was killed."""
    for path in place.glob(f"{PREFIX}*"):
        if not Path(f"/proc/{path.name.removeprefix(PREFIX).partition('-')[0]}").exists():
            remove(path)


def remove(path: Path) -> None:
    """Kill what is in it and remove it."""
    limit = time.monotonic() + REMOVE_LIMIT
    while True:
        with contextlib.suppress(OSError):
            (path / "cgroup.kill").write_text("1")
        try:
            path.rmdir()
            return
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.01)


def cpu_used(path: Path) -> float:
    """CPU seconds of all that ever ran in a control group (cpu.stat, usage_usec)."""
    for line in (path / "cpu.stat").read_text().splitlines():
        key, value = line.split()
        if key == "usage_usec":
            return int(value) / 1e6
    raise ValueError(f"{path}/cpu.stat has no usage_usec")


def threads(path: Path) -> list[int]:
    """Every thread in a control group."""
    return [int(tid) for tid in (path / "cgroup.threads").read_text().split()]


def memory(path: Path) -> tuple[float, float]:
    """MiB resident (RSS) and proportional (PSS) of all processes in a control group (smaps_rollup)."""
    resident = proportional = 0
    for pid in (path / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            fields = dict(
                line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
            )
            resident += int(fields["Rss"].split()[0])
            proportional += int(fields["Pss"].split()[0])
    return resident / 1024, proportional / 1024
