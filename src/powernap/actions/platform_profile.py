"""Asks the firmware for its own saving profile: fans, power limits and embedded controllers, as the vendor meant it.

Owns ``platform_profile`` (Documentation/ABI/testing/sysfs-platform_profile). A hot-key or the firmware itself may change it at any
time: such a change wins and stays. Does not touch what power-profiles-daemon or TuneD own while they run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.conflicts import owners
from powernap.host.files import text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "safe"
LANE = "slow"

PROFILE = "/sys/firmware/acpi/platform_profile"
SAVING = ("low-power", "quiet", "cool")


@dataclass(frozen=True)
class Options:
    """Which profile, and against whom."""

    profile: str = option(
        "auto",
        example="quiet",
        help='The profile while the machine naps. "auto" takes the first of low-power, quiet and cool that the firmware offers.',
    )
    override: bool = option(
        False,
        help="Also where power-profiles-daemon or TuneD keeps the profile: a change there in the middle of a nap stays.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which profile would be set, and who owns it."""
    files = host.files
    now, wanted = text(files, PROFILE), _wanted(files, options)
    if not now:
        return unavailable("the firmware offers no profiles")
    offered = text(files, f"{PROFILE}_choices").split()
    if now not in offered or now == "custom":
        return unavailable(
            f'the profile is "{now}", which could not be written back: choose one of {", ".join(offered)}'
        )
    if not wanted:
        return unavailable(f"the firmware offers no such profile, only {', '.join(offered)}")
    if wanted == now:
        return unavailable(f'the profile is "{now}" already')
    if not writable(files, PROFILE):
        return unwritable(PROFILE)
    for owner in () if options.override else owners(files, "platform-profile"):
        return unavailable(f"{owner} keeps the profile", f"{owner.tool.advice}; or set override = true")
    return available(f'"{wanted}" instead of "{now}"')


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One word."""
    if probe(host, options):
        yield Change(PROFILE, _wanted(host.files, options))


def _wanted(files: Files, options: Options) -> str:
    """The profile to set; empty where the firmware has none of them."""
    offered = text(files, f"{PROFILE}_choices").split()
    asked = SAVING if options.profile == "auto" else (options.profile,)
    return next((name for name in asked if name in offered and name != "custom"), "")
