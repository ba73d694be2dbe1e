"""The settings of a network port as one line of text each, which the undo ledger keeps, compares and writes back.

Owns the texts and three kinds of knob: ``link-modes``, ``eee`` and ``wake-flags``, whose target is an interface's name. Bytes are ethtool.py's.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from powernap.host import ethtool
from powernap.host.ethtool import Eee, LinkModes

if TYPE_CHECKING:
    from powernap.host.files import Files


def read(files: Files, kind: str, interface: str) -> str:
    """The setting now."""
    ask = ethtool.door(files)
    if kind == "eee":
        return eee_text(ethtool.eee(interface, ask))
    if kind == "link-modes":
        return modes_text(ethtool.link_modes(interface, ask))
    return ethtool.wake_flags(interface, ask).armed or "d"


def write(files: Files, kind: str, interface: str, text: str) -> None:
    """Set it as a line of text says; ``EINVAL`` where that is none of ours."""
    ask = ethtool.door(files)
    try:
        if kind == "eee":
            ethtool.set_eee(interface, eee_of(text), ask)
        elif kind == "link-modes":
            ethtool.set_link_modes(interface, modes_of(text), ask)
        else:
            ethtool.arm(interface, text, ask)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), interface) from error


def modes_text(modes: LinkModes) -> str:
    """``"autoneg 0x102f"``, or ``"100/full 0x8"``. What was negotiated is left out: it is the cable's, not a setting."""
    way = "autoneg" if modes.autoneg else f"{modes.speed}/{modes.duplex or 'unknown'}"
    return f"{way} {modes.advertised:#x}"


def modes_of(text: str) -> LinkModes:
    """What :func:`modes_text` wrote; ``ValueError`` for anything else."""
    found = re.fullmatch(r"(?:(autoneg)|(\d+)/(full|half|unknown)) (0x[0-9a-f]+)", text)
    if not found:
        raise ValueError(f'"{text}" is not a set of link modes such as "autoneg 0x102f"')
    duplex = "" if found[3] in {None, "unknown"} else found[3]
    return LinkModes(bool(found[1]), int(found[4], 16), speed=int(found[2] or 0), duplex=duplex)


def eee_text(state: Eee) -> str:
    """``"on lpi=on timer=17 0x6"``."""
    return f"{_switch(state.enabled)} lpi={_switch(state.lpi)} timer={state.timer} {state.advertised:#x}"


def eee_of(text: str) -> Eee:
    """What :func:`eee_text` wrote; ``ValueError`` for anything else."""
    found = re.fullmatch(r"(on|off) lpi=(on|off) timer=(\d+) (0x[0-9a-f]+)", text)
    if not found:
        raise ValueError(f'"{text}" is not a setting of EEE such as "on lpi=on timer=17 0x6"')
    return Eee(found[1] == "on", found[2] == "on", int(found[3]), int(found[4], 16))


def _switch(on: bool) -> str:
    return "on" if on else "off"
