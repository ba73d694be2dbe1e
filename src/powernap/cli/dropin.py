"""The lines of configuration that keep what pays and drop what does not: a drop-in, which an admin puts into conf.d.

Owns its words. It names each stage that a verdict changes, with the actions that stay; everything else of the stage is merged from the
files before it. Never touches a file that it did not write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from powernap.config.model import Config, Stage
from powernap.meters import Found

MARK = "# Written by `powernap measure`"


def lines(config: Config, results: Mapping[str, Mapping[str, Any]], meter: Found) -> str:
    """A file's text: a stage for each one that changes, and a comment for each action that was measured."""
    rows = [f"{MARK}, by the meter {meter.name} ({meter.scope})."]
    rows += [f"#   {name}: {sentence(each)}" for name, each in results.items()]
    changed = [stage for stage in config.stages if kept(stage, results) != stage.actions]
    for stage in changed:
        rows += ["", "[[stage]]", f"name = {json.dumps(stage.name)}", *_body(stage, kept(stage, results))]
    if not changed:
        rows.append("# The ladder stays as it is.")
    used = {name for stage in config.stages for name in stage.actions}
    rows += [
        f"# Not in the ladder, and pays: add {json.dumps(name)} to the actions of a stage."
        for name, each in results.items()
        if each["verdict"] == "saves" and name not in used
    ]
    return "\n".join(rows) + "\n"


def kept(stage: Stage, results: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What is not told stays: it was the admin's choice."""
    return tuple(name for name in stage.actions if results.get(name, {}).get("verdict") != "does not")


def _body(stage: Stage, actions: tuple[str, ...]) -> Iterator[str]:
    if actions or stage.sleep != "none":
        yield f"actions = {json.dumps(list(actions))}"
    else:
        yield "enabled = false  # none of its actions pays here"


def sentence(result: Mapping[str, Any]) -> str:
    """``saves 12.3 W, give or take 0.4 W``."""
    if result["saved_w"] is None:
        return f"cannot tell: {result['rounds']} comparisons are too few"
    words = {
        "saves": f"saves {result['saved_w']:.2f} W",
        "does not": "does not save"
        if result["saved_w"] > -2 * result["spread_w"]
        else f"costs {-result['saved_w']:.2f} W",
        "cannot tell": f"cannot tell: {result['saved_w']:.2f} W",
    }
    return f"{words[result['verdict']]}, give or take {result['spread_w']:.2f} W"


def unwritable(path: str) -> str:
    """Why a file of this name is not written; empty when it may be."""
    if not os.path.isdir(os.path.dirname(path) or "."):
        return "its directory does not exist"
    if not os.path.exists(path):
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            ours = file.readline().startswith(MARK)
    except (OSError, ValueError) as error:
        return str(error)
    return "" if ours else "it exists and was not written by `powernap measure`"


def write(path: str, text: str) -> None:
    """Whole or not at all, readable by all. ``OSError``."""
    fresh = f"{path}.new"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(fresh, path)
