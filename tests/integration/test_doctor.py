"""powernap doctor on this machine: real processes, real interrupts, as root and as nobody."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from integration.test_cli import CONTAINER, NOBODY, ROOT, python
from powernap.checks.look import look
from powernap.host.host import Host

CHATTER = "import time\nwhile True: time.sleep(0.005)"
HOLD = "import os, time; fd = os.open('/dev/cpu_dma_latency', os.O_RDWR); print('held', flush=True); time.sleep(600)"


def doctor(*words: str, before: Sequence[str] = (), source: Path = ROOT / "src") -> dict[str, Any]:
    """Its document; no word on standard error, and never a traceback."""
    command = [*before, python() if before else sys.executable, "-m", "powernap", "doctor", "--json", *words]
    variables = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert "" == done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == bool(found["findings"])
    return found


@contextlib.contextmanager
def running(code: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program in the background."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The program where everybody may read it."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path, *tmp_path.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(0o755)
    return tmp_path / "src"


def test_a_process_that_wakes_every_5_ms_is_named() -> None:
    """By its id, and oftener than the kernel's own minimum; whoever asks is left out."""
    with running(CHATTER) as chatter:
        found = doctor("--for", "1s", "--top", "1000")
    rates = {each["pid"]: each["per_s"] for each in found["tasks"]}
    # others may be busier while tests run, but not ten
    assert rates.get(chatter.pid, 0) > 20 or len(rates) == 10
    assert os.getpid() not in rates or rates[os.getpid()] < 1000
    assert found["interrupts"]


@pytest.mark.root
def test_who_holds_the_latency_limit_is_named() -> None:
    """A request of as long as there is: it limits nothing, and its holder is seen all the same."""
    if not os.path.exists("/dev/cpu_dma_latency"):
        pytest.skip("no /dev/cpu_dma_latency in this kernel")
    with running(HOLD) as holder:
        assert holder.stdout
        assert "held" == holder.stdout.readline().strip()
        seen = look(Host(), os.getpid())
    assert holder.pid in {each.pid for each in seen.opened.below("/dev/cpu_dma_latency")}
    with open("/dev/cpu_dma_latency", "rb", buffering=0) as device:
        assert struct.unpack("=i", device.read(4))[0] == seen.limit


@pytest.mark.root
def test_an_ordinary_user_is_told_what_it_cannot_see(copy: Path) -> None:
    """And gets the rest of the report."""
    found = doctor("--for", "300ms", before=NOBODY, source=copy)
    assert not found["root"]
    if os.path.exists("/dev/cpu_dma_latency"):
        assert "run it as root" in {each["remedy"] for each in found["unseen"]}
    assert found["interrupts"]


@pytest.mark.root
def test_in_a_container(copy: Path, tmp_path: Path) -> None:
    """Read-only kernel files, few capabilities, no other processes: no traceback."""
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("namespaces cannot be made here")
    script = tmp_path / "container.sh"
    script.write_text(CONTAINER)
    before = ("unshare", "--pid", "--mount", "--net", "--fork", "--mount-proc", "sh", str(script))
    assert doctor("--for", "300ms", before=before, source=copy)["root"]


def test_a_snapshot_of_this_machine_can_be_judged(tmp_path: Path) -> None:
    """With what a snapshot holds: rates since it was started."""
    done = subprocess.run(
        [sys.executable, "-m", "powernap", "snapshot", str(tmp_path / "tree")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done
    found = doctor("--root", str(tmp_path / "tree"))
    assert found["recorded"]
    assert found["window_s"] > 0
    assert found["tasks"]
    assert "open files are not recorded" in {each["reason"] for each in found["unseen"]}


def test_it_reads_and_writes_nothing(tmp_path: Path) -> None:
    """Under strace, where there is one: no file of the kernel's is opened for writing."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    command = [
        "strace",
        "-f",
        "-o",
        str(trace),
        "-e",
        "trace=openat,open,creat",
        sys.executable,
        "-B",
        "-m",
        "powernap",
    ]
    subprocess.run([*command, "doctor", "--for", "100ms"], capture_output=True, timeout=60, check=False)
    opened = [
        line
        for line in trace.read_text(errors="replace").splitlines()
        if '"/sys' in line or '"/proc' in line or '"/dev/cpu' in line
    ]
    assert opened
    assert [] == [line for line in opened if "O_WRONLY" in line or "O_RDWR" in line]
