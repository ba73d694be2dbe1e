"""What NVIDIA cards draw, as their driver says (NVML, the extra ``powernapd[nvidia]``): a count of energy, or the power now of cards before Volta.

NVML API reference: nvmlDeviceGetTotalEnergyConsumption in millijoules since the driver was loaded, nvmlDeviceGetPowerUsage in milliwatts (a mean
over a second since Ampere, else of an instant), both of the whole board. While it is open no card can suspend, so it is read while
`powernap measure` runs and never by the daemon; a card that is suspended is not asked, because that would wake it.
"""

from __future__ import annotations

import contextlib
import errno
import math
from typing import TYPE_CHECKING

from powernap.core.energy import Count, Sample
from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import nvml
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.gpus import gpus

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.gpus import Gpu
    from powernap.host.host import Host

SCOPE = "gpu"
LOCAL = False
BRIDGED = 10.0
"""Seconds between two samples of power that may be bridged."""


@dataclass(frozen=True)
class Options:
    """Which of them."""

    card: str = option(
        "",
        example="0000:03:00.0",
        help="Only this card, by its PCI address; without it all of them together.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which cards there are, without asking them."""
    cards = chosen(host.files, options)
    if not cards:
        which = f"no NVIDIA card at {options.card}" if options.card else "no NVIDIA card"
        return unavailable(f"there is {which} with its driver loaded")
    if not host.live and not hasattr(host.files, "nvml"):
        return unavailable("a recorded machine's cards cannot be asked")
    if not nvml.installed(host.files):
        return unavailable("nvidia-ml-py is not installed", nvml.INSTALL)
    asleep = [card for card in cards if card.status == "suspended"]
    if asleep:
        return unavailable(
            f"{asleep[0].name} ({asleep[0].address}) is suspended, and would wake if it were asked",
            "name another with card, or measure it by what the machine draws",
        )
    return available(", ".join(f"{card.name} ({card.address})" for card in cards))


def open(host: Host, options: Options) -> Nvml:  # noqa: A001 - the word of the protocol
    """Asks each card once: whether it keeps a count."""
    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    cards = [card.address for card in chosen(host.files, options)]
    try:
        with contextlib.ExitStack() as unless_read:
            library = unless_read.enter_context(contextlib.closing(nvml.Library(host.files)))
            meter = Nvml(host, library, cards)
            unless_read.pop_all()
            return meter
    except OSError as error:
        reason = f"{error.filename} does not tell its power: {error.strerror}"
        raise UnavailableError(unavailable(reason, "look whether `nvidia-smi -q -d POWER` does")) from None


class Nvml:
    """Cards that are asked together."""

    step, interval = 0.0, 1.0

    def __init__(self, host: Host, library: nvml.Library, cards: list[str]) -> None:
        self.host, self.library, self.cards = host, library, cards
        self.source = ", ".join(f"NVML {card}" for card in cards)
        self.counts = all(self._keeps_count(card) for card in cards)
        self.gap = math.inf if self.counts else BRIDGED
        self.read()

    def _keeps_count(self, card: str) -> bool:
        try:
            self.library.joules(card)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            return False
        return True

    def read(self) -> Sample:
        """All cards, one after the other."""
        if self.counts:
            counts = tuple(Count(self.library.joules(card)) for card in self.cards)
            return Sample(self.host.clock.boottime(), counts=counts)
        return Sample(self.host.clock.boottime(), sum(self.library.watts(card) for card in self.cards))

    def close(self) -> None:
        """The cards may rest."""
        self.library.close()


def chosen(files: Files, options: Options) -> list[Gpu]:
    """NVIDIA's, or the one that is named."""
    return [card for card in gpus(files) if card.driver == "nvidia" and options.card in ("", card.address)]
