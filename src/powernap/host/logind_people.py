"""Who is logged in, as systemd-logind tells it over D-Bus: one of the sources of people.py."""

from __future__ import annotations

from collections.abc import Callable

from powernap.host import dbus, logind
from powernap.host.availability import UnavailableError, unavailable
from powernap.host.dbus import Bus
from powernap.host.dbus_message import Message
from powernap.host.host import Host
from powernap.host.logins import TypingTimes
from powernap.host.people import Person
from powernap.host.resume import asleep_so_far


class Logind:
    """Sessions by D-Bus. Connects at the first look, and again at the next look after the bus was lost."""

    name = "logind"
    told = True
    events = True

    def __init__(self, host: Host, changed: Callable[[], None], lost: Callable[[str], None]) -> None:
        self.host, self.changed, self.lost = host, changed, lost
        self.times = TypingTimes(host.files, host.clock)
        self.bus: Bus | None = None

    async def people(self, now: float) -> list[Person]:
        """Every session, asked anew."""
        if self.bus is None:
            self.bus = await self._connect()
        return [self._person(session, now) for session in await logind.sessions(self.bus)]

    async def _connect(self) -> Bus:
        if not self.host.ears:
            raise UnavailableError(unavailable("logind can be asked in the daemon only"))
        bus = await dbus.connect(self.host.files, self.host.ears, self._signal, self._lost)
        try:
            await logind.listen(bus)
        except BaseException:
            bus.close()
            raise
        return bus

    def _signal(self, message: Message) -> None:
        if logind.matters(message):
            self.changed()

    def _lost(self, why: str) -> None:
        self.bus = None
        self.lost(why)

    def _person(self, session: logind.Session, now: float) -> Person:
        """A monotonic instant before a sleep looks later than it was: on the safe side."""
        asleep = asleep_so_far()
        idle_since = min(now, session.idle_since + asleep) if session.idle and session.idle_since else None
        used = self.times.at(session.terminal, now) if session.terminal else idle_since
        return Person(
            id=session.id,
            user=session.user,
            terminal=session.terminal,
            host=session.remote_host,
            kind=session.kind,
            remote=session.remote,
            idle=session.idle,
            used=used if used is not None else idle_since,
            since=session.since + asleep if session.since else None,
        )

    def close(self) -> None:
        """Leave the bus."""
        if self.bus:
            self.bus.close()
            self.bus = None
