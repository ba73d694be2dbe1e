"""The names of days and months, as an admin writes them: English, three letters or in full, in any case."""

from __future__ import annotations

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class WrongError(ValueError):
    """The text is not what it should be: "what is wrong; what to write"."""


def weekday(word: str) -> int:
    """0 is Monday."""
    return _number(word, DAYS, "day")


def month(word: str) -> int:
    """1 is January."""
    return _number(word, MONTHS, "month") + 1


def is_weekday(word: str) -> bool:
    """Whether it names one."""
    return any(word.lower() in {name.lower(), name[:3].lower()} for name in DAYS)


def _number(word: str, names: tuple[str, ...], noun: str) -> int:
    lower = word.lower()
    for number, name in enumerate(names):
        if lower in {name.lower(), name[:3].lower()}:
            return number
    raise WrongError(f'"{word}" is not a {noun}; {_meant(lower, names)}')


def _meant(lower: str, names: tuple[str, ...]) -> str:
    """The name that was probably meant: the only one that begins so, or a near one; else all."""
    from difflib import get_close_matches  # noqa: PLC0415 - for errors only

    known = {form.lower(): name[:3] for name in names for form in (name, name[:3])}
    near = {name[:3] for name in names if len(lower) > 1 and name.lower().startswith(lower)}
    near = near or {known[form] for form in get_close_matches(lower, known, 1)}
    return f'did you mean "{near.pop()}"?' if len(near) == 1 else f"write {', '.join(n[:3] for n in names)}"
