"""cli/metered.py: a meter is named by its section, or by its kind and address; else the one that sees most is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakekernel import FakeKernel, plain_vm
from powernap.cli import metered
from powernap.config.load import build
from powernap.config.model import Config
from powernap.host.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine without any meter."""
    kernel: FakeKernel = plain_vm(tmp_path / "machine")
    return Host(files=kernel, live=False)


def test_a_meter_is_named_with_its_address_and_options(host: Host) -> None:
    """The first option after the colon, the others by name."""
    kind, options = metered.parse("redfish:https://bmc7,netrc=/root/netrc,chassis=/redfish/v1/Chassis/1")
    assert ("redfish", "https://bmc7", "/root/netrc") == (kind, options.address, options.netrc)
    assert "hwmon3" == metered.parse("acpi:hwmon3")[1].chip
    assert "rapl" == metered.named(host, Config(), "rapl").kind
    assert 0.2 == metered.parse("command:/x,interval=200ms")[1].interval


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wattmeter", "the meters are acpi, "),
        ("rappl", 'did you mean "rapl"'),
        ("plug", 'write "plug:ADDRESS"'),
        ("plug:a b", "is not a host"),
        ("redfish:bmc7", "write https://"),
        ("command:/x,interval=10", 'write "10s"'),
        ("command:/x,interval=2h", "at most an hour"),
        ("rapl:0", 'write "rapl"'),
        ("acpi,speed=3", "its options are chip"),
    ],
)
def test_a_wrong_name_says_what_to_write(text: str, says: str) -> None:
    """For a person at a command line."""
    with pytest.raises(metered.AddressError, match=says.replace("(", r"\(")):
        metered.parse(text)


def test_a_section_is_meant_before_a_kind(host: Host) -> None:
    """Though it has the name of another one; a name that is none says what was meant."""
    config = build(
        [
            (
                "x",
                '[meter.rapl]\ntype = "plug"\naddress = "10.0.0.5"\n[meter.wall]\ntype = "battery"\n[monitor.load]\n',
            )
        ]
    )
    assert ("rapl", "plug", True) == tuple(
        getattr(metered.named(host, config, "rapl"), key) for key in ("name", "kind", "asked")
    )
    with pytest.raises(metered.AddressError, match='did you mean "wall"'):
        metered.named(host, config, "wal")
