"""The options reference: one Markdown page, derived from what settings, stages, monitors, actions and meters declare."""

from __future__ import annotations

from collections.abc import Iterator

from powernap.config.chapters import Chapter, chapters
from powernap.config.declared import Declared
from powernap.config.kinds import ACTIONS, METERS, MONITORS, Kinds
from powernap.config.values import show

HEAD = """\
# Configuration reference

<!-- Written by `powernap config reference`. Change the declarations in the code instead. -->

PowerNap reads `/etc/powernap/powernap.toml`, then `/etc/powernap/conf.d/*.toml` in the order of their names. Later values win; sections
of the same name merge, and a `[[stage]]` merges with the stage of its `name`. Without the main file, the default that comes with the
package is used. `powernap config check` shows every problem at once, `powernap config show --origin` where each value comes from.

## Quantities

Durations, sizes, rates and percentages are text with a unit; a bare number is refused.

| quantity | units | examples |
|---|---|---|
| duration | `us` `ms` `s` `min` `h` `d` `w` | `"90s"`, `"30min"`, `"1h 30min"` |
| size | `B` `kB` `MB` `GB` `TB` `KiB` `MiB` `GiB` `TiB` | `"10KiB"`, `"1.5GB"` |
| rate | size per time | `"10KiB/s"`, `"600KiB/min"` |
| percentage | `%` | `"25%"` |

Regular expressions are those of Python; write them in single quotes, which leave backslashes alone: `'^backup\\d+$'`.
"""


def reference(monitors: Kinds = MONITORS, actions: Kinds = ACTIONS, meters: Kinds = METERS) -> str:
    """The whole page."""
    return HEAD + "".join(
        part for chapter in chapters(monitors, actions, meters) for part in _chapter(chapter)
    )


def _chapter(chapter: Chapter) -> Iterator[str]:
    depth = "###" if chapter.path.count(".") else "##"
    yield f"\n{depth} {chapter.title}\n\n"
    yield f"`{chapter.header}`\n\n" if chapter.header else ""
    yield f"{' '.join(part for part in (chapter.help, chapter.detail) if part)}\n"
    if chapter.options:
        yield "\n| key | type | default | meaning | example |\n|---|---|---|---|---|\n"
        yield from (_row(option) for option in chapter.options.values())
        for how, keys in _ways(chapter).items():
            yield f"\nHow `{'`, `'.join(keys)}` {'are' if len(keys) > 1 else 'is'} written:\n\n```\n{how}\n```\n"


def _ways(chapter: Chapter) -> dict[str, list[str]]:
    """What is written alike is told once."""
    found: dict[str, list[str]] = {}
    for option in chapter.options.values():
        if option.how:
            found.setdefault(option.how, []).append(option.key)
    return found


def _row(option: Declared) -> str:
    default = "**must be given**" if option.required else _code(show(option.default, option.unit))
    cells = (
        f"`{option.key}`",
        option.type_words,
        default,
        option.help,
        _code(f"{option.key} = {option.sample}"),
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"
