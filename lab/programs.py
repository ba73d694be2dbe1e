"""Programs that the lab is built with: which it takes, and running one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab.errors import LabError, NoLabError

NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "busybox": "busybox-static",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "depmod": "kmod",
    "iasl": "acpica-tools",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}
"""Program to Debian package."""
ENVIRONMENT = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "LC_ALL": "C"}


def missing() -> str:
    """Why this machine cannot build the lab; empty when it can."""
    packages = [
        package for name, package in NEEDED.items() if not shutil.which(name, path=ENVIRONMENT["PATH"])
    ]
    if packages:
        return f"the lab takes {', '.join(packages)}: apt-get install {' '.join(packages)}"
    return "" if os.geteuid() == 0 else "the lab's disk is made by root: run `sudo make lab`"


def require() -> None:
    """Raise ``NoLabError`` where something is missing."""
    why = missing()
    if why:
        raise NoLabError(why)


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """What a program prints. Raises ``LabError`` with its last words when it fails."""
    done = subprocess.run(
        words, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise LabError(f"{' '.join(map(str, words))} ended with {done.returncode}: {last}")
    return done.stdout
