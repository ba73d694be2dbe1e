"""The hardware clock's one alarm, which wakes this machine: finding it, reading it, setting it, and clearing only what is ours.

There is one alarm for everybody. The earlier of ours and somebody else's is kept; a later one of somebody else is remembered in the
:class:`Alarm` that took its place, and put back by :func:`clear`.

Instants are whole seconds since the epoch, UTC. The clock's own values are in the clock's time zone (drivers/rtc/sysfs.c): ``offset``
is how far it runs ahead of UTC, also when it is merely wrong. Its manners: a set alarm is ``EBUSY`` to a second writer, ``0`` clears
it, an instant that has passed by the clock *also clears it, without an error*, and some clocks reach only a day, a month or a year ahead.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.host.availability import Availability, available, unavailable
from powernap.host.files import matching, text, whole_number

if TYPE_CHECKING:
    from powernap.host.files import Files

CLASS = "/sys/class/rtc"
SOON = 3
"""Seconds from now that an alarm must be away at least: reading, clearing and setting take some, and a passed instant would clear it."""
JITTER = 2
"""Seconds: the clock counts whole ones, and both clocks are read one after the other; less is no difference."""
QUARTER = 900
"""Seconds: time zones differ from UTC by whole quarters of an hour."""
COARSE = 60
"""Seconds: some clocks have no seconds in their alarm; ringing so much earlier is still the alarm that was asked for."""
REACHES = (27 * 86400, 23 * 3600)
"""Seconds: what a clock whose alarm has no month, or no day, can surely do (drivers/rtc/rtc-cmos.c, cmos_validate_alarm)."""
ATTEMPTS = 3
"""Somebody else may set an alarm between our clearing and our setting."""
TOO_FAR = frozenset({errno.EINVAL, errno.ERANGE, errno.EDOM})
REMEDY = "see `cat /proc/driver/rtc`; without an alarm, wake it by another method"


class AlarmError(Exception):
    """No alarm is set as asked; what was set before is set again where that was possible."""

    def __init__(self, reason: str, remedy: str = REMEDY) -> None:
        super().__init__(reason + (f"; {remedy}" if remedy else ""))
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is set and was read back.

    :param rtc: the clock, such as ``rtc0``.
    :param at: when it rings. Not later than asked.
    :param raw: the value in the clock, by which ours is known again.
    :param ours: ``False``: somebody else's, which is early enough and was left.
    :param chained: the clock does not reach as far as asked: it rings earlier, and the alarm has to be set again then.
    :param displaced: somebody else's later alarm, in the clock's value, that had to give way; 0: none.
    """

    rtc: str
    at: int
    raw: int
    ours: bool = True
    chained: bool = False
    displaced: int = 0


# --- finding


def probe(files: Files) -> Availability:
    """Whether this machine can wake itself, and by which clock."""
    clocks = matching(files, f"{CLASS}/rtc*")
    able = [clock for clock in clocks if files.exists(f"{clock}/wakealarm")]
    if not able:
        what = (
            "no hardware clock of this machine has an alarm that wakes it"
            if clocks
            else "this machine has no hardware clock"
        )
        return unavailable(what, "wake it by another method")
    rtc = find(files)
    if not rtc:
        return unavailable(
            f"the alarm of {_name(able[0])} is not allowed to wake this machine",
            f"echo enabled > {able[0]}/device/power/wakeup",
        )
    armed = armed_at(files, rtc)
    return available(f"{rtc}, {'an alarm is set' if armed else 'no alarm is set'}")


def find(files: Files) -> str:
    """The clock whose alarm can wake the machine, such as ``rtc0``; empty when none can.

    The kernel shows ``wakealarm`` only where that is possible at all; whether it is allowed says the device above. The clock that set the
    system's time at boot is preferred.
    """
    able = [clock for clock in matching(files, f"{CLASS}/rtc*") if files.exists(f"{clock}/wakealarm")]
    allowed = [clock for clock in able if text(files, f"{clock}/device/power/wakeup", "enabled") == "enabled"]
    allowed.sort(key=lambda clock: text(files, f"{clock}/hctosys") != "1")
    return _name(allowed[0]) if allowed else ""


def _name(path: str) -> str:
    return path.rpartition("/")[2]


# --- reading


def offset(rtc_time: int, wall: float) -> int:
    """Seconds that the clock runs ahead of UTC: 0, a time zone's quarters of an hour, or by how much it is wrong."""
    ahead = round(rtc_time - wall)
    quarters = round(ahead / QUARTER) * QUARTER
    return quarters if abs(ahead - quarters) <= JITTER else ahead


def offset_of(files: Files, rtc: str, wall: float) -> int:
    """Of one clock, now. Raises ``AlarmError`` where it does not tell its time."""
    now = whole_number(files, f"{CLASS}/{rtc}/since_epoch")
    if now < 0:
        raise AlarmError(f"{rtc} does not tell its time")
    return offset(now, wall)


def armed_at(files: Files, rtc: str) -> int:
    """The alarm that is set, in the clock's own value; 0: none. A clock that rang, and one that was cleared, show nothing."""
    return max(0, whole_number(files, f"{CLASS}/{rtc}/wakealarm"))


def armed(files: Files, rtc: str, wall: float) -> int | None:
    """When the alarm that is set rings; ``None``: none is set."""
    raw = armed_at(files, rtc)
    return raw - offset_of(files, rtc, wall) if raw else None


# --- setting


def arm(files: Files, at: float, wall: float, *, rtc: str = "", mine: Alarm | None = None) -> Alarm:
    """Have the machine woken at an instant, or earlier where somebody else wants that already.

    :param wall: the instant now.
    :param rtc: the clock; the one that :func:`find` finds unless told otherwise.
    :param mine: what an earlier call answered: that alarm is moved, also to a later instant, and not taken for somebody else's.
    :raises AlarmError: it cannot be; the reason and what to do.
    """
    rtc = rtc or find(files)
    if not rtc:
        answer = probe(files)
        raise AlarmError(answer.detail, answer.remedy)
    if at < wall + SOON:
        raise AlarmError(
            f"an alarm must be {SOON}s ahead at least, and this one is {round(at - wall)}s",
            "stay awake for it",
        )
    ahead = offset_of(files, rtc, wall)
    wanted, now = int(at) + ahead, int(wall) + ahead
    own, waiting = (mine.raw, mine.displaced) if mine and mine.ours and mine.rtc == rtc else (0, 0)
    for _ in range(ATTEMPTS):
        present = armed_at(files, rtc)
        theirs = sorted(each for each in {present if present != own else 0, waiting} if each > now)
        if present in theirs[:1] and present <= wanted:
            return Alarm(rtc, present - ahead, present, ours=False)
        waiting = theirs[0] if theirs else 0
        try:
            return _replace(files, rtc, min([wanted, *theirs]), now, ahead, Slot(present, waiting))
        except BlockingIOError:
            continue  # somebody else was faster: look again, whose is earlier
    raise AlarmError(
        f"somebody else sets the alarm of {rtc} again and again", "find it with `fuser -v /dev/rtc*`"
    )


class Slot(NamedTuple):
    """What is in the clock before we write, and whose later alarm waits for its turn; 0: none."""

    present: int
    waiting: int


def _replace(files: Files, rtc: str, wanted: int, now: int, ahead: int, slot: Slot) -> Alarm:
    """Clear and set. ``BlockingIOError``: an alarm of somebody else came in between."""
    if slot.present:
        _write(files, rtc, 0)  # also one that has rung: some clocks still show it, and are EBUSY
    try:
        raw, chained = _set(files, rtc, wanted, now)
        found = armed_at(files, rtc)
        if not raw - COARSE <= found <= raw or found <= now:
            _write(files, rtc, 0)
            shows = show_duration(found - now) + " from now" if found > now else "none"
            raise AlarmError(
                f"the alarm of {rtc} was set for {show_duration(raw - now)} from now, and it shows {shows}"
            )
    except AlarmError:
        if slot.waiting:
            _write(files, rtc, slot.waiting)
        raise
    theirs = found == slot.waiting  # its turn has come: ours went to a later instant
    later = slot.waiting if slot.waiting > found else 0
    return Alarm(rtc, found - ahead, found, ours=not theirs, chained=chained, displaced=later)


def _set(files: Files, rtc: str, wanted: int, now: int) -> tuple[int, bool]:
    """As far as the clock reaches; the value written and whether it falls short."""
    for reach in (wanted - now, *(each for each in REACHES if each < wanted - now)):
        try:
            files.write(f"{CLASS}/{rtc}/wakealarm", str(now + reach))
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise BlockingIOError(error.errno, error.strerror) from error
            if error.errno not in TOO_FAR:
                raise AlarmError(f"the alarm of {rtc} cannot be set: {error.strerror}") from error
        else:
            return now + reach, reach < wanted - now
    raise AlarmError(f"{rtc} takes no alarm, not even for tomorrow")


def _write(files: Files, rtc: str, raw: int) -> None:
    try:
        files.write(f"{CLASS}/{rtc}/wakealarm", str(raw))
    except OSError as error:
        done = "set" if raw else "cleared"
        raise AlarmError(f"the alarm of {rtc} cannot be {done}: {error.strerror}") from error


# --- checking and clearing


def holds(files: Files, alarm: Alarm) -> bool:
    """Whether it is still set as it was: another program may have taken the clock meanwhile."""
    return armed_at(files, alarm.rtc) == alarm.raw


def taken(files: Files, alarm: Alarm) -> str:
    """What another program did with our alarm before it rang, as in "set for 2h from now"; empty when nothing."""
    now = whole_number(files, f"{CLASS}/{alarm.rtc}/since_epoch")
    if not alarm.ours or alarm.raw <= now or holds(files, alarm):
        return ""
    found = armed_at(files, alarm.rtc)
    return f"set for {show_duration(found - now)} from now" if found > now else "cleared"


def clear(files: Files, alarm: Alarm) -> bool:
    """Take our alarm back, and put back the one that gave way to it, unless its time has passed. ``False``: what is set is not ours.

    :raises AlarmError: it cannot be cleared or put back.
    """
    if not alarm.ours:
        return False
    present = armed_at(files, alarm.rtc)
    if present not in {0, alarm.raw}:
        return False
    if present:
        _write(files, alarm.rtc, 0)
        if armed_at(files, alarm.rtc):
            raise AlarmError(f"the alarm of {alarm.rtc} was cleared and is still set")
    now = whole_number(files, f"{CLASS}/{alarm.rtc}/since_epoch")
    if alarm.displaced > now + SOON:
        _write(files, alarm.rtc, alarm.displaced)
    return True
