"""The bytes of commands and of their answers, against the standards' own layouts; and the header of the ioctl."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakekernel import FakeKernel
from fakestorage import add_disk
from powernap.host import sg
from powernap.host.files import TreeFiles
from powernap.host.sg import Answer, Registers, Sense

DESCRIPTOR = bytes.fromhex("7201001d0000000e090c0000008000000000000000 50".replace(" ", ""))
FIXED = bytes.fromhex("f00001 0050 00 ff 0a 00000000 00 1d 00000000".replace(" ", ""))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (sg.ata(0xE5), "8506200000000000000000000000e500"),
        (sg.ata(0xE0), "8506200000000000000000000000e000"),
        (sg.ata(0xEC, sectors=1), "85080e00000001000000000000 00ec00"),
        (sg.ata(0xB0, 0xD0, 0xC24F00, sectors=1), "85080e00d0000100 00004f00c200b000"),
        (sg.start_stop(2, 1), "1b0000012000"),
        (sg.start_stop(7, 0), "1b0000007000"),
        (sg.inquiry(0x8A), "12018a00fc00"),
        (sg.inquiry(), "12000000fc00"),
        (sg.request_sense(), "03000000fc00"),
        (sg.log_sense(0x0E), "4d004e00000000020000"),
    ],
)
def test_commands(command, expected):
    """Each as `hdparm --verbose`, `sg_start -v` and `sg_logs -v` print theirs."""
    assert command.hex() == expected.replace(" ", "")


def test_a_plain_stop_cannot_be_said():
    """START STOP UNIT without a power condition is START or STOP: after a STOP the next read fails with an I/O error."""
    with pytest.raises(ValueError, match="the next read fails"):
        sg.start_stop(0, 0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (DESCRIPTOR, Sense(1, (0, 0x1D), Registers(0, 0x80, 0x50))),
        (FIXED, Sense(0x1, (0, 0x1D), Registers(0, 0xFF, 0x50))),
        (bytes.fromhex("720520000000 0000".replace(" ", "")), Sense(5, (0x20, 0))),
        (bytes.fromhex("70000200000000 0a 00000000 0402 00000000".replace(" ", "")), Sense(2, (4, 2))),
        (b"", Sense()),
        (bytes(18), Sense()),
    ],
    ids=["descriptor", "fixed", "unknown command", "stopped", "nothing", "zeroes"],
)
def test_sense(data, expected):
    """Both forms say the same; none is no sense. (FIXED is of a bridge: error, status, device and count are the information field.)"""
    assert sg.parse_sense(data) == expected


@given(st.binary(max_size=64))
def test_sense_of_any_bytes(data):
    """Whatever a bridge sends is an answer, no exception."""
    assert isinstance(sg.parse_sense(data), Sense)
    assert sg.why(Answer(2, data))


@pytest.mark.parametrize(
    ("status", "failed"),
    [(0x50, False), (0x40, False), (0x51, True), (0x70, True), (0x00, True), (0x10, True)],
)
def test_registers_that_say_nothing(status, failed):
    """With ERR or DF, or without DRDY, the count means nothing: zeroes would read as standby."""
    assert Registers(0, 0, status).failed is failed


@pytest.mark.parametrize(
    ("sense", "expected"),
    [
        ("7205200000000000", "the disk, or what is between, does not know the command"),
        ("7202040200000000", "the disk is stopped"),
        ("7202040100000000", "the disk is not ready"),
        ("7203110000000000", "status 02h, sense 3/11/00"),
    ],
)
def test_why(sense, expected):
    """In words where there are any."""
    assert sg.why(Answer(2, bytes.fromhex(sense))) == expected


def test_the_header_is_the_kernels():
    """`sizeof(struct sg_io_hdr)` is 88 where pointers have 8 bytes, with the status at byte 64 (include/scsi/sg.h)."""
    fields = [0] * 22
    fields[13] = 0xAB
    packed = sg.HEADER.pack(*fields)
    assert (len(packed), packed[64]) == (88, 0xAB)


def test_what_the_kernel_filled_in():
    """The status without vendor bits, as much sense as was written, the data less what was left over."""
    header = [0] * 22
    header[13], header[16], header[19] = 0x42, 8, 500
    assert sg.outcome(tuple(header), DESCRIPTOR, bytes(512), "/dev/sg0") == Answer(
        2, DESCRIPTOR[:8], bytes(12)
    )


def test_a_command_that_did_not_arrive():
    """Trouble of the adapter is no answer of the disk."""
    header = [0] * 22
    header[17] = 1
    with pytest.raises(OSError, match="host status 01h"):
        sg.outcome(tuple(header), b"", b"", "/dev/sg0")


def test_this_machines_node_that_is_none():
    """The ioctl's error is passed on: a file that is no device (ENOTTY), one that is not there (ENOENT)."""
    with pytest.raises(OSError, match="ioctl") as caught:
        sg.send("/dev/null", sg.request_sense(), 252)
    assert caught.value.errno == errno.ENOTTY
    with pytest.raises(FileNotFoundError):
        sg.send("/dev/sg-none", sg.request_sense(), 252)


def test_doors(tmp_path):
    """A fake answers itself, a recorded machine not at all, this one by its nodes."""
    kernel = FakeKernel(tmp_path)
    add_disk(kernel, "sdb")
    assert sg.tell(kernel, "/dev/sgb", sg.ata(0xEC, sectors=1), 512)[164] == 0x08
    assert sg.door(TreeFiles("/")) is sg.send
    with pytest.raises(OSError, match="recorded"):
        sg.ask(TreeFiles(str(tmp_path)), "/dev/sgb", sg.request_sense())


def test_a_command_that_must_succeed(tmp_path):
    """Says why it did not."""
    kernel = FakeKernel(tmp_path)
    add_disk(kernel, "sdb", "sas")
    with pytest.raises(OSError, match="does not know the command"):
        sg.tell(kernel, "/dev/sgb", sg.inquiry(0x8A), 252)
