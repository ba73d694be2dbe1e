"""The guest's kernel: Debian's package, unpacked, and which of its modules need which."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from lab import cache
from lab.errors import LabError
from lab.programs import run


@functools.cache
def package() -> tuple[str, str]:
    """Name and version of the kernel that Debian installs now (Linux 6.1 of bookworm)."""
    depends = run("apt-cache", "depends", "linux-image-amd64")
    if "Depends:" not in depends:
        run("apt-get", "-qq", "update")
        depends = run("apt-cache", "depends", "linux-image-amd64")
    name = re.search(r"Depends: (linux-image-\S+)", depends)
    version = name and re.search(r"Candidate: (\S+)", run("apt-cache", "policy", name[1]))
    if not name or not version:
        raise LabError("apt knows no linux-image-amd64: the lab's kernel comes from a Debian archive")
    return name[1], version[1]


def make(say: cache.Say) -> Path:
    """The unpacked package: ``boot/vmlinuz-*`` and ``lib/modules/*``."""
    name, version = package()

    def unpack(place: Path) -> None:
        place.mkdir()
        run("apt-get", "download", "-qq", f"{name}={version}", cwd=place)
        (deb,) = place.glob("*.deb")
        run("dpkg-deb", "-x", deb, place)
        deb.unlink()

    return cache.product("kernel", [name, version], unpack, say)


def image(tree: Path) -> Path:
    """The kernel itself."""
    (found,) = (tree / "boot").glob("vmlinuz-*")
    return found


def modules(tree: Path) -> Path:
    """The directory of its modules; its name is the kernel's release."""
    (found,) = (tree / "lib" / "modules").iterdir()
    return found


def in_order(tree: Path, names: Iterable[str]) -> dict[str, Path]:
    """Modules by name with all they depend on, in the order in which they can be loaded."""
    index = {path.stem.replace("-", "_"): path for path in modules(tree).glob("kernel/**/*.ko")}
    order: dict[str, Path] = {}

    def need(name: str) -> None:
        if name not in order:
            for before in filter(None, ",".join(_modinfo(index[name], "depends")).split(",")):
                need(before.replace("-", "_"))
            order[name] = index[name]

    for name in names:
        need(name)
    return order


def _modinfo(path: Path, key: str) -> list[str]:
    """The values of a key in a module's ``.modinfo``, which is zero-terminated texts "key=value" (include/linux/moduleparam.h)."""
    return [found.decode() for found in re.findall(rb"\0%s=([^\0]*)" % key.encode(), path.read_bytes())]
