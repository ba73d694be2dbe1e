"""Other tools that set the same knobs: who owns what, and which of them fight each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.checks import NONE, Finding, Unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look

NAME = "tools"


def judge(_: Look, after: Look) -> Iterator[Finding | Unseen]:
    """A tool that writes again by itself undoes a nap; two that own the same knob undo each other."""
    for each in after.tools:
        if each.tool.rewrites:
            yield Finding(
                NAME,
                NONE,
                f"{each.tool.name} is in effect ({each.evidence})",
                f"it writes again by itself what these set: {', '.join(each.tool.owns)}",
                each.tool.advice,
                "units",
            )
    for knob, owners in sorted(fights(after).items()):
        yield Finding(
            NAME,
            NONE,
            f"{' and '.join(owners)} both set what {knob} sets",
            "whichever wrote last wins, and neither knows",
            f"keep one of them: `systemctl disable --now` the other ({owners[-1]})",
        )


def fights(after: Look) -> dict[str, list[str]]:
    """By action, the tools that own its knobs where there are several that do so on purpose."""
    found: dict[str, list[str]] = {}
    for each in after.tools:
        if each.tool.name in {"thermald", "tuned-ppd"}:  # they are made to work beside the others
            continue
        for knob in each.tool.owns:
            found.setdefault(knob, []).append(each.tool.name)
    return {knob: names for knob, names in found.items() if len(names) > 1}
