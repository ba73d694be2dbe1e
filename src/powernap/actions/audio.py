"""Lets sound chips sleep while nothing plays: the power saving of the drivers snd_hda_intel and snd_ac97_codec.

Only what is off is switched on. A saving that is on stays as it is: the driver leaves sound chips out of it that are known to pop (its deny
list, sound/pci/hda/hda_intel.c), a write of any value takes them in, and no later write takes them out again. Owns the module
parameters; the controller's own runtime sleep is pci-runtime's. 0.2 to 1 W; the first sound comes some milliseconds late, and some boxes pop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.files import text
from powernap.host.knobs import Change
from powernap.host.modes import writable
from powernap.host.sound import open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "safe"
LANE = "fast"

HDA = "/sys/module/snd_hda_intel/parameters"
AC97 = "/sys/module/snd_ac97_codec/parameters"


def _seconds(seconds: float) -> str | None:
    return None if 1 <= seconds <= 3600 else 'must be between 1 second and 1 hour; write for example "1s"'


@dataclass(frozen=True)
class Options:
    """How soon, and what."""

    after: float = option(
        1.0,
        unit="duration",
        example="1s",
        check=_seconds,
        help="How long a sound chip is silent before it sleeps; whole seconds.",
    )
    controller: bool = option(True, help="The controller as well as the codec chips behind it.")
    despite: tuple[str, ...] = option(
        (), example='["playing"]', choices=("playing",), help="Guards to pass over, at your own risk."
    )


def probe(host: Host, options: Options) -> Availability:
    """Which savings are off, and whether somebody plays or records."""
    files = host.files
    if not any(files.exists(f"{place}/power_save") for place in (HDA, AC97)):
        return unavailable("no sound driver with a power saving is loaded (snd_hda_intel, snd_ac97_codec)")
    off = list(_off(files, options))
    if not off:
        return unavailable("every sound chip saves power already")
    if not any(writable(files, path) for path, _ in off):
        return unwritable(off[0][0])
    playing = open_stream(files)
    if playing and "playing" not in options.despite:
        return unavailable(
            f"{playing} is open: a pop would be heard", 'despite = ["playing"] passes over this'
        )
    names = [f"{path.split('/')[3]} {path.rpartition('/')[2]}" for path, _ in off]
    return available(f"{', '.join(names)} can be switched on")


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Each saving that is off."""
    if probe(host, options):
        for path, value in _off(host.files, options):
            if writable(host.files, path):
                yield Change(path, value)


def _off(files: Files, options: Options) -> Iterator[tuple[str, str]]:
    for place in (HDA, AC97):
        if text(files, f"{place}/power_save") == "0":
            yield f"{place}/power_save", str(round(options.after))
    if options.controller and text(files, f"{HDA}/power_save_controller") == "N":
        yield f"{HDA}/power_save_controller", "Y"
