"""A port's settings are one line of text each, and come back from it exactly."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakekernel import laptop_like
from fakeplatform import add_port
from powernap.host.ethtool import Eee, LinkModes
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.port_settings import eee_of, eee_text, modes_of, modes_text

MASKS = st.integers(0, 2**128 - 1)


@pytest.fixture
def machine(tmp_path):
    """One port that can do everything."""
    kernel = laptop_like(tmp_path / "machine")
    add_port(kernel, "eth1", wake="pumbg", armed="g", eee=(0x28, 0x28))
    return kernel


@given(st.booleans(), MASKS, st.sampled_from([10, 100, 1000, 2500]), st.sampled_from(["half", "full", ""]))
def test_link_modes_come_back(autoneg, advertised, speed, duplex):
    """Speed and duplex are kept where they were set, not where they were negotiated."""
    modes = LinkModes(autoneg, advertised, 7, 7, speed, duplex)
    wanted = (
        LinkModes(autoneg, advertised)
        if autoneg
        else LinkModes(autoneg, advertised, speed=speed, duplex=duplex)
    )
    assert modes_of(modes_text(modes)) == wanted


@given(st.booleans(), st.booleans(), st.integers(0, 2**32 - 1), MASKS)
def test_eee_comes_back(enabled, lpi, timer, advertised):
    """All four settings."""
    assert eee_of(eee_text(Eee(enabled, lpi, timer, advertised, 5, 6, active=True))) == Eee(
        enabled, lpi, timer, advertised
    )


@pytest.mark.parametrize("text", ["", "autoneg", "1000", "100/half 12", "0xff", "autoneg 0xFF"])
def test_other_texts_are_no_modes(text):
    """The message shows how they are written."""
    with pytest.raises(ValueError, match="autoneg 0x102f"):
        modes_of(text)


@pytest.mark.parametrize("text", ["", "on", "on lpi=1 timer=2 0x3"])
def test_other_texts_are_no_eee(text):
    """The message shows how it is written."""
    with pytest.raises(ValueError, match="on lpi=on timer=17 0x6"):
        eee_of(text)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("wake-flags", "g", "pg"),
        ("wake-flags", "g", "d"),
        ("link-modes", "autoneg 0x60ef", "autoneg 0x60cf"),
        ("link-modes", "autoneg 0x60ef", "100/full 0x60ef"),
        ("eee", "off lpi=off timer=17 0x28", "on lpi=on timer=17 0x8"),
    ],
)
def test_as_a_knob(machine, kind, old, new):
    """Read, set and set back through the table of knobs."""
    knobs, change, before = (
        MachineKnobs(machine),
        Change("eth1", new, kind=kind),
        machine.get("/.fake/ethtool/eth1"),
    )
    assert knobs.read(change) == old
    knobs.write(change, new)
    assert knobs.read(change) == new
    knobs.write(change, old)
    assert machine.get("/.fake/ethtool/eth1") == before


@pytest.mark.parametrize(
    ("kind", "value"), [("link-modes", "fast"), ("eee", "on"), ("wake-flags", "gx"), ("wake-flags", "s")]
)
def test_wrong_values_are_refused(machine, kind, value):
    """A text that is none, and what the hardware does not have: EINVAL, and nothing is set."""
    before = machine.get("/.fake/ethtool/eth1")
    with pytest.raises(OSError) as refused:
        MachineKnobs(machine).write(Change("eth1", value, kind=kind), value)
    assert refused.value.errno == errno.EINVAL
    assert machine.get("/.fake/ethtool/eth1") == before


def test_a_port_that_is_gone(machine):
    """ENODEV, upon which the ledger keeps its entry until the port returns."""
    machine.vanish("/sys/class/net/eth1")
    with pytest.raises(OSError) as refused:
        MachineKnobs(machine).read(Change("eth1", "d", kind="wake-flags"))
    assert refused.value.errno == errno.ENODEV
