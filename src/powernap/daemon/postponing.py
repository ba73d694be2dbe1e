"""``powernap postpone``: whoever is logged in puts a scheduled *off* off, within the limits that ``[off]`` gives them.

Owns who may, for how long, and what is answered. It can only keep the machine up: what it makes is an exception as ``schedule extend`` makes it, with an
end and a name. Instants are seconds since the epoch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any

from powernap.core.timetable import OFF, Period
from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.daemon.control import Peer, RefusedError
from powernap.daemon.exceptions import Exceptions, Extended
from powernap.host import zones
from powernap.host.files import text
from powernap.host.inotify import on_disk

if TYPE_CHECKING:
    from powernap.config.model import Off
    from powernap.daemon.agenda import Agenda
    from powernap.host.files import Files
    from powernap.host.host import Host

AHEAD = 3600.0
"""Seconds before it comes from which on it may be postponed, or from when users are warned, if that is earlier: an off that is far is the admin's."""
LEAST, USUAL = 60.0, 1800.0
"""Seconds by which it is postponed at least, or for as long as users are warned, if that is longer; and when nothing is said."""
POSTPONED_MAX = 32
"""Postponements that stand at once, of all users: half of all exceptions, so that the admin always has room."""
USERS, SESSIONS = "/run/systemd/users", "/run/systemd/sessions"
LOGGED_IN = frozenset({"active", "online"})
"""States of a user who has a session, in the foreground or not (sd_uid_get_state(3)); "lingering" and "closing" have none."""
ADMIN = "root and group powernap may keep it up with `powernap schedule extend`"


@dataclass(frozen=True)
class Due:
    """The time of *off* that is next, or now.

    :param start: since when the schedules want it, and until when (``end``), but for what was postponed.
    :param at: when it comes now, or came; ``used``: seconds for which it has been postponed.
    :param whole: the end of what the schedules say of it: a job in the night makes no second time of off, with limits of its own.
    """

    schedule: str
    start: float
    end: float
    at: float
    used: float
    whole: float


# ---------------------------------------------------------------- what there is to postpone


def due(agenda: Agenda) -> Due | None:
    """The next one; ``None`` where no schedule wants the machine off in the time that is known."""
    off = agenda.plan.off if agenda.plan is not None else None
    if off is None:
        return None
    now = agenda.host.clock.wall()
    at = round(off.at + agenda.offset, 3)
    found = run_of(unpostponed(agenda, now), now, max(at, now))
    start, end, whole = found or (at, inf, 0.0)
    # The part of it that is over is not asked about any more: windows may follow upon each other, day by day. What was used of that counts.
    used = [each.postponed for each in agenda.kept.extended if each.counts_until > start and each.start < end]
    return Due(off.name, start, end, at, max(used, default=0.0), whole)


def unpostponed(agenda: Agenda, now: float) -> list[Period]:
    """The timetable as it would be if nobody had postponed anything."""
    admins = tuple(each for each in agenda.kept.extended if not each.postponed)
    return agenda.timetable(now, Exceptions(agenda.kept.skipped, admins))


def run_of(periods: Iterable[Period], now: float, instant: float) -> tuple[float, float, float] | None:
    """The time of *off* that holds at an instant or comes first after it, and the end of its last statement, which may be later than its own.
    One that holds now began when its statement began.
    """
    found: list[float] = []
    for each in periods:
        if each.says != OFF:
            continue
        whole = max(span.end for span in each.because)
        if found and found[1] == each.start:
            found[1:] = each.end, max(found[2], whole)
        elif found and found[1] > instant:
            break
        else:
            start = each.start if each.start > now else min(span.start for span in each.because)
            found = [start, each.end, whole]
    return (found[0], found[1], found[2]) if found and found[1] > instant else None


def left(limits: Off, found: Due) -> float:
    """Seconds by which users may postpone it still; 0 where they may not at all."""
    rest = limits.postpone_most - found.used if limits.postpone > 0 else 0.0
    return rest if rest >= min(least(limits), limits.postpone) else 0.0


def least(limits: Off) -> float:
    """Seconds. They are warned anew after it, so one that is shorter would put it off for longer than it says."""
    return max(LEAST, limits.warn)


# ---------------------------------------------------------------- who may


def may(peer: Peer, files: Files) -> bool:
    """Whether this user is logged in, by logind, by utmp, or (where nobody keeps either) by the terminals in /proc."""
    user = text(files, f"{USERS}/{peer.uid}")
    if _value(user, "STATE") in LOGGED_IN:
        sessions = (text(files, f"{SESSIONS}/{name}") for name in _value(user, "SESSIONS").split())
        # Where cron's PAM stack has pam_systemd, as on Fedora, its jobs have sessions, too, and those are "active": of the class "background".
        if any(_value(each, "CLASS").startswith("user") for each in sessions):
            return True
    from powernap.host import logins  # noqa: PLC0415 - only to answer

    path = logins.utmp_path(files)
    if path is None and files.exists(USERS):
        return False
    try:
        found = logins.from_utmp(files, path) if path else logins.from_terminals(files, 0.0)
    except OSError:
        return False
    return any(each.user == peer.name or _owner(files, each.terminal) == peer.uid for each in found)


def _value(found: str, key: str) -> str:
    """Of a file as logind writes it."""
    line = re.search(rf"^{key}=(.*)$", found, re.MULTILINE)
    return line[1].strip() if line is not None else ""


def _owner(files: Files, terminal: str) -> int:
    """Who has the terminal: login gives it to its user; -1 for nobody."""
    try:
        return os.stat(on_disk(files, f"/dev/{terminal}")).st_uid
    except (OSError, ValueError):
        return -1


# ---------------------------------------------------------------- asked


def postpone(agenda: Agenda, peer: Peer, length: Any, why: str) -> dict[str, Any]:
    """Do it, or say why not (``RefusedError``).

    :param length: seconds, ``None`` for as long as is usual. :param why: fit to be shown.
    """
    limits = agenda.config.off
    _mind_rights(agenda, peer)
    now = agenda.host.clock.wall()
    found = due(agenda)
    if found is None:
        raise _nothing(agenda.unknown(now))
    base = max(now, found.at)
    _mind_distance(agenda, found, base - now)
    rest = inf if peer.may_act else left(limits, found)
    end = min(base + _length(length, limits, rest, free=peer.may_act), found.end)
    _mind_number(agenda, peer)
    cost = max(end, now + limits.warn) - base  # it does not come before users were warned for that long
    used = 0.0 if peer.may_act else found.used + cost
    was, until = shown(found.at, agenda.host), shown(end, agenda.host)
    until += ", when its time of off ends" if end == found.end else ""
    said = f"{peer.name} postponed the off of schedule {found.schedule}, due at {was}, until {until}"
    agenda.postpone(
        Extended(now, end, why, peer.name, used, found.whole or end),
        said + (f": {why}" if why else ""),
    )
    more = None if peer.may_act else max(0.0, rest - cost)
    return {
        "schedule": found.schedule,
        "was": found.at,
        "until": end,
        "ends": end == found.end,
        "left_s": more,
    }


def _nothing(unknown: Iterable[str]) -> RefusedError:
    """There is nothing to postpone, as far as is known."""
    if names := ", ".join(unknown):
        return RefusedError(
            f"it is not known what {names} says, so the machine stays up", "`powernap schedule` says why", 1
        )
    return RefusedError(
        "no schedule wants this machine off in the coming days", "`powernap schedule` shows them", 1
    )


def _mind_rights(agenda: Agenda, peer: Peer) -> None:
    if peer.may_act:
        return
    if not may(peer, agenda.host.files):
        raise RefusedError(
            f"user {peer.name} is not logged in here",
            f"log in, use sudo, or join the group powernap; {ADMIN}",
            3,
        )
    if agenda.config.off.postpone <= 0:
        raise RefusedError("users may not postpone it on this machine (postpone in [off])", ADMIN, 3)


def _mind_number(agenda: Agenda, peer: Peer) -> None:
    """Whoever has one already lengthens it: of each user there is one."""
    standing = agenda.exceptions
    if peer.may_act:
        full = len(standing.extended) + len(standing.skipped) >= 2 * POSTPONED_MAX
    else:
        others = [each for each in standing.extended if each.postponed and each.who != peer.name]
        full = len(others) >= POSTPONED_MAX
    if full:
        raise RefusedError(
            "there are too many exceptions already", "`powernap schedule restore` takes them back", 3
        )


def _mind_distance(agenda: Agenda, found: Due, ahead: float) -> None:
    earliest = max(AHEAD, agenda.config.off.warn)
    if ahead > earliest:
        at, since = shown(found.at, agenda.host), shown(found.at - earliest, agenda.host)
        raise RefusedError(
            f"it goes off at {at}, and can be postponed from {since} on",
            ADMIN,
            1,
        )


def _length(length: Any, limits: Off, rest: float, *, free: bool) -> float:
    """Seconds for which it is postponed."""
    if length is not None and (
        isinstance(length, bool) or not isinstance(length, int | float) or not 0 < length < 1e9
    ):
        raise RefusedError("for_s is a number of seconds above 0")
    most = inf if free else limits.postpone
    if rest <= 0:
        used = show_duration(limits.postpone_most)
        raise RefusedError(f"it has been postponed as long as users may, {used} in all", ADMIN, 1)
    if length is None:
        return min(USUAL, most, rest)
    if length < min(least(limits), most, rest):
        raise RefusedError(f"it is postponed for {show_duration(least(limits))} at least", "ask for more", 2)
    if length > min(most, rest):
        word = "more" if rest < most else "at once"
        can = show_duration(min(most, rest) if min(most, rest) < 60 else min(most, rest) // 60 * 60)
        raise RefusedError(
            f"users may postpone it by {can} {word}",
            f"`powernap postpone --for {can.replace(' ', '')}`; {ADMIN}",
            1,
        )
    return float(length)


def shown(at: float, host: Host) -> str:
    """What a clock on this machine's wall shows then, to the nearest minute; with its day where that is not this one, nor within 20 h."""
    zone = zones.local(host.files).zone
    there = datetime.fromtimestamp(at + 30.0, zone)
    near = abs(at - host.clock.wall()) < 72000.0
    return there.strftime("%H:%M" if near else "%a %d %b %H:%M")
