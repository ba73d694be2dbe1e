"""wakers/magic_packet.py: what is sent, and what is said when it cannot be. Through which interface: test_waking_live.py."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from powernap.config.kinds import WAKERS
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.packets import magic_target
from powernap.wakers import Context, find, kinds
from powernap.wakers.magic_packet import Options, probe, wake

MAC = "52:54:00:12:34:56"
ADDRESS = bytes.fromhex("525400123456")
CONTEXT = Context(Host(), "web3", "10.0.0.3")


def heard(secret: str | None = None) -> bytes:
    """What is sent to a machine's own address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.settimeout(5)
        ear.bind(("127.0.0.1", 0))
        options = Options(MAC, to=("127.0.0.1",), ports=(ear.getsockname()[1],), password_file=secret)
        assert "to 127.0.0.1" == wake(CONTEXT, options)
        return ear.recv(2000)


def test_the_packet_byte_by_byte() -> None:
    """Six bytes FF, sixteen times the address: 102 bytes; by itself to ports 9 and 7."""
    packet = heard()
    assert (b"\xff" * 6 + ADDRESS * 16, 102) == (packet, len(packet))
    assert (9, 7) == Options(MAC).ports


@pytest.mark.parametrize(
    ("text", "secret"),
    [("00:11:22:33:44:55", bytes.fromhex("001122334455")), ("192.168.1.1\n", bytes([192, 168, 1, 1]))],
)
def test_a_password_stands_behind_it(tmp_path: Path, text: str, secret: bytes) -> None:
    """SecureOn: six bytes, or four. What our own monitor takes for a packet with that password."""
    path = tmp_path / "secureon"
    path.write_text(text)
    packet = heard(str(path))
    assert b"\xff" * 6 + ADDRESS * 16 + secret == packet
    assert ADDRESS == magic_target(packet, frozenset({ADDRESS}), secret)


def test_a_password_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, no file (a FIFO would make it wait for ever), or no password; what stands in it is not repeated."""
    path = tmp_path / "secureon"
    answer = probe(Host(), Options(MAC, to=("127.0.0.1",), password_file=str(path)))
    assert (f"{path}: No such file or directory", "let the user that wakes read it") == (answer.detail, answer.remedy)  # fmt: skip
    os.mkfifo(path)
    assert (
        f"{path}: it is no file"
        == probe(Host(), Options(MAC, to=("127.0.0.1",), password_file=str(path))).detail
    )
    path.unlink()
    path.write_text("geheim")
    answer = probe(Host(), Options(MAC, to=("127.0.0.1",), password_file=str(path)))
    assert not answer
    assert "geheim" not in answer.detail + answer.remedy
    assert not probe(Host(TreeFiles("/nonexistent"), live=False), Options(MAC))


def test_wakers_keep_the_contract() -> None:
    """Each module has what the package says, and a first sentence."""
    assert "magic-packet" in kinds()
    with pytest.raises(KeyError):
        find("nothing")
    for kind in kinds():
        module = WAKERS.module(kind)
        assert isinstance(module.REPEAT, bool)
        assert module.REMEDY
        assert (module.__doc__ or "").partition("\n")[0].endswith((".", ","))
        assert callable(module.wake)
        assert callable(module.probe)
