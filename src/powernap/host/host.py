"""One machine: the live one, a recorded one, or a test's fake."""

from __future__ import annotations

from dataclasses import field

from powernap.core.value import dataclass
from powernap.host.clock import Clock, SystemClock
from powernap.host.ears import Ears
from powernap.host.files import Files, TreeFiles


@dataclass
class Host:
    """What monitors and actions may touch.

    :param files: the machine's file tree.
    :param clock: its clocks.
    :param ears: where event sources are heard; ``None`` where nothing can happen (a recorded machine, ``powernap`` without daemon).
    :param live: the kernel of this machine may be asked (sockets, BPF, signals); ``False`` for a recorded tree.
    :param state: the daemon's directory for what outlives a boot; empty: nothing is remembered.
    """

    files: Files = field(default_factory=TreeFiles)
    clock: Clock = field(default_factory=SystemClock)
    ears: Ears | None = None
    live: bool = True
    state: str = ""
