"""Somebody wants this machine awake: a magic packet for it arrives (Wake-on-LAN).

Owns which packets count: those that carry, anywhere, six bytes FF and sixteen times the MAC address of one of this machine's interfaces; with
a SecureOn password, only those that carry it behind. The kernel lets through EtherType 0x0842, UDP to any port whose
payload begins with the six bytes, and UDP to ports 0, 7 and 9 that is long enough; the rest is decided here, on at most 1,514 bytes.

Anybody may send such a packet. All it can do is keep the machine awake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import packets
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.ears import Ear
from powernap.host.files import text

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.host.host import Host
    from powernap.monitors import Context

EVENTS = True
INTERFACES = "/sys/class/net"
RIGHT = "give the service CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW) and the address family AF_PACKET"
NOBODY = frozenset({bytes(6), b"\xff" * 6})
MEMORY = 65536
REST = 1.0
"""Seconds of deafness after :data:`PATIENCE` wake-ups by packets that were not for us, and between two looks at the interfaces' addresses: a
flood costs at most that."""
PATIENCE = 100


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    password_file: str | None = option(
        None,
        unit="path",
        example='"/etc/powernap/secureon"',
        help="File with the SecureOn password that a packet must carry: six bytes as 00:11:22:33:44:55, or four as 192.168.1.1.",
    )


def own_addresses(files: Files) -> dict[bytes, str]:
    """Interfaces by their MAC address; those without one are left out."""
    found: dict[bytes, str] = {}
    for name in files.names(INTERFACES):
        address = text(files, f"{INTERFACES}/{name}/address").lower()
        if packets.MAC.fullmatch(address):
            found.setdefault(bytes.fromhex(address.replace(":", "")), name)
    return {address: name for address, name in found.items() if address not in NOBODY}


def password(files: Files, options: Options) -> bytes:
    """The password configured, empty without one; ``OSError`` and ``ValueError`` where the file holds none."""
    return b"" if options.password_file is None else packets.parse_password(files.read(options.password_file))


def probe(host: Host, options: Options) -> Availability:
    """Can packets be seen here?"""
    try:
        password(host.files, options)
    except (OSError, ValueError) as problem:
        return unavailable(f"{options.password_file}: {problem}", "write the password into it, mode 0600")
    names = sorted(own_addresses(host.files).values())
    if not host.live:
        return unavailable("recorded machine", "only a live kernel can show packets")
    try:
        packets.open_packets(packets.magic_filter()).close()
    except OSError as problem:
        return unavailable(f"packets cannot be seen ({problem.strerror})", RIGHT)
    return available(f"packet socket, for {', '.join(names) or 'no interface yet'}")


def open(context: Context, options: Options) -> MagicPacketMonitor:  # noqa: A001 - the name every monitor has
    """Begin to listen."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return MagicPacketMonitor(context, options)


class MagicPacketMonitor:
    """A packet socket that is listened to until a packet for us came, and emptied at each look."""

    source = "packet socket"

    def __init__(self, context: Context, options: Options) -> None:
        self._context = context
        self._password = password(context.host.files, options)
        self._addresses: dict[bytes, str] = own_addresses(context.host.files)
        self._read_at = context.host.clock.boottime()
        self._socket = packets.open_packets(packets.magic_filter(), memory=MEMORY)
        self._last: float | None = None
        self._latest = "no magic packet for this machine"
        self._strange, self._strange_since = 0, 0.0
        self._ear = Ear(context.host.ears, self._socket.fileno(), self._heard)
        self._ear.arm()

    def _heard(self) -> None:
        """Something that may be a magic packet came."""
        now = self._context.host.clock.boottime()
        if self._take(now):
            self._ear.deafen()
            self._context.tell(self._reading(now))
        else:
            self._bear(now)

    def _bear(self, now: float) -> None:
        """Packets for nobody here: in a flood of them, rest and let the queue hold what comes."""
        if now - self._strange_since > REST:
            self._strange, self._strange_since = 0, now
        self._strange += 1
        if self._strange > PATIENCE and self._context.host.ears is not None:
            self._ear.deafen()
            self._context.host.ears.later(REST, self._ear.arm)

    def check(self, now: float) -> Reading:
        """The latest packet for this machine, also of those that came while nobody listened."""
        self._ear.arm()
        self._take(now)
        return self._reading(now)

    def _take(self, now: float) -> bool:
        """Empty the queue; whether something in it was for us, or may have been among what it could not hold."""
        found = False
        for packet in packets.arrivals(self._socket):
            address = self._target(packet.data, now)
            if address is not None:
                found = True
                self._last = packets.instant(packet.at, self._context.host.clock, self._last, now)
                self._latest = f"magic packet for {self._addresses[address]}{self._sender(packet.data)}"
        lost = packets.counted(self._socket).lost
        if lost:
            more = many(lost, "packet")
            self._last, self._latest = now, f"{more} like magic packets more than could be looked at"
        return found or lost > 0

    def _target(self, data: bytes, now: float) -> bytes | None:
        """Our address in the packet. Interfaces come and go: before a packet is called strange they are read anew, once a second at most."""
        found = packets.magic_target(data, frozenset(self._addresses), self._password)
        if found is None and now - self._read_at >= REST:
            self._addresses, self._read_at = own_addresses(self._context.host.files), now
            found = packets.magic_target(data, frozenset(self._addresses), self._password)
        return found

    @staticmethod
    def _sender(data: bytes) -> str:
        ends = packets.endpoints(data)
        return "" if ends is None else f", from {ends.source} to port {ends.target_port}"

    def _reading(self, now: float) -> Reading:
        return Reading(self._context.name, now, reason=self._latest, last=self._last)

    def close(self) -> None:
        """Give back the socket."""
        self._ear.close()
        self._socket.close()
