"""Quantities as an admin writes them ("30min", "10KiB/s") and as the program counts them (seconds, bytes)."""

from __future__ import annotations

import re

DURATIONS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
SIZES = {
    "B": 1.0,
    "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3, "TiB": 1024.0**4,
}  # fmt: skip
NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z%]*)")


class UnitError(ValueError):
    """The text is not a quantity of this kind; the message names an example that is."""


def many(count: int, noun: str) -> str:
    """``1 window``, ``2 windows``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def duration(text: str) -> float:
    """Seconds of ``"90s"``, ``"30min"`` or ``"1h 30min"``; ``"0"`` needs no unit."""
    text = text.strip()
    if text == "0":
        return 0.0
    total, end = 0.0, 0
    for match in re.finditer(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)", text):
        if match.start() != end or match[2] not in DURATIONS:
            break
        total += float(match[1]) * DURATIONS[match[2]]
        end = match.end()
    if not text or end != len(text):
        raise UnitError(
            f'"{text}" is not a duration; write a number and a unit, such as "90s", "30min" or "1h 30min"'
        )
    return total


def size(text: str) -> float:
    """Bytes of ``"4096B"``, ``"10KiB"`` or ``"1.5GB"``."""
    match = NUMBER.fullmatch(text.strip())
    if not match or match[2] not in SIZES:
        raise UnitError(f'"{text}" is not a size; write a number and a unit, such as "10KiB" or "1.5GB"')
    return float(match[1]) * SIZES[match[2]]


def byte_rate(text: str) -> float:
    """Bytes per second of ``"10KiB/s"`` or ``"600KiB/min"``."""
    amount, slash, per = text.strip().partition("/")
    if not slash or per.strip() not in DURATIONS:
        raise UnitError(f'"{text}" is not a rate; write a size per time, such as "10KiB/s"')
    return size(amount) / DURATIONS[per.strip()]


def ratio(text: str) -> float:
    """A share of one: ``"25%"`` is 0.25."""
    match = NUMBER.fullmatch(text.strip())
    if not match or match[2] != "%":
        raise UnitError(f'"{text}" is not a share; write a percentage, such as "25%"')
    return float(match[1]) / 100


def show_duration(seconds: float) -> str:
    """The shortest text an admin would write: 5400 is ``"1h 30min"``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms" if seconds >= 0.0005 else "0s"
    if seconds < 59.95:
        return f"{seconds:.3g}s"
    parts, rest = [], round(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if rest >= length:
            parts.append(f"{rest // length}{unit}")
            rest %= length
    return " ".join(parts[:2])


def show_size(count: float) -> str:
    """Bytes in the largest binary unit that leaves at least one: 10240 is ``"10KiB"``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if count >= SIZES[unit]:
            return f"{_three_digits(count / SIZES[unit])}{unit}"
    return f"{_three_digits(count)}B"


def _three_digits(number: float) -> str:
    return f"{round(number, 2):.3g}" if number < 100 else f"{number:.0f}"
