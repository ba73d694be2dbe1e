"""PCI Express links that never sleep: by the kernel's command line, the firmware, or link by link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.checks import AS_ROOT, ASPM, Finding, Unseen, some
from powernap.core.units import many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.checks.look import Look

NAME = "links"
AWAKE = "links stay in L0 between transfers, and a package that waits for them cannot sleep"


def judge(_: Look, after: Look) -> Iterator[Finding | Unseen]:
    """Whoever keeps them awake, the most general first."""
    found = after.aspm
    if found.off:
        remedy = "take it out of the boot loader's configuration and restart, if it was not put there because a card hung"
        yield Finding(NAME, ASPM, "the kernel's command line says pcie_aspm=off", AWAKE, remedy)
    elif found.firmware:
        remedy = 'look for "ASPM" in the firmware\'s setup; do not force it (pcie_aspm=force): its makers may have had a reason'
        yield Finding(NAME, ASPM, "the firmware forbids ASPM (FADT)", AWAKE, remedy)
    elif found.policy == "performance":
        remedy = "`echo default | sudo tee /sys/module/pcie_aspm/parameters/policy` gives the links back what the firmware set"
        yield Finding(NAME, ASPM, "the ASPM policy is performance", AWAKE, remedy)
    elif found.links:
        says = f"{many(len(found.links), 'link')} could sleep (L1) and may not: {some(list(found.links), 4)}"
        yield Finding(
            NAME,
            ASPM,
            says,
            AWAKE,
            "the action pcie-aspm lets those sleep that are known to bear it",
            "pcie-aspm",
        )
    if found.policy and found.firmware is None:
        yield Unseen("whether the firmware forbids ASPM", "its tables may be read by root only", AS_ROOT)
