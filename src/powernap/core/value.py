"""``dataclass`` as the standard library's, with one generated function a class in place of six.

The standard library compiles text for each of ``__init__``, ``__repr__``, ``__eq__``, ``__hash__``, ``__setattr__`` and ``__delattr__``. For
the 107 classes that the daemon loads this was 80 of the 210 ms of CPU until it is ready, and 0.8 MiB (CPython 3.11). Here only
``__init__`` is made so; the others are shared. That nobody assigns to a field of a ``frozen`` class is held by mypy, not at run time.

``field``, ``fields``, ``replace`` and ``asdict`` are the standard library's, and work.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]


def _show(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({shown})"


def _make(cls: type[Any], *, frozen: bool, eq: bool, **given: bool) -> type[Any]:
    made = dataclasses.dataclass(repr=False, eq=False, **given)(cls)
    made.__dataclass_params__.frozen = frozen
    own = vars(made)
    if "__repr__" not in own:
        made.__repr__ = _show  # type: ignore[assignment]
    if eq and "__eq__" not in own:
        _compare(made, hashable=frozen)
    return made


def _compare(made: type[Any], *, hashable: bool) -> None:
    """Instances of the same class are equal where all their fields are."""
    names = [field.name for field in dataclasses.fields(made) if field.compare]
    values = attrgetter(*names) if names else type

    def equal(self: Any, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def number(self: Any) -> int:
        return hash(values(self))

    made.__eq__ = equal  # type: ignore[assignment]
    made.__hash__ = number if hashable else None  # type: ignore[assignment]


if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type[Any] | None = None, /, *, frozen: bool = False, eq: bool = True, **given: bool
    ) -> Any:
        """The class decorator; its parameters are the standard library's."""
        if cls is None:
            return lambda each: _make(each, frozen=frozen, eq=eq, **given)
        return _make(cls, frozen=frozen, eq=eq, **given)
