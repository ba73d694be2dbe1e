"""A magic packet (Wake-on-LAN): six bytes FF and sixteen times the address of the card, which listens for it while its machine sleeps or is off.

By itself it goes to everybody in the segment of each Ethernet interface that has a link, as UDP to ports 9 and 7: a switch has forgotten where
a machine is that sleeps. No answer comes; whether it helped, the machine tells by being there.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import magic_send, regular_file
from powernap.host.availability import Availability, available, unavailable
from powernap.host.inotify import on_disk
from powernap.host.packets import parse_password
from powernap.wakers import WakeError

if TYPE_CHECKING:
    from powernap.host.host import Host
    from powernap.wakers import Context

REPEAT = True
REMEDY = (
    "see that its card is armed (on it, `ethtool CARD` shows Wake-on: g; its firmware must allow it), that the MAC address is that card's, "
    "and that it is in the segment that the packets go to"
)
SECRET_MAX = 4096
"""Bytes."""
PLUG_IN = "plug in its cable, or correct `interface`"


def _wrong_mac(text: str) -> str | None:
    try:
        magic_send.address(text)
    except ValueError as error:
        return str(error)
    return None


def _wrong_addresses(texts: tuple[str, ...]) -> str | None:
    for text in texts:
        try:
            socket.inet_pton(socket.AF_INET, text)
        except OSError:
            return f'"{text}" is not an IPv4 address; write one such as 192.0.2.255'
    return None


def _wrong_ports(ports: tuple[int, ...]) -> str | None:
    wrong = next((port for port in ports if not 0 < port < 65536), None)
    return None if wrong is None else f"{wrong} is not a port; write 1 to 65535"


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    mac: str = option(
        help="The MAC address of the card that is armed.", example="52:54:00:12:34:56", check=_wrong_mac
    )
    interface: str = option(
        "",
        help="The interface of this machine that leads there; without it, every Ethernet interface that has a link.",
        example="eth0",
    )
    to: tuple[str, ...] = option(
        (),
        help="IPv4 addresses that it goes to instead: a segment's broadcast address behind a router that lets it pass, or the machine's own.",
        example='["192.0.2.255"]',
        check=_wrong_addresses,
    )
    ports: tuple[int, ...] = option(
        magic_send.PORTS, help="UDP ports that it is sent to.", example="[9]", check=_wrong_ports
    )
    password_file: str | None = option(
        None,
        unit="path",
        example="/etc/powernap/secureon",
        help="File with the card's SecureOn password: six bytes as 00:11:22:33:44:55, or four as 192.168.1.1. It goes over the wire as it is.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Is there a way out, and can the password be read?"""
    if not host.live:
        return unavailable("a recorded machine sends nothing")
    try:
        _secret(host, options)
        ways = _ways(options)
    except WakeError as error:
        return unavailable(error.reason, error.remedy)
    return available(f"magic packets for {options.mac} {_shown(ways)}")


def wake(context: Context, options: Options) -> str:
    """One packet to each port, each way. What fails on some ways is told, what fails on all of them is an error."""
    data = magic_send.payload(magic_send.address(options.mac), _secret(context.host, options))
    ways, troubles = _ways(options), []
    sent = []
    for way in ways:
        name, to = way
        try:
            magic_send.udp(data, name, to, options.ports)
            sent.append(way)
        except OSError as error:
            troubles.append(f"{_shown([way])}: {error.strerror or error}")
    if not sent:
        raise WakeError(f"no magic packet could be sent {'; '.join(troubles)}", PLUG_IN)
    return _shown(sent) + (f" (not {'; '.join(troubles)})" if troubles else "")


def _ways(options: Options) -> list[tuple[str, str]]:
    """Interface, which may be empty, and address."""
    if options.to:
        return [(options.interface, each) for each in options.to]
    names = [options.interface] if options.interface else sorted(magic_send.interfaces())
    if not names:
        raise WakeError("no Ethernet interface of this machine has a link", PLUG_IN)
    return [(name, magic_send.EVERYBODY) for name in names]


def _shown(ways: list[tuple[str, str]]) -> str:
    """``through eth0 to 192.0.2.255``."""
    to = [address for _, address in ways if address != magic_send.EVERYBODY]
    through = dict.fromkeys(name for name, _ in ways if name)
    words = [f"through {', '.join(through)}" if through else "", f"to {', '.join(to)}" if to else ""]
    return " ".join(word for word in words if word)


def _secret(host: Host, options: Options) -> bytes:
    if options.password_file is None:
        return b""
    try:
        return parse_password(regular_file.text(on_disk(host.files, options.password_file), SECRET_MAX))
    except OSError as error:
        raise WakeError(
            f"{options.password_file}: {error.strerror}", "let the user that wakes read it"
        ) from None
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        raise WakeError(f"{options.password_file}: {what}", remedy) from None
