"""The disk with the code under test: read-only, made anew when a file has changed, mounted on /code after each thaw."""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import cache
from lab.machine import CODE_SIZE
from lab.programs import run

CHECKOUT = Path(__file__).absolute().parent.parent
TREES = ("src/powernap", "tests", "bench", "lab", "packaging")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "unit", ".hypothesis", "*.pyc")
GUEST_PYTHON = (3, 11)
"""Debian 12's. Its interpreter takes byte code of the same version; without it the guest compiles, which is slow but right."""


def make(say: cache.Say = lambda _: None) -> Path:
    """The disk's image."""
    parts = [part for path in sorted(_files()) for part in (str(path.relative_to(CHECKOUT)), path)]
    return cache.product("code", [str(CODE_SIZE), *parts], _write, say)


def _files() -> Iterator[Path]:
    for tree in TREES:
        for path in (CHECKOUT / tree).rglob("*"):
            inside = path.relative_to(CHECKOUT)
            if path.is_file() and not any(LEFT_OUT("", [part]) for part in inside.parts):
                yield path


def _write(path: Path) -> None:
    stage = path.with_name(f"{path.name}.tree")
    for tree in TREES:
        shutil.copytree(CHECKOUT / tree, stage / tree, ignore=LEFT_OUT)
    if sys.version_info[:2] == GUEST_PYTHON:
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(
            stage, quiet=2, stripdir=str(stage), prependdir="/code", invalidation_mode=unchecked
        )
    run("truncate", "-s", str(CODE_SIZE), path)
    run(
        "mke2fs",
        "-q",
        "-t",
        "ext4",
        "-O",
        "^has_journal,^metadata_csum",
        "-m",
        "0",
        "-N",
        "4096",
        "-d",
        stage,
        path,
    )
    shutil.rmtree(stage)
