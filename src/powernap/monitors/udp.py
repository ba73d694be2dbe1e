"""Somebody sends datagrams: UDP, by port and direction.

Owns what a datagram means: a pulse. It is seen as it passes (host/packets.py), so the port stays with the service that uses it; what it says is
not kept. The first one is heard; then the socket is left alone until the next look, where its counter tells how many more came and
its short queue when. Of more than the queue holds, the latest instant is not known: then it is taken to be now.
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
from powernap.host.packets import Datagrams, Packet
from powernap.host.ports import port_ranges, show_ports, wrong_port, wrong_ports

if TYPE_CHECKING:
    from powernap.host.host import Host
    from powernap.monitors import Context

EVENTS = True
RIGHT = "give the service CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW) and the address family AF_PACKET"
MINUTE = 60.0


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    port: int | None = option(None, example="51820", check=wrong_port, help="The port.")
    ports: tuple[str, ...] = option(
        (),
        example='["60000-61000"]',
        check=wrong_ports,
        help="Ports and ranges of ports; `port` is one more.",
    )
    direction: str = option(
        "in",
        choices=("in", "out", "any"),
        help="Datagrams received on the port (`in`), sent to it on another machine (`out`), or either.",
    )
    loopback: bool = option(default=True, help="Whether datagrams of this machine to itself count.")
    above: int = option(
        0,
        example="10",
        help="Datagrams a minute that are no activity yet (keep-alives). Above zero nothing is told when it begins; it is counted.",
    )


def wanted(options: Options) -> Datagrams:
    """What the options ask for."""
    ports = options.ports if options.port is None else (*options.ports, str(options.port))
    return Datagrams(
        port_ranges(ports), options.direction != "out", options.direction != "in", options.loopback
    )


def probe(host: Host, options: Options) -> Availability:
    """Can packets be seen here?"""
    asked = wanted(options)
    if not asked.ports:
        return unavailable("no port is given", "write `port = 51820`")
    if not host.live:
        return unavailable("recorded machine", "only a live kernel can show packets")
    try:
        packets.open_packets(packets.udp_filter(asked)).close()
    except OSError as problem:
        return unavailable(f"packets cannot be seen ({problem.strerror})", RIGHT)
    return available(f"packet socket, {show_ports(asked.ports)}")


def open(context: Context, options: Options) -> UdpMonitor:  # noqa: A001 - the name every monitor has
    """Begin to listen."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return UdpMonitor(context, options)


class UdpMonitor:
    """A packet socket that is listened to until it speaks, and asked at each look."""

    source = "packet socket"

    def __init__(self, context: Context, options: Options) -> None:
        self._context, self._options = context, options
        asked = wanted(options)
        self._where = show_ports(asked.ports)
        self._socket = packets.open_packets(packets.udp_filter(asked), outgoing=asked.outgoing)
        self._last: float | None = None
        self._latest = f"no datagram to {self._where}"
        self._who: tuple[str, ...] = ()
        self._pending, self._base = 0, context.host.clock.boottime()
        self._ear = Ear(context.host.ears if self.events else None, self._socket.fileno(), self._heard)
        self._ear.arm()

    @property
    def events(self) -> bool:
        """Whether activity is told when it begins."""
        return self._options.above == 0

    def _heard(self) -> None:
        """The first datagram since the last look."""
        now = self._context.host.clock.boottime()
        self._ear.deafen()
        if self._take(now):
            self._context.tell(self._reading(now))

    def check(self, now: float) -> Reading:
        """The latest datagram, also of those that came while nobody listened."""
        self._ear.arm()
        self._take(now)
        return self._reading(now)

    def _take(self, now: float) -> bool:
        """Empty queue and counter; whether that makes activity."""
        came = list(packets.arrivals(self._socket))
        count = packets.counted(self._socket)  # after: one that comes in between is known to have come now
        self._pending += max(count.accepted, len(came))
        minutes = max(1.0, (now - self._base) / MINUTE)
        if self._pending == 0 or self._pending <= self._options.above * minutes:
            if now - self._base >= MINUTE:
                self._pending, self._base = 0, now
            return False
        at = None if count.lost or not came else came[-1].at
        self._last = packets.instant(at, self._context.host.clock, self._last, now)
        self._latest = f"{many(self._pending, 'datagram')} to {self._where}"
        self._name(came)
        self._pending, self._base = 0, now
        return True

    def _name(self, came: list[Packet]) -> None:
        """Who sent the latest one."""
        ends = packets.endpoints(came[-1].data) if came else None
        if ends is not None:
            self._who = (ends.source,)
            self._latest += f", the latest from {ends.source}" + (
                f" to {ends.target}" if self._options.direction != "in" else ""
            )

    def _reading(self, now: float) -> Reading:
        return Reading(self._context.name, now, reason=self._latest, last=self._last, who=self._who)

    def close(self) -> None:
        """Give back the socket."""
        self._ear.close()
        self._socket.close()
