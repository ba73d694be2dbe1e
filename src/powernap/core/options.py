"""How a monitor, an action or a stage declares what may be configured; config, docs and man page are derived from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

REQUIRED: Any = dataclasses.MISSING


def option(
    default: Any = REQUIRED,
    *,
    help: str,  # noqa: A002 - the word every reader expects
    how: str = "",
    unit: str = "",
    example: str = "",
    choices: tuple[str, ...] = (),
    check: Callable[[Any], str | None] | None = None,
    words: Mapping[str, Any] | None = None,
) -> Any:
    """A field of an ``Options`` dataclass.

    The field's annotation is its type: ``str``, ``int``, ``float``, ``bool``, ``tuple[str, ...]``, ``tuple[int, ...]``, or one of
    these ``| None``.

    :param default: already converted (seconds, bytes); without one the key must be given.
    :param help: one sentence, in the reference page and in ``powernap config explain``.
    :param how: how it is written, with examples, where that is a small language of its own: lines below the help.
    :param unit: how text is converted to the number the program counts in: ``duration`` (seconds), ``size`` (bytes),
        ``byte_rate`` (bytes per second), ``ratio`` (share of one, written as a percentage), ``regex`` (must compile), ``path``
        (absolute). Empty: taken as it is.
    :param example: as an admin would write it; the docs and the error messages quote it.
    :param choices: the only words allowed.
    :param check: gets the converted value; answers with what is wrong and what to write instead, or ``None``.
    :param words: what may stand instead of a quantity, and the value it is converted to ("auto").
    """
    given = {
        "help": help,
        "how": how,
        "unit": unit,
        "example": example,
        "choices": choices,
        "check": check,
        "words": words,
    }
    # A dict of up to 5 keys takes 232 bytes, of 6 to 10 keys 352 (CPython 3.11), and the daemon keeps 150 of them.
    metadata = {name: value for name, value in given.items() if value}
    if default is REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
