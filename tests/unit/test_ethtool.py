"""Questions to network ports: the kernel's bytes are understood, ours are what it expects, and every refusal is an OSError."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import ethtool, netlink
from powernap.host.ethtool import Eee, LinkModes, WakeFlags
from powernap.host.files import TreeFiles


def bitset(kind, value, mask=None, size=103):
    """As the kernel writes it."""
    words = (size + 31) // 32
    inside = netlink.attribute(ethtool.SIZE, struct.pack("=I", size))
    for each, bits in ((ethtool.VALUE, value), (ethtool.MASK, mask)):
        if bits is not None:
            inside += netlink.attribute(
                each, struct.pack(f"={words}I", *(bits >> 32 * n & 0xFFFFFFFF for n in range(words)))
            )
    return netlink.attribute(kind | ethtool.NESTED, inside)


def refusal(ask, *words):
    """The errno that a question ends with."""
    with pytest.raises(OSError) as refused:
        ask(*words)
    return errno.errorcode[refused.value.errno or 0]


class Wire:
    """Keeps what is sent, and answers what it was given."""

    def __init__(self, *answers):
        self.sent, self.answers = [], list(answers)

    def __call__(self, command, attributes):
        self.sent.append((command, attributes))
        return self.answers


# --- parsing

# a Realtek 8139 with the driver 8139cp, Linux 6.1, link up at 100 Mb/s; and a virtio card, which has no modes
WAKE_8139 = (
    "1800018008000100030000000900020065746831000000001c00028008000200080000000800040000000000080005002f000000"
)
MODES_8139 = (
    "18000180080001000300000009000200657468310000000005000200010000002c000380080002005d00000010000400cf220000000000000000000010000500"
    "cf02000000000000000000002000048004000100080002005d000000100004000f20000000000000000000000800050064000000050006000100000005000a00"
    "00000000"
)
MODES_VIRTIO = (
    "18000180080001000200000009000200657468300000000005000200000000002c000380080002005d0000001000040000000000000000000000000010000500"
    "00000000000000000000000008000500ffffffff05000600ff00000005000a0000000000"
)


def test_recorded_answers():
    """What real drivers said: one that may advertise more than it says it supports (pause), and one without a cable."""
    assert ethtool.parse_wake(bytes.fromhex(WAKE_8139)) == WakeFlags("pumbg", "")
    assert ethtool.parse_link_modes(bytes.fromhex(MODES_8139)) == LinkModes(
        True, 0x22CF, 0x2CF, 0x200F, 100, "full"
    )
    assert ethtool.parse_link_modes(bytes.fromhex(MODES_VIRTIO)) == LinkModes(False, 0)


@given(st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_wake_flags(armed, supported, password):
    """A letter for each bit, in ethtool(8)'s order; of a SecureOn password only that there is one."""
    answer = bitset(ethtool.WOL_MODES, armed, supported, 8)
    if password:
        answer += netlink.attribute(ethtool.WOL_PASSWORD, b"\x00\x11\x22\x33\x44\x55")
    found = ethtool.parse_wake(answer)
    assert found.password is password
    for bit, letter in enumerate("pumbagsf"):
        assert (letter in found.armed, letter in found.supported) == (
            bool(armed >> bit & 1),
            bool(supported >> bit & 1),
        )


def test_an_empty_password_is_none():
    """Drivers without one fill in zeros."""
    answer = bitset(ethtool.WOL_MODES, 0x20, 0x60, 8) + netlink.attribute(ethtool.WOL_PASSWORD, bytes(6))
    assert ethtool.parse_wake(answer) == WakeFlags("gs", "g", password=False)


@given(st.integers(0, 2**103 - 1), st.integers(0, 2**103 - 1), st.integers(0, 2**103 - 1))
def test_link_modes(ours, supported, peer):
    """Masks of any width come through in full; a link that is down has no speed."""
    answer = (
        netlink.attribute(ethtool.AUTONEG, b"\1")
        + bitset(ethtool.OURS, ours, supported)
        + bitset(ethtool.PEER, peer)
        + netlink.attribute(ethtool.SPEED, b"\xff\xff\xff\xff")
        + netlink.attribute(ethtool.DUPLEX, b"\xff")
    )
    assert ethtool.parse_link_modes(answer) == LinkModes(True, ours, supported, peer)


def test_eee():
    """Enabled, entering low power itself after 17 us, and active."""
    answer = bitset(ethtool.EEE_OURS, 0x28, 0x1028) + bitset(ethtool.EEE_PEER, 8)
    for kind, value in ((ethtool.EEE_ACTIVE, b"\1"), (ethtool.EEE_ENABLED, b"\1"), (ethtool.EEE_LPI, b"\1")):
        answer += netlink.attribute(kind, value)
    answer += netlink.attribute(ethtool.EEE_TIMER, struct.pack("=I", 17))
    assert ethtool.parse_eee(answer) == Eee(True, True, 17, 0x28, 0x1028, 8, active=True)


@pytest.mark.parametrize("parse", [ethtool.parse_wake, ethtool.parse_link_modes, ethtool.parse_eee])
@given(st.binary(max_size=80))
def test_any_bytes(parse, data):
    """An answer, or an error that says it is not whole; nothing else."""
    try:
        parse(data)
    except netlink.MalformedError:
        pass


# --- asking


def test_a_question_names_the_port_and_asks_for_compact_masks():
    """The header that every command of the family begins with."""
    wire = Wire(bitset(ethtool.WOL_MODES, 0x20, 0x3F, 8))
    assert ethtool.wake_flags("enp3s0", wire) == WakeFlags("pumbag", "g")
    [(command, attributes)] = wire.sent
    header = netlink.attributes(netlink.attributes(attributes)[ethtool.HEADER])
    assert command == 9
    assert bytes(header[ethtool.DEVICE]) == b"enp3s0\0"
    assert bytes(header[ethtool.FLAGS]) == struct.pack("=I", 1)


def sent(wire):
    """The attributes of the only command, and those of its bitset."""
    [(command, attributes)] = wire.sent
    found = netlink.attributes(attributes)
    bits = next(netlink.attributes(found[kind]) for kind in (2, 3) if len(found.get(kind, b"")) > 4)
    return command, found, int.from_bytes(bits[ethtool.VALUE], "little"), ethtool.NO_MASK in bits


def test_arming_sets_exactly_the_letters():
    """A list without a mask: what is not in it is cleared."""
    wire = Wire()
    ethtool.arm("eth0", "gp", wire)
    command, _, value, whole = sent(wire)
    assert (command, value, whole) == (10, 0x21, True)


@pytest.mark.parametrize("letters", ["", "d"])
def test_disarming(letters):
    """No letter, or the one that stands for none."""
    wire = Wire()
    ethtool.arm("eth0", letters, wire)
    assert sent(wire)[2] == 0


def test_unknown_letters_are_not_sent():
    """EINVAL before anything is asked."""
    wire = Wire()
    assert refusal(ethtool.arm, "eth0", "gz", wire) == "EINVAL"
    assert wire.sent == []


@given(st.integers(0, 2**103 - 1))
def test_the_whole_mask_is_offered(advertised):
    """2.5 Gb/s and more are beyond the 32 bits of the old interface."""
    wire = Wire()
    ethtool.set_link_modes("eth0", LinkModes(True, advertised, speed=1000, duplex="full"), wire)
    command, found, value, whole = sent(wire)
    assert (command, value, whole, bytes(found[ethtool.AUTONEG])) == (5, advertised, True, b"\1")
    assert ethtool.SPEED not in found


def test_a_fixed_speed_is_sent_with_its_duplex():
    """Without negotiation the kernel needs both."""
    wire = Wire()
    ethtool.set_link_modes("eth0", LinkModes(False, 8, speed=100, duplex="full"), wire)
    found = sent(wire)[1]
    assert (bytes(found[ethtool.SPEED]), bytes(found[ethtool.DUPLEX])) == (struct.pack("=I", 100), b"\1")


def test_eee_is_sent_whole():
    """All four settings in one command."""
    wire = Wire()
    ethtool.set_eee("eth0", Eee(True, False, 17, 0x28), wire)
    command, found, value, whole = sent(wire)
    numbers = [bytes(found[kind]) for kind in (ethtool.EEE_ENABLED, ethtool.EEE_LPI, ethtool.EEE_TIMER)]
    assert (command, value, whole, numbers) == (24, 0x28, True, [b"\1", b"\0", struct.pack("=I", 17)])


def test_no_answer_is_an_error():
    """ENODATA, never a port without settings."""
    assert refusal(ethtool.eee, "eth0", Wire()) == "ENODATA"


def test_a_recorded_machine_is_not_asked(tmp_path):
    """Its ports are not this machine's of the same name."""
    assert refusal(ethtool.link_modes, "lo", ethtool.door(TreeFiles(str(tmp_path)))) == "ENOTSUP"
    assert ethtool.door(TreeFiles()) is ethtool.kernel
