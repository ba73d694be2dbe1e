"""The guest's first file system: busybox, the modules that its root disk needs, and init.sh."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import cache, kernel
from lab.cpio import Archive

INIT = Path(__file__).parent / "init.sh"
MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")


def make(tree: Path, say: cache.Say) -> Path:
    """The archive, for a kernel."""
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    parts: list[str | bytes | Path] = [tree.name, INIT, busybox, Path(__file__), " ".join(MODULES)]
    return cache.product("initrd", parts, lambda path: _write(path, tree, busybox), say)


def _write(path: Path, tree: Path, busybox: Path) -> None:
    archive, modules = Archive(), kernel.in_order(tree, MODULES)
    for name in ("proc", "sys", "dev"):
        archive.directory(name)
    archive.device("dev/console", 5, 1)
    archive.device("dev/null", 1, 3)
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    archive.file("bin/sh", b"#!/bin/busybox sh\n", 0o755)
    archive.file("init", INIT.read_bytes(), 0o755)
    for name, module in modules.items():
        archive.file(f"lib/modules/{name}.ko", module.read_bytes())
    archive.file("lib/modules/order", "".join(f"{name}\n" for name in modules).encode())
    path.write_bytes(archive.packed())
