"""Stops or freezes systemd units that the admin lists, because they wake the processors for nothing.

What was not running is not started afterwards, and what somebody starts or stops meanwhile stays so. Owns nothing of systemd's
dependencies: what requires a stopped unit stops with it and is not started again, so list it as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable
from powernap.host.cpusets import mounted
from powernap.host.knobs import Change
from powernap.host.unit_files import definition, full_name, refusal, starters, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"


def _permitted(units: tuple[str, ...]) -> str | None:
    """What is wrong with a list of units."""
    wrong = next(((unit, why) for unit in units if (why := refusal(unit))), None)
    return f"{wrong[0]} cannot be listed: {wrong[1]}" if wrong else None


@dataclass(frozen=True)
class Options:
    """Which units."""

    stop: tuple[str, ...] = option(
        (),
        example='["packagekit.service", "fwupd.service"]',
        check=_permitted,
        help="Units to stop, in this order; started again backwards.",
    )
    freeze: tuple[str, ...] = option(
        (),
        example='["jenkins.service"]',
        check=_permitted,
        help="Units to freeze: their processes stand still and go on within milliseconds.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Whether systemd runs, knows them, and what would undo it at once."""
    files = host.files
    if not options.stop and not options.freeze:
        return unavailable("no unit is listed", 'set stop = ["..."] or freeze = ["..."]')
    for name in (*options.stop, *options.freeze):
        if why := refusal(name):
            return unavailable(f"{name} cannot be listed: {why}", f"take {name} out of the list")
    if not files.exists("/run/systemd/system"):
        return unavailable(
            "systemd does not run here, so there are no units",
            "use the action hooks with a script that stops the service",
        )
    problems = [*_stop_problems(files, options), *_freeze_problems(files, options)]
    able = [*_known(files, options.stop), *_freezable(files, options.freeze)]
    if not able:
        return unavailable("; ".join(problems), "see systemctl list-units for the names")
    return available("; ".join([", ".join(able), *problems]))


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Stop, then freeze. The ledger leaves alone what does not run."""
    for unit in _known(host.files, options.stop):
        yield Change(unit, "inactive", kind="unit")
    for unit in _freezable(host.files, options.freeze):
        yield Change(unit, "frozen", kind="freeze")


def _known(files: Files, names: tuple[str, ...]) -> list[str]:
    """Units that exist and may be touched; a scope or slice has no file, only its cgroup."""
    units = dict.fromkeys(full_name(name) for name in names if not refusal(name))
    return [
        unit for unit in units if definition(files, unit) is not None or unit.endswith((".scope", ".slice"))
    ]


def _freezable(files: Files, names: tuple[str, ...]) -> list[str]:
    """Those that systemd would not kill for standing still, on a machine with the cgroup v2 freezer."""
    if not mounted(files):
        return []
    return [unit for unit in _known(files, names) if not watched(files, unit)]


def _stop_problems(files: Files, options: Options) -> Iterator[str]:
    known, listed = _known(files, options.stop), {full_name(name) for name in options.stop}
    yield from (f"{name} does not exist" for name in options.stop if full_name(name) not in known)
    for unit in known:
        again = [other for other in starters(files, unit) if other not in listed]
        if again:
            yield f"{' and '.join(again)} can start {unit} again: list it before"


def _freeze_problems(files: Files, options: Options) -> Iterator[str]:
    known = _known(files, options.freeze)
    yield from (f"{name} does not exist" for name in options.freeze if full_name(name) not in known)
    if known and not mounted(files):
        yield "units cannot be frozen without cgroup v2"
        return
    yield from (
        f"{unit} is not frozen: systemd would kill it by its WatchdogSec"
        for unit in known
        if watched(files, unit)
    )
