"""Interrupts of the fake kernel: who handles each and where its line is, and the new numbers that a sleep may give them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fakekernel import FakeKernel

PLACES = ("/proc/irq", "/sys/kernel/irq", "/.fake/proc/irq")


def describe(kernel: FakeKernel, irq: int, name: str) -> None:
    """What /sys/kernel/irq tells of it. :param name: ``"acpi,i801_smbus; IO-APIC 9"``; without handlers nobody asked for it."""
    handlers, line = name.split("; ")
    chip, place = line.split(" ")
    for attribute, value in {"actions": handlers, "chip_name": chip, "hwirq": place}.items():
        kernel.add(f"/sys/kernel/irq/{irq}/{attribute}", value, writable=False)


def renumber(kernel: FakeKernel, numbers: dict[int, int]) -> None:
    """Their drivers gave them back and asked anew: each has another number, and the mask that it had."""
    for place in PLACES:
        for old in numbers:
            if kernel.exists(f"{place}/{old}"):
                os.rename(f"{kernel.root}{place}/{old}", f"{kernel.root}{place}/new-{old}")
        for old, new in numbers.items():
            if kernel.exists(f"{place}/new-{old}"):
                os.rename(f"{kernel.root}{place}/new-{old}", f"{kernel.root}{place}/{new}")


def give_back(kernel: FakeKernel, irq: int) -> None:
    """Its driver has gone, and it with it."""
    for place in PLACES:
        kernel.delete(f"{place}/{irq}")
