"""Reads the configuration, and then forgets the modules that it took: the daemon needs them again only when it is told to reload.

They and ``tomllib`` are 0.4 MiB of a daemon that may wait for months (RSS, CPython 3.11).
"""

from __future__ import annotations

import gc
import importlib
import re
import sys

import powernap.config
from powernap.config.model import Config

LOADERS = ("load", "lines", "syntax", "tree", "values", "fill", "scheduling", "sections", "stages", "sources")
"""Modules of ``powernap.config`` that only reading needs. What they make is of model.py and problems.py, which stay."""


def load(*paths: str) -> Config:
    """The configuration of these files or directories; raises ``ConfigErrors`` with all problems."""
    loaded = {*sys.modules}
    try:
        config: Config = importlib.import_module("powernap.config.load").load(*paths)
        return config
    finally:
        _forget({*sys.modules} - loaded)


def _forget(new: set[str]) -> None:
    """Only what this load brought in: in a process that uses these modules for something else, they stay."""
    for name in LOADERS:
        if f"powernap.config.{name}" in new:
            del sys.modules[f"powernap.config.{name}"]
            vars(powernap.config).pop(name, None)
    for name in [name for name in new if name.partition(".")[0] in ("tomllib", "datetime")]:
        del sys.modules[name]
    re.purge()
    gc.collect()
