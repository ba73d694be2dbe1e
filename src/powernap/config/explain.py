"""``powernap config explain``: what one key means, from its declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from powernap.config.chapters import Chapter
from powernap.config.declared import Declared
from powernap.config.problems import meant
from powernap.config.values import show
from powernap.core.value import dataclass


@dataclass(frozen=True)
class Explanation:
    """One option, as words."""

    key: str
    help: str
    type: str
    unit: str
    default: str | None
    example: str
    choices: tuple[str, ...]
    section: str
    how: str = ""

    def text(self, *, told: bool = False) -> str:
        """A paragraph for a terminal. :param told: how it is written stands above."""
        rows = [
            ("type", self.type),
            ("default", self.default or ("must be given" if self.default is None else "none")),
        ]
        rows.append(("example", f"{self.key.rpartition('.')[2]} = {self.example}"))
        rows.append(("section", self.section or "before the first section"))
        lines = ["It is written as above."] if told else self.how.splitlines()
        how = ["", *(f"  {line}".rstrip() for line in lines)] if self.how else []
        return "\n".join(
            [self.key, f"  {self.help}", *how, "", *(f"  {name:<8} {value}" for name, value in rows)]
        )


class UnknownKeyError(Exception):
    """Nothing is called so; the text says what was probably meant."""


def explain(
    key: str, outline: Iterable[Chapter], names: Mapping[str, str] | None = None
) -> list[Explanation]:
    """Every option that a key names: "stage.after", "monitor.tcp.port", "monitor.tcp" (all of them), or "port" wherever it is.

    :param names: configured sections and their types ("monitor.ssh": "monitor.tcp"), so that these can be asked for too.
    :raises UnknownKeyError: with a did-you-mean.
    """
    outline = list(outline)
    key = key.strip().strip("[]").replace(".NAME", "")
    wanted = _by_type(key, names or {})
    every = [(chapter, option) for chapter in outline for option in chapter.options.values()]
    found = [pair for pair in every if pair[0].key(pair[1]) == wanted] or _shared(wanted, outline)
    found = (
        found
        or [pair for pair in every if pair[0].path == wanted]
        or _of_any_type(wanted, every)
        or [pair for pair in every if pair[1].key == wanted]
    )
    if not found:
        known = {chapter.key(option) for chapter, option in every} | {
            chapter.path for chapter in outline if chapter.path
        }
        short = {option.key for _, option in every}
        remedy = meant(
            wanted, known if "." in wanted else known | short, otherwise="see: powernap config reference;"
        )
        raise UnknownKeyError(f'nothing is called "{key}"; {remedy.partition(";")[0]}')
    return [_explanation(chapter, option) for chapter, option in found]


def _by_type(key: str, names: Mapping[str, str]) -> str:
    section, _, rest = key.rpartition(".")
    if section in names:
        return f"{names[section]}.{rest}"
    return names.get(key, key)


def _shared(wanted: str, outline: list[Chapter]) -> list[tuple[Chapter, Declared]]:
    """``monitor.tcp.hold``: an option that every monitor has."""
    section, _, key = wanted.rpartition(".")
    noun = section.partition(".")[0]
    if not any(chapter.path == section for chapter in outline):
        return []
    return [
        (chapter, chapter.options[key])
        for chapter in outline
        if chapter.path == noun and key in chapter.options
    ]


def _of_any_type(wanted: str, every: list[tuple[Chapter, Declared]]) -> list[tuple[Chapter, Declared]]:
    """``schedule.office.up``, of a section that is not configured here: each type that has such a key."""
    noun, _, rest = wanted.partition(".")
    _, _, key = rest.partition(".")
    return [
        (chapter, option)
        for chapter, option in every
        if key and chapter.path.startswith(f"{noun}.") and option.key == key
    ]


def _explanation(chapter: Chapter, option: Declared) -> Explanation:
    default = None if option.required else show(option.default, option.unit)
    return Explanation(
        chapter.key(option),
        option.help,
        option.type_words,
        option.unit,
        default,
        option.sample,
        option.choices,
        chapter.header,
        option.how,
    )


def as_text(found: list[Explanation]) -> str:
    """For a terminal; what is written alike is told once."""
    before = [{item.how for item in found[:number]} for number in range(len(found))]
    return "\n\n".join(item.text(told=item.how in told) for item, told in zip(found, before, strict=True))


def as_json(found: list[Explanation]) -> dict[str, Any]:
    """Document for programs."""
    return {"version": 1, "options": [asdict(item) for item in found]}
