"""NVIDIA cards through NVIDIA's own library (NVML API reference): their persistence mode, and what they draw.

Owns the only use of ``nvidia-ml-py`` (the extra ``powernapd[nvidia]``), which is loaded when it is first asked, and the translation of its errors
to ``OSError``. An open library keeps the cards awake: nobody may ask about a card that runtime power management has suspended (host/gpus.py
tells without waking it), and for a single question it is opened and closed again. Sets no clocks and no limits, and resets nothing.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from powernap.host.files import Files

MODULE = "pynvml"
INSTALL = f"{sys.prefix}/bin/pip install nvidia-ml-py"
"""Into the environment that PowerNap runs in."""
# nvmlReturn_t
ERRORS = {
    2: errno.EINVAL,
    3: errno.EOPNOTSUPP,
    4: errno.EPERM,
    6: errno.ENODEV,
    9: errno.ENODEV,
    12: errno.ENOENT,
    13: errno.EOPNOTSUPP,
    15: errno.ENODEV,
}


def installed(files: Files) -> bool:
    """Whether the library's Python side is there (its other side comes with the driver)."""
    return hasattr(files, "nvml") or importlib.util.find_spec(MODULE) is not None


def read_persistence(files: Files, address: str) -> str:
    """``on`` or ``off``: whether the driver stays loaded on a card that nobody uses. ``address``: "0000:03:00.0"."""
    return (
        "on" if _asked(files, address, lambda nvml, card: nvml.nvmlDeviceGetPersistenceMode(card)) else "off"
    )


def write_persistence(files: Files, address: str, value: str) -> None:
    """``on`` or ``off``."""
    _asked(files, address, lambda nvml, card: nvml.nvmlDeviceSetPersistenceMode(card, int(value == "on")))


def _library(files: Files) -> Any:
    """The module; what a fake machine brings along instead. ``ENOENT`` where it is not installed, or the machine is a recorded one."""
    found = getattr(files, "nvml", None)
    if found is not None:
        return found
    if getattr(files, "root", None) != "":
        raise OSError(errno.ENOENT, "a recorded machine's cards cannot be asked", MODULE)
    try:
        return importlib.import_module(MODULE)
    except ImportError as error:
        raise OSError(errno.ENOENT, "nvidia-ml-py is not installed", MODULE) from error


class Library:
    """The library, open. ``OSError`` says what it lacks; close it in the end."""

    def __init__(self, files: Files) -> None:
        self.nvml = _library(files)
        with self._translated("libnvidia-ml.so.1"):
            self.nvml.nvmlInit()

    def ask(self, address: str, question: Callable[[Any, Any], Any]) -> Any:
        """The answer to ``question(nvml, card)`` about the card at an address."""
        with self._translated(address):
            return question(self.nvml, self.nvml.nvmlDeviceGetHandleByPciBusId(address.encode()))

    def joules(self, address: str) -> float:
        """Energy since the driver was loaded; ``EOPNOTSUPP`` of a card that keeps no count (before Volta)."""
        return (
            float(self.ask(address, lambda nvml, card: nvml.nvmlDeviceGetTotalEnergyConsumption(card))) / 1e3
        )

    def watts(self, address: str) -> float:
        """The power of the whole board, within 5 %."""
        return float(self.ask(address, lambda nvml, card: nvml.nvmlDeviceGetPowerUsage(card))) / 1e3

    def close(self) -> None:
        """The cards may rest."""
        with self._translated("libnvidia-ml.so.1"):
            self.nvml.nvmlShutdown()

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except self.nvml.NVMLError as error:
            number = ERRORS.get(cast("int", getattr(error, "value", 0)), errno.EIO)
            raise OSError(number, str(error), what) from error


def _asked(files: Files, address: str, question: Callable[[Any, Any], Any]) -> Any:
    with contextlib.closing(Library(files)) as library:
        return library.ask(address, question)
