"""What a daemon can do without. Import it before anything that imports asyncio.

asyncio, dataclasses and ctypes' friends import a few large modules for cases that never come here. ``ssl`` is kept out altogether: asyncio
works without it, and the daemon speaks to no network (4.1 MiB, research/overhead.md section 8). The others come when something first
asks for more of them than a constant or two: ``inspect`` brings ast, dis and tokenize (1.4 MiB with CPython 3.11), which asyncio wants
only to tell coroutine functions from others; ``subprocess`` is only needed where systemctl or a hook is run, ``logging`` (0.5 MiB) where a
library has something to complain of.

A module that is loaded already is left alone, so in a test or in ``powernap try`` this changes nothing.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

CO_COROUTINE = 0x80
"""Flag of a code object that makes a coroutine (``inspect.CO_COROUTINE``)."""


class Late(types.ModuleType):
    """Stands in for a module until an attribute is asked for that it does not have."""

    def __getattr__(self, name: str) -> Any:
        """The real module's, from now on."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(real(self.__name__), name)


def real(name: str) -> types.ModuleType:
    """The module itself, from now on; who holds its stand-in finds everything there too."""
    stand_in = sys.modules.get(name)
    if not isinstance(stand_in, Late):
        return importlib.import_module(name)
    del sys.modules[name]
    module = importlib.import_module(name)
    vars(stand_in).update(vars(module))
    return module


def makes_coroutines(function: object) -> bool:
    """``inspect.iscoroutinefunction``, for the plain functions that asyncio is given here."""
    code = getattr(function, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & CO_COROUTINE)


def is_function(thing: object) -> bool:
    """``inspect.isfunction``, which asyncio asks when it describes a task."""
    return isinstance(thing, types.FunctionType)


def unwrap(function: Any) -> Any:
    """``inspect.unwrap``, for the same."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


class LateLogger:
    """A logger of a library, which loads ``logging`` once it has something to say. Handlers come with the real one."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def addHandler(self, _handler: object) -> None:  # noqa: N802 - logging's own name
        """``concurrent.futures`` gives itself one; the real logger has a handler of last resort."""

    def debug(self, *_: object, **__: object) -> None:
        """Asyncio tells which selector it took; nobody listens."""

    def __getattr__(self, name: str) -> Any:
        """A warning or an error: worth the real module."""
        return getattr(real("logging").getLogger(self.name), name)


def late(name: str, **known: object) -> None:
    """Put off a module; ``known`` is what it is asked for at once."""
    if name not in sys.modules:
        stand_in = Late(name)
        vars(stand_in).update(known)
        sys.modules[name] = stand_in


sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
late("inspect", iscoroutinefunction=makes_coroutines, isfunction=is_function, unwrap=unwrap)
late("logging", getLogger=LateLogger, StreamHandler=object, DEBUG=10, INFO=20, WARNING=30, ERROR=40)
late("asyncio.sslproto")
late("subprocess", PIPE=-1, STDOUT=-2, DEVNULL=-3)
