"""The option ``stay``: how long the machine is kept up for something whose end nobody tells, or at most."""

from __future__ import annotations

from typing import Any

from powernap.core.options import option


def _too_short(seconds: float) -> str | None:
    return None if seconds > 0 else 'must be more than 0; write, for example, "10min"'


def staying(default: float, text: str) -> Any:
    """The field of an ``Options`` class; ``default`` in seconds."""
    return option(default, unit="duration", example="1h", check=_too_short, help=text)
