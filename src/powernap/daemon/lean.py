"""What a daemon can do without. Import it before anything that imports asyncio.

asyncio, dataclasses and ctypes' friends import a few large modules for cases that never come here. ``ssl`` is kept out altogether: asyncio
works without it, and the daemon speaks to no network (4.1 MiB, research/overhead.md section 8). The others come when something first
asks for more of them than a constant or two: ``inspect`` brings ast, dis and tokenize (1.4 MiB with CPython 3.11), which asyncio wants
only to tell coroutine functions from others; ``subprocess`` is only needed where systemctl or a hook is run.

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
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = importlib.import_module(self.__name__)
        self.__dict__.update(vars(real))
        return getattr(real, name)


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


def late(name: str, **known: object) -> None:
    """Put off a module; ``known`` is what it is asked for at once."""
    if name not in sys.modules:
        stand_in = Late(name)
        vars(stand_in).update(known)
        sys.modules[name] = stand_in


sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
late("inspect", iscoroutinefunction=makes_coroutines, isfunction=is_function, unwrap=unwrap)
late("asyncio.sslproto")
late("subprocess", PIPE=-1, STDOUT=-2, DEVNULL=-3)
