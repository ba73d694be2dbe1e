"""Things that take long to make, kept under a name that says of what they were made.

A product is made beside its place and moved there when it is whole, so what has its name is complete. Two builds at once: one makes
it, the other waits and takes it. Only the newest few of one kind are kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

KEPT = 2
"""Products of one kind that stay: this checkout's, and that of the branch somebody was on before."""

Say = Callable[[str], None]


def place() -> Path:
    """The directory of the products: ``POWERNAP_LAB``, or ``.cache/lab`` of this checkout."""
    given = os.environ.get("POWERNAP_LAB")
    return Path(given).absolute() if given else Path(__file__).absolute().parent.parent / ".cache" / "lab"


def key(parts: Iterable[str | bytes | Path]) -> str:
    """A name for what something is made of; a path stands for the content of its file."""
    digest = hashlib.sha256()
    for part in parts:
        data = (
            part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        )
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:16]


def product(name: str, made_of: Iterable[str | bytes | Path], make: Callable[[Path], None], say: Say) -> Path:
    """The path of a product; made now if there is none of these parts.

    :param make: writes a file or a directory at the path it is given.
    """
    directory = place()
    directory.mkdir(parents=True, exist_ok=True)
    wanted = directory / f"{name}-{key(made_of)}"
    with _locked(directory / f".{name}.lock"):
        if not wanted.exists():
            _make(wanted, make, say)
            _forget_old(directory, name)
        os.utime(wanted)
    return wanted


def _make(wanted: Path, make: Callable[[Path], None], say: Say) -> None:
    """Make it beside its place; what a build that was killed left there goes first."""
    began, name = time.monotonic(), wanted.name.rpartition("-")[0]
    scratch = wanted.with_name(f".making-{name}")
    try:
        _remove(scratch)
        make(scratch)
        scratch.rename(wanted)
    finally:
        _remove(scratch)
    say(f"{name}: made in {time.monotonic() - began:.1f} s")


def _remove(scratch: Path) -> None:
    """What is being made, and what its maker keeps beside it under a longer name."""
    for path in scratch.parent.glob(f"{scratch.name}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time; the kernel ends the lock with its process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_old(directory: Path, name: str) -> None:
    """Remove all but the newest of a kind. A guest that still runs from one keeps its open files."""
    made = sorted(directory.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in made[KEPT:]:
        _remove(path)
