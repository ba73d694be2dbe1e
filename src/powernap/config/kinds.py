"""Which types of monitors, actions, meters, schedules and wakers exist: the built-in ones, and those of other packages.

Other packages offer theirs as entry points. They are looked for only when a configured type is not built in, since
``importlib.metadata`` alone costs 5.6 MiB and 70 ms (research/style-and-ecosystem.md, part B).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from powernap import actions, monitors
from powernap.config.declared import declared
from powernap.config.problems import meant
from powernap.core.value import dataclass


class KindError(Exception):
    """There is no such type, or it cannot be used: ``message`` and ``remedy``."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(frozen=True)
class Kinds:
    """A registry.

    :param noun: ``monitor``, ``action``, ``meter``, ``schedule`` or ``waker``.
    :param built_in: names of the types of this package; :param load: its module by name.
    :param group: the entry point group of other packages, empty for none.
    """

    noun: str
    built_in: Callable[[], list[str]]
    load: Callable[[str], Any]
    group: str = ""

    def names(self) -> list[str]:
        """The built-in types. A module whose name begins with ``_`` is none."""
        return [name for name in self.built_in() if not name.startswith(("-", "_"))]

    def module(self, kind: str) -> Any:
        """The module of a type; :class:`KindError` when there is none or it does not load."""
        built_in = kind in self.names()
        try:
            found = self.load(kind) if built_in else self.from_others(kind)
        except KindError:
            raise
        except Exception as error:
            message = f'{self.noun} type "{kind}" does not load: {type(error).__name__}: {error}'
            raise KindError(message, "reinstall the package that brings it") from error
        if not _usable(getattr(found, "Options", None)):
            raise KindError(
                f'{self.noun} type "{kind}" is unusable: it declares no proper Options',
                "correct the package that brings it",
            )
        return found

    def from_others(self, kind: str) -> Any:
        """The module that another package registered for this type."""
        known: list[str] = []
        if self.group:
            from importlib.metadata import entry_points  # noqa: PLC0415 - 5.6 MiB that a machine without plug-ins never pays

            found = {point.name: point for point in entry_points(group=self.group)}
            if kind in found:
                return found[kind].load()
            known = list(found)
        remedy = meant(kind, [*self.names(), *known], otherwise="the types are")
        raise KindError(f'no {self.noun} type is called "{kind}"', remedy)


def _usable(options: Any) -> bool:
    """A dataclass whose annotations can be read."""
    try:
        return dataclasses.is_dataclass(options) and declared(cast("type[Any]", options)) is not None
    except Exception:
        return False


def _later(package: str) -> Any:
    """Loaded by who has a section of them: most machines have none."""
    return import_module(f"powernap.{package}")


MONITORS = Kinds("monitor", monitors.kinds, monitors.find, "powernap.monitors")
ACTIONS = Kinds("action", actions.kinds, actions.find, "powernap.actions")
METERS = Kinds("meter", lambda: _later("meters").kinds(), lambda kind: _later("meters").find(kind))
SCHEDULES = Kinds(
    "schedule",
    lambda: _later("schedules").kinds(),
    lambda kind: _later("schedules").find(kind),
    "powernap.schedules",
)
WAKERS = Kinds(
    "waker",
    lambda: _later("wakers").kinds(),
    lambda kind: _later("wakers").find(kind),
    "powernap.wakers",
)
