"""What a client may ask: one function per ``op``, in one table. The protocol is in control.py."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from powernap.core import events as ev
from powernap.core.state import Phase
from powernap.core.verdict import Lease, standing
from powernap.daemon import facts
from powernap.daemon.answers import clean
from powernap.daemon.control import Client, RefusedError
from powernap.daemon.lookout import Scope
from powernap.daemon.node import Node

if TYPE_CHECKING:
    from powernap.daemon.agenda import Agenda
    from powernap.daemon.asking import Told

REFRESH_MIN = 1.0
"""Seconds: however many ask ``why``, the monitors are looked at no more often for it."""
TEXT_MAX = 200
"""Characters of a reason or name that somebody else chose."""
LEASES_PER_USER = 64
EXCEPTIONS_MAX = 64
FAR = 4102444800.0
"""The year 2100."""


class Requests:
    """Answers the control socket on behalf of one node.

    :param reload: loads the configuration again; answers with its faults, empty when it holds now.
    """

    def __init__(self, node: Node, reload: Callable[[], list[str]]) -> None:
        self.node, self.reload = node, reload
        self.refreshed = float("-inf")
        self.leases = itertools.count(1)

    def answer(self, client: Client, request: dict[str, Any]) -> dict[str, Any] | None:
        """One request. Raises ``RefusedError``."""
        op = request.get("op")
        known = OPERATIONS.get(op) if isinstance(op, str) else None
        if known is None:
            raise RefusedError(
                f"there is no operation {text(op)!r}", f"the operations are {', '.join(OPERATIONS)}"
            )
        acting, serve = known
        if acting and (client.peer is None or not client.peer.may_act):
            raise RefusedError(
                f"user {who(client)} may not {op}",
                "use sudo, or join the group powernap",
                code=3,
            )
        return serve(self, client, request)

    # ------------------------------------------------------------ reading

    def status(self, _client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """Everything."""
        self._refresh(request)
        return {"ok": True, **facts.status(self.node)}

    def why(self, _client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """What keeps it awake."""
        self._refresh(request)
        return {"ok": True, **facts.why(self.node)}

    def _refresh(self, request: dict[str, Any]) -> None:
        """The monitors have been deaf since they last heard something: an answer to a person is made of a fresh look."""
        now = self.node.host.clock.boottime()
        if request.get("refresh", True) and now >= self.refreshed + REFRESH_MIN:
            self.refreshed = now
            # Only those: to be looked at because of a question must not change what the counters say of the machine's use.
            self.node.refresh(Scope.DEAF)

    def history(self, _client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """The latest entries, oldest first."""
        count = request.get("count", 50)
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise RefusedError("count is a number above 0")
        return {
            "ok": True,
            "version": facts.VERSION,
            "entries": list(self.node.voice.history.entries)[-count:],
        }

    def events(self, client: Client, _request: dict[str, Any]) -> dict[str, Any]:
        """The flight recorder: what the core was told, for a bug report and for ``replay``."""
        if client.peer is None or not client.peer.may_act:
            raise RefusedError(
                "the recorded events name users and addresses", "use sudo, or join the group powernap", code=3
            )
        return {"ok": True, "version": facts.VERSION, "events": list(self.node.recorded)}

    def watch(self, client: Client, _request: dict[str, Any]) -> None:
        """Everything that happens from now on, a line each."""
        if "watch" in client.closing:
            raise RefusedError("this connection watches already")
        client.send({"ok": True, "version": facts.VERSION, "event": "watching"})
        self.node.told.append(client.send)
        client.closing["watch"] = lambda: self._unwatch(client)

    def _unwatch(self, client: Client) -> None:
        if client.send in self.node.told:
            self.node.told.remove(client.send)

    # ------------------------------------------------------------ acting

    def nap(self, client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """Down the ladder now, unless somebody is there."""
        stage = text(request.get("stage", ""))
        if self.node.settings.index(stage) is None and stage:
            names = ", ".join(s.name for s in self.node.settings.stages) or "none"
            raise RefusedError(f'the ladder has no stage "{stage}"', f"its stages are: {names}")
        if not self.node.settings.stages:
            raise RefusedError("the ladder has no stages", "add a [[stage]] to powernap.toml")
        self.node.refresh(Scope.ALL)
        blockers = self.node.blockers()
        if blockers:
            reasons = "; ".join(f"{b.name}: {b.reason}" for b in blockers)
            raise RefusedError(f"it is in use: {reasons}", "`powernap why` tells more", code=1)
        if self.node.state.phase is Phase.HALTED:
            raise RefusedError(
                "a sleep-wake loop was detected", "look at `powernap history`, then `powernap wake`", code=1
            )
        self.node.feed(ev.NapAsked(self.node.host.clock.boottime(), who(client), stage))
        return {"ok": True, "version": facts.VERSION, "phase": self.node.state.phase.value}

    def wake(self, client: Client, _request: dict[str, Any]) -> dict[str, Any]:
        """Everything back now."""
        self.node.feed(ev.WakeAsked(self.node.host.clock.boottime(), who(client)))
        return {"ok": True, "version": facts.VERSION, "phase": self.node.state.phase.value}

    def hold(self, client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """A lease that lasts as long as this connection, or, with ``for_s``, as long as it says, whichever ends first."""
        why, length = text(request.get("why", "")), request.get("for_s")
        if not why:
            raise RefusedError("a lease needs a reason", "say why")
        if length is not None and (
            isinstance(length, bool) or not isinstance(length, int | float) or not 0 < length < 1e9
        ):
            raise RefusedError("for_s is a number of seconds above 0")
        holder = who(client)
        now = self.node.host.clock.boottime()
        self._forget_ended(client, now)
        if sum(1 for lease in self.node.state.leases.values() if lease.who == holder) >= LEASES_PER_USER:
            raise RefusedError(f"{holder} holds {LEASES_PER_USER} leases already", "end some", code=3)
        name = f"lease-{next(self.leases)}"
        until = None if length is None else now + length
        self.node.feed(ev.LeaseTaken(now, Lease(name, holder, why, now, until)))
        self.node.tell("lease-taken", detail=f"{holder}: {why}")
        client.closing[name] = lambda: self._end(name)
        return {"ok": True, "version": facts.VERSION, "lease": name}

    def _forget_ended(self, client: Client, now: float) -> None:
        """Leases whose time is over, also while no deadline has made the core forget them."""
        for name, lease in list(self.node.state.leases.items()):
            if not standing(lease.until, now):
                self._end(name)
        for name in [
            name for name in client.closing if name != "watch" and name not in self.node.state.leases
        ]:
            del client.closing[name]

    def _end(self, name: str) -> None:
        if name in self.node.state.leases:
            self.node.feed(ev.LeaseEnded(self.node.host.clock.boottime(), name))

    def schedule(self, _client: Client, _request: dict[str, Any]) -> dict[str, Any]:
        """What the schedules' keeper knows besides the configuration: exceptions, the next need, who cannot tell."""
        agenda = self._agenda()
        return {"ok": True, **agenda.facts(), "alarm": agenda.alarm(), "told_last": told_last(agenda)}

    def schedule_skip(self, client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """A schedule says nothing for a while."""
        agenda, name = self._agenda(), text(request.get("schedule", ""))
        known = self.node.config.schedules
        if name and name not in known:
            raise RefusedError(f'no schedule is called "{name}"', f"the schedules are: {', '.join(known)}")
        agenda.skip(name, *self._stretch(request), who(client))
        return {"ok": True, **agenda.facts()}

    def schedule_extend(self, client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """The machine stays up for a while."""
        agenda = self._agenda()
        agenda.extend(*self._stretch(request), text(request.get("why", "")), who(client))
        return {"ok": True, **agenda.facts()}

    def schedule_restore(self, client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """No exceptions any more, or none of one schedule: of one that is configured no more, too."""
        agenda, name = self._agenda(), text(request.get("schedule", ""))
        stood = {*self.node.config.schedules, *(each.schedule for each in agenda.exceptions.skipped)}
        if name and name not in {*stood, "extended"}:
            raise RefusedError(f'no schedule is called "{name}"', f"the schedules are: {', '.join(stood)}")
        agenda.restore(who(client), name)
        return {"ok": True, **agenda.facts()}

    def postpone(self, client: Client, request: dict[str, Any]) -> dict[str, Any]:
        """A scheduled *off* is put off by somebody who is logged in."""
        from powernap.daemon import postponing  # noqa: PLC0415 - only where somebody asks for it

        agenda, why = self._agenda(), text(request.get("why", ""))
        if client.peer is None:
            raise RefusedError("nobody knows who you are", code=3)
        done = postponing.postpone(agenda, client.peer, request.get("for_s"), why)
        return {"ok": True, "version": facts.VERSION, **done}

    def _agenda(self) -> Agenda:
        if self.node.agenda is None:
            raise RefusedError(
                "no schedule is configured", "add a section [schedule.NAME] to the configuration", code=1
            )
        return self.node.agenda

    def _stretch(self, request: dict[str, Any]) -> tuple[float, float]:
        """From when until when, in seconds since the epoch."""
        wall = self.node.host.clock.wall()
        start, end = (instant(request.get(key, default)) for key, default in (("start", wall), ("end", None)))
        if end <= max(start, wall):
            raise RefusedError("the end of an exception lies ahead, and after its start")
        exceptions = self._agenda().exceptions
        if len(exceptions.skipped) + len(exceptions.extended) >= EXCEPTIONS_MAX:
            raise RefusedError(
                f"there are {EXCEPTIONS_MAX} exceptions already",
                "`powernap schedule restore` takes them back",
                code=3,
            )
        return start, end

    def reload_config(self, _client: Client, _request: dict[str, Any]) -> dict[str, Any]:
        """The configuration again; a faulty one changes nothing."""
        faults = self.reload()
        if faults:
            raise RefusedError(
                "the new configuration has faults; the old one goes on:\n" + "\n".join(faults),
                "correct them and try again",
            )
        return {"ok": True, "version": facts.VERSION}


def told_last(agenda: Agenda) -> dict[str, dict[str, Any] | None]:
    """What goes on of the schedules that cannot tell, and until when that is known; ``None`` where nothing is, and the machine stays up. In
    whose words is left out: others than root may ask.
    """
    asking = agenda.asking
    unknown = asking.unknown(agenda.host.clock.wall())
    return {name: None if name in unknown else goes_on(asking.told[name]) for name in asking.troubles}


def goes_on(told: Told) -> dict[str, Any]:
    """Of one of them."""
    spans = [
        {"start": each.start, "end": each.end, "says": each.says, "deepest": each.deepest}
        for each in told.spans
    ]
    return {"end": told.end, "spans": spans}


def instant(value: Any) -> float:
    """Seconds since the epoch."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < FAR:
        raise RefusedError("start and end are seconds since the epoch")
    return float(value)


def who(client: Client) -> str:
    """The user, as a name."""
    return client.peer.name if client.peer else "?"


def text(value: Any) -> str:
    """What somebody else wrote, fit for a log line: short, and without control characters."""
    return clean(value, TEXT_MAX)


Serve = Callable[[Requests, Client, dict[str, Any]], dict[str, Any] | None]
OPERATIONS: dict[str, tuple[bool, Serve]] = {
    "status": (False, Requests.status),
    "why": (False, Requests.why),
    "history": (False, Requests.history),
    "events": (False, Requests.events),
    "watch": (False, Requests.watch),
    "nap": (True, Requests.nap),
    "wake": (True, Requests.wake),
    "hold": (True, Requests.hold),
    "reload": (True, Requests.reload_config),
    "schedule": (False, Requests.schedule),
    "schedule-skip": (True, Requests.schedule_skip),
    "schedule-extend": (True, Requests.schedule_extend),
    "schedule-restore": (True, Requests.schedule_restore),
    "postpone": (False, Requests.postpone),
}
"""``op`` -> (needs the right to act, what serves it)."""
