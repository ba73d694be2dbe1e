"""Somebody is connected: established TCP connections, by port, direction and peer.

Owns what a connection means. That one opens is heard from the kernel (host/tcp_events.py); which ones stand is asked of the kernel
(host/sock_diag.py) at each look, and only those on the ports named are handed over.

A connection holds as long as it is established. With ``idle_bytes`` it holds no more by existing: opening, closing, and moving more bytes than that since the
previous look are the activity, and the kernel tells when the last byte moved. Bytes on a connection that stands already have no event: then
``events`` is false.

A connection of the machine with itself counts, since a tunnel (``ssh -L``) looks like one; ``loopback = false`` is for ports that a local proxy or
a health check keeps open.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

from powernap.core.counters import MINIMUM
from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.units import many, show_size
from powernap.core.value import dataclass
from powernap.host import netns, sock_diag
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.files import text
from powernap.host.ports import port_ranges, show_ports, wrong_port, wrong_ports
from powernap.host.sock_diag import Connection, Wanted

if TYPE_CHECKING:
    from powernap.host.host import Host
    from powernap.host.tcp_events import Watch
    from powernap.host.tcp_program import Opened
    from powernap.monitors import Context

EVENTS = True
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
NAMED = 5
"""Peers that a reason names; the others are counted."""


def wrong_network(network: str) -> str | None:
    """What is wrong with a network, for the configuration."""
    from ipaddress import ip_network  # noqa: PLC0415 - 260 KiB, for those who name an address

    try:
        ip_network(network)
    except ValueError as problem:
        return f'{problem}; write an address or a network, such as "10.0.0.0/8"'
    return None


@dataclass(frozen=True)
class Options:
    """What may be configured."""

    port: int | None = option(None, example="22", check=wrong_port, help="The port.")
    ports: tuple[str, ...] = option(
        (),
        example='["443", "8000-8010"]',
        check=wrong_ports,
        help="Ports and ranges of ports; `port` is one more.",
    )
    direction: str = option(
        "in",
        choices=("in", "out", "any"),
        help="Whose port it is: ours (`in`: others use this machine), the peer's (`out`: this machine uses others), or either.",
    )
    address: str | None = option(
        None,
        example='"10.0.0.0/8"',
        check=wrong_network,
        help="Only connections with a peer in this network.",
    )
    loopback: bool = option(default=True, help="Whether connections of this machine with itself count.")
    idle_bytes: float | None = option(
        None,
        unit="byte_rate",
        example="100B/s",
        help="A connection that moved fewer bytes a second since the last look is idle and does not count. Without it, a connection counts "
        "as long as it stands.",
    )
    namespaces: str = option(
        "own",
        choices=("own", "all"),
        help="`all`: connections inside containers (other network namespaces) count too.",
    )

    def __post_init__(self) -> None:
        if self.port is None and not self.ports and self.address is None:
            raise ValueError(
                "every connection of the machine would count; write `port = 22`, or an `address`"
            )


def wanted(options: Options) -> Wanted:
    """What the options ask for, in the kernel's terms."""
    ports = options.ports if options.port is None else (*options.ports, str(options.port))
    peers = None
    if options.address is not None:
        from ipaddress import ip_network  # noqa: PLC0415 - see above

        peers = ip_network(options.address)
    return Wanted(
        port_ranges(ports),
        incoming=options.direction != "out",
        outgoing=options.direction != "in",
        peers=peers,
        loopback=options.loopback,
    )


def probe(host: Host, options: Options) -> Availability:
    """Can connections be listed here?"""
    asked = wanted(options)
    if options.namespaces == "all" and not (
        host.live and netns.visible(text(host.files, "/proc/self/status"))
    ):
        return unavailable(
            "connections inside containers cannot be seen",
            'run as root (CAP_SYS_ADMIN and CAP_SYS_PTRACE), or write `namespaces = "own"`',
        )
    if host.live and not sock_diag.refusal():
        return available(f"sock_diag, {show_ports(asked.ports)}")
    if any(text(host.files, path) for path in TABLES):
        return available(f"{TABLES[0]}, {show_ports(asked.ports)}")
    return unavailable(
        "neither sock_diag nor /proc/net/tcp can be read", "mount /proc, or allow AF_NETLINK sockets"
    )


def open(context: Context, options: Options) -> TcpMonitor:  # noqa: A001 - the name every monitor has
    """Begin to hear of connections."""
    if not (answer := probe(context.host, options)):
        raise UnavailableError(answer)
    return TcpMonitor(context, options)


@dataclass(frozen=True, slots=True)
class Look:
    """Bytes moved, by connection, at one instant."""

    at: float
    moved: dict[tuple[str, bytes], int | None]


class TcpMonitor:
    """Hears of connections that open, and lists those that stand."""

    def __init__(self, context: Context, options: Options) -> None:
        self._context, self._options = context, options
        self._wanted = wanted(options)
        self._diag = context.host.live and not sock_diag.refusal()
        self._refused = ""
        self._watch = self._listen()
        self._base = Look(context.host.clock.boottime(), {})
        self._since: float | None = None
        self._last: float | None = None
        self._idle_reading: Reading | None = None
        if self._watch is not None:
            self._watch.arm()

    def _listen(self) -> Watch | None:
        """The kernel's events; ``None`` where there are none, with the reason in ``source``."""
        host = self._context.host
        if not host.live or host.ears is None:
            return None
        from powernap.host.tcp_events import tcp_events  # noqa: PLC0415 - ctypes: only where it is used

        try:
            return tcp_events(host).watch(
                self._wanted, self._heard, everywhere=self._options.namespaces == "all"
            )
        except UnavailableError as error:
            self._refused = str(error)
            return None

    @property
    def events(self) -> bool:
        """Whether activity is told when it begins."""
        return self._watch is not None and self._options.idle_bytes is None

    @property
    def source(self) -> str:
        """How connections are noticed, for people."""
        look = "sock_diag" if self._diag else TABLES[0]
        if self._watch is not None:
            return f"raw tracepoint, {look}"
        return f"{look} at each look ({self._refused})" if self._refused else f"{look} at each look"

    def _heard(self, opened: Opened) -> None:
        """A connection opened; the watch is silent from here to the next look."""
        now = self._context.host.clock.boottime()
        peer = str(sock_diag.address(opened.peer))
        reason = f"a connection to {self._where()}, {self._side()} {peer}"
        holds = self._options.idle_bytes is None
        self._since = self._since or now
        self._context.tell(
            Reading(
                self._context.name,
                now,
                holds,
                reason,
                last=now,
                since=self._since if holds else None,
                who=(peer,),
            )
        )

    def check(self, now: float) -> Reading:
        """The connections that stand, and when the latest one opened or closed."""
        if self._watch is not None:
            self._watch.arm()
        found = self._connections()
        self._note_kernel()
        return self._holding(found, now) if self._options.idle_bytes is None else self._moving(found, now)

    def _note_kernel(self) -> None:
        """What opened or closed since the last look, also while nobody listened."""
        if self._watch is not None:
            seen = self._watch.seen()
            self._last = max(
                (at for at in (self._last, seen.opened, seen.closed) if at is not None), default=None
            )

    def _connections(self) -> list[tuple[str, Connection]]:
        """Each connection with the name of its network namespace, empty for ours."""
        if not self._diag:
            files = self._context.host.files
            return [
                ("", one) for path in TABLES for one in sock_diag.parse_proc(text(files, path), self._wanted)
            ]
        found = [("", one) for one in self._ask()]
        if self._options.namespaces == "all":
            for place, answer in netns.visit(netns.others(), self._ask):
                if isinstance(answer, list):
                    found += [(place.label, one) for one in answer]
                elif answer.errno not in (errno.ENOENT, errno.ESRCH):  # it ended between listing and entering
                    raise answer
        return found

    def _ask(self) -> list[Connection]:
        return sock_diag.established(self._wanted, info=self._options.idle_bytes is not None)

    def _holding(self, found: list[tuple[str, Connection]], now: float) -> Reading:
        """Active while a connection stands."""
        name = self._context.name
        if found:
            self._since = self._since or now
            self._last = now
            reason = f"{self._count(found)}, {self._names(found)}"
            return Reading(
                name,
                now,
                active=True,
                reason=reason,
                last=now,
                since=self._since,
                measured=len(found),
                who=peers(found),
            )
        if self._since is not None and self._watch is None:
            self._last = now  # it ended since the last look, nobody can say when
        self._since = None
        return Reading(name, now, reason=f"no connection to {self._where()}", last=self._last, measured=0)

    def _moving(self, found: list[tuple[str, Connection]], now: float) -> Reading:
        """A pulse at the latest byte of the connections that moved enough since the last look."""
        limit = self._options.idle_bytes or 0.0
        look = Look(now, {(place, one.cookie): one.moved for place, one in found})
        rates = [(place, one, self._rate(place, one, now)) for place, one in found]
        busy = [(place, one) for place, one, rate in rates if rate is None or rate >= limit]
        if now - self._base.at < MINIMUM and not busy and self._idle_reading is not None:
            return replace(self._idle_reading, at=now, last=self._last)
        gone = self._base.moved.keys() - look.moved.keys()
        if gone and self._watch is None:
            self._last = now
        self._last = max((now - (one.quiet or 0.0) for _, one in busy), default=self._last)
        self._base = look
        self._idle_reading = self._told_moving(
            found, busy, now, max((rate or 0.0 for _, _, rate in rates), default=0.0)
        )
        return self._idle_reading

    def _told_moving(
        self, found: list[tuple[str, Connection]], busy: list[tuple[str, Connection]], now: float, rate: float
    ) -> Reading:
        limit = self._options.idle_bytes or 0.0
        reason = f"no connection to {self._where()}"
        if found:
            reason = f"{self._count(found)}, idle (each under {show_size(limit)}/s)"
        if busy:
            reason = f"{self._count(busy)}, {self._names(busy)}, moved up to {show_size(rate)}/s (limit {show_size(limit)}/s)"
        return Reading(
            self._context.name,
            now,
            reason=reason,
            last=self._last,
            measured=rate,
            limit=limit,
            unit="B/s",
            who=peers(busy),
        )

    def _rate(self, place: str, one: Connection, now: float) -> float | None:
        """Bytes a second since the last look; ``None``, which counts, for a new connection or where the kernel does not say."""
        before = self._base.moved.get((place, one.cookie))
        if before is None or one.moved is None:
            return None
        return (one.moved - before) / max(MINIMUM, now - self._base.at)

    def _count(self, found: list[tuple[str, Connection]]) -> str:
        return f"{many(len(found), 'connection')} to {self._where()}"

    def _where(self) -> str:
        return show_ports(self._wanted.ports)

    def _side(self) -> str:
        return {"in": "from", "out": "at", "any": "with"}[self._options.direction]

    def _names(self, found: list[tuple[str, Connection]]) -> str:
        """``from 10.0.0.7, 10.0.0.9 and 3 more (in nginx, process 812)``."""
        who = peers(found)
        more = f" and {len(who) - NAMED} more" if len(who) > NAMED else ""
        places = sorted({place for place, _ in found if place})
        inside = f" (in the network of {'; '.join(places[:NAMED])})" if places else ""
        return f"{self._side()} {', '.join(who[:NAMED])}{more}{inside}"

    def close(self) -> None:
        """Hear no more."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def peers(found: list[tuple[str, Connection]]) -> tuple[str, ...]:
    """Addresses, each once, in order of number."""
    packed = sorted({one.peer for _, one in found}, key=lambda peer: (len(peer), peer))
    return tuple(str(sock_diag.address(peer)) for peer in packed)
