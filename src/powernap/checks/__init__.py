"""One file each: something that may keep an idle machine from its deepest idle state.

A check is a pure function ``judge(before, after) -> Iterator[Finding | Unseen]`` over two looks at a machine (checks/look.py). It reads
nothing, decides nothing and changes nothing. It answers with what it found, each finding with its evidence, or with what it could not
see and why.

Watts are the most that somebody has measured for such a case (powersave research, sections 1 and 2), on a machine that is named. They
rank findings; what this machine saves only measuring tells.
"""

from __future__ import annotations

from collections.abc import Iterable

from powernap.core.value import dataclass
from powernap.host.cpus import format_cpulist


@dataclass(frozen=True)
class Watts:
    """The most that somebody measured, at the wall, and where, or that it is not verified; ``most`` is 0 where there is no figure."""

    most: float = 0.0
    basis: str = ""


NONE = Watts()
SHALLOW = Watts(97, "a server with two Xeon 6154, first core out of its deepest state")
GPU = Watts(80, "an A40 with an idle context")
GPU_ACTIVE = Watts(30, "common figures for a card, not verified")
DISK = Watts(6.8, "a 3.5-inch SAS disk, idle against standby")
AWAKE_CORE = Watts(3.5, "a core kept awake on Skylake-SP")
ASPM = Watts(2.2, "a small server with an N97, whole machine")


@dataclass(frozen=True)
class Finding:
    """One cause.

    :param check: the check's name; :param evidence: what was seen, with figures; :param consequence: what follows from it;
    :param remedy: what to do, in words or as a command; :param action: the action of PowerNap's that does it while the machine naps.
    """

    check: str
    watts: Watts
    evidence: str
    consequence: str
    remedy: str
    action: str = ""


@dataclass(frozen=True)
class Unseen:
    """What could not be seen, why, and what would help."""

    what: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class Refused:
    """A saving that this machine cannot have, why, and what would make it possible."""

    what: str
    reason: str
    remedy: str


AS_ROOT = "run it as root"
"""The remedy for what only root may see; for root there is none."""


def processors(cpus: Iterable[int]) -> str:
    """In words: "processor 1", "processors 0-3"."""
    listed = format_cpulist(cpus)
    return f"processor{'' if listed.isdecimal() else 's'} {listed}"


def some(names: list[str], most: int = 3) -> str:
    """The first few of a list, and how many more: "a, b, c and 4 more"."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
