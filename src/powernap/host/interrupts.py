"""How often each interrupt has come, by processor.

Owns /proc/interrupts (proc_interrupts(5)). Where an interrupt may go is host/irqs.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass

if TYPE_CHECKING:
    from powernap.host.files import Files

INTERRUPTS = "/proc/interrupts"


@dataclass(frozen=True)
class Interrupt:
    """One row. ``label`` is a number, or the processor's own name for it ("LOC"); ``name`` who handles it, or what it is."""

    label: str
    name: str
    counts: dict[int, int]

    @property
    def device(self) -> bool:
        """A device's: it has a number."""
        return self.label.isdecimal()


def interrupts(files: Files) -> dict[str, Interrupt]:
    """Of this machine, by label.

    :raises OSError: they cannot be read.
    """
    return parse(files.read(INTERRUPTS))


def parse(text: str) -> dict[str, Interrupt]:
    """The head names the processors that are online: one column each. Rows without a column each (ERR, MIS) count faults, not interrupts."""
    head, _, rows = text.partition("\n")
    cpus = [int(word.removeprefix("CPU")) for word in head.split() if word.removeprefix("CPU").isdecimal()]
    found = {}
    for row in rows.splitlines():
        label, colon, rest = row.strip().partition(":")
        words = rest.split(None, len(cpus))
        counts = words[: len(cpus)]
        if colon and len(counts) == len(cpus) > 0 and all(map(str.isdecimal, counts)):
            name = handler(words[len(cpus) :], numbered=label.isdecimal())
            found[label] = Interrupt(label, name, dict(zip(cpus, map(int, counts), strict=True)))
    return found


def handler(rest: list[str], *, numbered: bool) -> str:
    """What stands behind the counts: of a device its handlers, after the chip and the line ("PCI-MSIX-0000:00:02.0 1-edge virtio1-req.0")."""
    said = rest[0].strip() if rest else ""
    if not numbered:
        return said
    words = said.split()
    # the line is "5-edge" or "5-fasteoi", or on ARM "5 Edge"; whoever shares it is listed behind, with commas
    for place, word in enumerate(words):
        if word.lower().endswith(("-edge", "-fasteoi", "-level", "edge", "level")):
            return " ".join(words[place + 1 :]) or said
    return said
