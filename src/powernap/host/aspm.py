"""PCI Express links and the power states that they may enter by themselves (drivers/pci/pcie/aspm.c).

Owns reading them. A link belongs to all functions of the card at its lower end, and each of them shows it; here it has the address of
the first. A file is there only where both ends can. It shows whether the state *is* on; a write sets whether it *may* be:

    on = the policy wants it, and nobody switched it off for this link (a driver that knows its chip, or a write of 0)

So 1 is taken and nothing happens where the policy does not want the state, and a link that was switched off there has lost that mark, which no
file shows. Only where the policy wants the state does a 0 tell that somebody switched it off, and only there is it put back exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import pci
from powernap.host.files import text
from powernap.host.knobs import chosen

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.pci import PciFunction

POLICY = "/sys/module/pcie_aspm/parameters/policy"
BASIC = ("l0s_aspm", "l1_aspm", "clkpm")
SUBSTATES = ("l1_1_aspm", "l1_2_aspm", "l1_1_pcipm", "l1_2_pcipm")
WANTS = {"powersave": BASIC, "powersupersave": (*BASIC, *SUBSTATES)}
"""The states that a policy wants on every link. ``default`` is what firmware had set, which no file shows; ``performance`` wants none."""


@dataclass(frozen=True)
class Link:
    """One link.

    :param functions: what is at its lower end, the first gives it its address; :param states: what it can do, and whether that is on.
    """

    functions: tuple[PciFunction, ...]
    states: tuple[tuple[str, bool], ...]

    @property
    def address(self) -> str:
        """``0000:02:00.0``."""
        return self.functions[0].address

    @property
    def off(self) -> list[str]:
        """What it could do and does not."""
        return [name for name, on in self.states if not on]

    def under(self, policy: str) -> list[str]:
        """What another policy could change here: what it wants and is off, what is on and it does not want."""
        return [name for name, on in self.states if on != (name in WANTS.get(policy, ()))]

    def __str__(self) -> str:
        return str(self.functions[0])


def policy(files: Files) -> str:
    """The policy in effect; empty where the kernel was built without."""
    return chosen(text(files, POLICY))


def links(files: Files) -> list[Link]:
    """Every link that Linux may set, by address. None at all where firmware kept the control of them."""
    cards: dict[str, list[PciFunction]] = {}
    for function in pci.functions(files):
        cards.setdefault(function.address.rpartition(".")[0], []).append(function)
    found = [Link(tuple(card), tuple(_states(files, card[0]))) for card in cards.values()]
    return [link for link in found if link.states]


def _states(files: Files, function: PciFunction) -> list[tuple[str, bool]]:
    shown = {name: text(files, f"{function.place}/link/{name}") for name in (*BASIC, *SUBSTATES)}
    return [(name, value == "1") for name, value in shown.items() if value]
