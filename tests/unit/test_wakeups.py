"""How often tasks went to sleep, and which service they belong to."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from powernap.host.files import TreeFiles
from powernap.host.wakeups import forks, parse, tasks, unit

STATUS = "Name:\tpn work\nUmask:\t0022\nPid:\t7\nPPid:\t{parent}\nvoluntary_ctxt_switches:\t{count}\nnonvoluntary_ctxt_switches:\t9\n"


def put(root: Path, path: str, text: str) -> None:
    """A file of the machine."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_every_thread_has_its_own_count(tmp_path: Path) -> None:
    """And a kernel thread is told by its parent."""
    put(tmp_path, "proc/7/task/7/status", STATUS.format(parent=1, count=10))
    put(tmp_path, "proc/7/task/8/status", STATUS.format(parent=1, count=20))
    put(tmp_path, "proc/9/task/9/status", STATUS.format(parent=2, count=30))
    found = tasks(TreeFiles(str(tmp_path)))
    assert {7: (7, 10, False), 8: (7, 20, False), 9: (9, 30, True)} == {
        tid: (each.pid, each.count, each.kernel) for tid, each in found.items()
    }
    assert "pn work" == found[7].name
    assert [9] == list(tasks(TreeFiles(str(tmp_path)), without=7))


def test_a_recorded_process_has_its_first_thread(tmp_path: Path) -> None:
    """A snapshot holds no others."""
    put(tmp_path, "proc/7/status", STATUS.format(parent=1, count=10))
    assert {7: 10} == {tid: each.count for tid, each in tasks(TreeFiles(str(tmp_path))).items()}


def test_a_status_without_a_count_is_no_task() -> None:
    """A kernel without scheduler statistics, or a thread that ends."""
    assert parse(1, 1, b"Name:\tx\n") is None
    assert parse(1, 1, b"") is None


def test_a_wait_of_this_process_is_counted() -> None:
    """As the kernel counts it: a thread that slept has gone to sleep at least once more."""
    before = tasks(TreeFiles())[threading.get_native_id()]
    asleep, awake = os.pipe()
    for _ in range(3):
        threading.Thread(target=os.write, args=(awake, b"x")).start()
        os.read(asleep, 1)
    os.close(asleep)
    os.close(awake)
    after = tasks(TreeFiles())[threading.get_native_id()]
    assert (os.getpid(), before.name) == (after.pid, after.name)
    assert after.count >= before.count


def test_starts_are_counted_by_the_kernel(tmp_path: Path) -> None:
    """-1 where it does not say."""
    assert -1 == forks(TreeFiles(str(tmp_path)))
    put(tmp_path, "proc/stat", "cpu 1 2\nctxt 5\nprocesses 812\n")
    assert 812 == forks(TreeFiles(str(tmp_path)))


@pytest.mark.parametrize(
    ("cgroup", "service"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        ("0::/system.slice/docker.service/abc\n", "docker.service"),
        ("4:memory:/x\n1:name=systemd:/system.slice/cron.service\n0::/\n", "cron.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", ""),
        ("0::/user.slice/user-0.slice/session-3.scope\n", ""),
        ("", ""),
    ],
)
def test_the_service_of_a_process(tmp_path: Path, cgroup: str, service: str) -> None:
    """A user's own manager is none that may be stopped."""
    put(tmp_path, "proc/7/cgroup", cgroup)
    assert service == unit(TreeFiles(str(tmp_path)), 7)
