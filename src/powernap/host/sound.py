"""Whether somebody plays or records sound: ALSA's streams (Documentation/sound/designs/procfile.rst)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files


def open_stream(files: Files) -> str:
    """A stream that a program holds open (``card0 pcm0p``), also a silent one; empty when there is none."""
    for path in matching(files, "/proc/asound/card*/pcm*/sub*/status"):
        if text(files, path, "closed") != "closed":
            card, pcm = path.split("/")[3:5]
            return f"{card} {pcm}"
    return ""
