"""host/pseudonyms.py: what tells whose machine it is gets another name, the same each time."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.pseudonyms import Pseudonyms, people

UDEV = """\
S:disk/by-id/ata-Samsung_SSD_S4EWNX0M1234
S:disk/by-label/Photos\\x20of\\x20Ada
E:ID_SERIAL=Samsung_SSD_S4EWNX0M1234
E:ID_SERIAL_SHORT=S4EWNX0M1234
E:ID_FS_LABEL=Photos of Ada
E:ID_FS_UUID=5e1f0b52-54f5-4b9b-9c3c-0a1b2c3d4e5f
E:ID_WWN=0x5002538e40a1b2c3
E:ID_MODEL=Samsung_SSD
E:ID_PATH=pci-0000:00:1f.2-ata-1
"""


@pytest.mark.parametrize(
    ("telling", "harmless"),
    [
        ("address 52:54:00:ab:CD:ef.", "address 02:00:00:00:00:01."),
        ("enx525400abcdef: up", "enx020000000001: up"),
        ("from 203.0.113.7 port 22", "from 198.18.0.1 port 22"),
        ("src fe80::fc:ff:fe00:1%eth0", "src 2001:db8::1%eth0"),
        ("1: 0A00020F:0016 0B71CB00:C001 01", "1: 010012C6:0016 020012C6:C001 01"),
        ("boot 5E1F0B52-54F5-4B9B-9C3C-0A1B2C3D4E5F", "boot 00000000-0000-4000-8000-000000000001"),
        ("id 3d1219c7c4c5404aaa1f6d2a48adfda4\n", "id 00000000000000000000000000000001\n"),
        ("ext4 1 2 - Live 0xffffffffc0a01000", "ext4 1 2 - Live 0x0000000000000000"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1 ada@home\nnext", "(ssh key)\nnext"),
        ("6.1 (root@build.example.org) (gcc 12)", "6.1 (builder@host) (gcc 12)"),
        ("USER=ada\nREMOTE_HOST=laptop.example\n", "USER=user1\nREMOTE_HOST=host1\n"),
        ("Serial\t\t: 10000000abcd1234", "Serial\t\t: SERIAL0001"),
    ],
)
def test_what_tells_by_its_form_or_its_key_is_replaced(telling: str, harmless: str) -> None:
    """And nothing around it."""
    assert Pseudonyms().replace(telling) == harmless


@pytest.mark.parametrize(
    "text",
    [
        "00:00:00:00:00:00 ff:ff:ff:ff:ff:ff",
        "0.0.0.0 127.0.0.1 255.255.255.255 ::1 999.1.1.1",
        "0: 0100007F:0016 00000000:0000 0A",
        "0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A",
        "pci 0000:00:1f.2 usb 1-1.4:1.0 hid 0003:046D:C52B.0001",
        "ffffffff,fffffffe e520 10000 12:34:56",
        "cpu0 5138 0 1289 192396",
        "USER=1000\nUUID=\nID_SERIAL=none\n",
    ],
)
def test_what_tells_nothing_stays(text: str) -> None:
    """Loopback, empty addresses, bus addresses, masks, counters."""
    assert Pseudonyms().replace(text) == text


def test_serial_numbers_are_found_in_names_and_labels_are_hidden() -> None:
    """Udev repeats a serial number in links; model and path stay, since an action may need them."""
    pseudonyms = Pseudonyms()
    pseudonyms.learn_from(UDEV)
    text = pseudonyms.replace(UDEV)
    assert not re.search("S4EWNX0M1234|Ada|5e1f0b52|5002538e40a1b2c3", text)
    assert "E:ID_MODEL=Samsung_SSD\nE:ID_PATH=pci-0000:00:1f.2-ata-1\n" in text
    assert "S4EWNX0M1234" not in pseudonyms.replace_in_path("/sys/x/ata-S4EWNX0M1234-part1")


def test_names_are_replaced_as_whole_words_and_short_ones_only_where_they_are_known() -> None:
    """A machine called "vm" does not turn /proc/sys/vm into another path; a person called "ada" is not in "adapter"."""
    pseudonyms = Pseudonyms()
    for kind, name in (("host", "vm"), ("host", "atlas"), ("user", "ada"), ("user", "root")):
        pseudonyms.learn(kind, name)
    assert (
        pseudonyms.replace("vm atlas ada adapter root atlas.local")
        == "vm host1 user1 adapter root host1.local"
    )
    assert pseudonyms.replace_in_path("/sys/class/atlas/ada") == "/sys/class/atlas/ada"


def test_an_interface_and_its_address_keep_belonging_together() -> None:
    """The same address has the same pseudonym in a path and in a file, in both ways of writing."""
    pseudonyms = Pseudonyms()
    assert pseudonyms.replace("52:54:00:AB:CD:EF") == "02:00:00:00:00:01"
    assert (
        pseudonyms.replace_in_path("/sys/class/net/enx525400abcdef/mtu")
        == "/sys/class/net/enx020000000001/mtu"
    )
    assert dict(pseudonyms.given) == {"mac": 1}


def test_people_are_accounts_from_1000_without_nobody() -> None:
    """System accounts are the same everywhere; torn lines are skipped."""
    assert people("root:x:0:0::\nada:x:1000:1000::\nnobody:x:65534:65534::\n\nx:y\nbad:x:id:\n") == ["ada"]


@given(st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), max_size=20))
def test_addresses_are_replaced_one_to_one(
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    """Different machines stay different, the same stay the same."""
    pseudonyms = Pseudonyms()
    new = [pseudonyms.replace(f"from {address} now") for address in addresses]
    assert len(set(new)) == len(set(addresses))
    assert [pseudonyms.replace(f"from {address} now") for address in addresses] == new


@given(st.text())
def test_any_text_survives(text: str) -> None:
    """Nothing in a file can break the recording, and what has no secret in it does not grow without bound."""
    assert len(Pseudonyms().replace(text)) <= 64 * (len(text) + 1)
