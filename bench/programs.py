"""The small C programs of the bench, compiled once a run into a directory of its own, and children that never outlive the bench.

Owns compiling and starting; what they do stands in their own first lines.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PR_SET_PDEATHSIG = 1
WORK = "pn-bench-work"
"""Name of the program that is watched for; nobody else on the machine has it."""
LIBC = ctypes.CDLL(None, use_errno=True)


def start(
    *command: str | Path, cgroup: Path | None = None, orphaned: int = signal.SIGKILL, **given: Any
) -> subprocess.Popen[bytes]:
    """A child of the bench, from its first instruction in ``cgroup``.

    :param orphaned: the signal it gets when the bench ends, however it ends.
    """

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, orphaned)
        if cgroup is not None:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))

    # The bench has one thread, so what runs between fork and exec is safe.
    more: dict[str, Any] = {"preexec_fn": prepare, "start_new_session": True, **given}
    return subprocess.Popen([*map(str, command)], **more)


def end(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """End a child and reap it; one that does not obey within 10 s is killed."""
    process.send_signal(number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@dataclass(frozen=True)
class Programs:
    """The compiled programs."""

    directory: Path

    def path(self, name: str) -> str:
        """The file of a program."""
        return str(self.directory / name)

    def storm(self, rate: float, seconds: float, name: str = "nop", *inside: str) -> subprocess.Popen[bytes]:
        """Start programs at this pace; ``inside`` is what ``Arena.enter`` answers."""
        command = [*inside, self.path("storm"), str(rate), str(seconds), self.path(name)]
        return start(*command, stdout=subprocess.PIPE)

    @contextlib.contextmanager
    def storming(self, rate: float, generators: int = 1, *inside: str) -> Iterator[None]:
        """Unrelated programs start meanwhile; 0 of them for none, below 0 as many as the machine can."""
        storms = [self.storm(max(0.0, rate), 3600, "nop", *inside) for _ in range(generators)] if rate else []
        try:
            yield
        finally:
            for storm in storms:
                end(storm)


def storm_result(storm: subprocess.Popen[bytes]) -> dict[str, float]:
    """What a storm that has ended says of itself."""
    text, _ = storm.communicate()
    result: dict[str, float] = json.loads(text)
    return result


@contextlib.contextmanager
def programs() -> Iterator[Programs]:
    """Compile them; the directory is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="powernap-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        for source in sorted(HERE.glob("*.c")):
            command = ["gcc", "-O2", "-Wall", "-static", "-o", str(directory / source.stem), str(source)]
            subprocess.run(command, check=True)
        shutil.copy(directory / "nop", directory / WORK)
        yield Programs(directory)
