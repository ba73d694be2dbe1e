"""Switches Energy-Efficient Ethernet on (opt-in): a silent copper link rests between packets, at both ends.

Saves up to 1 W for each port where the other end takes part, and less with traffic. Some old switches and controllers (r8169, igc) lose the
link with it: watch the ports after you allow it. The link is negotiated anew, about two seconds. Owns the four EEE settings of a port and
puts back all of them; never touches a port of the wake path, of a bond or a bridge, or of SR-IOV.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import ethtool, port_guards
from powernap.host.availability import Availability, available, unavailable
from powernap.host.knobs import Change
from powernap.host.port_settings import eee_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.ethtool import Eee
    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"


@dataclass(frozen=True)
class Options:
    """Which ports."""

    ports: tuple[str, ...] = option(
        (), example='["eth1"]', help="Only these. Not set: every port with a link that no guard keeps."
    )
    despite: tuple[str, ...] = option(
        (),
        example='["network-storage"]',
        choices=port_guards.NAMES,
        help="Guards to pass over, at your own risk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which ports could rest, and why the others cannot."""
    found = dict(_judged(host.files, options))
    able = [port for port, now in found.items() if not isinstance(now, str)]
    kept = [now for now in found.values() if isinstance(now, str)]
    if able:
        return available("; ".join([", ".join(able), *kept]))
    return unavailable("; ".join(kept) or "no network port has a link that could rest")


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One setting for each port. A driver that takes part of it only is put back, and named."""
    for port, now in _judged(host.files, options):
        if not isinstance(now, str):
            wanted = replace(now, enabled=True, lpi=True, advertised=now.advertised or now.supported)
            yield Change(port, eee_text(wanted), kind="eee", optional=True)


def _judged(files: Files, options: Options) -> Iterator[tuple[str, Eee | str]]:
    """Each port with its setting, or with the reason why it stays."""
    ask = ethtool.door(files)
    return port_guards.judged(
        files, options.ports, options.despite, lambda port: ethtool.eee(port, ask), _unsuitable, "has no EEE"
    )


def _unsuitable(port: str, now: Eee) -> str:
    """Why nothing would come of it."""
    if now.enabled and now.lpi:
        return f"{port} rests already"
    if not now.supported:
        return f"{port} has no mode with EEE"
    if now.peer and not now.peer & now.supported:
        return f"the other end of {port} has no EEE"
    return ""
