"""Somebody is logged in: at the desk, by ssh, on a console.

Owns which sessions count. Asks systemd-logind; where there is none utmp, and where nobody keeps that the controlling terminals in
/proc: an empty answer of a source that is not there would put the machine to sleep under its users. A session is a hold for as long as
its user is at it: a terminal that got no input for ``idle``, or a desktop that says it is idle, counts no longer.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from powernap.core.options import option
from powernap.core.reading import Reading
from powernap.core.units import many, show_duration
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable
from powernap.host.host import Host
from powernap.host.people import Person, Terminals, choose, source
from powernap.monitors import Context

EVENTS = True

MOST_NAMED = 3
"""Sessions that a reason names; all are in ``who``."""


@dataclass(frozen=True)
class Options:
    """Which sessions count."""

    idle: float = option(
        1800.0,
        help="A session whose terminal got no input for this long counts no longer; 0: it counts until it ends.",
        unit="duration",
        example='"10min"',
    )
    idle_hint: bool = option(
        True, help="A desktop session that says it is idle (its screen saver came on) does not count."
    )
    remote_only: bool = option(
        False, help="Only sessions that come over the network count (ssh), not the console or desktop."
    )
    exclude_users: tuple[str, ...] = option(
        (), help="Users whose sessions do not count.", example='["backup"]'
    )
    classes: tuple[str, ...] = option(
        ("user", "user-early", "user-light"),
        help="Classes of session that count, as logind names them; greeter, lock-screen, background and manager are no person.",
        example='["user"]',
    )


def counted(people: list[Person], options: Options) -> list[Person]:
    """Those whose sessions count at all, busy or idle."""
    return [
        person
        for person in people
        if person.kind in options.classes
        and person.user not in options.exclude_users
        and (person.remote or not options.remote_only)
    ]


def busy(person: Person, options: Options, now: float) -> bool:
    """Whether somebody is at this session. What cannot be told counts."""
    if person.terminal and person.used is not None:
        return not options.idle or now - person.used < options.idle
    return not (person.idle and options.idle_hint)


def judge(name: str, people: list[Person], options: Options, now: float, *, told: bool) -> Reading:
    """The reading of a list of sessions. ``told``: the source tells when a session ends or its idle hint changes.

    A terminal's falling idle is never told: then the daemon must look again.
    """
    there = counted(people, options)
    at_it = [person for person in there if busy(person, options, now)]
    who = tuple(str(person) for person in at_it)
    if at_it:
        watched = told and not any(
            person.terminal and person.used is not None and options.idle for person in at_it
        )
        more = f" and {len(who) - MOST_NAMED} more" if len(who) > MOST_NAMED else ""
        began = [person.since for person in at_it if person.since is not None]
        reason = "; ".join(who[:MOST_NAMED]) + more
        return Reading(
            name, now, active=True, reason=reason, since=min(began, default=None), who=who, told=watched
        )
    used = max((person.used for person in there if person.used is not None), default=None)
    if not there:
        return Reading(name, now, reason="nobody is logged in")
    idle = f", idle for {show_duration(now - used)}" if used is not None else ", idle"
    return Reading(name, now, reason=f"{many(len(there), 'session')}{idle}", last=used)


def probe(host: Host, options: Options) -> Availability:  # noqa: ARG001 - every probe is given them
    """By which source sessions are known here."""
    source = choose(host)
    if not source:
        return unavailable(
            "no logind, no utmp, and /proc hides other users' processes",
            "install systemd-logind, or run powernapd as root",
        )
    return available(
        {
            "logind": "logind",
            "utmp": "utmp, heard by inotify",
            "proc": "no logind, no utmp: " + Terminals.name,
        }[source]
    )


def open(context: Context, options: Options) -> SessionsMonitor:  # noqa: A001 - the name every monitor has
    """Choose the source; logind is connected to at the first look."""
    answer = probe(context.host, options)
    if not answer:
        raise UnavailableError(answer)
    return SessionsMonitor(context, options)


class SessionsMonitor:
    """Deaf while it told of sessions whose end must be looked for; while all that count are told of, each change is looked at."""

    def __init__(self, context: Context, options: Options) -> None:
        self.context = context
        self.options = options
        self.before: Reading | None = None
        self.changed_at = 0.0
        self.look: asyncio.Task[None] | None = None
        self.again = False
        self.closed = False
        self.latest: float | None = None
        self.where = source(context.host, self._changed, self._lost)

    @property
    def source(self) -> str:
        """Where sessions are found."""
        return self.where.name

    @property
    def events(self) -> bool:
        """Whether a new session is told of."""
        return self.where.events

    async def check(self, now: float) -> Reading:
        """Who is logged in now."""
        try:
            people = await self.where.people(now)
        except Exception:
            self.before = None
            raise
        reading = judge(self.context.name, people, self.options, now, told=self.where.told)
        self.before = self._ended(reading, now)
        self.latest = self.latest if reading.active else self.before.last
        return self.before

    def close(self) -> None:
        """Give back every descriptor and stop a look that is under way."""
        self.closed = True
        if self.look:
            self.look.cancel()
        self.where.close()

    def _ended(self, reading: Reading, now: float) -> Reading:
        """When an inactive reading was last active: sessions that are gone were used until their end was heard of, else until now."""
        if reading.active:
            return reading
        ended = None
        if self.before and self.before.active and reading.last is None:
            ended = self.changed_at if self.before.at < self.changed_at <= now else now
        known = [
            instant
            for instant in (reading.last, self.latest if ended is None else ended)
            if instant is not None
        ]
        return replace(reading, last=max(known, default=None))

    def _changed(self) -> None:
        """A session came, went or changed. One look at a time; a change during a look is followed by one more."""
        self.changed_at = self.context.host.clock.boottime()
        if self.closed or (self.before and self.before.active and not self.before.told):
            return
        self.again = True
        if not self.look or self.look.done():
            self.look = asyncio.get_running_loop().create_task(self._look_again())

    async def _look_again(self) -> None:
        while self.again and not self.closed:
            self.again = False
            before = self.before
            now = self.context.host.clock.boottime()
            try:
                reading = await self.check(now)
            except Exception as error:
                self._failed(str(error))
                return
            if not before or before.active != reading.active:
                self.context.tell(reading)

    def _lost(self, why: str) -> None:
        if not self.closed:
            self.before = None
            self._failed(f"the message bus is gone ({why})")

    def _failed(self, why: str) -> None:
        reason = f"cannot tell who is logged in: {why}; staying awake"
        self.context.tell(
            Reading(self.context.name, self.context.host.clock.boottime(), reason=reason, failed=True)
        )
