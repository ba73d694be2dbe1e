"""This kernel's ethtool family, on ports without a cable: what it answers and how it refuses."""

from __future__ import annotations

import errno
import subprocess

import pytest

from networks import in_new_network
from powernap.host import ethtool
from powernap.host.ethtool import Eee, LinkModes


def refusal(ask, *words):
    """The errno that a question ends with."""
    with pytest.raises(OSError) as refused:
        ask(*words)
    return errno.errorcode[refused.value.errno or 0]


QUESTIONS = [ethtool.wake_flags, ethtool.link_modes, ethtool.eee]
SETTINGS = [
    lambda port: ethtool.arm(port, "g"),
    lambda port: ethtool.set_link_modes(port, LinkModes(True, 0x2F)),
    lambda port: ethtool.set_link_modes(port, LinkModes(False, 0x2F, speed=100, duplex="full")),
    lambda port: ethtool.set_eee(port, Eee(True, True, 17, 8)),
]


@pytest.mark.root
@in_new_network
def test_a_pair_of_virtual_ports():
    """It has a speed, and refuses everything that has to do with a cable."""
    subprocess.run(["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"], check=True)
    assert ethtool.link_modes("v0") == LinkModes(False, 0, speed=10000, duplex="full")
    assert {refusal(ask, "v0") for ask in (ethtool.wake_flags, ethtool.eee, *SETTINGS)} == {"ENOTSUP"}


@pytest.mark.root
@in_new_network
def test_a_port_that_is_not_there():
    """ENODEV to all."""
    assert {refusal(ask, "nope0") for ask in (*QUESTIONS, *SETTINGS)} == {"ENODEV"}
