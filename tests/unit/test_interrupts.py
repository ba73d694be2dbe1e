"""/proc/interrupts: which rows are interrupts, and what they are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.interrupts import parse

X86 = """\
           CPU0       CPU2
  1:          9         10   IO-APIC   1-edge      i8042
 36:          0    4526589  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 16:          3          4   IO-APIC  16-fasteoi   ehci_hcd:usb1, snd_hda_intel:card0
LOC:    3771193    3759358   Local timer interrupts
ERR:          0
MIS:          0
"""
ARM = """\
           CPU0       CPU1
 11:       2217       1860     GICv3  27 Level     arch_timer
IPI0:       100        200       Rescheduling interrupts
"""


def test_rows_have_names_and_a_count_for_each_processor_that_is_online() -> None:
    """Processor 1 is offline: the second column is processor 2's."""
    found = parse(X86)
    assert {
        "1": "i8042",
        "36": "virtio1-req.0",
        "16": "ehci_hcd:usb1, snd_hda_intel:card0",
        "LOC": "Local timer interrupts",
    } == {label: row.name for label, row in found.items()}
    assert {0: 0, 2: 4526589} == found["36"].counts
    assert (True, False) == (found["36"].device, found["LOC"].device)


def test_an_arm_machine() -> None:
    """It writes the line and the trigger as two words."""
    assert {"11": "arch_timer", "IPI0": "Rescheduling interrupts"} == {
        k: v.name for k, v in parse(ARM).items()
    }


@pytest.mark.parametrize("text", ["", "\n", "CPU0\n", "  1: 2 3\n", "CPU0 CPU1\n 1: 5\n"])
def test_what_is_no_table_has_no_interrupts(text: str) -> None:
    """A container's empty file, or half of one."""
    assert {} == parse(text)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    """Whatever a kernel may write."""
    assert all(row.counts for row in parse(text).values())
