"""Claims about the encoding of BPF instructions, checked against what the kernel's own tools print."""

from __future__ import annotations

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import bpf_code as code

little = pytest.mark.skipif(
    sys.byteorder != "little", reason="the expected bytes are those of a little-endian machine"
)


@little
@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ("bfa1000000000000", code.copy(code.R1, code.R10)),
        ("b7020000ffffffff", code.put(code.R2, -1)),
        ("07010000f0ffffff", code.add(code.R1, -16)),
        ("5701000007000000", code.mask(code.R1, 7)),
        ("7700000020000000", code.shift_right(code.R0, 32)),
        ("6101000000000000", code.load(4, code.R1, code.R0, 0)),
        ("7b0af8ff00000000", code.store(8, code.R10, -8, code.R0)),
        ("6207000001000000", code.store_value(4, code.R7, 0, 1)),
        ("db17100000000000", code.count_up(code.R7, 16, code.R1)),
        ("2000000024000000", code.load_packet(4, 36)),
        ("850000000e000000", code.call(code.GET_CURRENT_PID_TGID)),
        ("9500000000000000", code.leave()),
        ("18110000050000000000000000000000", code.put_map(code.R1, 5)),
        ("18010000020000000000000001000000", code.put_wide(code.R1, 1 << 32 | 2)),
    ],
)
def test_encoding(expected, line):
    """Each instruction is the one of instruction-set.rst."""
    assert code.assemble([line]).hex() == expected


@pytest.mark.parametrize(
    "jump", [code.jump_if_equal, code.jump_if_not, code.jump_if_same, code.jump_if_other]
)
def test_jump_counts_slots(jump):
    """A jump skips as many slots as lie between, two for a wide instruction."""
    program = code.assemble([jump(0, 0, "out"), code.put_map(1, 3), code.put(0, 1), "out", code.leave()])
    assert struct.unpack_from("=h", program, 2)[0] == 3


def test_unconditional_jump():
    """A jump to the next line skips nothing."""
    assert struct.unpack_from("=h", code.assemble([code.jump("next"), "next", code.leave()]), 2)[0] == 0


@pytest.mark.parametrize("lines", [[code.jump("nowhere")], ["back", code.put(0, 0), code.jump("back")]])
def test_label_must_follow(lines):
    """A label that is missing or lies behind is refused, as the kernel would refuse the loop."""
    with pytest.raises(ValueError, match="no label"):
        code.assemble(lines)


@given(st.integers(0, 2**32 - 1))
def test_big_endian_undoes_the_load(value):
    """The number that a big-endian load answers is the one whose bytes lie reversed on a little-endian machine."""
    assert code.big_endian(value) & 0xFFFFFFFF == int.from_bytes(value.to_bytes(4, sys.byteorder), "big")
