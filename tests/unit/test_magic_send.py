"""host/magic_send.py: packets that our own ears take for magic ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.cli import main
from powernap.host import magic_send
from powernap.host.packets import magic_target

ADDRESS = bytes.fromhex("525400123456")


@pytest.mark.parametrize(
    "text", ["52:54:00:12:34:56", "52-54-00-12-34-56", "525400123456", "52:54:00:12:34:56".upper()]
)
def test_an_address_in_every_writing(text: str) -> None:
    """As cards, switches and Windows print it."""
    assert ADDRESS == magic_send.address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "52:54:00:12:34",
        "52:54:00:12:34:5g",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
        "01:00:5e:00:00:01",
        "web1",
    ],
)
def test_what_is_no_address_of_a_card(text: str) -> None:
    """Groups and nobody neither: a typing error must not wake everybody."""
    with pytest.raises(ValueError, match="address"):
        magic_send.address(text)


@settings(deadline=None)
@given(st.binary(min_size=6, max_size=6))
def test_what_is_sent_is_what_is_listened_for(address: bytes) -> None:
    """Sender and monitor agree."""
    assert 102 == len(magic_send.payload(address))
    assert address == magic_target(magic_send.payload(address), frozenset({address}))


def test_what_could_not_be_sent_is_told() -> None:
    """Each interface and way; nothing is raised."""
    assert 2 == len(magic_send.send(ADDRESS, ["nosuchcard0"]))


def test_a_wrong_address_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and how to write it."""
    assert 2 == main.main(["prove-wake", "--send", "web1"])
    assert "write six bytes as 52:54:00:12:34:56" in capsys.readouterr().err
