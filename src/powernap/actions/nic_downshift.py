"""Offers a lower speed on network ports that are up and not needed (opt-in): gigabit draws 2 to 4 W more than 100 Mb/s, 10GBASE-T much more.

The link is down for about two seconds when it begins and when it ends. Owns the advertised modes of copper ports that negotiate: the whole mask
is kept and put back, so 2.5 and 10 Gb/s return. Never a port of the wake path, of a bond or a bridge, of SR-IOV, of fibre, nor one whose
speed an admin fixed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import ethtool, port_guards
from powernap.host.availability import Availability, available, unavailable
from powernap.host.knobs import Change
from powernap.host.port_settings import modes_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.ethtool import LinkModes
    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"

# Mb/s of the modes of copper with four pairs, by bit (include/uapi/linux/ethtool.h, enum ethtool_link_mode_bit_indices)
COPPER = {0: 10, 1: 10, 2: 100, 3: 100, 4: 1000, 5: 1000, 12: 10000, 47: 2500, 48: 5000}
# autonegotiation, ports and pause: no speeds. Bits of 1000BASE-X, backplanes and fibre are in neither, so such a port is refused
NEUTRAL = {6, 7, 8, 9, 11, 13, 14, 49}
TWISTED_PAIR, FIBRE, BACKPLANE = 7, 10, 16
SPEEDS = (10, 100, 1000, 2500, 5000)


def _offered(speed: int) -> str | None:
    return None if speed in SPEEDS else f"must be one of {', '.join(map(str, SPEEDS))} (Mb/s)"


@dataclass(frozen=True)
class Options:
    """Which ports, and how far down."""

    ports: tuple[str, ...] = option(
        (), example='["eth1"]', help="Only these. Not set: every port with a link that no guard keeps."
    )
    speed: int = option(100, example="1000", check=_offered, help="The highest speed to offer, in Mb/s.")
    despite: tuple[str, ...] = option(
        (),
        example='["network-storage"]',
        choices=port_guards.NAMES,
        help="Guards to pass over, at your own risk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which ports would slow down, and why the others stay."""
    found = dict(_judged(host.files, options))
    able = [
        f"{port} from {_speed(now)} to {options.speed} Mb/s"
        for port, now in found.items()
        if not isinstance(now, str)
    ]
    kept = [now for now in found.values() if isinstance(now, str)]
    if able:
        return available("; ".join([*able, *kept]))
    return unavailable("; ".join(kept) or "no network port has a link to slow down")


def plan(host: Host, options: Options) -> Iterator[Change]:
    """One mask for each port. Its EEE setting is remembered, which some drivers begin anew with the link."""
    ask = ethtool.door(host.files)
    for port, now in _judged(host.files, options):
        if isinstance(now, str):
            continue
        if _has_eee(port, ask):
            yield Change(port, None, kind="eee")
        wanted = replace(now, advertised=lowered(now, options.speed))
        yield Change(port, modes_text(wanted), kind="link-modes", optional=True)


def lowered(modes: LinkModes, speed: int) -> int:
    """The advertised modes without those above ``speed``; 0 when none would be left that the other end offers too."""
    kept = sum(1 << bit for bit, each in COPPER.items() if each <= speed and modes.advertised >> bit & 1)
    if not kept & (modes.peer or kept):
        return 0
    return kept | sum(1 << bit for bit in NEUTRAL if modes.advertised >> bit & 1)


def _judged(files: Files, options: Options) -> Iterator[tuple[str, LinkModes | str]]:
    """Each port with its modes, or with the reason why it stays."""
    ask = ethtool.door(files)
    return port_guards.judged(
        files,
        options.ports,
        options.despite,
        lambda port: ethtool.link_modes(port, ask),
        lambda port, now: _unsuitable(port, now, options.speed),
        "does not tell its modes",
    )


def _unsuitable(port: str, now: LinkModes, speed: int) -> str:
    """Why this link cannot be slowed down and put back exactly."""
    bits = {bit for bit in range(now.supported.bit_length()) if now.supported >> bit & 1}
    if TWISTED_PAIR not in bits or bits & {FIBRE, BACKPLANE} or bits - COPPER.keys() - NEUTRAL:
        return f"{port} is not plain copper, which alone has several speeds"
    if not now.autoneg:
        return f"{port} does not negotiate: somebody fixed its speed"
    if now.speed and now.speed <= speed:
        return f"{port} is at {now.speed} Mb/s already"
    if not lowered(now, speed):
        return f"{port} has no speed up to {speed} Mb/s in common with the other end"
    return ""


def _has_eee(port: str, ask: ethtool.Ask) -> bool:
    try:
        ethtool.eee(port, ask)
    except OSError:
        return False
    return True


def _speed(modes: LinkModes | str) -> int:
    return 0 if isinstance(modes, str) else modes.speed
