"""The check before every sleep: is there a way back, is it ready, is the alarm set, and is the sleep worth it?

Reads first and changes nothing as long as something refuses. What it changes then belongs to the wake path and *stays*: a network card armed
for magic packets, a device allowed to wake the machine, the alarm. Those cost a little power and save none, so they are no action, are not
in the undo ledger, and each is told. (The alarm is taken back with :func:`powernap.sleep.rtc.clear`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from powernap.core.units import show_duration
from powernap.core.value import dataclass
from powernap.host import ethtool, wake_path
from powernap.host.availability import Availability
from powernap.host.ethtool import WakeFlags
from powernap.host.files import text
from powernap.sleep import proof, rtc, states
from powernap.sleep.options import ANY, MAGIC_PACKET, MANUAL, METHODS, RTC, SleepOptions

if TYPE_CHECKING:
    from powernap.host.files import Files
    from powernap.sleep.proof import Proof, Record

NET = "/sys/class/net"
MAGIC = "g"


class Ports(Protocol):
    """The network cards' wake flags. Every error is an ``OSError``."""

    def wake_flags(self, interface: str) -> WakeFlags:
        """What a card could be woken by, and what it is armed for."""
        ...

    def arm(self, interface: str, letters: str) -> None:
        """Wake by exactly these."""
        ...


@dataclass(frozen=True)
class MachinePorts:
    """Those of one machine."""

    files: Files

    def wake_flags(self, interface: str) -> WakeFlags:
        """By ethtool."""
        return ethtool.wake_flags(interface, ethtool.door(self.files))

    def arm(self, interface: str, letters: str) -> None:
        """By ethtool."""
        ethtool.arm(interface, letters, ethtool.door(self.files))


@dataclass(frozen=True, slots=True)
class Request:
    """A sleep that is about to begin.

    :param until: instant (seconds since the epoch) at which the machine is needed again; ``None``: nobody has said so.
    :param mine: the alarm that an earlier preflight set.
    """

    state: str
    until: float | None = None
    mine: rtc.Alarm | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way back. :param trouble: why it would not work now, empty when it would; ``done``: what was changed so that it does."""

    method: str
    trouble: str = ""
    done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """The answer. Truth value: the machine may sleep.

    :param refusals: sentences for an admin; with any of them the machine stays awake.
    :param done: what was armed, or armed again because somebody had taken it away.
    :param alarm: the alarm that is set now.
    """

    refusals: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    alarm: rtc.Alarm | None = None
    ways: tuple[Way, ...] = ()

    def __bool__(self) -> bool:
        return not self.refusals


def check(
    files: Files,
    wall: float,
    options: SleepOptions,
    request: Request,
    record: Record,
    *,
    ports: Ports | None = None,
    offered: Mapping[str, Availability] | None = None,
) -> Ready:
    """All of it, in the order in which it costs.

    :param wall: seconds since the epoch, now.
    :param offered: the sleep states as whoever carries them out sees them; the kernel's unless told otherwise.
    """
    until = alarm_for(wall, options, request.until)
    refusals = list(refused(files, wall, options, request, record, until, offered or states.offered(files)))
    if refusals:
        return Ready(tuple(refusals))
    found = ways(files, options, request.state, record, ports or MachinePorts(files), alarm=until is not None)
    done = tuple(each for way in found for each in way.done)
    if trouble := unready(options, found):
        return Ready((trouble,), done, ways=found)
    if until is None:
        return Ready((), done, ways=found)
    try:
        alarm = rtc.arm(files, until, wall, mine=request.mine)
    except rtc.AlarmError as error:
        return Ready(
            (f"the alarm for {show_duration(until - wall)} from now is not set: {error}",), done, ways=found
        )
    return Ready((), (*done, _told(alarm, wall)), alarm, found)


def alarm_for(wall: float, options: SleepOptions, until: float | None) -> float | None:
    """When the machine is woken at the latest: what is needed next, or the safety alarm; ``None``: by no alarm."""
    wanted = [
        each for each in (until, None if options.alarm is None else wall + options.alarm) if each is not None
    ]
    return min(wanted, default=None)


def refused(
    files: Files,
    wall: float,
    options: SleepOptions,
    request: Request,
    record: Record,
    until: float | None,
    offered: Mapping[str, Availability],
) -> list[str]:
    """What speaks against it without touching anything."""
    answer = offered.get(request.state)
    if not answer:
        why = (
            "nobody offers it" if answer is None else "; ".join(filter(None, (answer.detail, answer.remedy)))
        )
        return [f"{request.state} is not possible: {why}"]
    found = []
    found.append(proof.refusal(files, record, request.state, options, alarm=until is not None))
    found.append(too_short(files, wall, options, request, until))
    return list(filter(None, found))


def too_short(files: Files, wall: float, options: SleepOptions, request: Request, until: float | None) -> str:
    """The next alarm, ours or somebody else's, may be so near that sleeping does not pay."""
    clock = rtc.find(files)
    try:
        foreign = rtc.armed(files, clock, wall) if clock else None
    except rtc.AlarmError:
        foreign = None
    if foreign is not None and (foreign <= wall or (request.mine and request.mine.at == foreign)):
        foreign = None
    ends = [each for each in (until, foreign) if each is not None]
    if not ends or min(ends) - wall >= options.min_sleep:
        return ""
    left = show_duration(max(0.0, min(ends) - wall))
    return f"it would be woken again in {left}, and a sleep of less than {show_duration(options.min_sleep)} does not pay ([sleep] min_sleep)"


def _told(alarm: rtc.Alarm, wall: float) -> str:
    when = f"in {show_duration(alarm.at - wall)}"
    if not alarm.ours:
        return f"an earlier alarm of somebody else wakes it {when} ({alarm.rtc}); it is left as it is"
    far = ", as far as this clock reaches; it is set again then" if alarm.chained else ""
    return f"the alarm of {alarm.rtc} wakes it {when}{far}"


# --- the ways back


def ways(
    files: Files, options: SleepOptions, state: str, record: Record, ports: Ports, *, alarm: bool
) -> tuple[Way, ...]:
    """Every way that is proven for a state, made ready. With an override and no proof: the card that would be expected, if it can be armed.

    :param alarm: an alarm will be set; without one the clock is no way back.
    """
    good, _ = proof.holding(files, record, state)
    found = {(each.method, each.mac): each for each in good if each.method != RTC or alarm}
    ready = [
        _other_card(files, options, each) or READY[each.method](files, ports, each) for each in found.values()
    ]
    if options.proof == "override" and MAGIC_PACKET not in {each.method for each in good}:
        card = options.wake_nic or default_card(files)
        ready += [card_ready(files, ports, card)] if card else []
    return tuple(ready)


def _other_card(files: Files, options: SleepOptions, proven: Proof) -> Way | None:
    """A card that was proven, where the admin has named another."""
    card = proof.interface_of(files, proven.mac) if proven.mac and options.wake_nic else options.wake_nic
    if card == options.wake_nic:
        return None
    return Way(MAGIC_PACKET, f"{card} is proven, and [sleep] wake_nic is {options.wake_nic}")


def unready(options: SleepOptions, found: tuple[Way, ...]) -> str:
    """Why the ways that are ready do not suffice; empty when they do. With an override it is the admin who says so."""
    if options.proof == "override":
        return ""
    works = {way.method for way in found if not way.trouble}
    wanted = set(METHODS) if ANY in options.wake_by else set(options.wake_by)
    enough = works & wanted if ANY in options.wake_by else wanted <= works
    if enough:
        return ""
    troubles = "; ".join(way.trouble for way in found if way.trouble and way.method in wanted)
    return f"there is no way back that works now: {troubles or 'no alarm is asked for'}"


def default_card(files: Files) -> str:
    """The network card that carries the default route; empty where there is none."""
    return next(iter(wake_path.carriers(files)), "")


def _clock_ready(files: Files, _ports: Ports, _proven: Proof) -> Way:
    if rtc.find(files):
        return Way(RTC)
    clocks = [path for path in files.names(rtc.CLASS) if files.exists(f"{rtc.CLASS}/{path}/wakealarm")]
    if not clocks:
        return Way(RTC, rtc.probe(files).detail)
    return _allowed(files, Way(RTC), f"{rtc.CLASS}/{clocks[0]}/device", f"the alarm of {clocks[0]}")


def _packet_ready(files: Files, ports: Ports, proven: Proof) -> Way:
    return card_ready(files, ports, proof.interface_of(files, proven.mac) or proven.interface)


def card_ready(files: Files, ports: Ports, card: str) -> Way:
    """A network card with a link, armed for magic packets, and allowed to wake the machine."""
    if text(files, f"{NET}/{card}/carrier") != "1":
        return Way(MAGIC_PACKET, f"{card} has no link, so no magic packet would reach it")
    try:
        flags = ports.wake_flags(card)
        if MAGIC not in flags.supported:
            return Way(MAGIC_PACKET, f"{card} cannot be woken by a magic packet, says its driver")
        done: tuple[str, ...] = ()
        if MAGIC not in flags.armed:
            ports.arm(card, flags.armed + MAGIC)
            if MAGIC not in ports.wake_flags(card).armed:
                return Way(MAGIC_PACKET, f"{card} was armed for magic packets and does not stay so")
            done = (
                f"{card} was not armed for magic packets, and is now; something disarms it at boot or later",
            )
    except OSError as error:
        return Way(
            MAGIC_PACKET,
            f"whether {card} is armed for magic packets cannot be told or changed: {error.strerror}",
        )
    return _allowed(files, Way(MAGIC_PACKET, "", done), f"{NET}/{card}/device", card)


def _hand_ready(files: Files, _ports: Ports, proven: Proof) -> Way:
    if not proven.device:
        return Way(MANUAL)
    if not files.exists(proven.device):
        return Way(MANUAL, f"what it was woken by is gone ({proven.woken_by})")
    return _allowed(files, Way(MANUAL), proven.device, proven.woken_by)


def _allowed(files: Files, way: Way, device: str, name: str) -> Way:
    """Its ``power/wakeup`` is ``enabled``, or made so (Documentation/ABI/testing/sysfs-devices-power). A device without one has no say."""
    path = f"{device}/power/wakeup"
    if text(files, path, "enabled") == "enabled":
        return way
    try:
        files.write(path, "enabled")
    except OSError as error:
        return Way(
            way.method, f"{name} is not allowed to wake this machine: {path}: {error.strerror}", way.done
        )
    if text(files, path) != "enabled":
        return Way(way.method, f"{name} was allowed to wake this machine, and it does not stay so", way.done)
    return Way(way.method, "", (*way.done, f"{name} was not allowed to wake this machine, and is now"))


READY = {RTC: _clock_ready, MAGIC_PACKET: _packet_ready, MANUAL: _hand_ready}
