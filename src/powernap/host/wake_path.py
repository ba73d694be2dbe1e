"""The wake path: the devices that can wake this machine or carry its default route, and every bus above them. No saving touches it.

Owns the looking. A network card is on it when it carries the default route, is armed to wake the machine, or could be armed; an input
device, and any other USB device but a hub, when its ``power/wakeup`` is ``enabled``; each RTC always. Above them are hubs, bridges and
host controllers: a bus that sleeps hears no wake-up. Paths are the real ones below /sys/devices, because names such as ``eth0`` and
``1-1`` are links that lead elsewhere after the next plug.

When it cannot be told which card carries the default route (a tunnel, or no such route at all), every card with a link is on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.host.files import matching, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from powernap.host.files import Files

DEVICES = "/sys/devices"
NET = "/sys/class/net"
HUB = "09"  # bDeviceClass of a hub (USB 2.0, table 11-15)


def wake_path(files: Files) -> Mapping[str, str]:
    """Real path of each device on it, with the reason: ``"eth0 carries the default route"``. Where several apply, the first counts."""
    wakers = [(place, why) for place, why in _wakers(files) if place.startswith(f"{DEVICES}/")]
    found: dict[str, str] = {}
    for place, reason in wakers:
        found.setdefault(place, reason)
    for place, reason in wakers:
        for bus in _above(place):
            found.setdefault(bus, f"{reason}, and is reached through it")
    return found


def exempt(files: Files, path: str, known: Mapping[str, str] | None = None) -> str:
    """Why a device must be left alone; empty when it may be touched.

    :param path: its directory, or a file of it; links are resolved.
    :param known: :func:`wake_path` asked before, where many devices are judged.
    """
    found = wake_path(files) if known is None else known
    return found.get(device(files, path), "")


def device(files: Files, path: str) -> str:
    """The real path of the device that a path is, or belongs to: the nearest directory with a ``uevent``."""
    place = files.real(path)
    while place and not files.exists(f"{place}/uevent"):
        place = place.rpartition("/")[0]
    return place or files.real(path)


def _above(place: str) -> Iterator[str]:
    """Each directory between a device and /sys/devices, from below."""
    while (place := place.rpartition("/")[0]) != DEVICES and place:
        yield place


def _wakers(files: Files) -> Iterator[tuple[str, str]]:
    """The devices that somebody or something wakes the machine by, the most important reason first."""
    cards = [path for path in matching(files, f"{NET}/*") if files.exists(f"{path}/device")]
    carrying = carriers(files)
    for card in cards:
        name, bus_device = card.rpartition("/")[2], files.real(f"{card}/device")
        if name in carrying:
            places = [files.real(card), bus_device]
            if files.exists(f"{card}/device/physfn"):  # SR-IOV: what it borrows its port from
                places.append(files.real(f"{card}/device/physfn"))
            yield from ((place, f"{name} {carrying[name]}") for place in places)
        holder, switch = _switch(files, bus_device)[0], wake_switch(files, name)
        if switch:
            does = "is armed to wake" if switch == "enabled" else "can be armed to wake"
            yield from ((place, f"{name} {does} this machine") for place in (files.real(card), holder))
    for place in matching(files, "/sys/class/input/input*"):
        holder, switch = _switch(files, files.real(place))
        if switch == "enabled":
            reason = f"{text(files, f'{place}/name', 'an input device')} wakes this machine"
            yield from ((each, reason) for each in (files.real(place), holder))
    for place in matching(files, "/sys/class/rtc/rtc*"):
        yield files.real(place), f"{place.rpartition('/')[2]} wakes this machine at an alarm"
    for place in matching(files, "/sys/bus/usb/devices/*"):
        hub = text(files, f"{place}/bDeviceClass", HUB) == HUB
        if not hub and text(files, f"{place}/power/wakeup") == "enabled":
            what = text(files, f"{place}/product", place.rpartition("/")[2])
            yield files.real(place), f"{what} wakes this machine"


def _switch(files: Files, place: str) -> tuple[str, str]:
    """The bus device that a card or an input belongs to, and its ``power/wakeup``: ``enabled``, ``disabled`` or empty.

    Buses are passed by: a bridge has a switch of its own, which says nothing of what is behind it.
    """
    while place.startswith(f"{DEVICES}/"):
        found = text(files, f"{place}/power/wakeup")
        if found or files.exists(f"{place}/idVendor") or files.exists(f"{place}/class"):
            return place, found
        place = place.rpartition("/")[0]
    return place, ""


def wake_switch(files: Files, card: str) -> str:
    """Whether a network card is armed: ``enabled``, ``disabled`` (it could be), or empty where it cannot wake.

    Its bus device tells, or its driver does (ethtool): cards without PCI power management have no ``power/wakeup`` (seen: 8139cp).
    """
    from powernap.host import ethtool  # noqa: PLC0415 - 60 KiB, for few

    switch = _switch(files, files.real(f"{NET}/{card}/device"))[1]
    try:
        flags = ethtool.wake_flags(card, ethtool.door(files))
    except (OSError, ValueError):
        return switch
    if switch == "enabled" or flags.armed:
        return "enabled"
    return "disabled" if flags.supported else switch


# --- the way that the default route takes


def carriers(files: Files) -> Mapping[str, str]:
    """The network cards that the default route may run over, each with the reason."""
    routes = default_routes(text(files, "/proc/net/route"), text(files, "/proc/net/ipv6_route"))
    below = {name: list(_cards(files, name, set())) for name in routes}
    found = {
        card: "carries the default route" if card == name else f"carries the default route of {name}"
        for name, cards in below.items()
        for card in cards
    }
    if not routes or not all(below.values()):
        for path in matching(files, f"{NET}/*"):
            if text(files, f"{path}/carrier") == "1" and files.exists(f"{path}/device"):
                found.setdefault(path.rpartition("/")[2], "has a link and may carry the only way in")
    return found


def default_routes(four: str, six: str) -> list[str]:
    """Interfaces with a default route, from ``/proc/net/route`` (proc_net(5)) and ``/proc/net/ipv6_route`` (net/ipv6/route.c)."""
    lines = [line.split() for line in four.splitlines()[1:]]
    found = [line[0] for line in lines if len(line) > 7 and line[1] == line[7] == "00000000"]
    found += [
        line[9]
        for line in map(str.split, six.splitlines())
        if len(line) == 10 and line[0] == "0" * 32 and line[1] == "00"
    ]
    # IPv6 without a router answers "unreachable" by a default route over lo
    return [name for name in dict.fromkeys(found) if name != "lo"]


def _cards(files: Files, name: str, seen: set[str]) -> Iterator[str]:
    """The cards below an interface: itself, or those of a bond, bridge or VLAN (``lower_*`` links)."""
    if name in seen:
        return
    seen.add(name)
    if files.exists(f"{NET}/{name}/device"):
        yield name
    for path in matching(files, f"{NET}/{name}/lower_*"):
        yield from _cards(files, path.rpartition("/lower_")[2], seen)
