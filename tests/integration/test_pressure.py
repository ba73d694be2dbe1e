"""monitors/pressure.py on this machine's kernel: triggers fire, are remembered, and survive the end of a control group."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ears import EpollEars
from powernap.core.reading import Reading
from powernap.host.host import Host
from powernap.monitors import Context, pressure

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/pressure/cpu"), reason="this kernel measures no pressure"
)

SPIN = [sys.executable, "-c", "import time\nend = time.monotonic() + 8\nwhile time.monotonic() < end: pass"]


@contextmanager
def contention(group: Path | None = None) -> Iterator[None]:
    """Twice as many busy processes as processors, in a control group if one is given."""
    spinning = [subprocess.Popen(SPIN) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        for process in spinning if group else []:
            (group / "cgroup.procs").write_text(str(process.pid))  # type: ignore[operator]
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def test_the_trigger_tells_once_and_remembers_what_nobody_heard() -> None:
    """Contention is told within two windows, once; while deaf the kernel remembers that it went on."""
    told: list[Reading] = []
    with EpollEars() as ears:
        host = Host(ears=ears)
        options = pressure.Options(above=0.02)
        monitor = pressure.open(Context("wait", host, told.append), options)
        try:
            with contention():
                assert ears.run(6, lambda: told)
                ears.run(2.5)
                assert len(told) == 1
            now = host.clock.boottime()
            assert monitor.check(now).last == now
            assert monitor.source == "trigger, window 2s"
        finally:
            monitor.close()


@pytest.mark.root
def test_a_control_group_that_ends_wakes_once_tells_nothing_and_may_return() -> None:
    """Its trigger raises EPOLLERR for ever: one wake-up, no telling; a new group of that name is watched again."""
    top = next(
        (
            Path(p)
            for p in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
            if os.path.exists(f"{p}/cgroup.procs")
        ),
        None,
    )
    if top is None or not (top / "cpu.pressure").exists():
        pytest.skip("no version 2 control groups with pressure files")
    group = top / f"powernap-test-{os.getpid()}"
    group.mkdir()
    told: list[Reading] = []
    try:
        with EpollEars() as ears:
            host = Host(ears=ears)
            options = pressure.Options(above=0.02, cgroup=str(group))
            monitor = pressure.open(Context("wait", host, told.append), options)
            try:
                group.rmdir()
                ears.run(0.3)
                assert (told, ears.wakeups <= 1) == ([], True)
                assert monitor.check(host.clock.boottime()).reason == f"nothing runs in {group}"
                group.mkdir()
                monitor.check(host.clock.boottime())
                with contention(group):
                    assert ears.run(6, lambda: told)
            finally:
                monitor.close()
    finally:
        if group.exists():
            group.rmdir()
