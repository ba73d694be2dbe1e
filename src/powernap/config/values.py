"""One TOML value to what the program counts in, and back to what an admin would write."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable
from typing import Any

from powernap.config.declared import Declared
from powernap.config.problems import meant
from powernap.config.syntax import WORDS
from powernap.core import units

CENTURY = (
    100 * 365 * 86400.0
)  # seconds; beyond that a kernel timer (signed 64 bit nanoseconds) is not far from its end
CONVERT: dict[str, Callable[[str], float]] = {
    "duration": units.duration,
    "size": units.size,
    "byte_rate": units.byte_rate,
    "ratio": units.ratio,
}
TOML_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a fraction",
    str: "text",
    list: "a list",
    dict: "a table",
}
TRUTHS = {**WORDS, "1": "true", "0": "false"}


class WrongValueError(Exception):
    """The value cannot be taken. The message begins with the key in quotes; ``item`` is the number of the list item at fault."""

    def __init__(self, message: str, remedy: str, item: int | None = None) -> None:
        super().__init__(message)
        self.message, self.remedy, self.item = message, remedy, item


def convert(raw: Any, option: Declared) -> Any:
    """The value in the program's units; :class:`WrongValueError` says what is wrong and what to write instead."""
    value = _several(raw, option) if option.many else _one(raw, option)
    complaint = _complaint(value, option)
    if complaint:
        message, _, remedy = complaint.partition("; ")
        message = message if message.startswith(f'"{option.key}"') else f'"{option.key}": {message}'
        raise WrongValueError(message, remedy or _example(option))
    return value


def _complaint(value: Any, option: Declared) -> str | None:
    if option.check is None:
        return None
    try:
        return option.check(value)
    except Exception as error:
        return f"it cannot be checked ({type(error).__name__}: {error})"


def _several(raw: Any, option: Declared) -> tuple[Any, ...]:
    """A list; a single value is a list of one. An empty list only where leaving the key out says the same."""
    if not isinstance(raw, list):
        return (_one(raw, option),)
    if not raw and option.default != ():
        raise WrongValueError(f'"{option.key}" is an empty list', _example(option))
    values = []
    for number, item in enumerate(raw):
        try:
            values.append(_one(item, option))
        except WrongValueError as error:
            error.item = number
            raise
    return tuple(values)


def _one(raw: Any, option: Declared) -> Any:
    if type(raw) is int and abs(raw) >= 2**63:
        raise WrongValueError(
            f'"{option.key}" is too large: TOML has whole numbers of 64 bits', _example(option)
        )
    if isinstance(raw, str) and raw in option.words:
        return option.words[raw]
    if option.unit in CONVERT:
        return _quantity(raw, option)
    value = _scalar(raw, option)
    if isinstance(value, str):
        _text(value, option)
    if option.choices and value not in option.choices:
        raise WrongValueError(f'"{option.key}" cannot be {show_raw(raw)}', meant(str(value), option.choices))
    return value


def _quantity(raw: Any, option: Declared) -> float:
    what = option.type_words.removeprefix("list: ")
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        raise WrongValueError(f'"{option.key}" is a {what} and {raw} has no unit', _units_of(raw, option))
    if not isinstance(raw, str):
        raise WrongValueError(f'"{option.key}" is a {what}, not {_kind(raw)}', _example(option))
    try:
        value: float = CONVERT[option.unit](raw)
    except units.UnitError as error:
        message, _, remedy = str(error).partition("; ")
        raise WrongValueError(f'"{option.key}": {message}', _repaired(raw, option) or remedy) from None
    if not math.isfinite(value) or (option.unit == "duration" and value > CENTURY):
        raise WrongValueError(f'"{option.key}" is too large: {show_raw(raw)}', _example(option))
    return value


def _units_of(raw: float, option: Declared) -> str:
    """What a bare number may have meant."""
    number = f"{abs(raw):.10g}"
    forms = {
        "duration": f'write "{number}s" or "{number}min"',
        "size": f'write "{number}B" or "{number}KiB"',
        "byte_rate": f'write "{number}KiB/s"',
        "ratio": f'write "{number}%"' if abs(raw) > 1 or raw == 0 else f'write "{abs(raw) * 100:.10g}%"',
    }
    return forms[option.unit] if math.isfinite(raw) and raw >= 0 and "e" not in number else _example(option)


SPELLINGS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "mins": "min", "minute": "min", "minutes": "min", "mn": "min", "hr": "h",
    "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w", "msec": "ms", "k": "KiB", "kb": "KiB",
    "kib": "KiB", "m": "MiB", "mb": "MiB", "mib": "MiB", "g": "GiB", "gb": "GiB", "gib": "GiB", "percent": "%",
}  # fmt: skip


def _repaired(raw: str, option: Declared) -> str:
    """The text with its unit spelt as we do, where that makes it right: "5 minutes", "10kb/s", "25"."""
    text = re.sub(r"[A-Za-z]+", lambda word: SPELLINGS.get(word[0].lower(), word[0].lower()), raw.strip())
    text = re.sub(r"(\d)\s+([A-Za-z%])", r"\1\2", text)
    bare = re.fullmatch(r"\d+(\.\d+)?", text)
    if bare:
        return _units_of(float(text), option)
    for form in (text, text + "/s", text.replace("ps", "/s")):
        try:
            CONVERT[option.unit](form)
        except units.UnitError:
            continue
        return f'write "{form}"'
    return ""


def _scalar(raw: Any, option: Declared) -> Any:
    endless = isinstance(raw, float) and not math.isfinite(raw)
    if type(raw) in option.kinds and not endless:
        return raw
    if float in option.kinds and type(raw) is int and abs(raw) < 2**53:
        return float(raw)
    if endless:
        raise WrongValueError(f'"{option.key}" cannot be {raw}', _example(option))
    wanted = " or ".join(
        "a number" if kind is float else TOML_WORDS.get(kind, kind.__name__) for kind in option.kinds
    )
    message = f'"{option.key}" must be {wanted}, not {_kind(raw)} ({show_raw(raw)})'
    raise WrongValueError(message, _as_wanted(raw, option))


def _as_wanted(raw: Any, option: Declared) -> str:
    """The same value in the type wanted, where that is plain."""
    if (
        str in option.kinds
        and isinstance(raw, (int, float))
        and not isinstance(raw, bool)
        and not option.choices
    ):
        return f'write "{raw}" in quotes'
    if isinstance(raw, str):
        word = raw.strip().lower()
        if bool in option.kinds and word in TRUTHS:
            return f"write {option.key} = {TRUTHS[word]}"
        if re.fullmatch(r"\d{1,15}", word) and {int, float} & set(option.kinds):
            return f"write {option.key} = {int(word)} without quotes"
    if isinstance(raw, list) and len(raw) == 1 and type(raw[0]) in option.kinds:
        return f"write {option.key} = {show_raw(raw[0])}"
    if isinstance(raw, float) and int in option.kinds and raw.is_integer():
        return f"write {option.key} = {int(raw)}"
    return _example(option)


def _text(value: str, option: Declared) -> None:
    if not value and option.default != "":
        raise WrongValueError(f'"{option.key}" is empty', _example(option))
    if "\0" in value:
        raise WrongValueError(f'"{option.key}" holds a zero byte', "delete it")
    if option.unit == "regex":
        _regex(value, option)
    if option.unit == "path" and value and not value.startswith("/"):
        hint = (
            "write the home directory in full"
            if value.startswith("~")
            else f'write it from the root, such as "/{value}"'
        )
        raise WrongValueError(f'"{option.key}" is not an absolute path: "{value}"', hint)


def _regex(value: str, option: Declared) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(value)
    except re.error as error:
        where = f" at character {error.pos + 1}" if error.pos is not None else ""
        remedy = "a special character meant as itself needs a backslash before it, in single quotes: '\\+'"
        if value.startswith("*"):
            remedy = f"that is a pattern of the shell; as a regular expression write '.{re.escape(value).removeprefix(chr(92))}'"
        raise WrongValueError(
            f'"{option.key}": "{value}" is not a regular expression: {error.msg}{where}', remedy
        ) from None
    except (OverflowError, RecursionError, Warning) as error:
        raise WrongValueError(
            f'"{option.key}": "{value}" is not a regular expression: {error}', _example(option)
        ) from None


def _kind(raw: Any) -> str:
    return TOML_WORDS.get(type(raw), "a date or time")


def _example(option: Declared) -> str:
    return f"write, for example, {option.key} = {option.sample}"


def show_raw(raw: Any) -> str:
    """A value as it stood in the file, shortened."""
    try:
        text = quote(raw) if isinstance(raw, str) else str(raw).lower() if isinstance(raw, bool) else str(raw)
    except ValueError:  # Python writes no number of more than 4,300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def quote(text: str) -> str:
    """A TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def show(value: Any, unit: str = "") -> str:
    """A converted value as TOML, such that reading it again gives the same; ``None`` has no TOML and is an empty text."""
    if value is None:
        return ""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(show(item, unit) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if unit in CONVERT and isinstance(value, (int, float)):
        return f'"{quantity(value, unit)}"'
    return quote(value) if isinstance(value, str) else repr(value)


def quantity(value: float, unit: str) -> str:
    """Number and unit, in the largest unit that loses nothing."""
    plain = f"{value * 100 if unit == 'ratio' else value:.12f}".rstrip("0").rstrip(".")
    forms = {
        "duration": (units.show_duration(value), f"{plain}s"),
        "size": (units.show_size(value), f"{plain}B"),
        "byte_rate": (units.show_size(value) + "/s", f"{plain}B/s"),
        "ratio": (f"{value * 100:.10g}%", f"{plain}%"),
    }
    short, exact = forms[unit]
    try:
        return short if math.isclose(CONVERT[unit](short), value, rel_tol=1e-9) else exact
    except units.UnitError:
        return exact
