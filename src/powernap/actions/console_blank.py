"""Lets the text console's screen go dark after a minute, which also spares the video of a management controller its work.

Owns the console's interval, which is set by an escape sequence in whole minutes: what was set otherwise at boot could not be put back, and is
left alone. A key or a message lights the screen at once. Does not blank anything itself, nor touch a graphical desktop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.console import BLANK, TERMINAL, blank_seconds, settable
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "safe"
LANE = "fast"

BMC_DRIVERS = {"ast": "ASPEED", "mgag200": "Matrox", "hibmc-drm": "HiSilicon"}
"""Graphics of management controllers, by their kernel drivers."""


def _whole_minutes(seconds: float) -> str | None:
    wrong = not settable(int(seconds)) or seconds < 60
    return 'must be whole minutes between "1min" and "1h"' if wrong else None


@dataclass(frozen=True)
class Options:
    """When, and on which machines."""

    after: float = option(
        60.0,
        unit="duration",
        example="1min",
        check=_whole_minutes,
        help="How long without a key or a message until the screen goes dark. A shorter interval stays.",
    )
    remote: bool = option(
        False,
        help="Also where a management controller shows the screen: its operators then see a dark one until they press a key.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Whether there is a screen, and whether it could be put back."""
    files = host.files
    if not files.exists(BLANK) or not files.exists(TERMINAL) or not _screen(files):
        return unavailable("no text console: this machine has no screen, or speaks by a serial line only")
    if not writable(files, TERMINAL):
        return unwritable(TERMINAL)
    now = blank_seconds(files)
    if not settable(now):
        return unavailable(
            f"the screen goes dark after {now} s, which could not be put back: only whole minutes up to an hour can",
            "change consoleblank= on the kernel's command line",
        )
    if 0 < now <= options.after:
        return unavailable(f"the screen goes dark after {now} s already")
    watched = "" if options.remote else _remote(files)
    if watched:
        return unavailable(
            f"{watched} shows this screen to operators, who would see a dark one", "set remote = true"
        )
    return available(f"dark after {int(options.after)} s instead of {f'{now} s' if now else 'never'}")


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One interval."""
    if probe(host, options):
        yield Change(TERMINAL, str(int(options.after)), kind="console-blank", form="number")


def _screen(files: Files) -> bool:
    """Whether a virtual terminal has hardware: the dummy console has none (Documentation/driver-api/tty/console.rst)."""
    names = [text(files, path) for path in matching(files, "/sys/class/vtconsole/vtcon*/name")]
    return any("dummy" not in name for name in names if name)


def _remote(files: Files) -> str:
    """The management controller whose graphics this machine uses; empty where there is none."""
    for path in matching(files, "/sys/class/drm/card*/device/driver"):
        name = files.real(path).rpartition("/")[2]
        if name in BMC_DRIVERS:
            return f"a management controller ({BMC_DRIVERS[name]}, driver {name})"
    return ""
